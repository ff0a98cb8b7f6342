"""Unsealing: every vector of seal.json, the key commitment, and refusals that look alike (N01, N02, N12, N39, N51)."""

import hashlib
import json
import random
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.salamander import forge
from tests.vectors.generate_seal import SEAL_JSON, b64, un_b64
from vetrelay.errors import Refusal
from vetrelay.protocol.age.header import render_header
from vetrelay.protocol.age.identities import HybridIdentity, parse_identity
from vetrelay.protocol.age.recipients import wrap
from vetrelay.protocol.age.stream import NONCE_BYTES, SEALED_CHUNK_BYTES
from vetrelay.protocol.seal import Sealed, seal_bytes, seal_header
from vetrelay.protocol.unseal import (
    PayloadOpener,
    check_file_key,
    open_age_file,
    open_bytes,
    open_file_key,
    open_object,
)

FILE_KEY, NONCE = bytes(range(16)), bytes(range(16, 32))
OWNER, CLINIC = HybridIdentity(bytes(range(32))), HybridIdentity(bytes(range(32, 64)))
STRANGER = HybridIdentity(bytes(32))
NOTE = b"Luna limps since Tuesday."
SEALED = seal_bytes(NOTE, [OWNER.recipient, CLINIC.recipient], file_key=FILE_KEY, nonce=NONCE)
VECTORS: dict[str, Any] = json.loads(SEAL_JSON.read_text())


def code_of(step: Callable[[], object]) -> str:
    """The code of the refusal that `step` ends in."""
    with pytest.raises(Refusal) as caught:
        step()
    return caught.value.code


def opened(sealed: Sealed, identity: HybridIdentity, author: Sealed) -> bytes:
    """`sealed` as it arrived, against what its author signed."""
    return open_object(sealed, [identity], original_header=author.header, h0=author.h0, p=author.p)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_a_vector_ends_as_it_says(case: dict[str, Any]) -> None:
    """Each case of tests/vectors/seal.json: the plaintext's hash, or the code of the refusal."""
    identity = parse_identity(VECTORS["identities"][case["identity"]]["text"])
    assert isinstance(identity, HybridIdentity)
    payload = un_b64(VECTORS["payloads"][case["payload"]])[: case.get("keep_bytes")] + un_b64(case.get("append", ""))
    ending = "success"
    try:
        plaintext = open_object(
            Sealed(un_b64(VECTORS["headers"][case["header"]]), payload),
            [identity],
            original_header=un_b64(VECTORS["headers"][case["original_header"]]),
            h0=un_b64(case["h0"]),
            p=un_b64(case["p"]),
        )
    except Refusal as refusal:
        ending = refusal.code

    assert case["expect"] == ending
    if ending == "success":
        assert case["plaintext_sha256"] == b64(hashlib.sha256(plaintext).digest())


def test_the_identities_of_the_vectors_are_their_texts() -> None:
    """A text names the recipient whose hash stands beside it."""
    for fields in VECTORS["identities"].values():
        identity = parse_identity(fields["text"])

        assert isinstance(identity, HybridIdentity)
        assert fields["recipient_sha256"] == b64(hashlib.sha256(identity.recipient).digest())


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=150_000), st.sampled_from([OWNER, CLINIC]))
def test_what_was_sealed_is_unsealed(plaintext: bytes, identity: HybridIdentity) -> None:
    """In memory, and as a whole age file."""
    sealed = seal_bytes(plaintext, [OWNER.recipient, CLINIC.recipient], file_key=FILE_KEY, nonce=NONCE)

    assert plaintext == opened(sealed, identity, sealed)
    assert plaintext == open_age_file(sealed.age_file, [STRANGER, identity])
    assert plaintext == open_bytes(FILE_KEY, sealed.payload)


def test_a_payload_swapped_by_a_co_recipient_is_refused() -> None:
    """N01: the clinic holds the file key and seals another text under the untouched header."""
    swapped = seal_bytes(b"All is well again.", [CLINIC.recipient], file_key=FILE_KEY, nonce=NONCE)
    arrived = Sealed(SEALED.header, swapped.payload)

    assert FILE_KEY == open_file_key(arrived.header, [OWNER], original_header=SEALED.header, h0=SEALED.h0)
    assert code_of(lambda: opened(arrived, OWNER, SEALED)) == "commitment"


def test_one_payload_never_opens_to_two_texts() -> None:
    """N02: the forgery opens under two keys, each header passes its own MAC, and still one reader is refused."""
    other_key = bytes(range(64, 80))
    payload = forge((FILE_KEY, other_key), NONCE, (b"Dose: 0.1 mg/kg!", b"Dose: 1.0 mg/kg!"), random.Random(2))
    author = Sealed(seal_header([OWNER.recipient], FILE_KEY), payload)
    granted = Sealed(seal_header([CLINIC.recipient], other_key), payload)

    assert open_bytes(FILE_KEY, payload)[:16] == b"Dose: 0.1 mg/kg!"
    assert open_bytes(other_key, payload)[16:32] == b"Dose: 1.0 mg/kg!"
    assert open_age_file(granted.age_file, [CLINIC])[16:32] == b"Dose: 1.0 mg/kg!"
    assert opened(author, OWNER, author)[:16] == b"Dose: 0.1 mg/kg!"
    assert code_of(lambda: opened(granted, CLINIC, author)) == "commitment"


def test_one_header_never_gives_two_keys() -> None:
    """N02: a header whose two stanzas wrap two keys fails its own MAC for one of the two readers."""
    other_key = bytes(range(64, 80))
    header = render_header([wrap(OWNER.recipient, FILE_KEY), wrap(CLINIC.recipient, other_key)], FILE_KEY)
    author = Sealed(header, SEALED.payload)

    assert opened(author, OWNER, author) == NOTE
    assert code_of(lambda: opened(author, CLINIC, author)) == "cannot_open"


def test_a_granted_header_opens_the_old_payload() -> None:
    """A later header for a new reader, under the same key, over the same payload."""
    granted = Sealed(seal_header([STRANGER.recipient], FILE_KEY), SEALED.payload)

    assert opened(granted, STRANGER, SEALED) == NOTE


def test_a_stanza_of_noise_is_reported_by_its_reader_alone() -> None:
    """N08: the owner cannot open and says so; the clinic can."""
    noise = wrap(OWNER.recipient, FILE_KEY)
    header = render_header(
        [type(noise)(noise.kind, noise.args, bytes(32)), wrap(CLINIC.recipient, FILE_KEY)],
        FILE_KEY,
    )
    author = Sealed(header, SEALED.payload)

    assert code_of(lambda: opened(author, OWNER, author)) == "cannot_open"
    assert opened(author, CLINIC, author) == NOTE


def test_a_file_key_from_a_slip_must_be_the_one_committed_to() -> None:
    """The intake gets keys by slip: the right one passes, any other or another header is refused."""
    check_file_key(FILE_KEY, original_header=SEALED.header, h0=SEALED.h0)

    def check(file_key: bytes, original_header: bytes, h0: bytes) -> str:
        return code_of(lambda: check_file_key(file_key, original_header=original_header, h0=h0))

    for file_key in (bytes(16), FILE_KEY[:15], FILE_KEY + b"\x00", b""):
        assert check(file_key, SEALED.header, SEALED.h0) == "commitment"
    other = seal_header([CLINIC.recipient], FILE_KEY)
    assert check(FILE_KEY, other, SEALED.h0) == "commitment"
    with_tail = SEALED.header + b"\n"
    assert check(FILE_KEY, with_tail, hashlib.sha256(with_tail).digest()) == "commitment"


LONG = seal_bytes(bytes(200_000), [OWNER.recipient], file_key=FILE_KEY, nonce=NONCE)
FIRST, SECOND = (NONCE_BYTES + number * SEALED_CHUNK_BYTES for number in (1, 2))
DAMAGED = {
    "cut at the first border": LONG.payload[:FIRST],
    "cut at the second border": LONG.payload[:SECOND],
    "cut inside a chunk": LONG.payload[: FIRST + 100],
    "chunks swapped": LONG.payload[:NONCE_BYTES]
    + LONG.payload[FIRST:SECOND]
    + LONG.payload[NONCE_BYTES:FIRST]
    + LONG.payload[SECOND:],
    "a chunk doubled": LONG.payload[:FIRST] + LONG.payload[NONCE_BYTES:],
    "a byte after the end": LONG.payload + b"\x00",
    "no nonce": b"",
}


@pytest.mark.parametrize("payload", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_payload_gives_nothing_at_all(payload: bytes) -> None:
    """N12, N51: good first chunks are not handed out either; the relay's swap shows already in p."""
    assert code_of(lambda: open_bytes(FILE_KEY, payload)) == "cannot_open"
    assert code_of(lambda: open_age_file(LONG.header + payload, [OWNER])) == "cannot_open"
    assert code_of(lambda: opened(Sealed(LONG.header, payload), OWNER, LONG)) == "commitment"


@pytest.mark.parametrize("payload", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_stream_never_finishes(payload: bytes) -> None:
    """N12, N51: fed piece by piece, a damaged payload ends in the one refusal, and `finish` never returns."""
    opener = PayloadOpener(FILE_KEY)

    def feed() -> None:
        for start in range(0, len(payload), 10_000):
            opener.update(payload[start : start + 10_000])
        opener.finish()

    assert code_of(feed) == "cannot_open"
    assert code_of(opener.finish) == "cannot_open"


def not_mine() -> bytes:
    return opened(SEALED, STRANGER, SEALED)


def bad_mac() -> bytes:
    forged = Sealed(render_header([wrap(OWNER.recipient, FILE_KEY)], bytes(16)), SEALED.payload)
    return opened(forged, OWNER, forged)


def bad_tag() -> bytes:
    payload = SEALED.payload[:-1] + bytes([SEALED.payload[-1] ^ 1])
    return opened(Sealed(SEALED.header, payload), OWNER, Sealed(SEALED.header, payload))


def bad_spelling() -> bytes:
    forged = Sealed(SEALED.header.replace(b"\n", b"\r\n"), SEALED.payload)
    return opened(forged, OWNER, forged)


def low_order() -> bytes:
    stanza = wrap(OWNER.recipient, FILE_KEY)
    cut_off = type(stanza)(stanza.kind, (stanza.args[0][:1450] + "A" * 44,), stanza.body)
    forged = Sealed(render_header([cut_off], FILE_KEY), SEALED.payload)
    return opened(forged, OWNER, forged)


def test_refusals_look_alike_from_outside() -> None:
    """N39: "not mine", "bad MAC", "bad tag" and a bad header give one text, one code, no cause, no facts."""
    seen = set()
    for step in (not_mine, bad_mac, bad_tag, bad_spelling, low_order):
        with pytest.raises(Refusal) as caught:
            step()
        refusal = caught.value
        causes = (refusal.__cause__, refusal.__context__)
        seen.add((refusal.code, str(refusal), causes, tuple(refusal.facts)))
        shown = "".join(traceback.format_exception(refusal))

        assert "age_" not in shown.splitlines()[-1]
        assert "InvalidTag" not in shown

    assert {("cannot_open", str(Refusal("cannot_open")), (None, None), ())} == seen


@pytest.mark.parametrize("raw", [b"", b"age-encryption.org/v1\n", bytes(100), SEALED.payload])
def test_what_is_no_age_file_cannot_be_opened(raw: bytes) -> None:
    """A box or card that is anything else gives the same refusal."""
    assert code_of(lambda: open_age_file(raw, [OWNER])) == "cannot_open"
