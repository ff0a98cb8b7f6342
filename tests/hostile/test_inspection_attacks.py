"""Attacks on the inspection itself: a jail that was taken over, packs made to be expensive, names made to be run."""

import asyncio
import os
import time
import weakref
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
import pytest_asyncio
from msgspec import structs

from tests.hostile import images, packs
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.budget import Budget
from vetrelay.inspection.finding import Finding, Output, finding_of
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.notes import Note
from vetrelay.inspection.policy import ROWS, MiB, claimed_kind
from vetrelay.inspection.result import Patient, RawOutput, RawPart, Result, Role
from vetrelay.inspection.resultframe import encode_result
from vetrelay.inspection.sandbox import End, Ending
from vetrelay.inspection.shelf import Shelf
from vetrelay.inspection.source import BytesSource
from vetrelay.inspection.study import STUDY_ROOM
from vetrelay.inspection.threads import to_its_end
from vetrelay.inspection.unpack import Hands, Place, unpack
from vetrelay.inspection.wishes import Wishes
from vetrelay.inspection.words import Reason, Verdict
from vetrelay.intake.hands import LARGE_BYTES, hand_bytes
from vetrelay.intake.publish import listed, refused
from vetrelay.protocol.finding import MAX_MEMBERS, Findings, Member
from vetrelay.protocol.ids import b64
from vetrelay.protocol.statement import MAX_SEALED_JSON_BYTES, render

loop = pytest.mark.asyncio(loop_scope="module")
JPEG = images.jpeg()
RECORD = RawOutput(role=Role.RECORD, kind=Kind.JPEG, width_px=160, height_px=120, content=JPEG)
WORDS = RawOutput(role=Role.RECORD, kind=Kind.TEXT, content=b"Rex is well.\n")
PDF = RawOutput(role=Role.RECORD, kind=Kind.PDF, content=b"%PDF-1.7\n")
PROGRAM = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\r\n@echo off\r\ncalc.exe\r\n" + bytes(600)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files."""
    async with Inspector.start(Settings()) as started:
        yield started


def said(result: Result) -> Result:
    """What the parent believes of a job that wrote this."""
    return checked_result(Ending(end=End.FINISHED, untrusted=b"".join(encode_result(result))))


# --- a jail that was taken over -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lie",
    [
        pytest.param(Result(kind=Kind.UNKNOWN, reason=Reason.OPEN_WITH_CARE), id="nothing known, and kept"),
        pytest.param(Result(kind=Kind.UNKNOWN, outputs=(RECORD,)), id="nothing known, and rebuilt"),
        pytest.param(
            Result(kind=Kind.EXE if hasattr(Kind, "EXE") else Kind.PROGRAM, outputs=(RECORD,)), id="a program"
        ),
        pytest.param(Result(kind=Kind.PROGRAM, reason=Reason.RECORDING_KEPT), id="a program, and kept"),
        pytest.param(
            Result(kind=Kind.JPEG, outputs=(RECORD,), parts=(RawPart(name="a", media_type="", content=b"x"),)),
            id="a photo with files in it",
        ),
        pytest.param(
            Result(kind=Kind.MAIL, parts=(RawPart(name="a", media_type="", content=b"x"),)), id="a letter without words"
        ),
        pytest.param(
            Result(kind=Kind.MAIL, outputs=(WORDS,) * 9, parts=(RawPart(name="a", media_type="", content=b"x"),)),
            id="a letter of nine texts",
        ),
        pytest.param(Result(kind=Kind.HEIC, outputs=(PDF,)), id="a photo that became a document"),
        pytest.param(Result(kind=Kind.TEXT, outputs=(PDF,)), id="a text that became a document"),
        pytest.param(
            Result(kind=Kind.PDF, outputs=(PDF, replace(PDF, role=Role.PREVIEW))), id="a preview that is no picture"
        ),
        pytest.param(
            Result(kind=Kind.TEXT, outputs=(replace(WORDS, content="a \u202egpj.exe".encode()),)),
            id="a text that turns its direction",
        ),
        pytest.param(Result(kind=Kind.JPEG, duration_ms=2**63, outputs=(RECORD,)), id="a length beyond all numbers"),
    ],
)
def test_a_jail_cannot_say_what_no_honest_one_says(lie: Result) -> None:
    """The parent takes it for garbled: nobody's verdict, nobody's file, and no exception of ours."""
    assert Reason.JAIL_GARBLED is said(lie).reason


def test_a_preview_cannot_be_as_large_as_a_film() -> None:
    """Sixteen of a pack are held at once until they are drawn."""
    end = JPEG.rindex(b"\xff\xd9")
    swollen = JPEG[:end] + bytes(9 * MiB) + JPEG[end:]
    lie = Result(kind=Kind.JPEG, outputs=(RECORD, replace(RECORD, role=Role.PREVIEW, content=swollen)))
    assert Reason.JAIL_GARBLED is said(lie).reason


def test_no_number_of_notes_makes_a_verdict_unreadable() -> None:
    """A jail may say thirty-two, and the parent has some of its own: what is sealed holds no more than a reader takes."""
    notes = dict.fromkeys(sorted(Note)[:32], 2**32 - 1)
    result = Result(kind=Kind.JPEG, notes=notes, patient=Patient(name="Other"), outputs=(RECORD,))
    finding = finding_of(result, "a.png", declared=None, expected=Patient(name="Luna"))
    assert len(finding.notes) <= 32
    assert Note.RENAMED.words in finding.notes
    assert any(note.startswith("warning: another animal") for note in finding.notes)


def test_a_large_text_is_looked_at_in_little_time() -> None:
    """The parent looks at what a jail made while others wait: a second at most for the largest text of all."""
    lie = Result(kind=Kind.TEXT, outputs=(replace(WORDS, content=("\u00e4 " * (24 * MiB // 3)).encode()),))
    started = time.process_time()
    assert Reason.NONE is said(lie).reason
    print(f"{time.process_time() - started:.2f} s for 24 MiB of text")


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["run.bat.", "run.bat. .", "run.b\u200bat", "run.bat\u202e", f"{'x' * 116}.bat.anything", "run.hta", "run.msi"],
)
def test_no_name_hides_a_program_from_the_check(name: str) -> None:
    """What a disk would make of a name is what it claims: a program's name on other content is refused."""
    assert Kind.PROGRAM is claimed_kind(name, None)
    kept = finding_of(Result(kind=Kind.OFFICE_OLE, reason=Reason.OPEN_WITH_CARE), name, declared=None)
    assert (Verdict.REFUSED, Reason.TYPE_NOT_TAKEN) == (kept.verdict, kept.reason)


def test_a_file_that_is_kept_is_called_what_it_is() -> None:
    """An ending that nobody knows is no program's today; whoever opens the copy gets what was checked."""
    kept = finding_of(Result(kind=Kind.OFFICE_OLE, reason=Reason.OPEN_WITH_CARE), "run.newtype", declared=None)
    assert (Verdict.KEPT_SEALED, "run.newtype.doc") == (kept.verdict, kept.name)


def record(name: str) -> Output:
    """A copy called so."""
    return Output(role="record", name=name, media_type="image/jpeg", content=b"content")


@pytest.mark.parametrize(
    "members",
    [
        [("x.jpg/1.txt", "1.txt"), ("x.png", "x.jpg")],
        [("x.png", "x.jpg"), ("x.jpg/1.txt", "1.txt")],
        [("fi.txt", "fi.txt"), ("\ufb01.txt", "\ufb01.txt")],
        [("\u2460.txt", "\u2460.txt"), ("1.txt", "1.txt"), ("sub/1.txt", "1.txt")],
        [("a?b/c.txt", "c.txt"), ("a_b/c.txt", "c.txt")],
    ],
)
def test_what_is_packed_anew_can_be_unpacked_anywhere(members: list[tuple[str, str]]) -> None:
    """No file where a folder is, no two names that one system takes for one: our own reader takes it."""
    shelf = Shelf(sink=None, loose=False)
    for number, (member, name) in enumerate(members):
        shelf.put(member, record(name), member=number, with_text=False)
    (made,) = shelf.outputs("pack.zip")
    assert len(members) == len(read_archive(BytesSource(made.content), room=STUDY_ROOM))


# --- packs that cost too much ----------------------------------------------------------------------------------------


def hands(inspected: Callable[[str, Place], Finding]) -> Hands:
    """Hands that find at once."""

    async def inspect(_source: object, name: str, _declared: str | None, place: Place) -> Finding:
        return inspected(name, place)

    async def take_out(_source: object, _entry: object, _place: Place) -> BytesSource:
        return BytesSource(b"x")

    async def draw(_previews: bytes) -> None:
        return None

    return Hands(inspect=inspect, take_out=take_out, draw=draw, largest_bytes=1 << 30)


def left_out(name: str, reason: Reason) -> Finding:
    """A finding on what is not taken."""
    return finding_of(Result(kind=Kind.TEXT, reason=reason), name, declared=None)


async def test_a_pack_has_so_much_time_and_no_more() -> None:
    """What is left when its time is up is listed, and not opened."""
    opened = []

    def slow(name: str, place: Place) -> Finding:
        opened.append(name)
        assert place.budget is not None
        place.budget.spend(1000.0)
        return finding_of(Result(kind=Kind.TEXT, outputs=(WORDS,)), name, declared=None)

    pack = packs.zipped((f"{number}.txt", packs.TEXT) for number in range(20))
    unpacked = await unpack(BytesSource(pack), "pack.zip", hands=hands(slow), place=Place(), row=ROWS[Kind.ZIP])
    assert len(opened) < 20 == len(unpacked.members)
    assert {Reason.PACK_TIME_IS_UP} == {one.reason for one in unpacked.members[len(opened) :]}


@loop
async def test_a_pack_that_takes_no_time_spends_none(inspector: Inspector) -> None:
    """Waiting for a turn is not the file's doing: what is counted is what its jobs take."""
    budget = Budget(files=10, bytes=1 << 20, seconds=1000.0)
    place = Place(budget=budget)
    await inspector._found(BytesSource(JPEG), "a.jpg", None, place, Wishes(), None)
    assert 990.0 < budget.seconds < 1000.0


async def test_a_member_that_kills_its_jail_is_left_out_alone() -> None:
    """The others go on; of a pack of nothing else a person looks at it."""

    def dying(name: str, _place: Place) -> Finding:
        if name == "2.txt":
            return finding_of(Result(kind=Kind.TEXT, outputs=(WORDS,)), name, declared=None)
        return finding_of(Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_CRASHED), name, declared=None)

    for count, reason in ((4, Reason.NONE), (2, Reason.PACK_NOTHING_CHECKED)):
        pack = BytesSource(packs.zipped((f"{number}.txt", packs.TEXT) for number in range(count)))
        unpacked = await unpack(pack, "pack.zip", hands=hands(dying), place=Place(), row=ROWS[Kind.ZIP])
        assert (reason, count) == (unpacked.reason, len(unpacked.members))
        assert Reason.JAIL_CRASHED is unpacked.members[0].reason


async def test_no_member_is_held_while_the_next_is_taken_out() -> None:
    """A pack of the largest members needs the memory of one."""
    taken: list[weakref.ref[Slow]] = []

    async def take_out(_source: object, _entry: object, _place: Place) -> Slow:
        assert all(member() is None for member in taken)
        member = Slow()
        taken.append(weakref.ref(member))
        return member

    made = replace(hands(lambda name, _place: left_out(name, Reason.DAMAGED)), take_out=take_out)
    pack = BytesSource(packs.zipped((f"{number}.txt", packs.TEXT) for number in range(3)))
    assert 3 == len((await unpack(pack, "pack.zip", hands=made, place=Place(), row=ROWS[Kind.ZIP])).members)


async def test_members_of_letters_in_a_pack_are_listed_as_far_as_a_reader_takes_them() -> None:
    """A study of a few letters with two hundred programs each: no copy names a member beyond the list."""

    def letters(name: str, place: Place) -> Finding:
        finding = finding_of(Result(kind=Kind.MAIL, outputs=(WORDS,)), name, declared=None)
        inner = tuple(replace(one, name=f"{number}.exe") for number, one in enumerate([member] * 200))
        return replace(finding, members=inner)

    (member,) = (
        await unpack(
            BytesSource(packs.zipped([("a.txt", packs.TEXT)])),
            "pack.zip",
            hands=hands(lambda name, _place: left_out(name, Reason.DAMAGED)),
            place=Place(),
            row=ROWS[Kind.ZIP],
        )
    ).members
    pack = packs.zipped((f"{number}.dcm", packs.TEXT) for number in range(20))
    unpacked = await unpack(BytesSource(pack), "pack.zip", hands=hands(letters), place=Place(), row=ROWS[Kind.ZIP])
    assert len(unpacked.members) <= MAX_MEMBERS
    assert all(made.member is None or made.member < len(unpacked.members) for made in unpacked.outputs)


@loop
async def test_a_document_is_not_read_by_the_row_of_packs(inspector: Inspector) -> None:
    """A ZIP that calls itself a letter of an office gets the room of one, not of a study."""
    pack = packs.zipped([("a.bin", bytes(ROWS[Kind.DOCX].file_bytes + 1))], method=zipfile.ZIP_STORED)
    finding = await inspector.inspect(pack, "letter.docx")
    assert (Verdict.REFUSED, Reason.TOO_MANY_BYTES) == (finding.verdict, finding.reason)


async def test_a_row_that_is_tighter_or_off_counts_for_members_and_parts() -> None:
    """Whatever a file comes in: the row of what it is decides, the row of documents for what calls itself one."""
    documents = dict.fromkeys((Kind.DOCX, Kind.XLSX, Kind.ODT, Kind.OFFICE_ZIP), replace(ROWS[Kind.DOCX], accept=False))
    rows = {
        **ROWS,
        **documents,
        Kind.PNG: replace(ROWS[Kind.PNG], accept=False),
        Kind.JPEG: replace(ROWS[Kind.JPEG], file_bytes=len(JPEG) - 1),
    }
    png = images.saved(images.photo(30, 20), "PNG")
    inner = [("a.png", png), ("a.jpg", JPEG), ("a.docx", packs.zipped([("a.txt", packs.TEXT)]))]
    async with Inspector.start(Settings(rows=rows)) as strict:
        for name, content in (
            ("pack.zip", packs.zipped(inner)),
            ("letter.eml", packs.letter(b"\r\nHello.", *(packs.attached(*one) for one in inner))),
        ):
            finding = await strict.inspect(content, name)
            assert [Reason.TYPE_SWITCHED_OFF, Reason.TOO_MANY_BYTES, Reason.TYPE_SWITCHED_OFF] == [
                one.reason for one in finding.members
            ]


def test_lists_of_packs_never_make_a_verdict_unreadable() -> None:
    """A hundred packs of five hundred files with the longest names: the verdict is one that a reader takes."""
    member = Member(name="\U0001f408" * 255, code="refused", reason="type_not_taken", notes=(), media="a/b")
    bare = refused(b64(bytes(32)), "any")
    pack = replace(bare, finding=structs.replace(bare.finding, members=(member,) * MAX_MEMBERS))
    said = Findings(answers=b64(bytes(16)), findings=tuple(one.finding for one in listed([pack] * 100)))
    assert len(render(said)) <= MAX_SEALED_JSON_BYTES
    assert all(one.members for one in said.findings)
    assert (bare,) == listed([bare])


@pytest.mark.parametrize(
    ("name", "is_short"), [("a.jpg", True), ("a.pdf", True), ("a.zip", False), ("a.txt", False), ("a", False)]
)
def test_what_may_take_an_hour_holds_no_photos_hand(name: str, *, is_short: bool) -> None:
    """A small pack of small films is long work: it waits with the large files."""
    assert is_short == (hand_bytes(claimed_kind(name, None), 1000) < LARGE_BYTES)


# --- the loop ---------------------------------------------------------------------------------------------------------


class Slow:
    """A source that takes its time, as a sealed one does."""

    size_bytes = 4 * MiB

    def __init__(self) -> None:
        self.reading = 0
        self.open = True

    def read(self, offset: int, size_bytes: int) -> bytes:
        """A piece; it must not be closed under us."""
        self.reading += 1
        time.sleep(0.02)
        assert self.open
        return bytes(max(0, min(size_bytes, self.size_bytes - offset)))


async def test_handing_over_lets_others_work() -> None:
    """While megabytes are decrypted and copied, the loop turns."""
    source, turns = Slow(), 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    async with handed_over(source, most_bytes=source.size_bytes, head_bytes=0) as handover:
        assert source.size_bytes == os.fstat(handover.descriptor).st_size
    ticking.cancel()
    assert turns > 10


async def test_a_source_is_not_closed_under_the_thread_that_reads_it() -> None:
    """Whoever cancels waits for the piece that is being read, and for no more than that."""
    source = Slow()

    async def hand() -> None:
        async with handed_over(source, most_bytes=source.size_bytes, head_bytes=0):
            pass

    handing = asyncio.create_task(hand())
    await asyncio.sleep(0.01)
    assert source.reading
    handing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handing
    source.open = False
    assert source.reading < 4


async def test_what_runs_in_a_thread_is_waited_for_however_often_it_is_cancelled() -> None:
    """What it writes to can be taken away safely afterwards."""
    done = []

    def work() -> None:
        time.sleep(0.1)
        done.append(True)

    working = asyncio.create_task(to_its_end(work))
    for _ in range(3):
        await asyncio.sleep(0.01)
        working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert [True] == done
