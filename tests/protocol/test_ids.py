"""Ids and their text: one spelling each."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chains import device_named, refusal_of
from vetrelay.protocol.ids import (
    EnvelopeId,
    Hash,
    SealKey,
    SignatureText,
    b64,
    device_id,
    fingerprint,
    labelled,
    relay_id,
    sha256,
    unb64,
)

TEXT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/= \n"


@given(st.binary(max_size=200))
def test_bytes_come_back_from_their_text(raw: bytes) -> None:
    """unb64(b64(x)) = x, for any x and its exact length."""
    assert raw == unb64(b64(raw), len(raw))


@given(st.text(alphabet=TEXT, max_size=60) | st.text(max_size=20))
def test_a_text_that_is_taken_is_the_one_spelling_of_its_bytes(text: str) -> None:
    """Whatever unb64 takes, b64 writes again."""
    if refusal_of(unb64, text) == "success":
        assert text == b64(unb64(text))


@pytest.mark.parametrize("text", ["AA==", "A", "AB", "AAA=", "AA\n", " AA", "AA ", "A+A/", "AÄ", "AAE\n", "="])
def test_another_spelling_is_refused(text: str) -> None:
    """Padding, white space, the standard alphabet, leftover bits, a lone character."""
    assert "bad_base64" == refusal_of(unb64, text)


@pytest.mark.parametrize("size_bytes", [0, 15, 17, 32])
def test_another_length_is_refused(size_bytes: int) -> None:
    """Sixteen bytes are not what asks for another number of them."""
    assert "bad_base64" == refusal_of(unb64, b64(bytes(16)), size_bytes)


@pytest.mark.parametrize(
    ("kind", "size_bytes"), [(EnvelopeId, 16), (Hash, 32), (SignatureText, 64), (SealKey, 1216)], ids=str
)
def test_the_types_take_exactly_the_canonical_texts(kind: type[str], size_bytes: int) -> None:
    """The patterns that JSON is checked with say the same as unb64."""
    for raw in (bytes(size_bytes), b"\xff" * size_bytes, bytes(range(256)) * 5):
        text = b64(raw[:size_bytes])
        assert text == msgspec.convert(text, kind)
    good = b64(b"\xff" * size_bytes)
    for wrong in (good[:-1], good + "A", good + "\n", good + "=", good[:-1] + "_", "+" + good[1:], " " + good[1:]):
        assert "bad_base64" == refusal_of(unb64, wrong, size_bytes)
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, kind)


def test_every_hash_of_our_own_names_what_it_is_for() -> None:
    """Labels keep a device id from being a relay id."""
    device = device_named("ids")
    expected = b64(sha256(b"VetRelay-v1 device\0", unb64(device.sign), unb64(device.seal)))
    assert expected == device.id == device_id(device.sign, device.seal)
    assert b64(sha256(b"VetRelay-v1 relay\0", unb64(device.sign))) == relay_id(device.sign)
    assert labelled("VetRelay-v1 relay", unb64(device.sign)) != labelled("VetRelay-v1 log", unb64(device.sign))


def test_a_fingerprint_is_five_groups_of_four() -> None:
    """Eighty bits, as people read them to each other."""
    assert "0001 0203 0405 0607 0809" == fingerprint(b64(bytes(range(32))))
