"""The outbox: promise first, deliver after, as often as it takes, always the same bytes (protocol.md section 6).

A request is durable before its first attempt. The relay answers a repeat with the stored receipt, so delivering again
after a kill can neither lose nor double anything.
"""

import asyncio
from dataclasses import replace

import msgspec

from vetrelay.client.api import PASSING
from vetrelay.client.drafts import Draft, seal_draft, seal_headers
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, check_may_send, follow, follow_or_recall
from vetrelay.client.keyring import sync_folder
from vetrelay.client.notes import open_note, seal_note
from vetrelay.client.promises import Outgoing, PayloadRow
from vetrelay.client.transfer import SealedFile, upload
from vetrelay.client.wire import Receipted
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.log import Head, check_head
from vetrelay.protocol.signature import Signed, parse_wire, wire
from vetrelay.protocol.statement import render

ATTEMPTS = 6


def promise_statement(  # every argument is a part of the promise
    end: End, intent: str, *, case: CaseId | None, path: str, request: dict[str, object]
) -> Outgoing:
    """Promises a statement. The same intent, promised before and not yet reported, is taken up again instead."""
    known = end.journal.intended(intent)
    if known is not None:
        return known
    end.journal.put_outgoing(
        intent, case=case, method="POST", path=path, body=render(request), draft=None, created_ms=end.now_ms()
    )
    promised = end.journal.intended(intent)
    assert promised is not None
    return promised


async def promise_envelope(
    end: End, intent: str, draft: Draft, files: tuple[SealedFile, ...], *, known: Followed | None = None
) -> Outgoing:
    """Seals a draft for the newest roster and promises it with its payloads; `known` is the case if it is at hand.

    Raises Refusal when nothing may be sent into this case now (`check_may_send`), or `no_intake`.
    """
    followed, reached = await follow_or_recall(end, draft.case, known=known)
    check_may_send(end, followed, reached=reached)
    sealed = seal_draft(end, draft, followed, seal_headers(end, draft, followed.roster))
    if files:
        sync_folder(end.journal.spool)  # the spooled files keep their names before the promise counts on them
    with end.journal.transaction():
        identifier = end.journal.put_outgoing(
            intent,
            case=draft.case,
            method="PUT",
            path=f"/v1/cases/{draft.case}/envelopes/{draft.id}",
            body=sealed.body,
            draft=seal_note(end, msgspec.json.encode(draft)),
            created_ms=end.now_ms(),
        )
        end.journal.put_payloads(
            PayloadRow(
                p=file.p,
                outbox_id=identifier,
                case=draft.case,
                size_bytes=file.size_bytes,
                spool=file.spool,
                url=None,
                done=False,
            )
            for file in files
        )
    promised = end.journal.intended(intent)
    assert promised is not None
    return promised


async def deliver(end: End, promised: Outgoing) -> Head:
    """Brings a promised request to the relay and keeps its receipt.

    Raises Fault or a Refusal of `PASSING` (the promise stands; repeat the verb), or any other Refusal (the relay said
    no for good; the promise is ended).
    """
    if promised.receipt is not None:
        return _checked_receipt(end, promised, parse_wire(promised.receipt))
    if promised.refused is not None:
        raise Refusal(promised.refused)
    try:
        receipt = await _attempt(end, promised)
    except Refusal as refused:
        if refused.code in PASSING:
            raise  # the promise stands
        end.journal.settle(promised.id, receipt=None, refused=refused.code)
        end.journal.drop_payloads(promised.id)
        end.journal.report(promised.id)
        raise
    head = _checked_receipt(end, promised, receipt)
    end.journal.settle(promised.id, receipt=wire(receipt), refused=None)
    end.journal.drop_payloads(promised.id)
    return head


def _checked_receipt(end: End, promised: Outgoing, receipt: Signed) -> Head:
    case = promised.case or ""
    return check_head(receipt, relay=end.keyring.relay, case=case)


async def upload_payloads(end: End, promised: Outgoing, *, at_once: int = 1) -> None:
    """Brings the payloads that a promise waits for to the relay, where they are not there yet."""
    names = _names(end, promised)
    slots = asyncio.Semaphore(at_once)

    async def one(row: PayloadRow) -> None:
        async with slots:
            await upload(end, row, label=names.get(row.p, "a file"))

    await asyncio.gather(*(one(row) for row in end.journal.payloads(promised.id) if not row.done))


async def _attempt(end: End, promised: Outgoing) -> Signed:
    for _ in range(ATTEMPTS):
        await upload_payloads(end, promised)
        try:
            return (await _send(end, promised)).receipt
        except Refusal as refused:
            if refused.code == "payloads_missing":
                for row in end.journal.payloads(promised.id):
                    end.journal.save_upload(row.p, url=None, done=False)
            elif refused.code == "roster_moved" and promised.draft is not None:
                promised = await _seal_again(end, promised)
            else:
                raise
    raise Fault("relay_failed")


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
    return {made.p: made.name for made in _draft(end, promised).objects} if promised.draft else {}


async def deliver_all(end: End) -> tuple[tuple[Outgoing, Refusal], ...]:
    """Delivers whatever an earlier run promised; what the relay refused for good, for the person to be told.

    A refusal ends only that promise.
    """
    refusals: list[tuple[Outgoing, Refusal]] = []
    for promised in end.journal.outgoing():
        try:
            await deliver(end, promised)
        except Refusal as refused:
            if refused.code not in PASSING:
                refusals.append((promised, refused))
    return tuple(refusals)
