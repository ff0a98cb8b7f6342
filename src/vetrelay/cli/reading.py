"""Reading a case: the freshest state that can be had, the JSON form, and the page for a person."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import structs

from vetrelay.cli.mail_words import folded, mail_json, mail_lines, writer
from vetrelay.cli.terminal import Line, note, printable
from vetrelay.cli.words import (
    LEFT_OUT,
    ROLES,
    VERDICTS,
    amount,
    count,
    length,
    local,
    problem_sentence,
    reason_sentence,
    utc,
)
from vetrelay.client.attachments import AttachmentView, Content, ObjectView
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, follow_or_recall, recall
from vetrelay.client.thread import EntryView, Thread
from vetrelay.errors import Refusal
from vetrelay.protocol.finding import Member
from vetrelay.protocol.ids import CaseId, Hash, unb64

MOST_MEMBERS_SHOWN: Final = 20


async def freshest(end: End, case: CaseId) -> Followed:
    """The case up to now; what is kept here, with a word about it, where the message server cannot say more."""
    try:
        followed, reached = await follow_or_recall(end, case)
    except Refusal as refused:
        # Removed from the case, or the relay contradicts itself: what was received stays readable.
        if not end.journal.case(case).tail.n:
            raise
        note(f"vetrelay: {refused.sentence} Shown is what is kept here.")
        return recall(end, case)
    if not reached:
        note("the message server cannot be reached; shown is what is kept here")
    return followed


def hex_of(sha256: Hash) -> str:
    """A hash as `sha256sum` prints it."""
    return unb64(sha256).hex()


def object_json(view: ObjectView) -> dict[str, Any]:
    """One thing that can be saved."""
    return {
        "role": view.role,
        "name": view.name,
        "media_type": view.media_type,
        "size_bytes": view.size_bytes,
        "sha256": hex_of(view.sha256),
    }


def attachment_json(view: AttachmentView) -> dict[str, Any]:
    """A file of a message."""
    return {
        "name": view.name,
        "media_type": view.media_type,
        "size_bytes": view.size_bytes,
        "sha256": hex_of(view.sha256),
        "verdict": view.verdict,
        "checked_by": view.checked_by,
        "reason": view.reason,
        "notes": list(view.notes),
        "items": view.content.items,
        "duration_ms": view.content.duration_ms,
        "patient": None if view.content.patient is None else structs.asdict(view.content.patient),
        "members": [member_json(member) for member in view.content.members],
        "objects": [object_json(part) for part in view.objects],
    }


def member_json(member: Member) -> dict[str, Any]:
    """One file in a pack or a letter."""
    return {
        "name": member.name,
        "media_type": member.media,
        "verdict": member.code,
        "reason": member.reason,
        "notes": list(member.notes),
    }


def entry_json(entry: EntryView) -> dict[str, Any]:
    """One thing said."""
    author = entry.author
    return {
        "n": entry.n,
        "envelope": entry.envelope,
        "class": entry.class_,
        "kind": entry.kind,
        "from": {"party": author.party, "person": author.person, "name": author.name, "role": author.role},
        "sent_at": utc(entry.sent_at_ms),
        "accepted_at": utc(entry.accepted_at_ms),
        "text": entry.text,
        "attachments": [attachment_json(view) for view in entry.attachments],
        "problem": entry.problem,
        **mail_json(entry),
    }


def thread_json(thread: Thread) -> dict[str, Any]:
    """A case as it reads now."""
    return {"case": thread.case, "title": thread.title, "entries": [entry_json(entry) for entry in thread.entries]}


def heading(thread: Thread) -> Iterator[Line]:
    """What the case is about."""
    yield Line(text=printable(thread.title), style="title")
    state = ", closed" if thread.followed.roster.closed else ""
    yield Line(text=f"case {thread.case}{state}", style="quiet")


def entry_lines(entry: EntryView, *, whole: bool = False) -> Iterator[Line]:
    """One thing said, for a person; of a letter, what it repeats is folded to a line that says so, unless `whole`."""
    role = ROLES.get(entry.author.role, entry.author.role)
    internal = ", internal" if entry.class_ == "internal" else ""
    name = writer(entry.letter) if entry.letter else printable(entry.author.name)
    yield Line()
    yield Line(text=f"{name}, {role}{internal}", style="title")
    yield Line(text=f"{local(entry.accepted_at_ms)}  message {entry.envelope}", style="quiet")
    if entry.problem:
        yield Line(text=f"not shown: {problem_sentence(entry.problem)} [{entry.problem}]", style="bad", indent=2)
    elif entry.text:
        text = entry.text if whole or entry.letter is None else folded(entry.text, entry.letter.folds)
        for paragraph in printable(text, lines=True).splitlines():
            yield Line(text=paragraph, indent=2)
    for view in entry.attachments:
        yield from attachment_lines(view)
    yield from mail_lines(entry)


def attachment_lines(view: AttachmentView) -> Iterator[Line]:
    """A file, its state in the words of the screen, what was done to it, and what of a pack is not ready."""
    words, style = VERDICTS[view.verdict]
    if view.checked_by == "sender":
        words = f"{words}, checked by the sender's own program"
    notes = f" ({', '.join(map(printable, view.notes))})" if view.notes else ""
    size = ", ".join((amount(view.size_bytes), *_extent(view.media_type, view.content)))
    yield Line(text=f"{printable(view.name)}  {size}  {words}{notes}", style=style, indent=2)
    reason = reason_sentence(view.reason)
    if reason:
        yield Line(text=printable(reason), style="quiet", indent=4)
    yield from _left_out_lines(view.content)


def _extent(media_type: str, content: Content) -> Iterator[str]:
    """How much a file is to look through: 12 pages, 0:42."""
    noun = _noun(media_type, content)
    # That a photo is one picture goes without saying; a document of one page says so.
    if content.items and noun and (content.items > 1 or noun in {"page", "file"}):
        yield count(content.items, noun)
    if content.duration_ms and content.duration_ms >= 1000:
        yield length(content.duration_ms)


def _noun(media_type: str, content: Content) -> str:
    """What `items` counts in a file of this type; empty where nothing is said of it."""
    if content.members:
        return "file"
    if media_type.startswith("image/"):
        return "picture"
    return {"application/pdf": "page", "application/dicom": "picture"}.get(media_type, "")


def _left_out_lines(content: Content) -> Iterator[Line]:
    """The files of a pack or a letter that are not simply ready, each with the reason."""
    unready = [member for member in content.members if member.code in LEFT_OUT]
    for member in unready[:MOST_MEMBERS_SHOWN]:
        reason = reason_sentence(member.reason)
        why = f": {printable(reason)}" if reason else ""
        yield Line(text=f"{printable(member.name)}  {LEFT_OUT[member.code]}{why}", style="warn", indent=4)
    more = len(unready) - MOST_MEMBERS_SHOWN
    if more > 0:
        yield Line(text=f"and {more} more", style="quiet", indent=4)


def thread_lines(thread: Thread, *, whole: bool = False) -> Iterator[Line]:
    """The whole case, for a person."""
    yield from heading(thread)
    for entry in thread.entries:
        yield from entry_lines(entry, whole=whole)
    if not thread.entries:
        yield Line()
        yield Line(text="nothing has been said yet", style="quiet")
