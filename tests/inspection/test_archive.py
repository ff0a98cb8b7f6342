"""A ZIP's list is read as other programs read it, or refused: what zipfile writes, and what is changed in it."""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.entries import Entry, Room
from vetrelay.inspection.formats.member import inflate
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.words import Reason, Unfit

ROOM = Room(file_bytes=1 << 30, most=500, plain_bytes=1 << 30, ratio=100)
NAMES = st.lists(
    st.text(alphabet="abcXYZ019 äß-_日", min_size=1, max_size=12).filter(lambda name: name.strip(". ") != ""),
    min_size=1,
    max_size=6,
    unique_by=lambda name: name.casefold().rstrip(),
)


@dataclass(frozen=True)
class Unseekable:
    """A file that can only be written forward, so that zipfile writes descriptors after the data."""

    made: bytearray

    def write(self, piece: bytes) -> int:
        """More bytes."""
        self.made.extend(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""


def zipped(files: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED, forward: bool = False) -> bytes:
    """What zipfile makes of these files."""
    made = Unseekable(bytearray())
    buffer = io.BytesIO()
    with zipfile.ZipFile(cast("IO[bytes]", made) if forward else buffer, "w", method) as pack:
        for name, content in files.items():
            pack.writestr(name, content)
    return bytes(made.made) if forward else buffer.getvalue()


def read(pack: bytes, room: Room = ROOM) -> tuple[Entry, ...]:
    """The members as our own reader lists them."""
    return read_archive(BytesSource(pack), room=room)


def contents(pack: bytes) -> dict[str, bytes]:
    """The members' contents, by our own reader alone."""
    return {
        entry.name: inflate(
            pack[entry.offset : entry.offset + entry.packed_bytes],
            method=entry.method,
            plain_bytes=entry.plain_bytes,
            crc=entry.crc,
        )
        for entry in read(pack)
        if not entry.is_folder
    }


def theirs(pack: bytes) -> dict[str, bytes]:
    """The members' contents, by zipfile."""
    with zipfile.ZipFile(io.BytesIO(pack)) as opened:
        return {one.filename: opened.read(one) for one in opened.infolist() if not one.is_dir()}


@given(names=NAMES, data=st.data(), stored=st.booleans(), forward=st.booleans())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_zipfile_writes_is_read_equal(
    *, names: list[str], data: st.DataObject, stored: bool, forward: bool
) -> None:
    """Any names, any contents, stored or deflated, with descriptors or without."""
    files = {name: data.draw(st.binary(max_size=300)) for name in names}
    pack = zipped(files, method=zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED, forward=forward)
    assert files == contents(pack)


@pytest.mark.parametrize("forward", [False, True])
def test_a_changed_pack_is_refused_or_read_as_zipfile_reads_it(*, forward: bool) -> None:
    """Bytes changed at random: whoever still reads it reads what zipfile reads."""
    pack = zipped({"a.txt": b"alpha" * 40, "b/c.txt": b"gamma", "d.bin": bytes(range(256))}, forward=forward)
    dice = random.Random(7)
    equal = 0
    for _ in range(3000):
        changed = bytearray(pack)
        for _ in range(dice.randrange(1, 4)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        try:
            ours = contents(bytes(changed))
        except Unfit:
            continue
        try:
            other = theirs(bytes(changed))
        except (zipfile.BadZipFile, NotImplementedError):
            continue  # a version that zipfile does not take, a name that it cannot read
        assert sorted(other.values()) == sorted(ours.values())
        equal += 1
    print(f"read equal: {equal} of 3000")


def test_a_pack_cut_anywhere_is_refused() -> None:
    """The list is at the end: no part of a pack is taken for the whole."""
    pack = zipped({"a.txt": b"alpha" * 40, "b.txt": b"beta"})
    for place in range(len(pack)):
        with pytest.raises(Unfit):
            read(pack[:place])


def test_whatever_is_put_between_is_refused() -> None:
    """One byte more anywhere, before, behind or between, and the list no longer accounts for all."""
    pack = zipped({"a.txt": b"alpha" * 40, "b.txt": b"beta"})
    for place in range(len(pack) + 1):
        with pytest.raises(Unfit):
            contents(pack[:place] + b"\0" + pack[place:])


def changed(pack: bytes, at: int, form: str, value: int) -> bytes:
    """The pack with one number replaced."""
    made = bytearray(pack)
    struct.pack_into(form, made, at, value)
    return bytes(made)


def directory_of(pack: bytes) -> int:
    """Where the central directory begins."""
    return int(struct.unpack_from("<I", pack, len(pack) - 6)[0])


ONE = zipped({"a.txt": b"alpha"}, method=zipfile.ZIP_STORED)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda: ONE + b"tail", Reason.PACK_DISAGREES, id="bytes behind"),
        pytest.param(lambda: b"head" + ONE, Reason.PACK_DISAGREES, id="bytes before"),
        pytest.param(lambda: changed(ONE, 8, "<H", 8), Reason.PACK_DISAGREES, id="another method"),
        pytest.param(lambda: changed(ONE, 6, "<H", 2048), Reason.PACK_DISAGREES, id="another flag"),
        pytest.param(lambda: changed(ONE, 14, "<I", 1), Reason.PACK_DISAGREES, id="another checksum"),
        pytest.param(lambda: changed(ONE, 22, "<I", 9), Reason.PACK_DISAGREES, id="another size"),
        pytest.param(lambda: ONE.replace(b"a.txt", b"b.txt", 1), Reason.PACK_DISAGREES, id="another name"),
        pytest.param(
            lambda: changed(changed(ONE, 8, "<H", 14), directory_of(ONE) + 10, "<H", 14),
            Reason.PACK_METHOD_UNKNOWN,
            id="LZMA",
        ),
        pytest.param(lambda: changed(ONE, len(ONE) - 14, "<H", 2), Reason.PACK_DISAGREES, id="counts differ"),
        pytest.param(lambda: changed(ONE, len(ONE) - 18, "<H", 1), Reason.PACK_DISAGREES, id="a second disk"),
        pytest.param(lambda: changed(ONE, directory_of(ONE) + 34, "<H", 1), Reason.PACK_DISAGREES, id="on disk 1"),
        pytest.param(
            lambda: changed(ONE, directory_of(ONE) + 42, "<I", 0xFFFFFFFF), Reason.PACK_DISAGREES, id="zip64 without"
        ),
        pytest.param(lambda: b"", Reason.INCOMPLETE, id="nothing"),
        pytest.param(lambda: b"PK\x05\x06", Reason.INCOMPLETE, id="only the mark"),
    ],
)
def test_what_is_said_twice_must_be_said_alike(make: Callable[[], bytes], reason: Reason) -> None:
    """Each difference has its reason."""
    with pytest.raises(Unfit) as unfit:
        read(make())
    assert reason is unfit.value.reason


def test_an_empty_pack_has_no_members() -> None:
    """An end record alone is a sound ZIP of nothing."""
    assert () == read(zipped({}))


def test_a_comment_is_taken_and_a_hidden_second_end_is_not() -> None:
    """A comment is text for people, unless another program could find an end record in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        pack.writestr("a.txt", b"alpha")
        pack.comment = b"made by a program"
    assert ["a.txt"] == [entry.name for entry in read(buffer.getvalue())]
    commented = buffer.getvalue()
    hidden = commented[: -len(b"made by a program")] + zipped({})[:17].ljust(17, b"\0")
    with pytest.raises(Unfit):
        read(hidden)


def test_large_numbers_are_read_where_they_stand() -> None:
    """A writer that says everything in 64 bits is read like any other."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack, pack.open("a.txt", "w", force_zip64=True) as member:
        member.write(b"alpha")
    assert {"a.txt": b"alpha"} == contents(buffer.getvalue())
    made = bytearray()
    with (
        zipfile.ZipFile(cast("IO[bytes]", Unseekable(made)), "w") as pack,
        pack.open("b.txt", "w", force_zip64=True) as member,
    ):
        member.write(b"beta")
    assert {"b.txt": b"beta"} == contents(bytes(made))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"x" * 100, 99), (b"x" * 100, 101), (b"", 1)],
)
def test_a_member_that_is_not_what_the_list_says_is_refused(content: bytes, said: int) -> None:
    """Longer, shorter, or anything where nothing should be."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(content) + packer.flush()
    with pytest.raises(Unfit):
        inflate(packed, method=8, plain_bytes=said, crc=zlib.crc32(content))
    for wrong in (packed + b"\0", packed[:-1], b""):
        with pytest.raises(Unfit):
            inflate(wrong, method=8, plain_bytes=len(content), crc=zlib.crc32(content))
