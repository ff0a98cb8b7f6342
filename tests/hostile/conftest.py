"""What the hostile tests share with the client's: a case with its owner, its clinic and its file check; and a liar."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.client.conftest import Room, furnished, room
from tests.hostile.dishonest import Liar, liar_before

__all__ = ["furnished", "liar", "room"]


@pytest_asyncio.fixture
async def liar(room: Room) -> AsyncIterator[Liar]:
    """A dishonest relay in the place of the honest one; nobody has come by it yet."""
    async with liar_before(room.town.url, room.town.folder / "relay", now_ms=room.town.clock) as liar:
        yield liar
