"""The store on SQLite."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest_asyncio

from tests.contracts.store import StoreContract
from tests.standing_case import PACELESS, StandingCase, standing_case
from vetrelay.relay.ports import RelayServices
from vetrelay.relay.process import open_relay


class TestSqlStore(StoreContract):
    """SQLite keeps the contract."""

    @pytest_asyncio.fixture
    async def standing(self, tmp_path: Path) -> AsyncIterator[StandingCase]:
        """A case that has just begun."""
        async with standing_case(tmp_path) as made:
            yield made

    @pytest_asyncio.fixture
    async def anew(self, tmp_path: Path) -> AsyncIterator[Callable[[], Awaitable[RelayServices]]]:  # type: ignore[override]  # closed at the end
        """A second pair of writer and reader on the same file; SQLite lets one write at a time."""
        async with AsyncExitStack() as opened:

            async def again() -> RelayServices:
                return await opened.enter_async_context(open_relay(tmp_path, PACELESS, origins=frozenset()))

            yield again
