"""The domains that signed a letter (DKIM, RFC 6376), by dkimpy and a body hash that was taken before.

What is stricter here than in dkimpy, each for a reason: a signature with `l=` counts as absent (text can be appended
to what it covers), so does one that leaves From out, one by SHA-1 or by a key under 1024 bits (RFC 8301), and one by
a key in testing (3.6.1: no different from unsigned). What no signer writes and only costs time is not looked at.
"""

import base64
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dkim
from dkim.util import parse_tag_value

from vetrelay.bridge.addressing import plain_domain
from vetrelay.bridge.proving.bodyhash import BOTH, BodyHashes, Form
from vetrelay.bridge.proving.headfields import split_fields
from vetrelay.bridge.resolver import Resolver
from vetrelay.errors import Fault

SIGNATURES: Final = 8
"""How many signatures of one letter are looked at, from the top."""
SIGNATURE_BYTES: Final = 8 * 1024
KEY_RECORD_CHARS: Final = 4 * 1024
KEY_BITS: Final = range(1024, 8192 + 1)
"""RSA keys that are taken: RFC 8301 3.2 demands 1024 at least; over 8192 a check only costs time."""
_EXPONENT_BITS: Final = 64
_ALGORITHMS: Final = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
_LONG_BLANK: Final = re.compile(rb"\s{65}")  # dkimpy's pattern for b= takes time by the square of such a run
_SIGNED_NAMES: Final = 200

KEY_RECORDS: Final = 2
"""How many records of one selector are tried: there should be one (RFC 6376 3.6.2.2)."""
_SILENT: Final = logging.Logger("dkimpy", level=logging.CRITICAL + 1)  # noqa: LOG001  # reaches no handler, on purpose: the library logs domains

Tags = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """The domains whose signature holds, and those whose key could not be asked for just now; lower-case, each once."""

    by: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()


class _HeadVerifier(dkim.DKIM):  # type: ignore[misc]  # dkimpy ships no types
    """dkimpy's verifier over a head alone: the body's hash is compared here, with what streamed by.

    The library looks at a body only for tags that have `bh` (those of an ARC seal have none). So that tag is checked
    here and kept from it; the head's hash covers the signature field as it stands, `bh` included, whatever the tags say.
    """

    def __init__(self, head: bytes, body: BodyHashes) -> None:
        super().__init__(head + b"\r\n\r\n", logger=_SILENT, minkey=KEY_BITS.start)
        self._body = body

    def verify_sig_process(
        self, sig: Tags, include_headers: list[bytes], sig_header: Any, dnsfunc: Callable[..., bytes]
    ) -> bool:
        """Overrides the step after the key was fetched. Raises what dkimpy raises."""
        if base64.b64decode(_without_blanks(sig[b"bh"])) != self._body.digest(_form(sig)):
            return False
        tags = {tag: value for tag, value in sig.items() if tag != b"bh"}
        return bool(super().verify_sig_process(tags, include_headers, sig_header, dnsfunc))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signature:
    """One signature field that may count, before its key was asked for. `domain` is its d= in lower case."""

    index: int
    tags: Tags
    domain: str
    selector: str


def forms_wanted(head: bytes) -> frozenset[Form]:
    """Which hashes of the body the signatures of a head will be compared with."""
    verifier = _verifier(head, BodyHashes(frozenset()))
    return frozenset() if verifier is None else frozenset(_form(each.tags) for each in _signatures(verifier))


async def signed_by(head: bytes, body: BodyHashes, resolver: Resolver) -> Signed:
    """Who signed this letter. `body` was fed all of it. Raises nothing."""
    held: dict[str, None] = {}
    unanswered: dict[str, None] = {}
    verifier = _verifier(head, body)
    for signature in () if verifier is None else _signatures(verifier):
        try:
            records = await resolver.txt(f"{signature.selector}._domainkey.{signature.domain}")
        except Fault:
            unanswered[signature.domain] = None
            continue
        if any(_holds(verifier, signature, record) for record in records[:KEY_RECORDS]):
            held[signature.domain] = None
    return Signed(by=tuple(held), unanswered=tuple(each for each in unanswered if each not in held))


def _verifier(head: bytes, body: BodyHashes) -> _HeadVerifier | None:
    if split_fields(head) is None:
        return None
    try:
        return _HeadVerifier(head, body)
    except (dkim.DKIMException, IndexError):  # IndexError: a head that begins with a folded line
        return None


def _signatures(verifier: _HeadVerifier) -> tuple[_Signature, ...]:
    values = [value for name, value in verifier.headers if name.lower() == b"dkim-signature"]
    read = (_signature(verifier, index, value) for index, value in enumerate(values[:SIGNATURES]))
    return tuple(each for each in read if each is not None)


def _signature(verifier: _HeadVerifier, index: int, value: bytes) -> _Signature | None:
    """What the field at `index` says, if a signature like that may count at all."""
    if len(value) > SIGNATURE_BYTES or _LONG_BLANK.search(value):
        return None
    try:
        tags, signed_names, _ = verifier.verify_headerprep(index)
        _form(tags)
        domain = plain_domain(tags[b"d"].decode("ascii"))
        selector = plain_domain(tags[b"s"].decode("ascii"))
    except Exception:  # noqa: BLE001  # a stranger's bytes in a library: whatever it stumbles over is no signature
        return None
    usable = tags[b"a"] in _ALGORITHMS and b"l" not in tags and b"from" in signed_names
    if domain is None or selector is None or not usable or len(signed_names) > _SIGNED_NAMES:
        return None
    return _Signature(index=index, tags=tags, domain=domain, selector=selector)


def _holds(verifier: _HeadVerifier | None, signature: _Signature, record: str) -> bool:
    """Whether the signature holds by the key of one TXT record."""
    if verifier is None or len(record) > KEY_RECORD_CHARS:
        return False
    raw = record.encode("latin-1")
    try:
        return _key_may_sign(signature, raw) and bool(verifier.verify(signature.index, dnsfunc=lambda *_, **__: raw))
    except Exception:  # noqa: BLE001  # the same: a key or a signature that cannot be read does not hold
        return False


def _key_may_sign(signature: _Signature, record: bytes) -> bool:
    """RFC 6376 3.6.1, as far as dkimpy leaves it to the caller. Raises what dkimpy raises for what is no key."""
    tags = parse_tag_value(record)
    key, bits, kind, _ = dkim.evaluate_pk(signature.domain, record)
    flags = _listed(tags, b"t", b"")
    identity = signature.tags.get(b"i", b"@" + signature.tags[b"d"]).rpartition(b"@")[2].lower()
    return (
        kind == _ALGORITHMS[signature.tags[b"a"]]
        and (kind != b"rsa" or (bits in KEY_BITS and key["publicExponent"].bit_length() <= _EXPONENT_BITS))
        and b"sha256" in _listed(tags, b"h", b"sha256")
        and not {b"*", b"email"}.isdisjoint(_listed(tags, b"s", b"*"))
        and b"y" not in flags
        and (b"s" not in flags or identity == signature.tags[b"d"].lower())
    )


def _form(tags: Tags) -> Form:
    """The form of the body that c= names (RFC 6376 3.5). Raises ValueError for one that there is not."""
    named = tags.get(b"c", b"simple/simple").partition(b"/")[2] or b"simple"
    for form in BOTH:
        if named == form.encode("ascii"):
            return form
    raise ValueError("no such form of a body")


def _listed(tags: Tags, tag: bytes, default: bytes) -> set[bytes]:
    return {each.strip().lower() for each in tags.get(tag, default).split(b":")}


def _without_blanks(value: bytes) -> bytes:
    return re.sub(rb"\s+", b"", value)
