"""The directories of a TIFF: sound ones are told right, and nothing but Unfit comes of the others."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import images, picture_types
from tests.hostile.picture_types import LONG, SHORT
from vetrelay.inspection.outlines import tiff
from vetrelay.inspection.words import Reason, Unfit

SOUND = {
    "plain": images.saved(images.photo(), "TIFF"),
    "pages": picture_types.pages_tiff(3, compression="tiff_lzw"),
    "fax": images.saved(images.photo().convert("1"), "TIFF", compression="group4"),
    "large offsets": images.saved(images.photo(), "TIFF", big_tiff=True),
    "by hand": picture_types.grey_tiff(page_count=2),
    "everything": picture_types.everything_tiff(),
}


def reason_of(content: bytes, *, most: int = 50) -> Reason:
    """Why this is refused."""
    with pytest.raises(Unfit) as refused:
        tiff.pages(content, most=most)
    return refused.value.reason


@pytest.mark.parametrize("name", ["plain", "fax", "large offsets", "everything"])
def test_a_sound_page_tells_its_size(name: str) -> None:
    """In either form, packed or not."""
    (page,) = tiff.pages(SOUND[name], most=50)
    assert (0, 160, 120, False) == (page.index, page.width_px, page.height_px, page.reduced)


def test_a_file_of_the_other_order_of_bytes_is_read_as_well() -> None:
    """Motorola's order: what is first is worth most."""
    content = struct.pack(">2sHI", b"MM", 42, 12) + bytes(4) + struct.pack(">H", 5)
    for tag, number in ((256, 2), (257, 2), (258, 8), (273, 8), (279, 4)):
        content += struct.pack(">HHIHH", tag, SHORT, 1, number, 0)
    (page,) = tiff.pages(content + bytes(4), most=1)
    assert (2, 2, True) == (page.width_px, page.height_px, page.white_is_zero)


def test_pages_come_in_order() -> None:
    """Each with its number in the chain."""
    assert [(0, 60), (1, 70), (2, 80)] == [(page.index, page.width_px) for page in tiff.pages(SOUND["pages"], most=3)]


@pytest.mark.parametrize(
    ("orientation", "turned"), [(0, False), (1, False), (2, True), (6, True), (8, True), (9, False)]
)
def test_what_is_not_stored_upright_is_said(orientation: int, *, turned: bool) -> None:
    """A number that means nothing turns nothing."""
    (page,) = tiff.pages(picture_types.grey_tiff({274: (SHORT, [orientation])}), most=1)
    assert turned is page.turned


def test_only_as_many_pages_as_are_allowed() -> None:
    """Smaller copies do not count; without a number nobody walks for ever."""
    assert 3 == len(tiff.pages(SOUND["pages"], most=3))
    assert Reason.TOO_MANY_PAGES_OF_PICTURES is reason_of(SOUND["pages"], most=2)
    copies = picture_types.tiff(
        *[picture_types.grey_page(), picture_types.grey_page({254: (LONG, [1])})] * 2, pixels=bytes(range(256))
    )
    assert [False, True, False, True] == [page.reduced for page in tiff.pages(copies, most=2)]
    assert Reason.TOO_MANY_PAGES_OF_PICTURES is reason_of(copies, most=1)
    assert Reason.TOO_MANY_PAGES_OF_PICTURES is reason_of(picture_types.grey_tiff(page_count=257), most=0)


@pytest.mark.parametrize("goes_on_at", [264, 264 + 2 + 9 * 12 + 4])
def test_a_chain_that_comes_back_ends_there(goes_on_at: int) -> None:
    """No page is counted twice."""
    content = picture_types.grey_tiff(page_count=3, last_next=goes_on_at)
    assert 3 == len(tiff.pages(content, most=50))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({256: (LONG, [0])}, Reason.NO_PIXELS),
        ({256: (LONG, [16_385])}, Reason.SIDE_TOO_LONG),
        ({256: (LONG, [16_000]), 257: (LONG, [16_000])}, Reason.TOO_MANY_PIXELS),
        ({258: (SHORT, [5])}, Reason.PACKED_UNUSUALLY),
        ({258: (SHORT, [64])}, Reason.PACKED_UNUSUALLY),
        ({259: (SHORT, [34712])}, Reason.PACKED_UNUSUALLY),
        ({262: (SHORT, [8])}, Reason.PACKED_UNUSUALLY),
        ({262: (SHORT, [32803])}, Reason.TYPE_NOT_TAKEN),
        ({277: (SHORT, [200])}, Reason.PACKED_UNUSUALLY),
        ({277: (SHORT, [3])}, Reason.INCOMPLETE),
        ({277: (SHORT, [3]), 284: (SHORT, [2])}, Reason.DAMAGED),
        ({273: (LONG, [4000])}, Reason.INCOMPLETE),
        ({279: (LONG, [0])}, Reason.INCOMPLETE),
        ({278: (LONG, [8])}, Reason.DAMAGED),
        ({322: (LONG, [0]), 323: (LONG, [16]), 324: (LONG, [8]), 325: (LONG, [256])}, Reason.DAMAGED),
        (
            {322: (LONG, [16]), 323: (LONG, [1 << 20]), 324: (LONG, [8]), 325: (LONG, [256])},
            Reason.UNPACKS_TOO_LARGE,
        ),
    ],
)
def test_what_a_decoder_would_trip_over_is_unfit(changes: dict[int, tuple[int, list[int]]], reason: Reason) -> None:
    """Sizes, packings, strips and tiles, one after the other."""
    assert reason is reason_of(picture_types.grey_tiff(changes))


def test_a_directory_longer_than_any_is_damage() -> None:
    """Nobody has a thousand things to say of a page."""
    tags = picture_types.grey_page({number: (SHORT, [1]) for number in range(40_000, 41_024)})
    assert Reason.DAMAGED is reason_of(picture_types.tiff(tags, pixels=bytes(256)))


def test_an_old_file_may_leave_out_the_length_of_its_strip() -> None:
    """One strip, not packed: its length is known."""
    tags = picture_types.grey_page()
    del tags[279]
    assert 1 == len(tiff.pages(picture_types.tiff(tags, pixels=bytes(256)), most=1))


@given(name=st.sampled_from(list(SOUND)), data=st.data())
def test_a_damaged_file_is_pages_or_unfit(name: str, data: st.DataObject) -> None:
    """However it is cut and changed, reading it ends, and ends in one of two ways."""
    content = SOUND[name]
    changed = bytearray(content[: data.draw(st.integers(8, len(content)))])
    for _ in range(data.draw(st.integers(0, 8))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        tiff.pages(changed, most=50)
    except Unfit:
        return


@given(
    start=st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]), tail=st.binary(max_size=400)
)
def test_any_bytes_behind_a_signature_are_pages_or_unfit(start: bytes, tail: bytes) -> None:
    """A signature opens no door."""
    try:
        tiff.pages(start + tail, most=50)
    except Unfit:
        return
