"""Turns at the cores: who is next."""

import asyncio

from vetrelay.inspection.turns import Turns

SMALL, MIDDLING, LARGE = 10, 1_000, 100_000


class Files:
    """Files that ask for a turn, hold it until they are told to end, and are listed in the order they had it."""

    def __init__(self, slots: int) -> None:
        self.turns = Turns(slots)
        self.had: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ends: dict[str, asyncio.Event] = {}

    async def ask(self, name: str, size_bytes: int) -> None:
        """One more file comes."""
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._hold(name, size_bytes))
        await asyncio.sleep(0)

    async def _hold(self, name: str, size_bytes: int) -> None:
        async with self.turns.turn(size_bytes):
            self.had.append(name)
            await self.ends[name].wait()

    async def end(self, name: str) -> None:
        """A file is done; whoever is next has its turn."""
        self.ends[name].set()
        await self.tasks[name]
        await settled()

    async def drain(self) -> None:
        """All the rest, in the order they come."""
        while len(self.had) < len(self.tasks):
            await self.end(next(name for name in self.had if not self.tasks[name].done()))
        for name in self.had:
            await self.end(name)


async def settled() -> None:
    """Everybody who can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_no_more_files_are_in_hand_than_there_are_slots() -> None:
    """The third file waits for one of two."""
    files = Files(2)
    for name in ("one", "two", "three"):
        await files.ask(name, SMALL)
    assert ["one", "two"] == files.had
    await files.end("two")
    assert ["one", "two", "three"] == files.had
    await files.drain()


async def test_a_small_photo_waits_for_one_file_per_core_at_most() -> None:
    """However many large files came before it, it is next at the first core that is not reserved for the oldest."""
    files = Files(2)
    for index in range(6):
        await files.ask(f"large {index}", LARGE)
    await files.ask("small", SMALL)
    await files.end("large 0")
    await files.end("large 1")
    assert "small" in files.had[:4]
    await files.drain()


async def test_a_large_file_is_not_put_off_for_ever() -> None:
    """One core takes the file that has waited longest, whatever its size."""
    files = Files(2)
    await files.ask("first", SMALL)
    await files.ask("second", SMALL)
    await files.ask("large", LARGE)
    for index in range(6):
        await files.ask(f"small {index}", SMALL)
    await files.end("first")
    await files.end("second")
    assert "large" in files.had[:4]
    await files.drain()


async def test_with_one_core_the_smallest_comes_first() -> None:
    """There is no second core to keep the promise to small photos."""
    files = Files(1)
    await files.ask("at work", LARGE)
    for name, size_bytes in (("large", LARGE), ("middling", MIDDLING), ("small", SMALL)):
        await files.ask(name, size_bytes)
    await files.drain()
    assert ["at work", "small", "middling", "large"] == files.had


async def test_who_stops_waiting_loses_nothing_for_the_others() -> None:
    """A cancelled file leaves the queue, and a turn it was just given goes to the next one."""
    files = Files(1)
    async with files.turns.turn(SMALL):
        for name in ("leaves early", "leaves late", "stays"):
            await files.ask(name, SMALL)
        files.tasks["leaves early"].cancel()
    files.tasks["leaves late"].cancel()  # it has been given its turn, and not taken it yet
    await settled()
    assert ["stays"] == files.had
    await files.end("stays")
    async with files.turns.turn(SMALL):
        pass
