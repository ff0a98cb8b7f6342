"""Entries are found without trusting a single number of the file; what is written reads back the same."""

import struct

import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from tests.hostile import dicoms
from vetrelay.inspection.formats.dicom_pixels import frame_bytes, geometry_of, key_frames
from vetrelay.inspection.formats.dicom_reading import read
from vetrelay.inspection.formats.dicom_syntax import dictionary_vrs
from vetrelay.inspection.formats.dicom_tags import MUST_STAY, PIXEL_DATA, PRIVATE_KEPT
from vetrelay.inspection.formats.dicom_writing import write
from vetrelay.inspection.words import Reason, Unfit


@pytest.mark.parametrize("syntax", dicoms.NATIVE, ids=lambda syntax: syntax.name)
def test_what_is_written_reads_back(syntax: UID) -> None:
    """All entries, values and items, in each way of writing."""
    content = dicoms.full(syntax)
    before = read(content)
    assert before is not None
    after = read(write(before, before.elements))
    assert after is not None
    assert before.elements.keys() == after.elements.keys()
    for tag, element in before.elements.items():
        if element.items is None:
            assert before.value(element) == after.value(after.elements[tag])
        else:
            assert [item.keys() for item in element.items] == [item.keys() for item in after.elements[tag].items or ()]


def test_a_sequence_that_passed_as_unknown_is_looked_into() -> None:
    """UN is what a program writes that did not know an entry; a private one hides there as well as anywhere."""
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 20) + struct.pack("<HHI", 0x0011, 0x1001, 12) + b"CanaryOwner "
    element = struct.pack("<HH2s2xI", 0x0008, 0x2112, b"UN", len(items)) + items
    plain = dicoms.saved(dicoms.data_set())
    at = plain.index(struct.pack("<HH2s", 0x0010, 0x0010, b"PN"))
    made = read(plain[:at] + element + plain[at:])
    assert made is not None
    found = made.elements[0x00082112]
    assert found.implicit
    assert [[0x00111001]] == [list(item) for item in found.items or ()]


@pytest.mark.parametrize("lie", [0x7FFFFFFF, 0xFFFFFFFE, 100_000])
def test_a_length_beyond_the_end_is_incomplete(lie: int) -> None:
    """Nothing is allocated by it."""
    plain = bytearray(dicoms.saved(dicoms.data_set()))
    at = plain.index(struct.pack("<HH2s", 0x7FE0, 0x0010, b"OW"))
    plain[at + 8 : at + 12] = struct.pack("<I", lie)
    with pytest.raises(Unfit) as refusal:
        read(bytes(plain))
    assert Reason.INCOMPLETE is refusal.value.reason


def test_pieces_of_frames_are_put_together_by_the_table() -> None:
    """Several pieces to a frame: the table of offsets says which; without it nobody knows."""
    frames = [b"A" * 60, b"B" * 60, b"C" * 60]
    for has_table in (True, False):
        made = dicoms.data_set()
        made.NumberOfFrames = "3"
        made.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=has_table)
        made["PixelData"].VR = "OB"
        made["PixelData"].is_undefined_length = True
        found = read(dicoms.saved(made, JPEG2000Lossless))
        assert found is not None
        pixels = found.elements[PIXEL_DATA]
        geometry = geometry_of(found, pixels)
        if has_table:
            assert frames == [frame_bytes(found, geometry, pixels, number) for number in range(3)]
        else:
            with pytest.raises(Unfit) as refusal:
                frame_bytes(found, geometry, pixels, 1)
            assert Reason.DICOM_CODING_UNKNOWN is refusal.value.reason


def test_key_frames_are_first_middle_and_last() -> None:
    """One for a single picture, never one twice."""
    assert [(0,), (0, 1), (0, 1, 2), (0, 50, 99)] == [key_frames(frames) for frames in (1, 2, 3, 100)]


def test_a_file_without_its_header_s_word_is_read_by_its_first_entry() -> None:
    """Some archives leave the transfer syntax out."""
    for syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
        plain = dicoms.saved(dicoms.data_set(syntax), syntax)
        at = plain.index(struct.pack("<HH2s", 0x0002, 0x0010, b"UI"))
        (length,) = struct.unpack_from("<H", plain, at + 6)
        made = read(plain[:at] + plain[at + 8 + length :])
        assert made is not None
        assert syntax == made.syntax.uid


def test_the_tables_speak_of_entries_that_exist() -> None:
    """What must stay is in the dictionary; what stays of a manufacturer's is numbers, with a reason each."""
    assert [] == [f"{tag:08x}" for tag in MUST_STAY if not dictionary_vrs(tag)]
    for entries in PRIVATE_KEPT.values():
        for entry in entries:
            assert entry.group % 2
            assert entry.vr in {b"DS", b"IS", b"FD", b"FL", b"CS"}
            assert len(entry.reason) > 10


def test_overlays_repeat_by_group() -> None:
    """Groups 6000, 6002 and so on share one line of the dictionary."""
    assert dictionary_vrs(0x60003000) == dictionary_vrs(0x60103000) == (b"OB", b"OW")
    assert () == dictionary_vrs(0x00111001)
