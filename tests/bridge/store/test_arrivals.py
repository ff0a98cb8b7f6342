"""The table of arrivals: rows open as they were put, move on by state, and what comes twice counts once."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, text, update

from vetrelay.bridge.ports import Arrival, ArrivalState, Authenticated, Peer
from vetrelay.bridge.store.arrivals import SEEN_MS, Adding, Arrivals
from vetrelay.bridge.store.groupcommit import GroupCommit, NotTogether
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.tables import arrivals as table
from vetrelay.bridge.store.tables import open_database, reading
from vetrelay.errors import Fault

SEALS = Seals(bytes(range(32)), os.urandom)
NOW_MS = 1_800_000_000_000
LETTER = Arrival(
    id="a" * 26,
    spool="s" * 26,
    kind="letter",
    state=ArrivalState.RECEIVED,
    class_="person",
    case="case-one",
    token="t" * 26,
    received_ms=NOW_MS,
    size_bytes=10_000,
    peer=Peer(address="192.0.2.7", helo="mx.wrenfield.example", tls=True),
    mail_from="dr.rowan@wrenfield.example",
    authenticated=Authenticated(
        outcome="pass",
        address="dr.rowan@wrenfield.example",
        domain="wrenfield.example",
        policy="reject",
        spf="pass",
        dkim=("pass wrenfield.example",),
    ),
)
UPLOAD = replace(LETTER, id="u" * 26, spool="v" * 26, kind="upload", name="Biscuit's x-ray.dcm", authenticated=None)
WORDS = ("192.0.2.7", "wrenfield", "rowan", "Biscuit", "t" * 26)


def arrivals_of(engine: Engine, now_ms: int = NOW_MS) -> Arrivals:
    """The table at a time."""
    return Arrivals(engine, SEALS, lambda: now_ms)


def test_an_arrival_opens_as_it_was_put(engine: Engine) -> None:
    """A letter, an upload with its file's name, and one for the front door."""
    door = replace(LETTER, id="d" * 26, case=None, token=None, state=ArrivalState.UNFILED, class_="auto")
    rows = arrivals_of(engine)
    for arrival in (LETTER, UPLOAD, door):
        assert rows.add([arrival], dedup=arrival.id)
        assert arrival == rows.get(arrival.id)
    assert None is rows.get("x" * 26)
    assert (LETTER, UPLOAD) == rows.pending()
    assert (door,) == rows.in_state(ArrivalState.UNFILED)
    assert (LETTER, UPLOAD) == rows.in_state(ArrivalState.RECEIVED, "case-one")
    assert () == rows.in_state(ArrivalState.RECEIVED, "case-two")
    assert {ArrivalState.RECEIVED: 2, ArrivalState.UNFILED: 1} == rows.counts()


def test_no_column_holds_a_word_of_anybody(engine: Engine) -> None:
    """Addresses, hosts, tokens and file names are sealed; ids, states, times and sizes are not."""
    arrivals_of(engine).add([LETTER, UPLOAD], dedup="<message@wrenfield.example>")
    with reading(engine) as connection:
        for name in ("arrivals", "seen"):
            held = repr([tuple(map(as_bytes, row)) for row in connection.execute(text(f"SELECT * FROM {name}"))])
            assert [] == [word for word in WORDS if word in held]


def as_bytes(value: object) -> object:
    """PostgreSQL hands out memoryviews, whose repr would hide everything."""
    return bytes(value) if isinstance(value, memoryview) else value


def test_a_row_that_was_tampered_with_does_not_open(engine: Engine) -> None:
    """It is a Fault, never a letter from somebody else."""
    rows = arrivals_of(engine)
    rows.add([LETTER], dedup="x")
    with engine.begin() as connection:
        connection.execute(update(table).values(sealed=b"x" * 200))
    with pytest.raises(Fault, match="spool_damaged"):
        rows.get(LETTER.id)


def test_what_comes_twice_within_thirty_days_counts_once(engine: Engine) -> None:
    """The second adds nothing, whatever became of the first; on the thirty-first day it is new."""
    rows = arrivals_of(engine)
    assert rows.add([LETTER], dedup="same")
    rows.set_state(LETTER.id, ArrivalState.DONE)
    again = replace(LETTER, id="b" * 26, spool="z" * 26, received_ms=NOW_MS + SEEN_MS - 1)
    assert not rows.add([again], dedup="same")
    assert None is rows.get(again.id)
    with engine.begin() as connection:
        assert (LETTER.id,) == rows.add_within(connection, [again], dedup="same")
    later = replace(again, received_ms=NOW_MS + SEEN_MS)
    assert rows.add([later], dedup="same")
    assert later == rows.get(later.id)


def test_other_content_another_case_or_another_address_is_another_letter(engine: Engine) -> None:
    """Only the same content to the same address is the same."""
    rows = arrivals_of(engine)
    others = [
        (replace(LETTER, id="b" * 26), "other"),
        (replace(LETTER, id="c" * 26, case="case-two"), "same"),
        (replace(LETTER, id="d" * 26, token="o" * 26), "same"),
        (replace(LETTER, id="e" * 26, case=None, token=None), "same"),
    ]
    for arrival, dedup in [(LETTER, "same"), *others]:
        assert rows.add([arrival], dedup=dedup)
    assert 5 == len(rows.pending())


def test_a_letter_to_two_addresses_of_which_one_had_it_adds_the_other(engine: Engine) -> None:
    """Each recipient counts for itself, in one transaction."""
    rows = arrivals_of(engine)
    rows.add([LETTER], dedup="same")
    again = replace(LETTER, id="b" * 26, spool="z" * 26)
    also = replace(again, id="c" * 26, token="o" * 26)
    with engine.begin() as connection:
        assert (LETTER.id, also.id) == rows.add_within(connection, [again, also], dedup="same")
    assert (LETTER, also) == rows.pending()


def test_of_many_that_bring_the_same_at_once_one_is_taken(engine: Engine) -> None:
    """Two bridges on one database, a peer that sends twice: one row."""
    rows = arrivals_of(engine)
    with ThreadPoolExecutor(6) as pool:
        copies = [replace(LETTER, id=f"{number:026}") for number in range(12)]
        taken = list(pool.map(lambda copy: rows.add([copy], dedup="same"), copies))
    assert 1 == taken.count(True)
    assert 1 == len(rows.pending())


async def test_letters_that_come_together_are_added_at_once_and_each_counts_once(
    engine: Engine, tmp_path: Path
) -> None:
    """Many new ones by two statements; with one among them that was seen, or two that are the same, still each once."""
    rows = arrivals_of(engine)
    commits = GroupCommit(engine, Spool(tmp_path / "spool", bytes(32), os.urandom))

    def adding(*numbers: int) -> Adding:
        copies = [replace(LETTER, id=os.urandom(13).hex(), token=f"{number}") for number in numbers]
        return Adding(table=rows, arrivals=copies, dedup="x")

    for taken, addings in (
        (30, [adding(number) for number in range(30)]),
        (40, [adding(number) for number in range(20, 40)]),
        (50, [adding(number // 2) for number in range(100)]),
        (54, [adding(49, 50, 51), adding(51, 52), adding(53)]),
    ):
        ids = await asyncio.gather(*(commits.run(one, together=rows.add_all) for one in addings))
        standing = {arrival.token: arrival.id for arrival in rows.pending()}
        assert taken == len(standing) == len(rows.pending())
        for one, its in zip(addings, ids, strict=True):
            assert [standing[arrival.token] for arrival in one.arrivals] == list(its)
    await commits.close()


def test_what_cannot_be_added_at_once_is_left_to_be_added_alone(engine: Engine) -> None:
    """One that was seen before, or two of the same: NotTogether, and after its rollback nothing of it stands."""
    rows = arrivals_of(engine)
    rows.add([LETTER], dedup="seen")
    new = Adding(table=rows, arrivals=[replace(LETTER, id="n" * 26)], dedup="new")
    seen = Adding(table=rows, arrivals=[replace(LETTER, id="z" * 26)], dedup="seen")
    for addings in ([new, seen], [new, new]):
        with pytest.raises(NotTogether), engine.begin() as connection:
            rows.add_all(connection, addings)
    assert (LETTER,) == rows.pending()


def test_states_tries_and_filing(engine: Engine) -> None:
    """A row moves on; from the front door it is filed into a case; tries are counted."""
    rows = arrivals_of(engine)
    door = replace(LETTER, case=None, token=None, state=ArrivalState.UNFILED)
    rows.add([door], dedup="x")
    rows.set_state(door.id, ArrivalState.TAKEN, case="case-two")
    assert (replace(door, state=ArrivalState.TAKEN, case="case-two"),) == rows.pending()
    assert [1, 2] == [rows.count_try(door.id) for _ in range(2)]
    rows.set_state(door.id, ArrivalState.DONE)
    assert () == rows.pending()
    assert replace(door, state=ArrivalState.DONE, case="case-two", tries=2) == rows.get(door.id)


def test_pending_is_oldest_first(engine: Engine) -> None:
    """The order in which letters came is the order in which they go into their case."""
    rows = arrivals_of(engine)
    times = [5, 3, 9, 1]
    for number in times:
        rows.add([replace(LETTER, id=f"{number:026}", received_ms=NOW_MS + number)], dedup=str(number))
    rows.set_state(f"{3:026}", ArrivalState.TAKEN)
    assert sorted(times) == [int(arrival.id) for arrival in rows.pending()]


def test_a_spool_file_is_needed_until_its_last_arrival_has_ended(engine: Engine) -> None:
    """A broken one keeps its bytes; a sweep leaves what is needed."""
    rows = arrivals_of(engine)
    rows.add([replace(LETTER, id=f"{number:026}", token=f"{number}") for number in range(3)], dedup="x")
    needed = []
    for number, state in enumerate((ArrivalState.DONE, ArrivalState.BROKEN, ArrivalState.DENIED)):
        needed.append(rows.others_of(LETTER.spool))
        rows.set_state(f"{number:026}", state)
    assert [3, 2, 2] == needed
    assert 1 == rows.others_of(LETTER.spool)
    assert {LETTER.spool} == rows.spools()
    rows.set_state(f"{1:026}", ArrivalState.DENIED)
    assert (0, frozenset()) == (rows.others_of(LETTER.spool), rows.spools())


def test_what_ended_is_forgotten_after_thirty_days(engine: Engine) -> None:
    """But never what waits, or what is broken."""
    rows = arrivals_of(engine)
    states = list(ArrivalState)
    for number, state in enumerate(states):
        rows.add([replace(LETTER, id=f"{number:026}", state=state)], dedup=str(number))
    arrivals_of(engine, NOW_MS + SEEN_MS - 1).sweep()
    assert len(states) == sum(rows.counts().values())
    arrivals_of(engine, NOW_MS + SEEN_MS).sweep()
    assert {state: 1 for state in states if state not in {ArrivalState.DONE, ArrivalState.DENIED}} == rows.counts()
    with reading(engine) as connection:
        assert 0 == connection.execute(text("SELECT count(*) FROM seen")).scalar_one()


async def test_a_second_process_sees_what_was_added(database: str) -> None:
    """Another engine on the same database has it, as soon as `add` has returned."""
    one, other = open_database(database), open_database(database)
    await asyncio.to_thread(arrivals_of(one).add, [LETTER], dedup="x")
    assert (LETTER,) == arrivals_of(other).pending()
    one.dispose()
    other.dispose()
