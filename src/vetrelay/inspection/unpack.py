"""The parent's walk over a pack or a letter: every file in it inspected like any other, what was made of them gathered.

A pack's list is read by `archive`; its members are taken out one at a time, in a jail, and none is held longer than it
is looked at. Whatever is wrong with the pack itself refuses it whole; what is wrong with a member leaves that one out.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from vetrelay.inspection import study
from vetrelay.inspection.archive import read_archive
from vetrelay.inspection.budget import MOST_SECONDS, Budget
from vetrelay.inspection.contact import MAX_PICTURES, Labelled, encode_pictures
from vetrelay.inspection.entries import Entry, Room, check_room
from vetrelay.inspection.finding import Finding, Member, Output
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.naming import safe_name, visible
from vetrelay.inspection.notes import Note
from vetrelay.inspection.pack import PackTooLarge, Sink
from vetrelay.inspection.policy import Row, claimed_kind
from vetrelay.inspection.result import Patient, RawOutput, RawPart, Role
from vetrelay.inspection.shelf import MAX_LOOSE_BYTES, MAX_LOOSE_MEMBERS, Shelf
from vetrelay.inspection.source import BytesSource, Source
from vetrelay.inspection.threads import to_its_end
from vetrelay.inspection.unpacked import Unpacked
from vetrelay.inspection.words import Reason, Unfit, Verdict

MAX_LETTERS = 5
LETTERS = frozenset({Kind.MAIL, Kind.TNEF})
MAX_LISTED = 500
"""A verdict lists so many files of a pack; of larger ones those that were left out come first."""
_LEFT_OUT_LINES = 200
_MOST_PATIENTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a file was found: in how many letters, and whether in a pack. `budget` is everyone's who is in there.

    `preview`: whether anybody will see one. Of a study packed anew only a few go onto the sheet.
    """

    letters: int = 0
    in_pack: bool = False
    preview: bool = True
    budget: Budget | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What the walk needs done in jails.

    `inspect` looks at one file of this name, declared type and place. `take_out` gives one member's own bytes, or
    raises Unfit. `draw` makes a contact sheet of encoded previews, or nothing. No row of the policy table
    takes a file of more than `largest_bytes`. All raise Fault where no jail can be had.
    """

    inspect: Callable[[Source, str, str | None, Place], Awaitable[Finding]]
    take_out: Callable[[Source, Entry, Place], Awaitable[Source]]
    draw: Callable[[bytes], Awaitable[RawOutput | None]]
    largest_bytes: int


async def unpack(
    source: Source, name: str, *, hands: Hands, place: Place, row: Row, sink: Sink | None = None
) -> Unpacked:
    """A ZIP, member by member; a large one is packed anew into `sink` (in memory without one).

    `row` is the policy table's, which may be tighter than what is said here. Raises Unfit for what is wrong with the
    pack itself, Fault.
    """
    if place.in_pack:
        raise Unfit(Reason.PACK_TOO_DEEP)
    entries = await to_its_end(read_archive, source, room=_tightened(study.STUDY_ROOM, row))
    files = [entry for entry in entries if not entry.is_folder and not study.is_system_file(entry.name)]
    is_study = study.is_study([entry.name for entry in files])
    room = _tightened(study.STUDY_ROOM if is_study else study.OTHER_ROOM, row)
    check_room(entries, source.size_bytes, room=room)
    if not files:
        raise Unfit(Reason.PACK_EMPTY)
    walk = _Walk(hands=hands, place=_within(place, room, in_pack=True), shelf=_shelf(files, sink), is_study=is_study)
    walk.count(Note.SYSTEM_FILES_LEFT_OUT, sum(1 for entry in entries if study.is_system_file(entry.name)))
    for position, entry in enumerate(files):
        if is_study and study.is_index(entry.name):
            walk.count(Note.DISC_INDEX_LEFT_OUT)
        elif is_study and study.is_viewer(entry.name):
            walk.count(Note.VIEWER_LEFT_OUT)
            walk.leave_out(entry.name, Reason.TYPE_NOT_TAKEN)
        elif entry.plain_bytes > hands.largest_bytes:
            walk.count(Note.FILES_LEFT_OUT)
            walk.leave_out(entry.name, Reason.TOO_MANY_BYTES)
        elif walk.budget.is_spent:
            walk.count(Note.FILES_LEFT_OUT)
            walk.leave_out(entry.name, Reason.PACK_TIME_IS_UP)
        else:
            walk.budget.take(entry.plain_bytes)
            wanted = position * MAX_PICTURES // len(files)
            # Without a name of ours for it: a member may be as large as the largest file, and is gone before the next.
            await walk.look_at(await hands.take_out(source, entry, walk.place), entry.name, None, wanted_preview=wanted)
    return await walk.end(name)


async def unpack_letter(
    parts: Sequence[RawPart], name: str, *, hands: Hands, place: Place, sink: Sink | None = None
) -> Unpacked:
    """The parts of a letter, each inspected as if it had been sent by itself. Raises Unfit, Fault."""
    inner = replace(_within(place, study.OTHER_ROOM, in_pack=place.in_pack), letters=place.letters + 1)
    loose = len(parts) <= MAX_LOOSE_MEMBERS and sum(len(part.content) for part in parts) <= MAX_LOOSE_BYTES
    walk = _Walk(hands=hands, place=inner, shelf=Shelf(sink=sink, loose=loose), is_study=False)
    for position, part in enumerate(parts):
        if walk.budget.is_spent:
            walk.count(Note.FILES_LEFT_OUT)
            walk.leave_out(part.name, Reason.PACK_TIME_IS_UP)
            continue
        walk.budget.take(len(part.content))
        wanted = position * MAX_PICTURES // len(parts)
        await walk.look_at(BytesSource(part.content), part.name, part.media_type or None, wanted_preview=wanted)
    return await walk.end(name)


def _tightened(room: Room, row: Row) -> Room:
    return replace(room, file_bytes=min(room.file_bytes, row.file_bytes), most=min(room.most, row.most))


def _within(place: Place, room: Room, *, in_pack: bool) -> Place:
    budget = Budget(files=room.most, bytes=room.plain_bytes, seconds=MOST_SECONDS)
    return replace(place, in_pack=in_pack, budget=place.budget or budget)


def _shelf(files: Sequence[Entry], sink: Sink | None) -> Shelf:
    loose = len(files) <= MAX_LOOSE_MEMBERS and sum(entry.plain_bytes for entry in files) <= MAX_LOOSE_BYTES
    return Shelf(sink=sink, loose=loose)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """What has been gathered so far."""

    hands: Hands
    place: Place
    shelf: Shelf
    is_study: bool
    notes: dict[Note, int] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    images: list[study.Image] = field(default_factory=list)
    previews: list[Labelled] = field(default_factory=list)
    made: int = 0
    patients: dict[Patient, None] = field(default_factory=dict)

    @property
    def budget(self) -> Budget:
        """What may still come."""
        assert self.place.budget is not None
        return self.place.budget

    def count(self, note: Note, times: int = 1) -> None:
        """A note of the pack itself."""
        if times:
            self.notes[note] = self.notes.get(note, 0) + times

    def leave_out(self, name: str, reason: Reason) -> None:
        """A file that is listed, and never opened."""
        media_type = KINDS[claimed_kind(name, None)].media_type
        self.members.append(Member(name=_shown(name), verdict=reason.verdict, reason=reason, media_type=media_type))

    async def look_at(self, content: Source, name: str, declared: str | None, *, wanted_preview: int) -> None:
        """One file: inspected, listed, and what was made of it put on the shelf. Raises Unfit, Fault."""
        place = replace(self.place, preview=self.shelf.loose or len(self.previews) <= wanted_preview)
        finding = await self.hands.inspect(content, name, declared, place)
        number = len(self.members)
        self.members.append(_member(name, finding))
        # The files of a letter in a pack stand in the same list, behind the letter.
        listed = finding.members[: self._room()]
        self.members += [replace(one, name=_shown(f"{name}/{one.name}")) for one in listed]
        if not finding.outputs:
            self.count(Note.FILES_LEFT_OUT)
            return
        self.made += 1
        if finding.facts.patient is not None and len(self.patients) < _MOST_PATIENTS:
            self.patients[finding.facts.patient] = None
        try:
            with_text = all(made.role != Role.RECORD.word for made in finding.outputs)
            for made in finding.outputs:
                inner = 0 if made.member is None or made.member >= len(listed) else 1 + made.member
                await to_its_end(self.shelf.put, name, made, member=number + inner, with_text=with_text)
        except PackTooLarge:
            raise Unfit(Reason.UNPACKS_TOO_LARGE) from None
        if finding.facts.series is not None:
            self.images.append(study.Image(name=name, series=finding.facts.series, patient=finding.facts.patient))
        self._keep_preview(name, finding.outputs, wanted_preview)

    def _room(self) -> int:
        """How many files of a letter may stand behind it: where copies name their file by its number, no list is cut."""
        return max(0, MAX_LISTED - MAX_LOOSE_MEMBERS - len(self.members)) if self.shelf.loose else MAX_LISTED

    def _keep_preview(self, name: str, outputs: Iterable[Output], wanted: int) -> None:
        """Sixteen of all previews, evenly spread: of each sixteenth of the files the first that has one."""
        made = next(
            (made for made in outputs if made.role == Role.PREVIEW.word and made.media_type == "image/jpeg"), None
        )
        if made is not None and len(self.previews) <= wanted:
            label = safe_name(name, "").rpartition(".")[0] or safe_name(name, "")
            self.previews.append(Labelled(label=f"{len(self.members)} · {label}", content=made.content))

    async def end(self, name: str) -> Unpacked:
        """Everything, once all files were looked at. Raises Unfit, Fault."""
        loose = self.shelf.loose
        try:
            outputs = list(await to_its_end(self.shelf.outputs, name))
        except PackTooLarge:
            raise Unfit(Reason.UNPACKS_TOO_LARGE) from None
        if self.made:
            self.count(Note.UNPACKED if loose else Note.PACK_MADE_ANEW)
            outputs += self._lists(name, loose=loose)
            if len(self.previews) > 1 and (self.is_study or not loose):
                outputs += await self._sheet(name)
        return Unpacked(
            reason=Reason.NONE if self.made else self._why_nothing(),
            notes=self.notes,
            made=self.made,
            members=self._listed(loose=loose),
            outputs=tuple(outputs),
            patients=tuple(self.patients),
        )

    def _why_nothing(self) -> Reason:
        """The only file's own reason; of several, whether a person must look."""
        reasons = {member.reason for member in self.members if member.reason is not None}
        if len(self.members) == 1 and reasons:
            return reasons.pop()
        refused = all(reason.verdict is Verdict.REFUSED for reason in reasons)
        return Reason.PACK_NOTHING_TAKEN if refused else Reason.PACK_NOTHING_CHECKED

    def _lists(self, name: str, *, loose: bool) -> list[Output]:
        """The series of a study; of a pack made anew also what is not in it."""
        text = study.series_list(self.images) if self.images else ""
        left_out = [one for one in self.members if one.reason is not None]
        if left_out and not loose:
            lines = [f"{one.name}: {one.reason.sentence}" for one in left_out[:_LEFT_OUT_LINES] if one.reason]
            text += "\n".join(["Left out:", *lines]) + "\n"
        if not text.strip():
            return []
        return [_beside(name, "text", Role.TEXT, Kind.TEXT, visible_lines(text).encode("utf-8", "replace"))]

    async def _sheet(self, name: str) -> list[Output]:
        drawn = await self.hands.draw(encode_pictures(self.previews))
        if drawn is None:
            return []
        sheet = _beside(name, "preview", Role.PREVIEW, drawn.kind, drawn.content)
        return [replace(sheet, width=drawn.width_px, height=drawn.height_px)]

    def _listed(self, *, loose: bool) -> tuple[Member, ...]:
        """The list; of a long one, those that were left out first; loose copies name their file by its number."""
        if loose or len(self.members) <= MAX_LISTED:
            return tuple(self.members)
        return tuple(sorted(self.members, key=lambda member: member.reason is None)[:MAX_LISTED])


def visible_lines(text: str) -> str:
    """A text of ours that repeats a stranger's words: nothing unseen in any line."""
    return "\n".join(visible(line) for line in text.split("\n"))


def _beside(name: str, word: str, role: Role, kind: Kind, content: bytes) -> Output:
    right = KINDS[kind].extensions[0]
    stem = safe_name(name, "zip").removesuffix(".zip")
    return Output(role=role.word, name=f"{stem}-{word}.{right}", media_type=KINDS[kind].media_type, content=content)


def _member(name: str, finding: Finding) -> Member:
    return Member(
        name=_shown(name),
        verdict=finding.verdict,
        reason=finding.reason,
        media_type=finding.media_type,
        notes=finding.notes,
    )


def _shown(name: str) -> str:
    return visible(name)[:255]
