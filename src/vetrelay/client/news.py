"""Receiving: wait at the merged inbox, follow the cases that have news, greet newcomers, acknowledge what is safely ours."""

from collections.abc import Callable
from contextlib import suppress

from vetrelay.client.api import PASSING
from vetrelay.client.end import End
from vetrelay.client.follow import Followed, follow, recall
from vetrelay.client.names import tell_names
from vetrelay.client.outbox import deliver_all
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import SENDS
from vetrelay.protocol.ids import CaseId


async def receive(
    end: End, *, wait_seconds: int, known: dict[CaseId, Followed] | None = None
) -> dict[CaseId, Followed]:
    """Everything new for this device, checked and kept; the cases that had news.

    What is there is taken first, so that a large file on its way out keeps nobody from reading; then what was promised
    is delivered; then, if nothing was new, the first delivery is waited for up to `wait_seconds`. A case that is
    blocked is skipped here and told by `follow`. Refusals of what was promised stay in the journal until they are told.
    """
    known = known if known is not None else {}
    touched = await take_news(end, wait_seconds=0, known=known)
    await deliver_all(end)
    if wait_seconds and not touched:
        touched = await take_news(end, wait_seconds=wait_seconds, known=known)
    await greet_newcomers(end)
    return touched


def _kept_already(_followed: Followed) -> None:
    """For whom the journal is all there is to keep."""


async def take_news(
    end: End,
    *,
    wait_seconds: int,
    known: dict[CaseId, Followed],
    keep: Callable[[Followed], None] = _kept_already,
) -> dict[CaseId, Followed]:
    """Reads the merged inbox to its end; the cases that had news, kept in `known` too.

    `keep` is called for each of them before it is acknowledged: it stores what else must be safe by then.
    """
    touched: dict[CaseId, Followed] = {}
    while True:
        page = await end.api.inbox(after=end.journal.cursor(), wait_seconds=wait_seconds)
        wait_seconds = 0
        for case in dict.fromkeys(item.case for item in page.items):
            followed = await _follow_kept(end, case, known.get(case))
            if followed is not None:
                touched[case] = known[case] = followed
                keep(followed)
        if page.items:
            upto = page.items[-1].seq
            # Durable before acknowledged: what it points at is committed in the journal, and `keep` has returned.
            end.journal.save_cursor(upto)
            await end.api.acknowledge(upto)
        if page.caught_up or not page.items:
            return touched


async def _follow_kept(end: End, case: CaseId, known: Followed | None) -> Followed | None:
    try:
        return await follow(end, case, known=known)
    except Refusal as refused:
        # Removed from the case, or blocked with its evidence kept, or newer than this software: the other cases go on.
        if refused.code in PASSING or refused.code == "not_a_device":
            raise
        return None


async def greet_newcomers(end: End) -> None:
    """Tells this party's names again in every case where somebody has come in since the last time."""
    if end.keyring.kind == "machine":
        return
    for row in end.journal.cases():
        if row.blocked or row.newcomer_n <= row.named_n:
            continue
        with suppress(Refusal):  # removed since, or waiting at the door: there is nobody to greet
            role = recall(end, row.id).roster.role_of(end.keyring.party)
            if role is not None and "control" in SENDS[role]:
                await tell_names(end, row.id)
