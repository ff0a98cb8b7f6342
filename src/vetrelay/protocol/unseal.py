"""Unsealing: from a header, an identity and the author's word to a file key, and to plaintext.

What must hold before a byte of an object is shown:

(1) The original header is the one the author signed: SHA-256(H0) = h0.
(2) Both headers are strict age headers that fill their buffers, of hybrid stanzas only.
(3) An identity of ours opens a stanza of the header used.
(4) The header used passes its own MAC under that file key.
(5) H0 passes its MAC under the same file key. This is the key commitment: one payload
    can be made to open to two texts under two keys, but at most one key passes H0.
(6) Every chunk of the payload opens, in order, to its final one, and nothing follows.
(7) SHA-256 of the whole payload is the `p` of the author's signed envelope: a
    co-recipient holds the file key and could seal another payload under it.
    `open_object` does this; **whoever streams a payload does it** while it arrives,
    and shows nothing before.
(8) The envelope's signature, view and binding hold. **The caller does this.**

(3), (4), (6) and (2) of the header used fail alike, with `cannot_open`: "not mine",
"bad MAC" and "bad tag" must not be told apart from outside (N39). (1), (5), (7) and
(2) of H0 are somebody's broken word, which is evidence and has a code of its own,
`commitment`.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import check_mac, check_sealed_shape, parse_header
from vetrelay.protocol.age.identities import HybridIdentity, unwrap
from vetrelay.protocol.age.stanza import FILE_KEY_BYTES
from vetrelay.protocol.age.stream import Buffer, StreamOpener
from vetrelay.protocol.seal import Sealed

_Opened = TypeVar("_Opened")


def _all_alike(code: str, step: Callable[[], _Opened]) -> _Opened:
    """Whatever refuses inside `step` leaves as `code`, without its cause in tow."""
    try:
        return step()
    except Refusal:
        pass
    raise Refusal(code)


def _unwrap_hybrid(header: bytes, identities: Iterable[HybridIdentity]) -> bytes:
    stanzas = parse_header(header).stanzas
    check_sealed_shape(header, len(stanzas))  # (2)
    file_key = unwrap(stanzas, identities)  # (3)
    check_mac(header, file_key)  # (4)
    return file_key


def _check_named(original_header: bytes, h0: bytes) -> None:
    if not hmac.compare_digest(hashlib.sha256(original_header).digest(), h0):  # (1)
        raise Refusal("commitment")


def _check_committed(original_header: bytes, file_key: bytes) -> None:
    if len(file_key) != FILE_KEY_BYTES:
        raise Refusal("commitment")
    check_sealed_shape(original_header, len(parse_header(original_header).stanzas))  # (2)
    check_mac(original_header, file_key)  # (5)


def open_file_key(
    header: bytes,
    identities: Sequence[HybridIdentity],
    *,
    original_header: bytes,
    h0: bytes,
) -> bytes:
    """The file key (16 bytes) of an object, committed to by its author.

    `header` is the one that is for us (H0 itself, or a later one from a grant);
    `original_header` is H0; `h0` stands in the author's signed envelope. Raises
    Refusal("cannot_open") or Refusal("commitment"); see the list above.
    """
    _check_named(original_header, h0)
    file_key = _all_alike("cannot_open", lambda: _unwrap_hybrid(header, identities))
    _all_alike("commitment", lambda: _check_committed(original_header, file_key))
    return file_key


def check_file_key(file_key: bytes, *, original_header: bytes, h0: bytes) -> None:
    """The commitment alone, for a file key that came another way than by a stanza: in a slip.

    Raises Refusal("commitment") unless `original_header` hashes to `h0`, is a strict
    hybrid age header, and passes its MAC under `file_key`.
    """
    _check_named(original_header, h0)
    _all_alike("commitment", lambda: _check_committed(original_header, file_key))


class PayloadOpener:
    """A payload opened piece by piece: `StreamOpener` whose every refusal is "cannot_open".

    Call `update` any number of times, then `finish` once. What comes out is
    authenticated but not whole, and not shown, before `finish` returned (6) and the
    payload's hash was found to be `p` (7).
    """

    __slots__ = ("_opener",)

    def __init__(self, file_key: bytes) -> None:
        self._opener = StreamOpener(file_key)

    def update(self, piece: Buffer) -> list[bytes]:
        """The chunks of plaintext that `piece` completes; Refusal("cannot_open") as soon as one does not open."""
        return _all_alike("cannot_open", lambda: self._opener.update(piece))

    def finish(self) -> list[bytes]:
        """The rest of the plaintext; Refusal("cannot_open") if the payload was not whole."""
        return _all_alike("cannot_open", self._opener.finish)


def open_bytes(file_key: bytes, payload: bytes) -> bytes:
    """The plaintext of a payload held in memory, all of it or Refusal("cannot_open")."""
    opener = PayloadOpener(file_key)
    return b"".join(opener.update(payload) + opener.finish())  # (6)


def open_object(
    sealed: Sealed,
    identities: Sequence[HybridIdentity],
    *,
    original_header: bytes,
    h0: bytes,
    p: bytes,
) -> bytes:
    """The plaintext of an object held in memory: (1) to (7) of the list above.

    `sealed.header` is the header for us; `h0` and `p` stand in the author's signed
    envelope. All of it, or Refusal("cannot_open") or Refusal("commitment").
    """
    if not hmac.compare_digest(sealed.p, p):  # (7)
        raise Refusal("commitment")
    file_key = open_file_key(sealed.header, identities, original_header=original_header, h0=h0)
    return open_bytes(file_key, sealed.payload)


def open_age_file(age_file: bytes, identities: Sequence[HybridIdentity]) -> bytes:
    """The plaintext of a small whole age file with one header: a box, a `back`, a card.

    It needs no commitment, because the chain names it by the hash of the whole.
    All or Refusal("cannot_open").
    """

    def open_all() -> bytes:
        header = age_file[: parse_header(age_file).size_bytes]
        return open_bytes(_unwrap_hybrid(header, identities), age_file[len(header) :])

    return _all_alike("cannot_open", open_all)
