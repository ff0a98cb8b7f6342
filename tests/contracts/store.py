"""What every store promises its verbs, whatever it is made of; each adapter's test inherits this suite.

A store is a writer and a reader on the same tables. A second pair on the same files has forgotten everything: what it
says must be what the first one remembers.
"""

from collections.abc import Awaitable, Callable

import pytest

from tests.chains import START_MS
from tests.standing_case import StandingCase
from vetrelay.errors import Refusal
from vetrelay.protocol.authority import apply_entry
from vetrelay.protocol.log import Kind
from vetrelay.protocol.roster import empty_roster
from vetrelay.protocol.signature import parse_wire
from vetrelay.relay.leases import Lease, Place
from vetrelay.relay.policy import concerned
from vetrelay.relay.ports import RelayServices, Store
from vetrelay.relay.tables import Standing


class StoreContract:
    """Inherit, and give two fixtures: `standing`, a case with everybody in it, and `anew`, which opens its store again."""

    @pytest.fixture
    async def anew(self) -> Callable[[], Awaitable[RelayServices]]:
        """Opens a second store on the same tables, with nothing in memory."""
        raise NotImplementedError

    async def test_a_transaction_sees_what_it_has_written(self, standing: StandingCase) -> None:
        """Buffered or not."""

        def job(store: Store) -> bool:
            store.parties.add_code("a hash", kind="clinic", time_ms=START_MS)
            return store.parties.code("a hash") is not None

        assert await standing.world.relay.writer.run(job)

    async def test_a_reader_sees_what_was_committed(self, standing: StandingCase) -> None:
        """And nothing of what was refused."""
        relay = standing.world.relay

        def refused(store: Store) -> None:
            store.parties.add_code("refused", kind="clinic", time_ms=START_MS)
            raise Refusal("may_not")

        await relay.writer.run(lambda store: store.parties.add_code("taken", kind="clinic", time_ms=START_MS))
        with pytest.raises(Refusal, match="may_not"):
            await relay.writer.run(refused)
        found = await relay.reader.run(lambda store: [store.parties.code(name) for name in ("taken", "refused")])
        assert [True, False] == [one is not None for one in found]

    async def test_what_is_done_after_a_commit_is_not_done_without_one(self, standing: StandingCase) -> None:
        """Nobody hears of what never was."""
        relay, done = standing.world.relay, list[str]()

        def job(name: str, store: Store) -> None:
            store.after_commit(lambda: done.append(name))
            store.parties.add_code(name, kind="clinic", time_ms=START_MS)
            if name == "refused":
                raise Refusal("may_not")

        await relay.writer.run(lambda store: job("taken", store))
        with pytest.raises(Refusal, match="may_not"):
            await relay.writer.run(lambda store: job("refused", store))
        assert ["taken"] == done

    async def test_a_case_stands_as_its_log_adds_up_to(
        self, standing: StandingCase, anew: Callable[[], Awaitable[RelayServices]]
    ) -> None:
        """Remembered, read anew, and computed here entry by entry: three times the same."""
        await standing.owner.send(standing.case, label="one")
        await standing.rotate(standing.clinic)
        await standing.owner.send(standing.case, label="two")
        remembered = await standing.world.relay.reader.run(lambda store: store.cases.standing(standing.case))
        other = await anew()
        read = await other.reader.run(lambda store: store.cases.standing(standing.case))
        assert isinstance(remembered, Standing)
        assert isinstance(read, Standing)
        assert (remembered.tail, remembered.roster, remembered.used_bytes) == (read.tail, read.roster, read.used_bytes)
        roster = empty_roster(other.relay, standing.case)
        entries = await other.reader.run(lambda store: list(store.cases.page(standing.case, after=0, limit=1000)))
        for entry in entries:
            signed = parse_wire(entry.signed)
            roster = apply_entry(roster, signed, kind=entry.kind, n=entry.n, time_ms=entry.time_ms)
        assert roster == read.roster

    async def test_every_head_can_be_found_again(
        self, standing: StandingCase, anew: Callable[[], Awaitable[RelayServices]]
    ) -> None:
        """At every position, and none beyond the end."""
        known = await standing.owner.know(standing.case)
        other = await anew()
        places = range(known.tail.n + 2)
        heads = await other.reader.run(lambda store: [store.cases.head_at(standing.case, n) for n in places])
        assert [*(tail.head for tail in known.tails), None] == heads

    async def test_whom_a_case_concerns_is_what_its_roster_says(self, standing: StandingCase) -> None:
        """After people came and went."""
        relay, case = standing.world.relay, standing.case

        def roles(store: Store) -> dict[str, str | None]:
            ends = (standing.owner, standing.clinic, standing.intake)
            return {end.id: store.cases.role(case, end.id) for end in ends}

        held = await relay.reader.run(lambda store: store.cases.standing(case))
        assert held is not None
        assert dict(concerned(held.roster)) == await relay.reader.run(roles)

    async def test_inboxes_have_no_gap_across_stores(
        self, standing: StandingCase, anew: Callable[[], Awaitable[RelayServices]]
    ) -> None:
        """Where an inbox ends is found again by whoever has forgotten it, acknowledged or not."""
        device, case = standing.clinic.device().id, standing.case
        first = standing.world.relay
        end = await first.reader.run(lambda store: store.deliveries.last_seq(device))
        await first.writer.run(lambda store: store.deliveries.acknowledge(device, end))
        other = await anew()
        await other.writer.run(lambda store: store.deliveries.deliver([device], case, [(1, Kind.CASE), (2, Kind.CASE)]))
        page = await other.reader.run(lambda store: store.deliveries.page(device, after=0, limit=1000))
        assert list(range(1, end + 3)) == [one.seq for one in page]

    async def test_a_page_reads_no_more_than_is_taken(self, standing: StandingCase) -> None:
        """A reader may stop wherever its page is full."""

        def first(store: Store) -> int:
            return next(store.cases.page(standing.case, after=0, limit=1000)).n

        assert 1 == await standing.world.relay.reader.run(first)

    async def test_a_lease_is_in_force_until_its_time(
        self, standing: StandingCase, anew: Callable[[], Awaitable[RelayServices]]
    ) -> None:
        """For whoever looks, in its own transaction, in the next, and in another store."""
        relay, place, other = standing.world.relay, Place(standing.case, "one"), Place(standing.case, "two")
        lease = Lease(place=place, device="a device", until_ms=START_MS)

        def granted(store: Store) -> list[object]:
            store.leases.grant(Lease(place=place, device="another", until_ms=START_MS + 1))
            store.leases.grant(lease)
            return [store.leases.in_force([place, other], now_ms=START_MS - 1)]

        assert [{place: lease}] == await relay.writer.run(granted)
        for store_of in (relay, await anew()):
            found = await store_of.reader.run(
                lambda store: [store.leases.in_force([place], now_ms=START_MS + late_ms) for late_ms in (-1, 0)]
            )
            assert [{place: lease}, {}] == found
            counts = await store_of.reader.run(
                lambda store: [store.leases.count(device, now_ms=START_MS - 1) for device in ("a device", "another")]
            )
            assert [1, 0] == counts

    async def test_a_lease_is_ended_by_its_device_its_verdict_or_the_sweep(self, standing: StandingCase) -> None:
        """And by nobody else."""
        places = [Place(standing.case, name) for name in ("given back", "answered", "over", "stays")]

        def job(store: Store) -> list[object]:
            for place in places:
                until_ms = START_MS if place.entry == "over" else START_MS + 1
                store.leases.grant(Lease(place=place, device="mine", until_ms=until_ms))
            ended = [store.leases.end(places, "not mine"), store.leases.end(places[:1], "mine")]
            store.leases.end_all(places[1])
            return [*ended, store.leases.sweep(before_ms=START_MS), list(store.leases.in_force(places, now_ms=0))]

        assert [0, 1, 1, places[3:]] == await standing.world.relay.writer.run(job)
