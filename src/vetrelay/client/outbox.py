"""The outbox: promise first, deliver after, as often as it takes, always the same bytes (protocol.md section 6).

A request is durable before its first attempt. The relay answers a repeat with the stored receipt, so delivering again
after a kill can neither lose nor double anything.
"""

import asyncio
from dataclasses import replace
from typing import Final

import msgspec

from vetrelay.client.api import PASSING
from vetrelay.client.drafts import Draft, seal_draft, seal_headers
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, check_may_send, follow, follow_or_recall
from vetrelay.client.keyring import sync_folder
from vetrelay.client.notes import open_note, seal_note
from vetrelay.client.promises import Outgoing, PayloadRow
from vetrelay.client.transfer import SealedFile, upload
from vetrelay.client.turns import tried_turn, turn
from vetrelay.client.wire import Receipted
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import STALE_HEAD_MS, Head, check_head
from vetrelay.protocol.signature import Signed, parse_wire, wire
from vetrelay.protocol.statement import render

ATTEMPTS: Final = 6
STANDING: Final = PASSING | {"too_many_uploads", "no_intake", "newer_version"}
"""What a relay refuses for now: the promise stands, and goes when the reason has passed."""
RETRY_SECONDS: Final = 0.3
NO_ANSWER: Final = frozenset({"unreachable", "busy", "relay_failed"})


class _Posted(msgspec.Struct):
    """What a request asks the log to take in."""

    envelope: Signed | None = None
    entry: Signed | None = None


def promise_statement(  # every argument is a part of the promise
    end: End,
    intent: str,
    *,
    case: CaseId | None,
    path: str,
    request: dict[str, object],
    note: bytes | None = None,
    anew: bool = False,
) -> Outgoing:
    """Promises a statement. The same intent, promised before and not yet reported, is taken up again instead.

    `note` is a secret that belongs to it, kept sealed; `anew` leaves an earlier promise to itself.
    """
    with end.journal.transaction():
        known = end.journal.intended(intent)
        if known is not None and not anew:
            return known
        identifier = end.journal.put_outgoing(
            intent,
            case=case,
            method="POST",
            path=path,
            body=render(request),
            draft=seal_note(end, note) if note is not None else None,
            created_ms=end.now_ms(),
        )
    return _promised(end, identifier)


def _promised(end: End, identifier: int) -> Outgoing:
    promised = end.journal.promised(identifier)
    assert promised is not None
    return promised


async def promise_envelope(
    end: End,
    intent: str,
    draft: Draft,
    files: tuple[SealedFile, ...],
    *,
    known: Followed | None = None,
    once: bool = False,
) -> Outgoing:
    """Seals a draft for the newest roster and promises it with its payloads; `known` is the case if it is at hand.

    The same intent, promised meanwhile by another process, is taken up instead; with `once` also when it was reported.
    Raises Refusal when nothing may be sent into this case now (`check_may_send`), or `no_intake`.
    """
    followed, reached = await follow_or_recall(end, draft.case, known=known)
    check_may_send(end, followed, reached=reached, class_=draft.class_)
    sealed = seal_draft(end, draft, followed, seal_headers(end, draft, followed.roster))
    if files:
        sync_folder(end.journal.spool)  # the spooled files keep their names before the promise counts on them
    with end.journal.transaction():
        earlier = end.journal.ever_intended(intent) if once else end.journal.intended(intent)
        if earlier is None:
            identifier = end.journal.put_outgoing(
                intent,
                case=draft.case,
                method="PUT",
                path=f"/v1/cases/{draft.case}/envelopes/{draft.id}",
                body=sealed.body,
                draft=seal_note(end, msgspec.json.encode(draft)),
                created_ms=end.now_ms(),
            )
            end.journal.put_payloads(_payload_row(file, draft, identifier) for file in files)
    if earlier is None:
        return _promised(end, identifier)
    for file in files:
        file.spool.unlink(missing_ok=True)
    return earlier


def _payload_row(file: SealedFile, draft: Draft, identifier: int) -> PayloadRow:
    return PayloadRow(
        p=file.p,
        outbox_id=identifier,
        case=draft.case,
        size_bytes=file.size_bytes,
        spool=file.spool,
        url=None,
        done=False,
    )


async def deliver(end: End, promised: Outgoing) -> Head:
    """Brings a promised request to the relay and keeps its receipt.

    Raises Fault or a Refusal of `STANDING` or of this end itself, such as a blocked case (the promise stands; repeat
    the verb), or any other Refusal of the relay (it said no for good; the promise is ended, and told by this).
    """
    try:
        async with turn(end.turns, _turn_of(promised)):
            return await _delivered(end, promised)
    except Refusal:
        now = end.journal.promised(promised.id)
        if now is not None and now.refused is not None:
            end.journal.report(promised.id)
        raise


async def _delivered(end: End, promised: Outgoing) -> Head:
    # Another process of this home may have brought it there since it was looked up.
    promised = end.journal.promised(promised.id) or promised
    if promised.receipt is not None:
        return _checked_receipt(end, promised, parse_wire(promised.receipt))
    if promised.refused is not None:
        raise Refusal(promised.refused)
    promised, receipt = await _attempt(end, promised)
    head = _checked_receipt(end, promised, receipt)
    with end.journal.transaction():
        end.journal.settle(promised.id, receipt=wire(receipt), refused=None)
        end.journal.expect_head(head.case, head.n, head.head)
    end.journal.drop_payloads(promised.id)
    return head


def _checked_receipt(end: End, promised: Outgoing, receipt: Signed) -> Head:
    """The relay's signed word that it took in this very entry. Raises Refusal `wrong_relay`, `entry_differs`."""
    head = check_head(receipt, relay=end.keyring.relay, case=promised.case or "")
    posted = msgspec.json.decode(promised.body, type=_Posted)
    signed = posted.envelope or posted.entry
    if signed is None or head.entry != signed.entry_id():
        raise Refusal("entry_differs")
    return head


async def _check_deliverable(end: End, promised: Outgoing) -> None:
    """What was promised yesterday goes out today only if one may still send. Raises Refusal as `check_may_send` does."""
    if promised.case is None:
        return
    row = end.journal.case(promised.case)
    if row.blocked:
        raise Refusal(row.blocked)
    if row.tail.n and end.now_ms() - row.head_time_ms > STALE_HEAD_MS:
        check_may_send(end, await follow(end, promised.case))


async def upload_payloads(end: End, promised: Outgoing, *, at_once: int = 1) -> None:
    """Brings the payloads that a promise waits for to the relay, where they are not there yet."""
    names = _names(end, promised)
    slots = asyncio.Semaphore(at_once)

    async def one(row: PayloadRow) -> None:
        async with slots:
            await upload(end, row, label=names.get(row.p, "a file"))

    await asyncio.gather(*(one(row) for row in end.journal.payloads(promised.id) if not row.done))


async def _attempt(end: End, promised: Outgoing) -> tuple[Outgoing, Signed]:
    """The request as it was accepted, and the receipt. A refusal for good is kept before it is raised."""
    await _check_deliverable(end, promised)
    for _ in range(ATTEMPTS):
        try:
            await upload_payloads(end, promised)
            return promised, (await _send_twice(end, promised)).receipt
        except Refusal as refused:
            if refused.code == "payloads_missing":
                _upload_again(end, promised, refused.facts.get("missing"))
            elif refused.code == "roster_moved" and promised.method == "PUT":
                promised = await _seal_again(end, promised)
            else:
                if refused.code not in STANDING:
                    end.journal.settle(promised.id, receipt=None, refused=refused.code)
                    end.journal.drop_payloads(promised.id)
                raise
    raise Fault("relay_failed")


def _upload_again(end: End, promised: Outgoing, untrusted_missing: object) -> None:
    """The relay has swept what nobody referred to for a day: it is uploaded anew."""
    named = untrusted_missing if isinstance(untrusted_missing, list) else []
    for row in end.journal.payloads(promised.id):
        if not named or row.p in named:
            end.journal.save_upload(row.p, url=None, done=False)


async def _send_twice(end: End, promised: Outgoing) -> Receipted:
    try:
        return await _send(end, promised)
    except Fault as fault:
        if fault.code not in NO_ANSWER:
            raise
    await asyncio.sleep(RETRY_SECONDS)
    return await _send(end, promised)  # whatever was cut: the same bytes get the same receipt


async def _send(end: End, promised: Outgoing) -> Receipted:
    if promised.method == "PUT" and promised.case is not None:
        return await end.api.put_envelope(promised.case, promised.path.rsplit("/", 1)[1], promised.body)
    # party.add proves itself: the joiner may not have a session yet.
    return await end.api.post_statement(promised.path, promised.body, bearer=not promised.intent.startswith("join:"))


async def _seal_again(end: End, promised: Outgoing) -> Outgoing:
    """The same draft for the readers of now. The refused bytes were not accepted, so replacing them doubles nothing."""
    draft = _draft(end, promised)
    followed = await follow(end, draft.case)
    check_may_send(end, followed)
    sealed = seal_draft(end, draft, followed, seal_headers(end, draft, followed.roster))
    end.journal.replace_body(promised.id, sealed.body)
    return replace(promised, body=sealed.body)


def _draft(end: End, promised: Outgoing) -> Draft:
    return msgspec.json.decode(open_note(end, promised.draft or b""), type=Draft)


def _names(end: End, promised: Outgoing) -> dict[str, str]:
    return {made.p: made.name for made in _draft(end, promised).objects} if promised.method == "PUT" else {}


def forget(end: End, promised: Outgoing) -> None:
    """Removes what is left of a request that nobody needs any more: draft, payloads, turn. For who is alone in a home."""
    end.journal.drop_payloads(promised.id)
    end.journal.forget(promised.id)
    (end.turns / _turn_of(promised)).unlink(missing_ok=True)


def _turn_of(promised: Outgoing) -> str:
    return f"promise {promised.id}"


async def deliver_all(
    end: End, *, before: int | None = None, uploads: bool = True
) -> tuple[tuple[Outgoing, Refusal], ...]:
    """Delivers what was promised earlier, in its order; all refusals that nobody has been told of yet.

    Whoever tells the person then says `journal.report`. A refusal ends only that promise, and what another process is
    delivering is left to it. `before` leaves out what was promised after that one; without `uploads`, what has files
    to bring waits for another time. Raises Fault `unreachable`.
    """
    for promised in end.journal.outgoing():
        if before is not None and promised.id >= before:
            break
        if not uploads and not all(row.done for row in end.journal.payloads(promised.id)):
            continue
        with tried_turn(end.turns, _turn_of(promised)) as mine:
            if mine:
                await _tried(end, promised)
    return tuple((promised, Refusal(promised.refused or "")) for promised in end.journal.refusals())


async def _tried(end: End, promised: Outgoing) -> None:
    try:
        await _delivered(end, promised)
    except Refusal:
        return  # kept with the promise, or the promise stands
    except Fault as fault:
        if fault.code == "unreachable":
            raise
