"""Armor: one spelling, with room for white space around it only."""

import base64
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vetrelay.errors import Refusal
from vetrelay.protocol.age.armor import read_armor

BEGIN, END = "-----BEGIN AGE ENCRYPTED FILE-----", "-----END AGE ENCRYPTED FILE-----"


def armored(payload: bytes, line_end: str = "\n") -> bytes:
    return line_end.join([BEGIN, *textwrap.wrap(base64.b64encode(payload).decode(), 64), END, ""]).encode()


@given(st.binary(max_size=300), st.sampled_from(["\n", "\r\n"]), st.text(" \t\r\n", max_size=5))
def test_a_payload_comes_out_of_its_armor(payload: bytes, line_end: str, around: str) -> None:
    """With either line end, and white space before and after."""
    assert payload == read_armor(around.encode() + armored(payload, line_end) + around.encode())


GOOD = armored(bytes(100)).decode()
BAD = {
    "nothing": "",
    "one marker": BEGIN,
    "no end": GOOD.replace(END, ""),
    "another type": GOOD.replace("AGE ENCRYPTED FILE", "AGE FILE"),
    "text before": "see below\n" + GOOD,
    "text after": GOOD + "thanks",
    "an empty line": GOOD.replace(END, "\n" + END),
    "a long line": GOOD.replace("A\nA", "AA", 1),
    "a short line": GOOD.replace("A\nA", "\nAA", 1),
    "a space in a line": GOOD.replace("AAAA\n", "AAA \n", 1),
    "padding inside": GOOD.replace("AAAA\n", "AA==\n", 1),
    "no padding": GOOD.replace("=", ""),
    "non-canonical": GOOD.replace("A==", "B=="),
    "the other alphabet": GOOD.replace("AAAA", "A-_A", 1),
    "a checksum": GOOD.replace(END, "=twTO\n" + END),
    "not ASCII": GOOD.replace("AAAA", "AAAé", 1),
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_another_spelling_of_armor_is_refused(text: str) -> None:
    """One code for every other spelling."""
    with pytest.raises(Refusal) as caught:
        read_armor(text.encode())

    assert caught.value.code == "age_armor"
