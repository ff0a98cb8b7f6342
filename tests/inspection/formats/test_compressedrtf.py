"""RTF as Outlook packs it: what was packed comes out, and nothing else does harm."""

import random
import struct

import pytest

from vetrelay.inspection.formats.compressedrtf import MAX_PLAIN_BYTES, unpacked
from vetrelay.inspection.words import Reason, Unfit

# The example of [MS-OXRTFCP], section 3.1.1.
PACKED = bytes.fromhex(
    "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
)
PLAIN = b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"


def test_the_example_of_the_specification_is_unpacked() -> None:
    """Runs of the window, and letters as they are."""
    assert PLAIN == unpacked(PACKED)


def test_what_is_not_packed_is_taken_as_it_is() -> None:
    """The other form that the format knows."""
    assert b"{\\rtf1}" == unpacked(struct.pack("<II4sI", 0, 7, b"MELA", 0) + b"{\\rtf1}more")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", Reason.DAMAGED),
        (struct.pack("<II4sI", 0, 7, b"what", 0), Reason.DAMAGED),
        (struct.pack("<II4sI", 0, MAX_PLAIN_BYTES + 1, b"LZFu", 0), Reason.UNPACKS_TOO_LARGE),
    ],
)
def test_what_is_no_such_rtf_is_refused(content: bytes, reason: Reason) -> None:
    """Each with its reason."""
    with pytest.raises(Unfit) as unfit:
        unpacked(content)
    assert reason is unfit.value.reason


def test_whatever_is_changed_in_it_never_gives_more_than_was_said() -> None:
    """Bits turned at random: some bytes or a refusal."""
    dice = random.Random(3)
    for _ in range(500):
        changed = bytearray(PACKED)
        changed[dice.randrange(16, len(changed))] ^= 1 << dice.randrange(8)
        assert len(unpacked(bytes(changed))) <= len(PLAIN)
