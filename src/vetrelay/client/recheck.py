"""Verifying a case again from scratch: the whole log from the relay, against everything this end has kept."""

from dataclasses import dataclass, field

from vetrelay.client.end import End
from vetrelay.client.follow import Followed, begin, envelope_fault, follow
from vetrelay.client.opening import manifest_of
from vetrelay.errors import Refusal
from vetrelay.protocol.envelope import Envelope, parse_envelope
from vetrelay.protocol.ids import CaseId, unb64
from vetrelay.protocol.log import Kind, Link, Tail, check_head, unpack_links
from vetrelay.protocol.roster import Roster
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

    The log is checked up to where it stood when this began. Raises Refusal `log_forked`, `log_shortened`,
    `entry_differs` when the relay's log is not the one this end knew.
    """
    known = (await follow(end, case)).tail
    checking = _Checking(end=end, followed=begin(end.keyring.relay, case))
    with end.progress("verifying", known.n) as step:
        while checking.followed.tail.n < known.n:
            page = await end.api.log(case, after=checking.followed.tail.n, bodies=True)
            head = check_head(page.head, relay=end.keyring.relay, case=case)
            links = unpack_links(unb64(page.links))
            if len(page.entries or ()) != len(links):
                raise Refusal("entry_differs")
            if head.n < known.n or not links:
                raise Refusal("log_shortened")
            for link, signed in list(zip(links, page.entries or (), strict=True))[: known.n - checking.followed.tail.n]:
                checking.take(link, signed)
                step(1)
    _compare(end, checking.followed, known)
    return checking.result()


@dataclass(kw_only=True)
class _Checking:
    """What is counted on the way through a log."""

    end: End
    followed: Followed
    statements: int = 0
    envelopes: int = 0
    opened: int = 0
    not_for_us: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)

    def take(self, link: Link, signed: Signed | None) -> None:
        """One more position. Raises Refusal for what no honest relay could say."""
        if signed is not None and signed.entry_id() != link.entry:
            raise Refusal("entry_differs")
        before = self.followed.roster
        self.followed.push(link, signed)
        if link.kind is not Kind.ENVELOPE:
            self.statements += 1
        elif signed is None:
            self.not_for_us += 1
        else:
            self._take_envelope(link, signed, before)

    def _take_envelope(self, link: Link, signed: Signed, before: Roster) -> None:
        self.envelopes += 1
        code = envelope_fault(self.end, self.followed, signed, before)
        if code is None:
            envelope = parse_envelope(signed)
            if envelope.derived_from is not None:
                self.followed.rule(envelope.derived_from, link.entry)
            code = _opening_fault(self.end, envelope)
            self.opened += code is None
        if code is not None:
            self.problems.append((self.followed.tail.n, code))

    def result(self) -> Recheck:
        """The counts, and every position that does not hold."""
        return Recheck(
            case=self.followed.case,
            positions=self.followed.tail.n,
            statements=self.statements,
            envelopes=self.envelopes,
            opened=self.opened,
            not_for_us=self.not_for_us,
            head=self.followed.tail.head,
            problems=tuple(self.problems),
        )


def _opening_fault(end: End, envelope: Envelope) -> str | None:
    try:
        manifest_of(end, envelope)
    except Refusal as broken:
        return broken.code
    return None


def _compare(end: End, followed: Followed, known: Tail) -> None:
    if followed.tail != known:
        raise Refusal("log_forked")
    for row in end.journal.rows(followed.case, upto=known.n):
        if row.signed is not None and parse_wire(row.signed).entry_id() != row.link.entry:
            raise Refusal("entry_differs")
