"""Saying something in a case: text, files, names."""

import hashlib
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from vetrelay.client.drafts import Draft, DraftObject
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, follow_or_recall
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.promises import Outgoing
from vetrelay.client.transfer import SealedFile, seal_file
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import MAX_ATTACHMENTS, SENDS, Audience, EnvelopeClass
from vetrelay.protocol.ids import CaseId, EntryId, b64
from vetrelay.protocol.log import Head
from vetrelay.protocol.manifest import Content, Names, PersonName, Text


def draft_of(
    end: End,
    case: CaseId,
    *,
    class_: EnvelopeClass,
    audience: Audience,
    content: Content,
    objects: tuple[DraftObject, ...] = (),
    purpose: str | None = None,
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
        purpose=purpose,
        reply_to=reply_to,
        derived_from=None,
        supersedes=None,
        verdict=None,
        own=end.keyring.party,
        sent_at=end.now_ms(),
    )


def speaking_class(followed: Followed, end: End) -> EnvelopeClass:
    """What this end's words are in this case: an owner's message, a veterinarian's reply.

    Raises Refusal `not_a_member` for who does not (yet) take part.
    """
    role = followed.roster.role_of(end.keyring.party)
    allowed = SENDS.get(role or "", frozenset())
    if "message" in allowed:
        return "message"
    if "reply" in allowed:
        return "reply"
    raise Refusal("not_a_member")


def _intent(case: CaseId, text: str, files: Sequence[Path]) -> str:
    """The same words and the same files, asked for again after a kill, are the same wish."""
    digest = hashlib.sha256(f"{case}\0{text}".encode())
    for path in files:
        facts = path.stat()
        digest.update(f"\0{path.resolve()}\0{facts.st_size}\0{facts.st_mtime_ns}".encode())
    return f"send:{digest.hexdigest()}"


def as_object(sealed: SealedFile, *, media: str, name: str, keep_original: bool) -> DraftObject:
    """A sealed file as an attachment of a draft."""
    return DraftObject(
        role="attachment",
        p=sealed.p,
        size=sealed.size_bytes,
        key=b64(sealed.key),
        plain_sha256=sealed.plain_sha256,
        plain_size=sealed.plain_bytes,
        media=media,
        name=name,
        keep_original=keep_original,
    )


async def say(  # one use case: one message with its files
    end: End,
    case: CaseId,
    *,
    text: str,
    files: Sequence[Path] = (),
    purpose: str | None = None,
    keep_original: bool = False,
) -> tuple[Outgoing, Head]:
    """Sends a message with its files and returns its receipt; asked again after a kill, it goes on where it was.

    Raises Refusal `nothing_to_send`, `too_many_files`, `file_unreadable`, what the case or the relay refuses; Fault
    `unreachable` when the relay cannot be reached: the message stands in the outbox and goes with the next verb.
    """
    if not text and not files:
        raise Refusal("nothing_to_send")
    if len(files) > MAX_ATTACHMENTS:
        raise Refusal("too_many_files")
    if not all(path.is_file() for path in files):
        raise Refusal("file_unreadable")
    intent = _intent(case, text, files)
    promised = end.journal.intended(intent)
    if promised is None:
        followed, _ = await follow_or_recall(end, case)
        class_ = speaking_class(followed, end)
        if files and followed.roster.intake is None:
            raise Refusal("no_intake")
        sealed = tuple(seal_file(end, path, label=path.name) for path in files)
        objects = tuple(
            as_object(
                made,
                media=mimetypes.guess_type(path.name)[0] or "application/octet-stream",
                name=path.name[:255],
                keep_original=keep_original,
            )
            for path, made in zip(files, sealed, strict=True)
        )
        draft = draft_of(
            end, case, class_=class_, audience="case", content=Text(text=text), objects=objects, purpose=purpose
        )
        promised = await promise_envelope(end, intent, draft, sealed)
    return promised, await deliver(end, promised)


def own_names(end: End, title: str | None) -> Names:
    """This end's word on who it is."""
    me = PersonName(person=end.keyring.person, name=end.keyring.person_name)
    return Names(title=title, party=end.keyring.party_name, people=(me,))
