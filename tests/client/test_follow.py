"""Following: many at once on one home, a case of any length, and what may be sent where."""

import asyncio
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.chains import ActingParty, open_case
from tests.client.conftest import Room
from vetrelay.client.cases import set_state
from vetrelay.client.follow import begin, check_may_send, follow, follow_or_recall, recall
from vetrelay.client.followed import catch_up
from vetrelay.client.journal import LogRow
from vetrelay.client.news import receive
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread
from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.ids import b64, sha256
from vetrelay.protocol.log import STALE_HEAD_MS, Kind, Link
from vetrelay.protocol.signature import wire

DAY_MS = 24 * 60 * 60 * 1000


async def test_what_is_recalled_is_what_was_followed(room: Room) -> None:
    """The journal alone gives the same heads and the same roster."""
    await say(room.owner, room.case, text="one")
    followed = await follow(room.clinic, room.case)
    recalled = recall(room.clinic, room.case)
    assert (followed.tail, followed.heads, followed.rosters) == (recalled.tail, recalled.heads, recalled.rosters)


async def test_many_tasks_follow_one_case_at_once(room: Room) -> None:
    """Sharing one memory of it or having their own: every position is taken over exactly once."""
    for count in range(5):
        await say(room.owner, room.case, text=str(count))
    shared = begin(room.clinic.keyring.relay, room.case)
    others = [await room.town.again(room.clinic) for _ in range(3)]
    results = await asyncio.gather(
        *(follow(room.clinic, room.case, known=shared) for _ in range(4)),
        *(follow(end, room.case) for end in others * 2),
    )
    assert 1 == len({followed.tail for followed in results})
    assert list(range(1, shared.tail.n + 1)) == [row.n for row in room.clinic.journal.log(room.case)]
    assert room.clinic.journal.case(room.case).blocked is None


FOLLOWER = textwrap.dedent("""
    import asyncio, os, sys, time
    from pathlib import Path
    from msgspec import structs
    from vetrelay.client.end import open_end
    from vetrelay.client.keyring import load_keyring
    from vetrelay.client.news import receive
    from vetrelay.client.say import say
    home, url, case, name, count = Path(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5])
    async def main():
        keyring = structs.replace(load_keyring(home, passphrase=None), relay_url=url)
        for number in range(count):
            async with open_end(
                home, keyring, now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom
            ) as end:
                await receive(end, wait_seconds=0)
                promised, _ = await say(end, case, text=f"{name} {number}")
                end.journal.report(promised.id)
    asyncio.run(main())
""")


async def test_processes_receive_and_send_in_one_home_at_once(room: Room) -> None:
    """Four processes of the owner, each opening, receiving and sending: all is said once, nothing is corrupt."""
    command = [sys.executable, "-c", FOLLOWER, str(room.owner.home), room.town.url, room.case]
    processes = [
        await asyncio.create_subprocess_exec(*command, f"process {number}", "5", stderr=subprocess.PIPE)
        for number in range(4)
    ]
    waiting = asyncio.create_task(_keep_receiving(room))
    for process in processes:
        _, errors = await process.communicate()
        assert (0, b"") == (process.returncode, errors)
    waiting.cancel()
    await follow(room.owner, room.case)
    texts = [entry.text for entry in read_thread(room.owner, room.case).entries]
    assert sorted(f"process {number} {count}" for number in range(4) for count in range(5)) == sorted(map(str, texts))


async def _keep_receiving(room: Room) -> None:
    while True:
        await receive(room.owner, wait_seconds=1)


async def test_memory_that_is_not_what_was_kept_is_thrown_away(room: Room) -> None:
    """A value that was pushed to and never committed cannot make the journal skip a position."""
    followed = await follow(room.clinic, room.case)
    stray = Link(time_ms=followed.tail.time_ms, kind=Kind.ENVELOPE, entry=b64(sha256(b"stray")))
    followed.push(stray, None)
    await say(room.owner, room.case, text="one")
    again = await follow(room.clinic, room.case, known=followed)
    assert again is not followed
    assert [row.n for row in room.clinic.journal.log(room.case)] == list(range(1, again.tail.n + 1))


async def test_a_page_that_is_not_taken_leaves_memory_as_it_was(room: Room) -> None:
    """Heads, rosters and verdicts go back together."""
    followed = await follow(room.clinic, room.case)
    before = (followed.tail, list(followed.heads), list(followed.rosters), dict(followed.verdicts))
    followed.rule("a", "first")
    with pytest.raises(Refusal), followed.restored_on_error():
        push_and_fail(followed)
    followed.verdicts.pop("a")
    assert before == (followed.tail, followed.heads, followed.rosters, followed.verdicts)


def push_and_fail(followed: object) -> None:
    """Some positions, and then a rule that is broken."""
    from vetrelay.client.followed import Followed

    assert isinstance(followed, Followed)
    followed.push(Link(time_ms=followed.tail.time_ms, kind=Kind.ENVELOPE, entry=b64(bytes(32))), None)
    followed.rule("a", "second")
    followed.rule("b", "third")
    followed.push(Link(time_ms=0, kind=Kind.ENVELOPE, entry=b64(bytes(32))), None)


async def test_while_the_relay_is_away_what_is_known_is_given(room: Room) -> None:
    """Of a case that was followed before; of another one nothing can be said."""
    await follow(room.clinic, room.case)
    away = await room.town.again(room.clinic, url="http://127.0.0.1:1")
    followed, reached = await follow_or_recall(away, room.case)
    assert (False, followed.tail) == (reached, room.clinic.journal.case(room.case).tail)
    with pytest.raises(Fault):
        await follow_or_recall(away, b64(bytes(32)))


@pytest.mark.parametrize(
    ("late_ms", "code"), [(0, None), (STALE_HEAD_MS - 60_000, None), (STALE_HEAD_MS + 60_000, "head_stale")]
)
async def test_sending_needs_a_head_of_the_last_day(room: Room, late_ms: int, code: str | None) -> None:
    """(N26) By this device's clock."""
    followed = await follow(room.owner, room.case)
    room.town.clock.now_ms += late_ms
    assert code == may_send(room, followed)


def may_send(room: Room, followed: object) -> str | None:
    """What keeps the owner from sending."""
    try:
        check_may_send(room.owner, followed, class_="message")  # type: ignore[arg-type]  # what `follow` gave
    except Refusal as refused:
        return refused.code
    return None


async def test_a_closed_case_takes_names_but_no_message(room: Room) -> None:
    """Known here already, before anything is sealed for nothing."""
    await set_state(room.clinic, room.case, "close")
    followed = await follow(room.owner, room.case)
    assert "case_closed" == may_send(room, followed)
    check_may_send(room.owner, followed, class_="control")
    await set_state(room.clinic, room.case, "reopen")
    assert may_send(room, await follow(room.owner, room.case)) is None


async def test_a_removed_party_is_told_and_keeps_what_it_has(room: Room) -> None:
    """The relay gives it nothing more; what was received stays readable, and other cases go on."""
    from vetrelay.client.cases import approve, remove

    second = await room.town.newcomer(room.clinic, room.case, "second")
    await approve(room.clinic, room.case, second.keyring.party)
    await say(room.owner, room.case, text="before")
    await follow(second, room.case)
    await remove(room.clinic, room.case, second.keyring.party)
    await say(room.owner, room.case, text="after")
    with pytest.raises(Refusal) as refused:
        await follow(second, room.case)
    assert "not_a_member" == refused.value.code
    assert {} == await receive(second, wait_seconds=0)
    assert ["before"] == [entry.text for entry in read_thread(second, room.case).entries]
    assert second.journal.case(room.case).blocked is None


def test_a_case_of_a_hundred_thousand_positions_is_recalled_in_seconds(tmp_path: Path) -> None:
    """Time grows with the length, not with its square; finding an envelope or a roster does not grow at all."""
    from vetrelay.client.journal import Journal

    clinic = ActingParty("clinic", "clinic")
    running = open_case(clinic)
    journal = Journal(tmp_path)
    with journal.transaction():
        for n, logged in enumerate(running.log, start=1):
            link = Link(time_ms=logged.time_ms, kind=logged.kind, entry=logged.signed.entry_id())
            journal.append_log(running.case, LogRow(n=n, link=link, signed=wire(logged.signed), fault=None))
        journal._db.executemany(
            "INSERT INTO log VALUES (?,?,?,3,?,?,NULL,NULL)",
            (
                (running.case, running.n + count, running.now_ms, b64(sha256(b"%d" % count)), b"x" * 200)
                for count in range(1, 100_001)
            ),
        )

    class Reader:
        """As much of an end as recalling needs."""

        def __init__(self) -> None:
            self.journal = journal

    followed = begin(running.relay, running.case)
    started = time.monotonic()
    catch_up(Reader(), followed)  # type: ignore[arg-type]  # only the journal is asked
    took_seconds = time.monotonic() - started
    print(f"100,000 positions recalled in {took_seconds:.2f} s")
    started = time.monotonic()
    for n in range(1, 100_000, 10):
        followed.roster_at(n)
        journal.position_of(running.case, b64(sha256(b"%d" % n)))
    print(f"10,000 envelopes found in {time.monotonic() - started:.2f} s")
    assert running.n + 100_000 == followed.tail.n
    journal.close()
