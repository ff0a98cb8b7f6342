"""The loop that sends: real processes killed at each crash point lose nothing; and what it does between start and end."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.bridge.peers import Misbehaving, misbehaving
from tests.bridge.sender_process import (
    KEY,
    QUICK,
    Nursery,
    add_letter,
    machine_ms,
    opened_queue,
    sender_nursery,
    sending_to,
    told_lines,
)
from tests.bridge.sinks import Sink, free_port, smtp_sink
from vetrelay.bridge.addressing import BounceAddress, bounce_is_ours, parse_recipient
from vetrelay.bridge.ports import Delivery, Departure, DepartureState
from vetrelay.bridge.sending.departures import LEASE_MS, Departures
from vetrelay.bridge.sending.dkim_sign import DkimKey, make_key
from vetrelay.bridge.sending.retry import DELAYED_MS, HOUR_MS, MINUTE_MS, NOT_YET_MS
from vetrelay.bridge.sending.sender import Pulse, Sender
from vetrelay.errors import Fault

LETTERS = 3


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where senders are forked."""
    with sender_nursery() as nursery:
        yield nursery


# --- killed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("die_on", [1, 2])
@pytest.mark.parametrize("die_at", ["claimed", "before_data", "after_250", "recorded", "told"])
def test_a_sender_that_is_killed_loses_no_letter_and_repeats_one_only_if_the_peer_had_just_taken_it(
    nursery: Nursery, tmp_path: Path, die_at: str, die_on: int
) -> None:
    """kill -9 by its own hand; another goes on after the lease. Twice goes what was between the 250 and its row alone."""
    database = str(tmp_path / "bridge.sqlite3")
    with opened_queue(database, tmp_path) as queue, smtp_sink(tmp_path / "sink") as sink:
        for number in range(LETTERS):
            add_letter(queue, number)
        port = sink.port
        doomed = nursery.start(database, tmp_path, port=port, worker="doomed", die_at=die_at, die_on=die_on)
        assert -9 == doomed.wait()
        (tmp_path / "ahead_ms").write_text(str(LEASE_MS))
        assert 0 == nursery.start(database, tmp_path, port=port, worker="other").wait()
        twice = int(die_at == "after_250")
        letters = sink.letters(at_least=LETTERS + twice)
        handed = queue.in_state(DepartureState.HANDED)
        assert frozenset() == queue.spooled()
    counted = Counter(letter.message["Message-ID"] for letter in letters)
    assert [1] * (LETTERS - twice) + [2] * twice == sorted(counted.values())
    assert LETTERS == len(handed)
    # The repeated letter is the same: same envelope sender, same bytes.
    assert LETTERS == len({(letter.mail_from, letter.raw) for letter in letters})
    told = Counter(told_lines(tmp_path))
    assert {(each.message_id, "emailed") for each in handed} == set(told)
    # Death may fall between a telling and its row at any crash point; at "told" it does.
    assert told.total() - LETTERS in ({1} if die_at == "told" else {0, 1})


# --- alive ----------------------------------------------------------------------------------------------------------


async def until(there: Callable[[], object]) -> None:
    """Waits until something is so."""
    async with asyncio.timeout(30):
        while True:
            if there():
                return
            await asyncio.sleep(0.01)


@dataclass
class Desk:
    """A queue with a sender that runs, what it told, and a clock that a test moves."""

    queue: Departures
    sender: Sender
    told: list[tuple[str, str, str | None]] = field(default_factory=list)
    ahead_ms: int = 0

    async def until_told(self, count: int) -> None:
        """Waits until so much was told."""
        await until(lambda: len(self.told) >= count)

    async def until_tried(self, departure: Departure, attempts: int) -> Departure:
        """Waits until a letter was tried so often, and the last try is over."""
        async with asyncio.timeout(30):
            while True:
                found = self.queue.get(departure.id)
                assert found is not None
                if found.attempts >= attempts and found.state is not DepartureState.SENDING:
                    return found
                await asyncio.sleep(0.01)


@asynccontextmanager
async def desk(folder: Path, port: int, *, pulse: Pulse = QUICK, **wanted: Any) -> AsyncIterator[Desk]:
    """A desk whose sender hands everything to one port of this machine."""
    made: list[Desk] = []

    async def tell(delivery: Delivery) -> None:
        made[0].told.append((delivery.departure.message_id, delivery.state, delivery.reason))

    def now_ms() -> int:
        return machine_ms() + (made[0].ahead_ms if made else 0)

    with opened_queue(str(folder / "bridge.sqlite3"), folder, now_ms) as queue:
        given: dict[str, Any] = {"tell": tell, "now_ms": now_ms, "random_bytes": lambda size: b"\x80" * size, **wanted}
        made.append(Desk(queue=queue, sender=Sender(queue, sending_to(port, "desk", **given), pulse=pulse)))
        running = asyncio.create_task(made[0].sender.run())
        try:
            yield made[0]
        finally:
            made[0].sender.finish()
            async with asyncio.timeout(30):
                await running


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    """A sink that takes everything."""
    with smtp_sink(tmp_path / "sink") as sink:
        yield sink


async def test_a_new_letter_wakes_the_sender(tmp_path: Path, sink: Sink) -> None:
    """It does not wait for its next look; signed, from an address that only this letter's reports come to."""
    key = DkimKey(pem=make_key(), selector="vetrelay", domain="bridge.example")
    async with desk(tmp_path, sink.port, pulse=Pulse(start_seconds=0, look_seconds=3600), dkim=key) as here:
        await asyncio.sleep(0.2)  # it looked, and rests
        departure = add_letter(here.queue, 1)
        here.sender.wake()
        await here.until_told(1)
    (letter,) = sink.letters(at_least=1)
    assert [("<1@bridge.example>", "emailed", None)] == here.told
    assert letter.message["DKIM-Signature"]
    address = parse_recipient(letter.mail_from, domain="bridge.example", front_door="records")
    assert isinstance(address, BounceAddress)
    assert bounce_is_ours(address, KEY)
    assert departure.id == address.departure


async def test_the_sender_rests_after_its_start(tmp_path: Path, sink: Sink) -> None:
    """So that a bridge that dies again and again does not send again and again."""
    async with desk(tmp_path, sink.port, pulse=Pulse(start_seconds=0.5)) as here:
        departure = add_letter(here.queue, 1)
        await asyncio.sleep(0.1)
        found = here.queue.get(departure.id)
        assert found is not None
        assert (DepartureState.QUEUED, 0) == (found.state, found.attempts)
        await here.until_told(1)


async def test_row_23_a_greylisted_letter_comes_back_from_the_same_address_and_is_taken(tmp_path: Path) -> None:
    """450 first; five minutes later the same server takes it. The sink is a real one, twice on one port."""
    port = free_port()
    async with desk(tmp_path, port) as here:
        with smtp_sink(tmp_path / "first", "-r", "RCPT", "-b", "450 4.2.0 Greylisted", port=port):
            departure = add_letter(here.queue, 1)
            await here.until_tried(departure, 1)
            here.ahead_ms += MINUTE_MS + 1000
            found = await here.until_tried(departure, 2)
            assert (DepartureState.QUEUED, 2) == (found.state, found.attempts)
        with smtp_sink(tmp_path / "then", port=port) as sink:
            here.ahead_ms += 5 * MINUTE_MS + 1000
            await here.until_told(1)
            (letter,) = sink.letters(at_least=1)
    assert [("<1@bridge.example>", "emailed", None)] == here.told
    assert re.fullmatch(rf"b\+{departure.id}\.[a-z2-7]{{26}}@bridge\.example", letter.mail_from)


async def test_row_23_both_tries_have_one_envelope_sender(tmp_path: Path) -> None:
    """What a greylisting server remembers."""
    greylisting = Misbehaving(answers={"RCPT": "450 4.2.0 Greylisted"})
    async with misbehaving(greylisting) as peer, desk(tmp_path, peer.port) as here:
        departure = add_letter(here.queue, 1)
        await here.until_tried(departure, 1)
        peer.answers.clear()
        here.ahead_ms += MINUTE_MS + 1000
        await here.until_told(1)
    senders = [command for command in peer.commands if command.startswith("MAIL")]
    assert 2 == len(senders)
    assert 1 == len(set(senders))


async def test_row_24_a_refusal_is_told_at_once(tmp_path: Path) -> None:
    """-f DATA: failed, and the case hears of it."""
    with smtp_sink(tmp_path / "sink", "-f", "DATA") as sink:
        async with desk(tmp_path, sink.port) as here:
            add_letter(here.queue, 1)
            await here.until_told(1)
    assert [("<1@bridge.example>", "failed", "500 5.3.0")] == here.told


async def test_row_24_a_peer_that_hangs_up_at_data_gets_the_same_letter_again(tmp_path: Path) -> None:
    """-q DATA: retried, with the same ids, and nothing is told meanwhile."""
    port = free_port()
    async with desk(tmp_path, port) as here:
        with smtp_sink(tmp_path / "first", "-q", "DATA", port=port):
            departure = add_letter(here.queue, 1)
            found = await here.until_tried(departure, 1)
            assert DepartureState.QUEUED is found.state
        with smtp_sink(tmp_path / "then", port=port) as sink:
            here.ahead_ms += MINUTE_MS + 1000
            await here.until_told(1)
            (letter,) = sink.letters(at_least=1)
    assert "<1@bridge.example>" == letter.message["Message-ID"]
    assert [("<1@bridge.example>", "emailed", None)] == here.told


async def test_row_24_a_letter_whose_250_was_lost_goes_again_as_the_same_letter(tmp_path: Path) -> None:
    """Same bytes, same envelope: a receiver can tell that it has it."""
    async with misbehaving(Misbehaving(loses_250=True)) as peer, desk(tmp_path, peer.port) as here:
        departure = add_letter(here.queue, 1)
        await here.until_tried(departure, 1)
        peer.loses_250 = False
        here.ahead_ms += MINUTE_MS + 1000
        await here.until_told(1)
    assert 2 == len(peer.letters)
    assert 1 == len(set(peer.letters))
    assert 1 == len({command for command in peer.commands if command.startswith("MAIL")})


async def test_row_24_a_peer_that_is_down_for_48_hours_is_told_of_three_times(tmp_path: Path) -> None:
    """The whole way through queue and loop: at 30 minutes, at 4 hours, at 48 hours; then there is peace."""
    async with desk(tmp_path, free_port()) as here:
        departure = add_letter(here.queue, 1)
        await here.until_tried(departure, 1)
        for count, at_ms in enumerate((NOT_YET_MS, DELAYED_MS, 48 * HOUR_MS), start=1):
            here.ahead_ms = at_ms + 1000
            here.sender.wake()
            await here.until_told(count)
        here.ahead_ms = 60 * HOUR_MS
        here.sender.wake()
        await asyncio.sleep(0.3)
    assert ["not_yet", "delayed", "failed"] == [state for _, state, _ in here.told]
    assert "no_connection" == here.told[-1][2]
    assert [] == list((tmp_path / "spool" / "new").iterdir())


async def test_what_could_not_be_told_is_told_later_and_the_rest_meanwhile(
    tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay is away for the first; the letters go on."""
    monkeypatch.setattr("vetrelay.bridge.sending.sender.AGAIN_SECONDS", 0.05)
    calls: list[str] = []

    async def tell(delivery: Delivery) -> None:
        calls.append(delivery.departure.message_id)
        if calls.count("<1@bridge.example>") < 3 and delivery.departure.message_id == "<1@bridge.example>":
            raise Fault("unreachable")

    async with desk(tmp_path, sink.port, tell=tell) as here:
        for number in (1, 2):
            add_letter(here.queue, number)
        await until(lambda: not here.queue.spooled() and not here.queue.tidings.untold())
    assert 3 == calls.count("<1@bridge.example>")
    assert 1 == calls.count("<2@bridge.example>")


async def test_a_letter_that_does_not_read_is_told_as_failed_and_put_aside(tmp_path: Path, sink: Sink) -> None:
    """Not a byte of it is sent."""
    async with desk(tmp_path, sink.port, pulse=Pulse(start_seconds=0.3, look_seconds=0.1)) as here:
        departure = add_letter(here.queue, 1)
        path = tmp_path / "spool" / "new" / departure.id
        path.write_bytes(path.read_bytes()[:-1] + b"\0")
        await here.until_told(1)
    assert [("<1@bridge.example>", "failed", "spool_damaged")] == here.told
    assert [departure.id] == [path.name for path in (tmp_path / "spool" / "broken").iterdir()]
    assert [] == sink.letters()


async def test_a_queue_that_cannot_be_reached_for_a_while_is_worked_off_afterwards(
    tmp_path: Path, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database restarts: the loop goes on by itself."""
    async with desk(tmp_path, sink.port) as here:
        claim, failures = here.queue.claim, 3

        def failing(*words: Any, **named: Any) -> Departure | None:
            nonlocal failures
            if failures:
                failures -= 1
                raise OSError
            return claim(*words, **named)

        monkeypatch.setattr(here.queue, "claim", failing)
        add_letter(here.queue, 1)
        await here.until_told(1)
    assert 0 == failures


async def test_a_sender_that_is_told_to_finish_ends_the_letter_on_its_way_and_begins_no_other(tmp_path: Path) -> None:
    """So that a restart sends nothing twice."""
    with smtp_sink(tmp_path / "sink", "-W", "DATA:1") as sink:
        async with desk(tmp_path, sink.port) as here:
            for number in (1, 2):
                add_letter(here.queue, number)
            await until(lambda: here.queue.in_state(DepartureState.SENDING))
        assert 1 == len(sink.letters(at_least=1))
        assert 1 == len(here.told)


async def test_who_loses_its_lease_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two do not send one letter at the same time."""
    monkeypatch.setattr("vetrelay.bridge.sending.sender.PROLONG_SECONDS", 0.1)
    with smtp_sink(tmp_path / "sink", "-W", "DATA:60") as sink:
        async with desk(tmp_path, sink.port) as here:
            departure = add_letter(here.queue, 1)
            await until(lambda: here.queue.in_state(DepartureState.SENDING))
            monkeypatch.setattr(here.queue, "prolong", lambda *_words, **_named: False)
            await asyncio.sleep(0.3)
        found = here_after(tmp_path, departure)
        assert (DepartureState.SENDING, 1) == (found.state, found.attempts)
        assert [] == sink.letters()


def here_after(folder: Path, departure: Departure) -> Departure:
    """The departure as it stands when its desk is closed."""
    with opened_queue(str(folder / "bridge.sqlite3"), folder) as queue:
        found = queue.get(departure.id)
    assert found is not None
    return found


def test_row_26_a_senders_log_names_nobody(nursery: Nursery, tmp_path: Path) -> None:
    """Codes and counts: no address, no domain, no Message-ID, nothing that the peer said."""
    database = str(tmp_path / "bridge.sqlite3")
    with opened_queue(database, tmp_path) as queue:
        add_letter(queue, 1, domain="wrenfield.example")
        with smtp_sink(
            tmp_path / "sink", "-f", "RCPT", "-B", "550 5.1.1 <desk@wrenfield.example> peer-said-so"
        ) as sink:
            process = nursery.start(database, tmp_path, port=sink.port, worker="one")
            assert 0 == process.wait()
    log = process.log.read_text()
    assert "departure.tried" in log
    assert "550 5.1.1" in log
    for word in ("wrenfield", "desk", "peer-said-so", "<1@", "127.0.0.1"):
        assert word not in log
