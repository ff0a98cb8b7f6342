"""The hybrid recipient: checked before it is used, and one text for each (N20, N54's sealing half)."""

import pytest

from vetrelay.errors import Refusal
from vetrelay.protocol.age import bech32
from vetrelay.protocol.age.identities import HybridIdentity
from vetrelay.protocol.age.recipients import check_recipient, parse_recipient, recipient_text, wrap

FILE_KEY = bytes(range(16))
OWNER = HybridIdentity(bytes(range(32)))
OTHER = HybridIdentity(bytes(32))
KEM, CURVE = OWNER.recipient[:1184], OWNER.recipient[1184:]
UNREDUCED = bytes([0x01, 0x0D]) + KEM[2:]  # first coefficient: 3329, or more by the nibble that follows

BAD = {
    "empty": b"",
    "short": OWNER.recipient[:-1],
    "long": OWNER.recipient + b"\x00",
    "X25519 alone": CURVE,
    "ML-KEM alone": KEM,
    "a coefficient of 3329 or more": UNREDUCED + CURVE,
    "all coefficients 4095": b"\xff" * 1152 + KEM[1152:] + CURVE,
    "low order: zero": KEM + bytes(32),
    "low order: one": KEM + bytes([1]) + bytes(31),
    "low order: p": KEM + (2**255 - 19).to_bytes(32, "little"),
    "low order under the top bit": KEM + bytes(31) + b"\x80",
}


@pytest.mark.parametrize("recipient", BAD.values(), ids=BAD.keys())
def test_a_bad_recipient_is_refused_wherever_it_is_used(recipient: bytes) -> None:
    """Checking, wrapping and writing its text give the same refusal."""
    for use in (check_recipient, recipient_text, lambda recipient: wrap(recipient, FILE_KEY)):
        with pytest.raises(Refusal) as caught:
            use(recipient)

        assert caught.value.code == "bad_key"


def test_a_file_key_wrapped_to_a_recipient_is_its_holders_alone() -> None:
    """The holder unwraps it, another identity finds nothing."""
    stanza = wrap(OWNER.recipient, FILE_KEY)

    assert FILE_KEY == OWNER.unwrap([stanza])
    assert OTHER.unwrap([stanza]) is None


def test_wrapping_twice_never_gives_the_same_stanza() -> None:
    """Each encapsulation is fresh, so that two objects cannot be linked by their stanzas."""
    assert wrap(OWNER.recipient, FILE_KEY) != wrap(OWNER.recipient, FILE_KEY)


def test_a_recipient_has_one_text() -> None:
    """`age1pq1…` comes back to the same bytes."""
    text = recipient_text(OWNER.recipient)

    assert text.startswith("age1pq1")
    assert OWNER.recipient == parse_recipient(text)


@pytest.mark.parametrize(
    "text",
    [
        bech32.encode("age", CURVE),
        bech32.encode("AGE1PQ", OWNER.recipient),
        bech32.encode("age1p256tag", OWNER.recipient),
        OWNER.text,
        recipient_text(OWNER.recipient)[:-1],
        "",
    ],
    ids=["N20 the older suite", "capitals", "another kind", "an identity", "cut", "empty"],
)
def test_another_kind_of_key_is_no_recipient(text: str) -> None:
    """N20: an older or other suite offered as text is refused, never converted."""
    with pytest.raises(Refusal) as caught:
        parse_recipient(text)

    assert caught.value.code == "age_text"


def test_a_file_key_of_another_size_is_a_mistake_of_ours() -> None:
    """16 bytes, or the programmer hears of it."""
    with pytest.raises(ValueError, match="16 bytes"):
        wrap(OWNER.recipient, bytes(32))
