"""Finding what a person means: a case, a party, by as much of it as they typed."""

from collections.abc import Iterable, Sequence
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.thread import Thread, party_label
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import CaseId, PartyId, fingerprint
from vetrelay.protocol.roster import Member

SHORTEST_PREFIX: Final = 6
ID_CHARACTERS: Final = 43
ONLY_CASE: Final = "-"


def _beginning(wanted: str, known: Sequence[str], *, none: str, several: str) -> str:
    if wanted in known:
        return wanted
    found = [identifier for identifier in known if identifier.startswith(wanted)]
    if len(wanted) < SHORTEST_PREFIX or not found:
        raise Refusal(none)
    if len(found) > 1:
        raise Refusal(several)
    return found[0]


def find_case(end: End, wanted: str) -> CaseId:
    """A case by its id, its first six or more characters, or `-` where there is only one.

    Raises Refusal `no_such_case`, `which_case`.
    """
    known = [row.id for row in end.journal.cases() if row.tail.n]
    if wanted == ONLY_CASE:
        if len(known) > 1:
            raise Refusal("which_case")
        if not known:
            raise Refusal("no_such_case")
        return known[0]
    if len(wanted) == ID_CHARACTERS and wanted not in known:
        return wanted  # perhaps another device's news; the relay is asked
    return _beginning(wanted, known, none="no_such_case", several="which_case")


def name_of(thread: Thread, party: PartyId) -> str:
    """What a party calls itself, or how it is marked before it did."""
    card = thread.names.get(party)
    return card.party if card else party_label(party)


def names_of(thread: Thread, party: PartyId) -> set[str]:
    """Everything a party goes by: its own name and those of its people."""
    card = thread.names.get(party)
    return {card.party, *(person.name for person in card.people)} if card else set()


def find_party(thread: Thread, wanted: str, among: Iterable[PartyId]) -> PartyId:
    """A party by id or its beginning, by fingerprint or its beginning, or by name.

    Raises Refusal `no_such_party`, `which_party`.
    """
    known = list(among)
    named = [party for party in known if wanted.casefold() in {name.casefold() for name in names_of(thread, party)}]
    digits = "".join(wanted.split()).lower()
    marked = [party for party in known if fingerprint(party).replace(" ", "").startswith(digits)]
    if len(named) == 1:
        return named[0]
    if len(named) > 1:
        raise Refusal("which_party")
    if len(digits) >= SHORTEST_PREFIX and len(marked) == 1:
        return marked[0]
    return _beginning(wanted, known, none="no_such_party", several="which_party")


def waiting(thread: Thread) -> list[Member]:
    """Who has come by an invitation and waits to be let in."""
    return [member for member in thread.followed.roster.members.values() if member.pending]


def party_meant(thread: Thread, wanted: str | None) -> Member:
    """The party that was named, or the only one that waits.

    Raises Refusal `nobody_waits`, `which_party`, `no_such_party`.
    """
    members = thread.followed.roster.members
    if wanted is not None:
        return members[find_party(thread, wanted, members)]
    at_the_door = waiting(thread)
    if not at_the_door:
        raise Refusal("nobody_waits")
    if len(at_the_door) > 1:
        raise Refusal("which_party")
    return at_the_door[0]
