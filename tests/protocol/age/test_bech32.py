"""Bech32: the vectors of BIP 173 without its length limit, and everything comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.protocol.age.bech32 import decode, encode

GOOD = [
    ("A12UEL5L", "A", ""),
    ("a12uel5l", "a", ""),
    (
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
        "",
    ),
    ("abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef", "00443214c74254b635cf84653a56d7c675be77df"),
    (
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
        "split",
        "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d",
    ),
]
BAD = {
    "prefix below the printable": " 1nwldj5",
    "prefix above the printable": "\x7f1axkwrx",
    "no separator": "pzry9x0s0muk",
    "empty prefix": "1pzry9x0s0muk",
    "foreign letter": "x1b4n0q5v",
    "checksum too short": "li1dgmt3",
    "foreign letter in the checksum": "de1lg7wt\xff",
    "checksum made for capitals": "A1G7SGD8",
    "wrong checksum": "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxq",
    "mixed case": "A12uEL5L",
    "empty": "",
    "only a separator": "1",
    "newline": "a12uel5l\n",
    "longer than any key": "a1" + "q" * 5000,
}


@pytest.mark.parametrize(("text", "prefix", "payload"), GOOD)
def test_a_bip_173_text_reads_and_writes_as_its_vector_says(text: str, prefix: str, payload: str) -> None:
    """The published texts, both ways, in the case they are written in."""
    assert (prefix, bytes.fromhex(payload)) == decode(text)
    assert text == encode(prefix, bytes.fromhex(payload))


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_another_spelling_is_refused(text: str) -> None:
    """Whatever is not the one text of a key is refused with one code."""
    with pytest.raises(Refusal) as caught:
        decode(text)

    assert caught.value.code == "age_text"


def test_padding_that_is_not_zero_is_refused() -> None:
    """The last letter of 1 byte carries 2 bits of padding: set, it would be a second name for the same byte."""
    good = encode("a", b"\x00")
    spellings = [f"a1q{letter}" for letter in "pzry9x8gf2tvdw0s3jn54khce6mua7l"]

    assert decode(good) == ("a", b"\x00")
    for spelling in spellings:
        with pytest.raises(Refusal):
            decode(spelling + good[-6:])


@given(payload=st.binary(max_size=1300), capitals=st.booleans())
def test_every_payload_comes_back(payload: bytes, capitals: bool) -> None:  # noqa: FBT001 - hypothesis passes by name
    """Encode then decode gives prefix and payload, in either case."""
    prefix = "AGE-SECRET-KEY-PQ-" if capitals else "age1pq"

    assert (prefix, payload) == decode(encode(prefix, payload))


@given(payload=st.binary(min_size=1, max_size=64), data=st.data())
def test_one_wrong_letter_is_always_noticed(payload: bytes, data: st.DataObject) -> None:
    """Bech32 finds every single substitution."""
    text = encode("age", payload)
    place = data.draw(st.integers(4, len(text) - 1))
    letter = data.draw(st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l").filter(lambda new: new != text[place]))

    with pytest.raises(Refusal):
        decode(text[:place] + letter + text[place + 1 :])
