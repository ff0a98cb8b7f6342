"""Reads: each in one snapshot of its own, in a small pool of threads, on connections that cannot write."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine

from vetrelay.protocol.ids import CaseId, Hash
from vetrelay.relay.ports import AskingDevice, Store
from vetrelay.relay.storage.batch import Batch
from vetrelay.relay.storage.engine import READERS
from vetrelay.relay.storage.memory import Memory
from vetrelay.relay.storage.store import SqlStore
from vetrelay.relay.tables import Standing

T = TypeVar("T")


class PooledReader:
    """A few threads, one connection each."""

    def __init__(self, engine: Engine, memory: Memory) -> None:
        self._engine = engine
        self._memory = memory
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def run(self, job: Callable[[Store], T]) -> T:
        """Run `job(store)` in one read transaction."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, job)

    def standing(self, case: CaseId) -> Standing | None:
        """A case as this process last saw it, if it is at hand; no disk is asked."""
        return self._memory.standings.get(case)

    def head_at(self, case: CaseId, n: int) -> Hash | None:
        """A log's head at a position, if it is at hand; no disk is asked."""
        return self._memory.heads.get((case, n))

    def bearer(self, bearer_hash: Hash) -> tuple[AskingDevice, int] | None:
        """The device a bearer stands for and until when, if that is at hand; no disk is asked."""
        return self._memory.bearer(bearer_hash)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def _read(self, job: Callable[[Store], T]) -> T:
        with self._engine.begin() as connection:
            return job(SqlStore(Batch(connection, self._memory)))
