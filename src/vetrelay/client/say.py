"""Saying something in a case: text, files, names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vetrelay.client.drafts import Draft, DraftObject, as_object, media_type_of, sendable_name
from vetrelay.client.end import End
from vetrelay.client.folder import files_of, folder_name, seal_folder
from vetrelay.client.follow import Followed, check_may_send, follow_or_recall
from vetrelay.client.notes import wish
from vetrelay.client.outbox import deliver, deliver_all, promise_envelope
from vetrelay.client.promises import Outgoing
from vetrelay.client.selfcheck import check_and_seal
from vetrelay.client.transfer import SealedFile, seal_file
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import MAX_ATTACHMENTS, SENDS, Audience, EnvelopeClass, recipients_of
from vetrelay.protocol.finding import MAX_TEXT, Patient
from vetrelay.protocol.ids import CaseId, EntryId, b64
from vetrelay.protocol.log import Head
from vetrelay.protocol.manifest import NO_HINTS, Content, Hints, Names, PersonName, Text
from vetrelay.protocol.roster import Roster

SAME_WISH_MS: Final = 12 * 60 * 60 * 1000


def draft_of(
    end: End,
    case: CaseId,
    *,
    class_: EnvelopeClass,
    audience: Audience,
    content: Content,
    objects: tuple[DraftObject, ...] = (),
    hints: Hints = NO_HINTS,
    reply_to: EntryId | None = None,
) -> Draft:
    """A draft of this end's own, with a fresh envelope id."""
    return Draft(
        case=case,
        id=b64(end.random_bytes(16)),
        class_=class_,
        audience=audience,
        content=content,
        objects=objects,
        hints=hints,
        reply_to=reply_to,
        derived_from=None,
        supersedes=None,
        verdict=None,
        own=end.keyring.party,
        sent_at=end.now_ms(),
    )


def speaking_class(followed: Followed, end: End) -> EnvelopeClass:
    """What this end's words are in this case: an owner's message, a veterinarian's reply.

    Raises Refusal `not_a_member` for who does not take part, `not_confirmed` for who still waits to be let in.
    """
    member = followed.roster.members.get(end.keyring.party)
    if member is not None and member.pending:
        raise Refusal("not_confirmed")
    role = followed.roster.role_of(end.keyring.party)
    allowed = SENDS.get(role or "", frozenset())
    if "message" in allowed:
        return "message"
    if "reply" in allowed:
        return "reply"
    raise Refusal("not_a_member")


def _intent(end: End, case: CaseId, text: str, files: Sequence[Path], *, hints: Hints, keep_original: bool) -> str:
    """The same words and the same files, asked for again after a kill, are the same wish.

    Whom the case is about is no part of it: a card may come in between.
    """
    wishes = (hints.full_size, hints.keep_motion, keep_original)
    parts = [case, text, hints.purpose or "", *map(str, wishes)]
    for path in files:
        parts.append(str(path.resolve()))
        if path.is_dir():
            for file in files_of(path):
                parts += [file.name, str(file.size_bytes), str(file.changed_ns)]
        else:
            facts = path.stat()
            parts += [str(facts.st_size), str(facts.st_mtime_ns)]
    return f"send:{wish(end, *parts)}"


def _check_sayable(text: str, files: Sequence[Path]) -> None:
    """Raises Refusal for what no reader would take, before anything is sealed."""
    if not text and not files:
        raise Refusal("nothing_to_send")
    if len(files) > MAX_ATTACHMENTS:
        raise Refusal("too_many_files")
    if not all(path.is_file() or path.is_dir() for path in files):
        raise Refusal("file_unreadable")
    if len(text) > MAX_TEXT:
        raise Refusal("too_large")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Refusal("text_unreadable")


def _sealed(end: End, path: Path) -> SealedFile:
    """A file, or a folder as one pack."""
    return seal_folder(end, path, label=folder_name(path)) if path.is_dir() else seal_file(end, path, label=path.name)


async def _prepared(
    end: End, roster: Roster, text: str, files: Sequence[Path], *, hints: Hints, keep_original: bool
) -> tuple[Content, tuple[DraftObject, ...], tuple[SealedFile, ...]]:
    """The files sealed: as they are for an intake, or checked here and as what was made of them."""
    if files and roster.ends_inspect:
        readers = len(recipients_of(roster, "case", sender=end.keyring.party, own=end.keyring.party))
        checked = await check_and_seal(end, text, files, hints=hints, keep_original=keep_original, readers=readers)
        return checked.content, checked.objects, checked.sealed
    if files and not roster.intakes:
        raise Refusal("no_intake")
    sealed = tuple(_sealed(end, path) for path in files)
    names = [sendable_name(path) for path in files]
    objects = tuple(
        as_object(made, media=media_type_of(name), name=name, keep_original=keep_original)
        for name, made in zip(names, sealed, strict=True)
    )
    return Text(text=text), objects, sealed


async def say(  # one use case: one message with its files
    end: End,
    case: CaseId,
    *,
    text: str,
    files: Sequence[Path] = (),
    hints: Hints = NO_HINTS,
    keep_original: bool = False,
) -> tuple[Outgoing, Head]:
    """Sends a message with its files and returns its receipt; asked again after a kill, it goes on where it was.

    A folder among the files is sent as one pack of all that is in it. `hints` are the sender's wishes for its files.

    It counts as the same until the caller has told the person and said `journal.report`, or for twelve hours once it
    was accepted: from then on the same words are a new message. Words that were promised before go first. Raises
    Refusal `nothing_to_send`, `too_many_files`, `file_unreadable`, `folder_empty`, `folder_too_full`, `too_large`,
    `text_unreadable`, where the ends inspect `file_not_sent` (facts: `files`), what the case or the relay refuses; Fault
    `unreachable` when the relay cannot be reached: the message stands in the outbox and goes with the next verb.
    """
    _check_sayable(text, files)
    intent = _intent(end, case, text, files, hints=hints, keep_original=keep_original)
    promised = end.journal.intended(intent)
    if promised is not None and promised.receipt is not None and promised.created_ms < end.now_ms() - SAME_WISH_MS:
        end.journal.report(promised.id)  # it went out by itself, long ago: nobody repeats a killed command that late
        promised = None
    if promised is None:
        followed, reached = await follow_or_recall(end, case)
        class_ = speaking_class(followed, end)
        check_may_send(end, followed, reached=reached, class_=class_)
        content, objects, sealed = await _prepared(
            end, followed.roster, text, files, hints=hints, keep_original=keep_original
        )
        draft = draft_of(end, case, class_=class_, audience="case", content=content, objects=objects, hints=hints)
        promised = await promise_envelope(end, intent, draft, sealed)
    await deliver_all(end, before=promised.id, uploads=False)  # words keep their order; large files hold nobody up
    return promised, await deliver(end, promised)


def own_names(end: End, title: str | None, patient: Patient | None = None) -> Names:
    """This end's word on who it is, and on what and whom the case is about."""
    me = PersonName(person=end.keyring.person, name=end.keyring.person_name)
    return Names(title=title, patient=patient, party=end.keyring.party_name, people=(me,))
