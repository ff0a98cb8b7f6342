"""Words both ways: an owner and a veterinarian, a relay that is a process of its own, and nobody else."""

import asyncio
import signal
import sqlite3
from pathlib import Path

from tests.journeys.people import people
from vetrelay.client.news import receive
from vetrelay.client.recheck import verify_case
from vetrelay.client.say import say
from vetrelay.client.thread import read_thread

WORDS = [
    "Luna limps since Tuesday. 🐕",
    "Which leg, and does she put weight on it?",
    "Left hind.\nA little.",
    "Come at ten.",
]


async def test_a_conversation_is_read_by_both_and_verified_from_scratch(tmp_path: Path) -> None:
    """Four messages in turn; each is there when the other's waiting read returns; both verify the same log."""
    async with people(tmp_path) as here:
        turns = [(here.owner, here.veterinarian), (here.veterinarian, here.owner)] * 2
        for (speaker, listener), text in zip(turns, WORDS, strict=True):
            waiting = asyncio.create_task(receive(listener, wait_seconds=20))
            promised, receipt = await say(speaker, here.case, text=text)
            speaker.journal.report(promised.id)
            await waiting
            while text not in [entry.text for entry in read_thread(listener, here.case).entries]:
                await receive(listener, wait_seconds=5)  # names were told first
            assert receipt.entry == read_thread(listener, here.case).entries[-1].entry
        checks = [await verify_case(end, here.case) for end in (here.owner, here.veterinarian)]
        for end, checked in zip((here.owner, here.veterinarian), checks, strict=True):
            assert () == checked.problems
            thread = read_thread(end, here.case)
            assert WORDS == [entry.text for entry in thread.entries]
            assert ["owner", "veterinarian"] * 2 == [entry.author.name for entry in thread.entries]
        assert checks[0].head == checks[1].head
        assert 0 == here.relay.end(signal.SIGTERM)
    raw = b"".join(path.read_bytes() for path in (tmp_path / "relay").rglob("*") if path.is_file())
    assert [] == [text for text in WORDS if text.encode() in raw]


async def test_what_was_accepted_survives_a_killed_relay(tmp_path: Path) -> None:
    """Every receipt that was told before the kill has its envelope in the database after it."""
    async with people(tmp_path) as here:
        told: list[str] = []
        enough = asyncio.Event()

        async def talk() -> None:
            while True:
                promised, receipt = await say(here.owner, here.case, text=f"message {len(told)}")
                here.owner.journal.report(promised.id)
                assert receipt.entry is not None
                told.append(receipt.entry)
                if len(told) == 10:
                    enough.set()

        talking = asyncio.create_task(talk())
        await enough.wait()
        here.relay.end(signal.SIGKILL)
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
    with sqlite3.connect(next((tmp_path / "relay").glob("*.sqlite"))) as database:
        text = "\n".join(database.iterdump())
    database.close()
    assert [] == [entry for entry in told if entry not in text]
