"""Two intakes of one clinic share the work on one case: real processes, one relay, one verdict for each file."""

import asyncio
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.intake.poisoned_worker import POISON
from tests.practice import Practice, Visit, end_of, photo, practice, visit
from tests.processes import Process, enrolment_code, intake_at
from vetrelay.client.end import End
from vetrelay.client.follow import recall
from vetrelay.client.news import receive
from vetrelay.client.parties import adopt, own_party, read_offer
from vetrelay.intake.jobs import FILE_NAME, JobTable, State
from vetrelay.protocol.envelope import parse_envelope
from vetrelay.protocol.ids import DeviceId, EntryId, PartyId
from vetrelay.protocol.log import Kind
from vetrelay.protocol.signature import parse_wire

FILES = 20
SETTINGS = "lease_seconds = 4\n"
COLOURS = ("red", "green", "blue", "black")


class Shared:
    """A practice with two intakes; each may be stopped, killed and started again on its own folder."""

    def __init__(self, here: Practice) -> None:
        self.here = here
        self.folders = (here.folder, here.folder / "second machine")
        self.codes = (here.machine_code, asyncio.run(enrolment_code(here.folder, "machine")))
        self.folders[1].mkdir()
        self.intakes = [here.intake, self._started(1)]

    def _started(self, number: int, *, die_at: str = "") -> Process:
        folder, code = self.folders[number], self.codes[number]
        process = intake_at(folder, self.here.url, code=code, die_at=die_at, worker="poisoned", settings=SETTINGS)
        process.start()
        return process

    def restart(self, number: int, *, die_at: str = "") -> None:
        """Ends an intake, if it still runs, and starts it again."""
        self.intakes[number].end()
        self.intakes[number] = self._started(number, die_at=die_at)

    def signal(self, number: signal.Signals) -> None:
        """Tells both processes at once."""
        for intake in self.intakes:
            assert intake.child is not None
            intake.child.send_signal(number)

    def open(self) -> None:
        """Starts whichever was ended, as far as it was."""
        for number, intake in enumerate(self.intakes):
            if intake.child is None or intake.child.poll() is not None:
                self.restart(number)

    async def adopt_both(self) -> None:
        """The clinic takes both into service, the second beside the first."""
        async with end_of(self.here.folder / "veterinarian", self.here.clinic) as veterinarian:
            for intake, beside in zip(self.intakes, (False, True), strict=True):
                await adopt(veterinarian, read_offer(Path(str(intake.told["offer"]))), beside=beside)
            assert 2 == len((await own_party(veterinarian)).intakes)

    def tries(self, entry: str) -> list[int]:
        """How often each intake has tried the file of this message that it tried most."""
        found = []
        for folder in self.folders:
            with sqlite3.connect(folder / "intake" / FILE_NAME) as table:
                asked = table.execute("SELECT coalesce(max(count), 0) FROM tries WHERE entry = ?", (entry,))
                found.append(asked.fetchone()[0])
        return found

    def end(self) -> None:
        """Stops both."""
        for intake in self.intakes:
            intake.end()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A practice with two intakes, for all of these tests; its worker breaks on POISON."""
    with practice(tmp_path_factory.mktemp("practice"), worker="poisoned", settings=SETTINGS) as here:
        both = Shared(here)
        try:
            yield both
        finally:
            both.end()


@pytest.fixture
def shared(both: Shared) -> Shared:
    """Both intakes adopted and at work, whatever the test before did to them."""
    both.open()
    asyncio.run(both.adopt_both())
    return both


async def sent(case: Visit, count: int) -> list[EntryId]:
    """Messages with one photo each."""
    return [
        await case.send({f"{number}.jpg": photo(1200 + number, 900, colour=COLOURS[number % len(COLOURS)])})
        for number in range(count)
    ]


def verdicts(end: End, case: Visit) -> dict[EntryId, list[DeviceId]]:
    """The devices that answered each message, as the veterinarian's own log has it: believed or not."""
    found: dict[EntryId, list[DeviceId]] = {}
    for row in end.journal.log(case.case, after=0):
        if row.link.kind is Kind.ENVELOPE and row.signed is not None:
            envelope = parse_envelope(parse_wire(row.signed))
            if envelope.derived_from is not None:
                found.setdefault(envelope.derived_from, []).append(envelope.device)
    return found


def workers(case: Visit, answered: dict[EntryId, list[DeviceId]]) -> Counter[PartyId]:
    """How many messages each intake has answered."""
    roster = recall(case.veterinarian, case.case).roster
    party = {device: party.id for party in roster.parties.values() for device in party.devices}
    return Counter(party[devices[0]] for devices in answered.values())


async def all_clean(case: Visit, entries: list[EntryId]) -> dict[EntryId, list[DeviceId]]:
    """Waits until every message has its verdict; who answered what. Each has exactly one."""
    for entry in entries:
        view = await case.checked(entry)
        assert ["clean"] == [file.verdict for file in view.attachments]
    answered = verdicts(case.veterinarian, case)
    assert dict.fromkeys(entries, 1) == {entry: len(devices) for entry, devices in answered.items()}
    return answered


async def test_two_intakes_share_the_files_of_one_case_and_one_finishes_when_the_other_is_killed(
    shared: Shared,
) -> None:
    """Twenty photos wait when both go on; one is killed when it has answered one. Each photo has one verdict."""
    first = read_offer(Path(str(shared.intakes[0].told["offer"]))).party
    async with visit(shared.here, "a long list") as case:
        shared.signal(signal.SIGSTOP)
        entries = await sent(case, FILES)
        shared.signal(signal.SIGCONT)
        while not workers(case, verdicts(case.veterinarian, case))[first]:
            await receive(case.veterinarian, wait_seconds=2)
        assert -signal.SIGKILL == shared.intakes[0].end(signal.SIGKILL)
        worked = workers(case, await all_clean(case, entries))
    assert (2, FILES) == (len(worked), worked.total()), worked


@pytest.mark.parametrize("die_at", ["inspected", "promised"])
async def test_what_a_killed_intake_had_in_hand_the_other_finishes(shared: Shared, die_at: str) -> None:
    """(W1, W2) It dies with the lease in force; the other answers when that has ended, and the first finds its work done."""
    async with visit(shared.here, f"a power cut, {die_at}") as case:
        assert 0 == shared.intakes[1].end()
        shared.restart(0, die_at=die_at)
        entries = await sent(case, 1)
        assert -signal.SIGKILL == shared.intakes[0].wait()
        shared.restart(1)
        await all_clean(case, entries)
        shared.restart(0)
        assert 0 == shared.intakes[1].end()
        entries += await sent(case, 1)
        assert [1, 1] == sorted(workers(case, await all_clean(case, entries)).values())
    assert 0 == shared.intakes[0].end()
    with closing(JobTable(shared.folders[0] / "intake")) as table:
        assert [(State.ENDED, "verdict_stands"), (State.PUBLISHED, None)] == [
            (table.state(entry), table.reason(entry)) for entry in entries
        ]


async def test_a_poisoned_file_is_held_by_one_of_them_after_two_tries(shared: Shared) -> None:
    """And the photos beside it and after it pass meanwhile, whoever has them."""
    async with visit(shared.here, "poison for two") as case:
        poisoned = await case.send({"poison.jpg": photo() + POISON, "beside.jpg": photo()})
        after = await sent(case, 4)
        for entry in after:
            assert ["clean"] == [file.verdict for file in (await case.checked(entry)).attachments]
        held = await case.checked(poisoned)
        found = verdicts(case.veterinarian, case)
    assert [("held", "jail_crashed"), ("clean", None)] == [(file.verdict, file.reason) for file in held.attachments]
    assert [1] * 5 == [len(found[one]) for one in (poisoned, *after)]
    assert [0, 2] == sorted(shared.tries(poisoned))


async def adopted(here: Practice, intake: Process, *, beside: bool) -> None:
    """The clinic's word, by the offer that the intake wrote."""
    async with end_of(here.folder / "veterinarian", here.clinic) as veterinarian:
        await adopt(veterinarian, read_offer(Path(str(intake.told["offer"]))), beside=beside)


@pytest.mark.parametrize("is_first_back", [True, False], ids=["the first comes back", "the first is retired"])
async def test_an_intake_that_comes_later_leaves_what_was_sealed_to_the_first(
    shared: Shared, *, is_first_back: bool
) -> None:
    """It cannot open that slip, and must not refuse the file for it, until nobody is left who could."""
    first, second = shared.intakes
    await adopted(shared.here, first, beside=False)
    async with visit(shared.here, f"a newcomer, {is_first_back}") as case:
        assert 0 == first.end()
        early = await case.send({"early.jpg": photo()})
        await adopted(shared.here, second, beside=True)
        late = await case.checked(await case.send({"late.jpg": photo(colour="blue")}))
        assert ["clean"] == [file.verdict for file in late.attachments]
        assert {late.entry} == verdicts(case.veterinarian, case).keys()
        if is_first_back:
            shared.restart(0)
        else:
            await adopted(shared.here, second, beside=False)
        entry = await case.checked(early)
    expected = ("clean", None) if is_first_back else ("refused", "slip_unusable")
    assert [expected] == [(file.verdict, file.reason) for file in entry.attachments]
