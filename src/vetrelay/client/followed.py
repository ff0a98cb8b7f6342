"""A followed case as a value in memory: every head, every roster, what the journal has of it."""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from vetrelay.client.end import End
from vetrelay.errors import Refusal
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.ids import CaseId, EntryId, Hash, PartyId
from vetrelay.protocol.log import Kind, Link, Tail, empty_log, extend
from vetrelay.protocol.roster import Roster, empty_roster
from vetrelay.protocol.signature import Signed, parse_wire

KNOWN_CASES: Final = 256


@dataclass(kw_only=True)
class Followed:
    """A case as this end has it in memory: every head, every roster, by position. Grows as the log grows.

    `verdicts` has the verdict in force for each envelope that has one.
    """

    relay: Hash
    case: CaseId
    tail: Tail
    heads: list[Hash]
    rosters: list[Roster]
    verdicts: dict[EntryId, EntryId] = field(default_factory=dict)
    _ruled: list[tuple[EntryId, EntryId | None]] = field(default_factory=list)

    @property
    def roster(self) -> Roster:
        """Who takes part now."""
        return self.rosters[-1]

    def roster_at(self, n: int) -> Roster:
        """Who took part at position `n`."""
        return self.rosters[bisect_right(self.rosters, n, key=lambda roster: roster.n) - 1]

    def push(self, link: Link, signed: Signed | None) -> None:
        """One more position; steps (2) and (3)."""
        tail = extend(self.tail, link)
        if link.kind in (Kind.CASE, Kind.PARTY):
            if signed is None:
                raise Refusal("entry_differs")
            after = apply_entry(self.roster, signed, kind=link.kind, n=tail.n, time_ms=link.time_ms)
            self.rosters.append(after)
        self.tail = tail
        self.heads.append(tail.head)

    def rule(self, answered: EntryId, verdict: EntryId) -> None:
        """The newest position is the verdict in force on an envelope."""
        self._ruled.append((answered, self.verdicts.get(answered)))
        self.verdicts[answered] = verdict

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """What is pushed inside stays only if nothing is raised: memory never runs ahead of the journal."""
        tail, heads, rosters, ruled = self.tail, len(self.heads), len(self.rosters), len(self._ruled)
        try:
            yield
        except BaseException:
            self.tail = tail
            del self.heads[heads:], self.rosters[rosters:]
            for answered, before in reversed(self._ruled[ruled:]):
                if before is None:
                    del self.verdicts[answered]
                else:
                    self.verdicts[answered] = before
            del self._ruled[ruled:]
            raise


class RecentCases(OrderedDict[CaseId, Followed]):
    """The cases that had news lately, as they stand; others are read from the journal again when they have news."""

    def __setitem__(self, case: CaseId, followed: Followed) -> None:
        """Keeps a case, as the most recent one."""
        super().__setitem__(case, followed)
        self.move_to_end(case)
        while len(self) > KNOWN_CASES:
            self.popitem(last=False)


def begin(relay: Hash, case: CaseId) -> Followed:
    """A case of which nothing is known."""
    empty = empty_log(case)
    return Followed(relay=relay, case=case, tail=empty, heads=[empty.head], rosters=[empty_roster(relay, case)])


def recall(end: End, case: CaseId) -> Followed:
    """A case as the journal has it, without asking the relay."""
    followed = begin(end.keyring.relay, case)
    catch_up(end, followed)
    return followed


def catch_up(end: End, followed: Followed) -> None:
    """Takes over what the journal has beyond this: another task or process may follow the same case."""
    for row in end.journal.links(followed.case, after=followed.tail.n):
        followed.push(row.link, parse_wire(row.signed) if row.signed else None)
        if row.answers is not None:
            followed.rule(row.answers, row.link.entry)


def party_of(roster: Roster, device: str) -> PartyId | None:
    """The party a device belongs to or belonged to."""
    return next((party.id for party in roster.parties.values() if device in party.devices), None)
