"""A stanza's base64 has one spelling, and its hybrid kind one shape."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.protocol.age.stanza import (
    Stanza,
    decode_base64,
    encode_base64,
    hybrid_encapsulation,
    is_low_order,
)

PRIME = 2**255 - 19
ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
# Every encoding below 2^255 that reduces to a point of small order; 2p-1 and more do not fit.
LOW_ORDER = (0, 1, PRIME - 1, PRIME, PRIME + 1, *ORDER_8)


def point(number: int) -> bytes:
    return number.to_bytes(32, "little")


def agrees_on_nothing(public: bytes) -> bool:
    """What the primitive itself says: the shared secret would be all zero."""
    try:
        X25519PrivateKey.from_private_bytes(bytes(range(32))).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("number", LOW_ORDER)
@pytest.mark.parametrize("top_bit", [0, 1 << 255])
def test_every_low_order_point_is_known_in_every_encoding(number: int, top_bit: int) -> None:
    """The table and the primitive agree, also where the ignored top bit is set."""
    assert is_low_order(point(number | top_bit))
    assert agrees_on_nothing(point(number | top_bit))


@given(
    st.binary(min_size=32, max_size=32)
    | st.integers(0, 40).map(point)
    | st.integers(1, 18).map(PRIME.__add__).map(point)
)
def test_the_table_agrees_with_the_primitive(public: bytes) -> None:
    """For any bytes, low order is exactly what gives an all-zero secret."""
    assert agrees_on_nothing(public) == is_low_order(public)


@given(st.binary(max_size=200))
def test_base64_comes_back(payload: bytes) -> None:
    """Encode then decode is the identity, without padding."""
    assert payload == decode_base64(encode_base64(payload))
    assert b"=" not in encode_base64(payload)


@pytest.mark.parametrize(
    "text",
    [
        b"A",
        b"AA=",
        b"AA==",
        b"AB",
        b"AAB",
        b"A-AA",
        b"A_AA",
        b"AA AA",
        b"AAAA\r",
        b"AAAA\n",
        b"AAA\x00",
        b"=",
        b"\xff\xff",
    ],
)
def test_another_spelling_of_base64_is_refused(text: bytes) -> None:
    """Padding, stray bits, the other alphabet and white space are refused."""
    with pytest.raises(Refusal) as caught:
        decode_base64(text)

    assert caught.value.code == "age_header"


def test_the_encapsulation_of_a_well_shaped_stanza_is_read() -> None:
    """1120 bytes, of which the last 32 are a point of full order."""
    encapsulation = bytes(1088) + point(9)

    assert encapsulation == hybrid_encapsulation(
        Stanza("mlkem768x25519", (encode_base64(encapsulation).decode(),), bytes(32))
    )


@pytest.mark.parametrize(
    ("encapsulations", "body_bytes"),
    [
        ([], 32),
        ([bytes(1088) + point(9)] * 2, 32),
        ([bytes(1087) + point(9)], 32),
        ([bytes(1089) + point(9)], 32),
        ([bytes(1088) + point(9)], 31),
        ([bytes(1088) + point(9)], 48),
        ([bytes(1120)], 32),
        ([bytes(1088) + point(PRIME - 1)], 32),
    ],
    ids=["no argument", "two", "short", "long", "short body", "long file key", "zero point", "low order"],
)
def test_another_shape_of_a_hybrid_stanza_is_refused(encapsulations: list[bytes], body_bytes: int) -> None:
    """Sizes and point are checked before any key is asked."""
    args = tuple(encode_base64(encapsulation).decode() for encapsulation in encapsulations)
    with pytest.raises(Refusal) as caught:
        hybrid_encapsulation(Stanza("mlkem768x25519", args, bytes(body_bytes)))

    assert caught.value.code == "age_header"
