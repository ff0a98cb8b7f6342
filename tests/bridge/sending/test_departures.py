"""The queue of letters that leave, in SQLite and in PostgreSQL: durable, each once, and held by one sender at a time."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.bridge.sender_process import KEY, Nursery, add_letter, opened_queue, sender_nursery, told_lines
from tests.bridge.sinks import smtp_sink
from vetrelay.bridge.ports import Departure, DepartureState
from vetrelay.bridge.sending.bounce import Report
from vetrelay.bridge.sending.departure_rows import deliveries, departures
from vetrelay.bridge.sending.departures import DAMAGED, LEASE_MS, Departures
from vetrelay.bridge.sending.pace import DAY_MS, HOUR_MS
from vetrelay.bridge.sending.retry import DELAYED_MS, NOT_YET_MS, Ruling
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.errors import Fault

START_MS = 1_800_000_000_000
LETTER = b"Message-ID: <1@bridge.example>\r\n\r\nThere is a new message.\r\n"
HANDED = Ruling(state=DepartureState.HANDED, say="emailed", queue_id="4XKq2")


@dataclass
class Queue:
    """The queue with a clock of the test's own."""

    departures: Departures
    spool: Spool
    engine: Engine
    now_ms: int = START_MS

    def add(self, once: str = "1", **wanted: Any) -> Departure:
        """Adds a letter that nothing is said of but what a test is about."""
        added = self.maybe_add(once, **wanted)
        assert added is not None
        return added

    def maybe_add(self, once: str, **wanted: Any) -> Departure | None:
        """The same; None where it was there before."""
        given: dict[str, Any] = {
            "recipient": "dr.rowan@wrenfield.example",
            "message_id": f"<{once}@bridge.example>",
            "mode": "notify",
            "person": False,
            "case": "case-one",
            "answers": "entry-one",
        }
        return self.departures.add(LETTER, once=once, **{**given, **wanted})

    def claim(self, worker: str = "one", **wanted: Any) -> Departure:
        """Claims what must be there."""
        claimed = self.departures.claim(worker, **wanted)
        assert claimed is not None
        return claimed


@pytest.fixture
def queue(engine: Engine, tmp_path: Path) -> Queue:
    """An empty queue, in SQLite and again in PostgreSQL."""
    spool = Spool(tmp_path / "spool", KEY, os.urandom)
    made: list[Queue] = []
    queue = Queue(
        departures=Departures(engine, Seals(KEY, os.urandom), spool, lambda: made[0].now_ms), spool=spool, engine=engine
    )
    made.append(queue)
    return queue


def test_a_letter_that_was_added_is_there_whole(queue: Queue) -> None:
    """Every field, and every byte."""
    added = queue.add(mode="plain", person=True, demands_tls=True)
    expected = Departure(
        id=added.id,
        state=DepartureState.QUEUED,
        case="case-one",
        answers="entry-one",
        recipient="dr.rowan@wrenfield.example",
        mode="plain",
        person=True,
        demands_tls=True,
        created_ms=START_MS,
        due_ms=START_MS,
        attempts=0,
        message_id="<1@bridge.example>",
    )
    assert expected == added == queue.departures.get(added.id)
    assert LETTER == queue.departures.letter(added.id)
    assert None is queue.departures.get("x" * 26)


def test_the_same_key_adds_nothing_a_second_time(queue: Queue) -> None:
    """Whatever became of the first: the bridge may read its inbox again from the start."""
    first = queue.add("1")
    assert None is queue.maybe_add("1")
    queue.departures.record(queue.claim(), HANDED, worker="one")
    assert None is queue.maybe_add("1")
    assert (first.id,) == tuple(each.id for each in queue.departures.in_state(*DepartureState))
    assert frozenset() == queue.departures.spooled()


def test_of_many_that_add_the_same_key_at_once_one_does(queue: Queue) -> None:
    """And no letter is left behind in the spool."""
    with ThreadPoolExecutor(8) as pool:
        added = [each for each in pool.map(lambda _: queue.maybe_add("1"), range(16)) if each is not None]
    assert 1 == len(added)
    assert {added[0].id} == {path.name for path in (queue.spool._new).iterdir()}


def test_no_word_of_a_letter_stands_in_the_tables_or_the_spool(queue: Queue, tmp_path: Path) -> None:
    """Not who it is for, not its domain, not its key, not its text."""
    queue.add("a-key-with-words")
    queue.departures.record(queue.claim(), HANDED, worker="one")
    queue.add("another")
    with queue.engine.connect() as connection:
        rows = [*connection.execute(select(departures)), *connection.execute(select(deliveries))]
    stored = repr([tuple(row) for row in rows]).encode()
    stored += b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for word in ("rowan", "wrenfield", "a-key-with-words", "bridge.example", "4XKq2", "new message"):
        assert word.encode() not in stored


def test_a_claimed_letter_is_nobody_elses_for_ten_minutes(queue: Queue) -> None:
    """And then anybody's, who finds the same letter and counts its tries."""
    queue.add()
    first = queue.claim("one")
    assert (DepartureState.SENDING, 1) == (first.state, first.attempts)
    queue.now_ms += LEASE_MS - 1
    assert None is queue.departures.claim("two")
    queue.now_ms += 1
    second = queue.claim("two")
    assert (first.id, first.message_id, 2) == (second.id, second.message_id, second.attempts)
    assert LETTER == queue.departures.letter(second.id)


def test_a_lease_can_be_prolonged_by_who_holds_it_alone(queue: Queue) -> None:
    """A slow letter is not sent by two at once."""
    queue.add()
    departure = queue.claim("one")
    queue.now_ms += LEASE_MS - 1
    assert queue.departures.prolong(departure, worker="one")
    assert not queue.departures.prolong(departure, worker="two")
    queue.now_ms += LEASE_MS - 1
    assert None is queue.departures.claim("two")


def test_who_lost_its_lease_records_nothing_but_a_250(queue: Queue) -> None:
    """That the peer took it is true whoever holds it; that it did not is the other's to say."""
    queue.add()
    departure = queue.claim("one")
    queue.now_ms += LEASE_MS
    queue.claim("two")
    later = Ruling(state=DepartureState.QUEUED, due_ms=queue.now_ms)
    assert not queue.departures.record(departure, later, worker="one")
    assert not queue.departures.record(departure, Ruling(state=DepartureState.FAILED, say="failed"), worker="one")
    assert queue.departures.record(departure, HANDED, worker="one")
    assert not queue.departures.record(departure, later, worker="two")
    assert 1 == len(queue.departures.in_state(DepartureState.HANDED))


def test_a_letter_that_is_to_wait_waits(queue: Queue) -> None:
    """Until it is due; or until somebody says now."""
    queue.add("1", due_ms=START_MS + HOUR_MS)
    assert None is queue.departures.claim("one")
    assert START_MS + HOUR_MS == queue.departures.next_ms()
    assert 1 == queue.departures.retry_now()
    departure = queue.claim()
    assert START_MS + HOUR_MS == departure.created_ms
    queue.departures.record(departure, Ruling(state=DepartureState.QUEUED, due_ms=START_MS + 5), worker="one")
    assert None is queue.departures.claim("one")
    assert 0 == queue.departures.retry_now("x" * 26)
    assert 1 == queue.departures.retry_now(departure.id)
    assert departure.id == queue.claim().id


def test_at_most_two_letters_go_to_one_domain_at_a_time(queue: Queue) -> None:
    """Whoever sends them; another domain is not held up, and a lease that lapsed counts no longer."""
    for number in range(3):
        queue.add(str(number), recipient=f"desk{number}@Big.example")
        queue.now_ms += 1  # what is due longest goes first
    other = queue.add("other", recipient="desk@small.example")
    first, second, third = queue.claim("one"), queue.claim("two"), queue.claim("three")
    assert other.id == third.id
    assert None is queue.departures.claim("four")
    queue.departures.record(first, HANDED, worker="one")
    assert "desk2@Big.example" == queue.claim("four").recipient
    queue.now_ms += LEASE_MS
    assert second.id in {queue.claim("five").id for _ in range(2)}


def test_of_many_senders_that_claim_at_once_each_gets_another_letter(queue: Queue) -> None:
    """No letter twice, and no domain beyond its two."""
    for number in range(20):
        queue.add(str(number), recipient=f"desk@clinic{number % 5}.example")
    with ThreadPoolExecutor(8) as pool:
        claimed = [
            each for each in pool.map(lambda at: queue.departures.claim(f"w{at}"), range(16)) if each is not None
        ]
    assert 10 == len({each.id for each in claimed}) == len(claimed)
    assert {2} == set(Counter(each.recipient for each in claimed).values())


def test_a_letter_leaves_the_disk_when_it_was_handed_over_or_failed(queue: Queue) -> None:
    """And not before; one that does not read is put aside for a person to look at."""
    for once in ("handed", "failed", "damaged", "waits"):
        queue.add(once)
    rulings = (
        HANDED,
        Ruling(state=DepartureState.FAILED, say="failed"),
        Ruling(state=DepartureState.FAILED, say="failed", reason=DAMAGED),
        Ruling(state=DepartureState.QUEUED, due_ms=START_MS + 1),
    )
    ids = []
    for ruling in rulings:
        departure = queue.claim(per_domain=9)
        ids.append(departure.id)
        queue.departures.record(departure, ruling, worker="one")
    assert [False, False, False, True] == [queue.spool.holds(each) for each in ids]
    assert [ids[2]] == [path.name for path in queue.spool._broken.iterdir()]
    assert frozenset({ids[3]}) == queue.departures.spooled()


# --- words in the case ----------------------------------------------------------------------------------------------


def words(queue: Queue) -> list[tuple[str, str | None, int]]:
    """What is to be told, with its time after the start."""
    return [(each.state, each.reason, each.at_ms - START_MS) for each in queue.departures.tidings.untold()]


def test_what_is_to_be_told_stays_until_it_was_told_and_comes_once(queue: Queue) -> None:
    """ "emailed"; and the departure then says so."""
    queue.add()
    queue.departures.record(queue.claim(), HANDED, worker="one")
    assert [("emailed", None, 0)] == words(queue) == words(queue)
    (delivery,) = queue.departures.tidings.untold()
    assert frozenset() == delivery.departure.told
    queue.departures.tidings.told(delivery)
    assert [] == words(queue)
    again = queue.departures.get(delivery.departure.id)
    assert again is not None
    assert frozenset({"emailed"}) == again.told


def test_a_letter_that_stays_is_told_of_after_30_minutes_and_4_hours_whether_it_is_tried_or_not(queue: Queue) -> None:
    """Each once; after the second there is nothing more to say but how it ends."""
    queue.add()
    queue.claim()
    queue.now_ms += NOT_YET_MS - 1
    assert 0 == queue.departures.tidings.note_overdue()
    queue.now_ms += 1
    assert [1, 0] == [queue.departures.tidings.note_overdue() for _ in range(2)]
    queue.now_ms = START_MS + DELAYED_MS
    assert [1, 0] == [queue.departures.tidings.note_overdue() for _ in range(2)]
    assert [("not_yet", None, NOT_YET_MS), ("delayed", None, DELAYED_MS)] == words(queue)


def test_after_a_day_without_a_bridge_only_the_later_word_is_told(queue: Queue) -> None:
    """Not two at once."""
    queue.add()
    queue.now_ms += DAY_MS
    queue.departures.tidings.note_overdue()
    assert [("delayed", None, DAY_MS)] == words(queue)


def test_a_peer_that_reports_a_delay_that_the_case_hears_of_already_adds_nothing(queue: Queue) -> None:
    """By the clock and by the peer: one word."""
    departure = queue.add()
    queue.now_ms += DELAYED_MS
    queue.departures.tidings.note_overdue()
    queue.departures.record(queue.claim(), HANDED, worker="one")
    queue.now_ms += 1
    queue.departures.report(departure.id, Report(untrusted_action="delayed", untrusted_status="4.4.1"))
    assert [("delayed", None, DELAYED_MS), ("emailed", None, DELAYED_MS)] == sorted(words(queue))


def test_a_letter_that_left_in_time_is_not_worried_about(queue: Queue) -> None:
    """Handed over after 20 minutes."""
    queue.add()
    queue.departures.record(queue.claim(), HANDED, worker="one")
    queue.now_ms += DAY_MS
    assert 0 == queue.departures.tidings.note_overdue()


def test_row_22_a_report_of_failure_is_recorded_and_told_once(queue: Queue) -> None:
    """The second, and one about no letter of ours, change nothing."""
    departure = queue.add()
    queue.departures.record(queue.claim(), HANDED, worker="one")
    failed = Report(untrusted_action="failed", untrusted_status="5.1.1")
    reported = queue.departures.report(departure.id, failed)
    assert reported is not None
    assert DepartureState.FAILED is reported.state
    assert None is queue.departures.report(departure.id, failed)
    assert None is queue.departures.report("x" * 26, failed)
    assert [("emailed", None, 0), ("failed", "5.1.1", 0)] == sorted(words(queue))


def test_of_many_reports_at_once_one_is_told(queue: Queue) -> None:
    """A clinic's server may well send five."""
    departure = queue.add()
    queue.departures.record(queue.claim(), HANDED, worker="one")
    failed = Report(untrusted_action="failed", untrusted_status="5.1.1")
    with ThreadPoolExecutor(5) as pool:
        taken = list(pool.map(lambda _: queue.departures.report(departure.id, failed), range(5)))
    assert 1 == sum(each is not None for each in taken)


def test_a_report_ends_a_letter_that_is_being_tried_again(queue: Queue) -> None:
    """Its 250 was lost; who tries it now finds that it ended."""
    departure = queue.add()
    claimed = queue.claim()
    queue.departures.report(departure.id, Report(untrusted_action="delivered", untrusted_status="2.0.0"))
    assert not queue.departures.record(claimed, HANDED, worker="one")
    assert [("delivered", "2.0.0", 0)] == words(queue)


# --- what others ask ------------------------------------------------------------------------------------------------


def test_the_times_of_notices_are_those_to_one_correspondent_of_one_case(queue: Queue) -> None:
    """Planned ones too; letters with content do not count."""
    queue.add("1")
    queue.add("2", due_ms=START_MS + HOUR_MS)
    queue.add("3", mode="pgp")
    queue.add("4", case="case-two")
    queue.add("5", recipient="else@wrenfield.example")

    def asked(recipient: str, since_ms: int) -> list[int]:
        return sorted(queue.departures.notice_times_ms("case-one", recipient, since_ms=since_ms))

    assert [START_MS, START_MS + HOUR_MS] == asked("Dr.Rowan@wrenfield.example", START_MS)
    assert [START_MS + HOUR_MS] == asked("dr.rowan@wrenfield.example", START_MS + 1)


def test_a_notice_waits_until_it_was_tried(queue: Queue) -> None:
    """From then on it cannot speak for what comes after."""
    assert not queue.departures.notice_waits("case-one", "dr.rowan@wrenfield.example")
    queue.add(due_ms=START_MS + HOUR_MS)
    assert queue.departures.notice_waits("case-one", "dr.rowan@wrenfield.example")
    queue.now_ms += HOUR_MS
    queue.departures.record(
        queue.claim(), Ruling(state=DepartureState.QUEUED, due_ms=queue.now_ms + HOUR_MS), worker="one"
    )
    assert not queue.departures.notice_waits("case-one", "dr.rowan@wrenfield.example")


def test_what_waits_in_a_case_can_be_withdrawn_without_a_word(queue: Queue) -> None:
    """The bridge was removed from it, or a clinic does not want our mail; another case's letters go on."""
    queue.add("1")
    queue.add("2", recipient="else@wrenfield.example")
    queue.add("3", recipient="else@wrenfield.example")
    kept = queue.add("4", case="case-two")
    assert 2 == queue.departures.withdraw("case-one", recipient="else@wrenfield.example")
    assert 1 == queue.departures.withdraw("case-one")
    assert [] == words(queue)
    assert frozenset({kept.id}) == queue.departures.spooled()
    assert kept.id == queue.claim().id


def test_departures_are_listed_by_state_and_case(queue: Queue) -> None:
    """Oldest first."""
    first = queue.add("1")
    queue.now_ms += 1
    second = queue.add("2", case="case-two")
    assert (first, second) == queue.departures.in_state(DepartureState.QUEUED)
    assert (second,) == queue.departures.in_state(DepartureState.QUEUED, case="case-two")
    assert () == queue.departures.in_state(DepartureState.HANDED)


def test_a_damaged_row_ends_and_holds_up_no_other(queue: Queue) -> None:
    """Nobody knows any more whom it was for; its bytes stay for a person to look at."""
    damaged, whole = queue.add("1"), queue.add("2")
    with queue.engine.begin() as connection:
        this = departures.c.id == damaged.id
        connection.execute(update(departures).where(this).values(sealed=b"\0" * 80, due_ms=START_MS - 1))
    assert whole.id == queue.claim().id
    assert None is queue.departures.claim("one")
    assert queue.spool.holds(damaged.id)


def test_a_letter_whose_file_was_tampered_with_does_not_read(queue: Queue) -> None:
    """Not a byte of it."""
    departure = queue.add()
    path = queue.spool._new / departure.id
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(Fault, match="spool_damaged"):
        queue.departures.letter(departure.id)


# --- row 41 ---------------------------------------------------------------------------------------------------------

LETTERS = 24


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """Where senders are forked."""
    with sender_nursery() as nursery:
        yield nursery


@pytest.mark.parametrize(("die_at", "sent_twice"), [("before_data", 0), ("after_250", 1)])
def test_row_41_two_senders_on_one_postgresql_queue_send_each_letter_once_though_one_is_killed(
    nursery: Nursery, postgres: str, tmp_path: Path, die_at: str, sent_twice: int
) -> None:
    """Real processes. What the killed one held goes again after its lease, as the same letter, by the other."""
    with opened_queue(postgres, tmp_path) as queue, smtp_sink(tmp_path / "sink") as sink:
        for number in range(LETTERS):
            add_letter(queue, number, domain=f"clinic{number % 6}.example")
        doomed = nursery.start(postgres, tmp_path, port=sink.port, worker="doomed", die_at=die_at, die_on=4)
        other = nursery.start(postgres, tmp_path, port=sink.port, worker="other", waits_on=LETTERS // 2)
        assert -9 == doomed.wait()
        (tmp_path / "go_on").touch()
        _until(lambda: not queue.in_state(DepartureState.QUEUED))
        # What the dead one held is nobody's for ten minutes; then it is the other's.
        held = queue.in_state(DepartureState.SENDING)
        (tmp_path / "ahead_ms").write_text(str(LEASE_MS))
        assert 0 == other.wait()
        letters = sink.letters(at_least=LETTERS + sent_twice)
        assert LETTERS == len(queue.in_state(DepartureState.HANDED))
    counted = Counter(letter.message["Message-ID"] for letter in letters)
    assert {f"<{number}@bridge.example>" for number in range(LETTERS)} == set(counted)
    twice = {message_id for message_id, count in counted.items() if count > 1}
    assert sent_twice == len(twice) == len(letters) - LETTERS
    assert twice <= {each.message_id for each in held}
    assert LETTERS == len({(letter.mail_from, letter.message["Message-ID"]) for letter in letters})
    assert {(message_id, "emailed") for message_id in counted} == set(told_lines(tmp_path))


def _until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)
