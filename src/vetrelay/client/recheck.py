"""Verifying a case again from scratch: the whole log from the relay, against everything this end has kept."""

from dataclasses import dataclass

from vetrelay.client.end import End
from vetrelay.client.follow import Followed, begin, envelope_fault
from vetrelay.client.opening import manifest_of
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import CaseId, unb64
from vetrelay.protocol.log import Kind, check_head, unpack_links
from vetrelay.protocol.signature import Signed, parse_wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Recheck:
    """What was checked, and every position that does not hold with its code."""

    case: CaseId
    positions: int
    statements: int
    envelopes: int
    opened: int
    not_for_us: int
    head: str
    problems: tuple[tuple[int, str], ...]


async def verify_case(end: End, case: CaseId) -> Recheck:
    """Every link, statement, roster, envelope and sealed part again, with nothing taken from the journal but comparison.

    Raises Refusal `log_forked`, `log_shortened`, `entry_differs` when the relay's log is not the one this end knew.
    """
    followed = begin(end.keyring.relay, case)
    counted = {"statements": 0, "envelopes": 0, "opened": 0, "not_for_us": 0}
    problems: list[tuple[int, str]] = []
    with end.progress("verifying", end.journal.case(case).tail.n) as step:
        while True:
            page = await end.api.log(case, after=followed.tail.n, bodies=True)
            head = check_head(page.head, relay=followed.relay, case=case)
            links = unpack_links(unb64(page.links))
            bodies = page.entries or ()
            if len(bodies) != len(links):
                raise Refusal("entry_differs")
            for link, signed in zip(links, bodies, strict=True):
                if signed is not None and signed.entry_id() != link.entry:
                    raise Refusal("entry_differs")
                before = followed.roster
                followed.push(link, signed)
                if link.kind is Kind.ENVELOPE:
                    code = _opening_fault(end, signed, counted) if signed else None
                    counted["not_for_us"] += signed is None
                    fault = envelope_fault(end, followed, signed, before) if signed else None
                    if fault or code:
                        problems.append((followed.tail.n, fault or code or ""))
                else:
                    counted["statements"] += 1
                step(1)
            if followed.tail.n >= head.n or not links:
                break
    _compare(end, followed, head.n, head.head)
    return Recheck(case=case, positions=followed.tail.n, head=followed.tail.head, problems=tuple(problems), **counted)


def _opening_fault(end: End, signed: Signed, counted: dict[str, int]) -> str | None:
    counted["envelopes"] += 1
    try:
        manifest_of(end, parse_envelope(signed))
    except Refusal as broken:
        return broken.code
    counted["opened"] += 1
    return None


def _compare(end: End, followed: Followed, n: int, head: str) -> None:
    known = end.journal.case(followed.case).tail
    if followed.tail.n < known.n or followed.tail.n < n:
        raise Refusal("log_shortened")
    if followed.heads[known.n] != known.head or followed.tail.head != head:
        raise Refusal("log_forked")
    for row in end.journal.log(followed.case):
        if row.signed is not None and parse_wire(row.signed).entry_id() != row.link.entry:
            raise Refusal("entry_differs")
