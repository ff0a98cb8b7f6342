"""Bech32: the vectors of BIP 173 without its length limit, and everything comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.protocol.age.bech32 import _ALPHABET, _expanded, _polymod, decode, encode

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


def text_of(words: list[int]) -> str:
    """A text with a right checksum around any 5 bit words, also such as `encode` never makes."""
    checksum = _polymod([*_expanded("a"), *words, *[0] * 6]) ^ 1
    return "a1" + "".join(
        _ALPHABET[word] for word in [*words, *(checksum >> 5 * (5 - place) & 31 for place in range(6))]
    )


@pytest.mark.parametrize("words", [[0, 1], [0, 2], [0, 3], [0, 0, 0], [0], [0, 0, 0, 0, 0, 0]])
def test_padding_that_is_set_or_too_long_is_refused(words: list[int]) -> None:
    """One byte is two words whose last two bits are zero: anything else would be a second name for it."""
    assert decode(text_of([0, 0])) == ("a", b"\x00")
    with pytest.raises(Refusal) as caught:
        decode(text_of(words))

    assert caught.value.code == "age_text"


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
