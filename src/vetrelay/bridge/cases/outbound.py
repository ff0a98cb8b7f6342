"""From a case to its correspondents: what was said is composed by each one's mode and put into the queue, once for each.

Durable before done: an envelope leaves the case's list of what is to be carried out when every letter about it stands in
the queue. (Crash table "letter out" of docs/architecture.md: what is kept before this is O1, what stands in the queue O2.)
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from vetrelay.bridge.addressing import case_address
from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import CaseMail, Outgoing
from vetrelay.bridge.cases.files import FileKept, copies_for, whole_file
from vetrelay.bridge.cases.opened import ABSENT
from vetrelay.bridge.cases.ownkeys import own_pgp, own_smime
from vetrelay.bridge.cases.shelf import Shelved, put_on_shelf
from vetrelay.bridge.letters.autocrypt import autocrypt_header
from vetrelay.bridge.letters.letter import About, Author, Links, Posting, compose_full, compose_notice, short_name
from vetrelay.bridge.letters.lettermime import Part, fits
from vetrelay.bridge.letters.openpgp import protect_pgp
from vetrelay.bridge.letters.smime import protect_smime
from vetrelay.bridge.loops import loop_mark
from vetrelay.bridge.sending.pace import DAY_MS, Cause, notice_slot
from vetrelay.bridge.store.addresses import Correspondence
from vetrelay.client.thread import EntryView, read_thread
from vetrelay.errors import Fault, Refusal, VetRelayError
from vetrelay.protocol.bymail import Correspondent, MailMode
from vetrelay.protocol.ids import CaseId, unb64
from vetrelay.telemetry import event_log

WAIT_FOR_CHECK_MS: Final = 15 * 60 * 1000
"""How long a message waits for its files to be checked; then it goes without those that are not."""
ROLES: Final = {"owner": "owner", "care": "veterinarian", "consultant": "consultant", "bridge": "by email"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    """One thing said, ready to be written to somebody."""

    entry: EntryView
    files: tuple[FileKept, ...]
    unready: int


def message_of(bridge: Bridge, case: CaseId, outgoing: Outgoing) -> _Message | None:
    """What is to be carried out, when its files are checked or have taken too long; None while they are.

    Raises Refusal `cannot_open` for what cannot be read any more.
    """
    end = bridge.end
    thread = read_thread(end, case, bridge.followed(case))
    entry = next((one for one in thread.entries if one.entry == outgoing.entry), None)
    if entry is None or entry.problem is not None:
        raise Refusal("cannot_open")
    unready = sum(view.verdict == "pending" for view in entry.attachments)
    if unready and end.now_ms() - outgoing.since_ms < WAIT_FOR_CHECK_MS:
        return None
    return _Message(entry=entry, files=copies_for(end, entry.attachments), unready=unready)


async def carry_out(bridge: Bridge, case: CaseId, mail: CaseMail, outgoing: Outgoing) -> bool:
    """Queues a letter to each correspondent about one thing that was said. False while its files are being checked.

    Raises Fault while something is away that a letter needs; then nothing is lost, and it is done again.
    """
    try:
        message = message_of(bridge, case, outgoing)
    except Refusal as unread:
        event_log()("bridge.not_carried_out", code=unread.code)
        return True
    if message is None:
        return False
    for correspondence in bridge.addresses.of_case(case):
        correspondent = mail.correspondents.get(correspondence.address)
        if correspondent is None or correspondence.revoked or correspondence.address.startswith("@"):
            continue
        await _write_to(
            bridge, correspondence, correspondent, message, allowed=mail.may_be_plain(correspondent.address)
        )
    return True


async def _write_to(
    bridge: Bridge, correspondence: Correspondence, correspondent: Correspondent, message: _Message, *, allowed: bool
) -> None:
    if correspondent.mode == "plain" and not allowed:
        _notify(bridge, correspondence, correspondent, message)  # the owner has not agreed, or no longer does
        return
    if correspondent.mode == "notify":
        _notify(bridge, correspondence, correspondent, message)
        return
    try:
        letter, message_id = await _full_letter(bridge, correspondence, correspondent, message)
    except VetRelayError as wrong:
        if isinstance(wrong, Fault) and wrong.code not in ABSENT:
            raise
        # A key that does not work any more: a notice reaches them, and says nothing.
        event_log()("bridge.not_sealed", code=wrong.code)
        _notify(bridge, correspondence, correspondent, message)
        return
    _shelve(bridge, correspondence, message)  # for a letter that has to become a notice later
    bridge.departures.add(
        letter,
        once=f"full {correspondence.token} {message.entry.entry}",
        recipient=correspondence.address,
        message_id=message_id,
        mode=correspondent.mode,
        person=True,
        demands_tls=correspondent.mode == "plain",
        case=correspondence.case,
        answers=message.entry.entry,
    )
    bridge.leaving.set()


def _shelve(bridge: Bridge, correspondence: Correspondence, message: _Message) -> None:
    entry = message.entry
    put_on_shelf(
        bridge.notes,
        correspondence.token,
        Shelved(
            entry=entry.entry,
            author=entry.author.name,
            role=ROLES.get(entry.author.role, entry.author.role),
            said_ms=entry.accepted_at_ms,
            put_ms=bridge.end.now_ms(),
            text=entry.text or "",
            files=message.files,
            unready=message.unready,
        ),
        days=bridge.config.page_days,
    )


def _notify(bridge: Bridge, correspondence: Correspondence, correspondent: Correspondent, message: _Message) -> None:
    """Mode A: the message on the sealed page, and a notice that says nothing of it, not too often."""
    _shelve(bridge, correspondence, message)
    cause: Cause = "letter" if message.entry.letter is not None else "member"
    queue_notice(
        bridge,
        correspondence,
        reference=correspondent.reference,
        once=f"notice {correspondence.token} {message.entry.entry}",
        answers=message.entry.entry,
        cause=cause,
    )


def queue_notice(
    bridge: Bridge, correspondence: Correspondence, *, reference: str | None, once: str, answers: str, cause: Cause
) -> None:
    """Queues a notice when it may go; while one waits already, that one speaks for this too."""
    departures, now_ms = bridge.departures, bridge.end.now_ms()
    if correspondence.unsubscribed or departures.notice_waits(correspondence.case, correspondence.address):
        return
    times = departures.notice_times_ms(correspondence.case, correspondence.address, since_ms=now_ms - DAY_MS)
    slot = notice_slot(times, now_ms=now_ms, cause=cause)
    if slot is None:
        return
    posting, message_id = posting_to(bridge, correspondence)
    notice = compose_notice(
        posting,
        about=About(short=short_name(correspondence.token), reference=reference),
        links=links_of(bridge, correspondence),
        days=bridge.config.page_days,
    )
    departures.add(
        notice,
        once=once,
        recipient=correspondence.address,
        message_id=message_id,
        mode="notify",
        person=False,
        case=correspondence.case,
        answers=answers,
        due_ms=slot.at_ms,
    )
    bridge.leaving.set()


def links_of(bridge: Bridge, correspondence: Correspondence) -> Links:
    """The pages of one correspondent."""
    token, url = correspondence.upload_token, bridge.pages_url
    return Links(upload=f"{url}/u/{token}", sealed=f"{url}/l/{token}", stop=f"{url}/n/{token}")


def posting_to(bridge: Bridge, correspondence: Correspondence) -> tuple[Posting, str]:
    """The outside of a new letter to a correspondent, and its Message-ID, fixed from here on."""
    end, config = bridge.end, bridge.config
    message_id = f"<{end.random_bytes(16).hex()}@{config.hostname}>"
    sender = case_address(correspondence.token, config.domain)
    thread = bridge.notes.get(f"thread {correspondence.token}")
    last = thread.decode() if thread else None
    return (
        Posting(
            message_id=message_id,
            date_ms=end.now_ms(),
            sender=sender,
            recipient=correspondence.address,
            loop_mark=loop_mark(bridge.seals.loop_key, message_id),
            from_name=config.from_name,
            in_reply_to=last,
            references=(last,) if last else (),
            autocrypt=autocrypt_header(own_pgp(bridge), sender),
        ),
        message_id,
    )


async def _full_letter(
    bridge: Bridge, correspondence: Correspondence, correspondent: Correspondent, message: _Message
) -> tuple[bytes, str]:
    """The whole message, as its mode seals it. Raises Refusal for a key that cannot be used, Fault as `whole_file`."""
    posting, message_id = posting_to(bridge, correspondence)
    going = fitting_files(message.files, mode=correspondent.mode)
    parts = [
        Part(name=kept.name, content_type=kept.media, content=await whole_file(bridge.end, kept)) for kept in going
    ]
    left_out = [kept.name for kept in message.files if kept not in going]
    entry = message.entry
    mode = correspondent.mode
    letter = compose_full(
        posting,
        about=About(short=short_name(correspondence.token), reference=correspondent.reference),
        author=Author(name=entry.author.name, role=ROLES.get(entry.author.role, "")),
        text=entry.text or "",
        parts=parts,
        left_out=left_out,
        links=links_of(bridge, correspondence),
        sealed=mode != "plain",
    )
    if mode == "plain":
        return letter, message_id
    return await asyncio.to_thread(_sealed, bridge, letter, correspondent, posting), message_id


def _sealed(bridge: Bridge, letter: bytes, correspondent: Correspondent, posting: Posting) -> bytes:
    key = [unb64(correspondent.key_material or "")]
    seed, address = posting.message_id, posting.sender
    if correspondent.mode == "pgp":
        return protect_pgp(letter, certificates=key, own=own_pgp(bridge), address=address, seed=seed)
    return protect_smime(letter, certificates=key, own=own_smime(bridge), address=address, seed=seed)


def fitting_files(files: tuple[FileKept, ...], *, mode: MailMode) -> tuple[FileKept, ...]:
    """As many files, in order, as one letter may carry; the link tells of the others."""
    assert mode != "notify"  # a notice carries none
    going: list[FileKept] = []
    for kept in files:
        if fits((one.size for one in (*going, kept)), mode=mode):
            going.append(kept)
    return tuple(going)
