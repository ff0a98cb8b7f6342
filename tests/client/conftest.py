"""What the client's tests share: a relay, a clinic with a file check, and an owner in its case."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.client.town import START_MS, Town, town_at
from vetrelay.client.end import End
from vetrelay.protocol.ids import CaseId

HOUR_MS = 60 * 60 * 1000


@dataclass(frozen=True, kw_only=True)
class Room:
    """A case with its owner, its clinic and its file check."""

    town: Town
    case: CaseId
    clinic: End
    owner: End
    intake: End


@dataclass(frozen=True, kw_only=True)
class Furnished:
    """A room as it lies in a folder, to be copied for each test."""

    folder: Path
    case: CaseId


async def _furnish(folder: Path, *, with_intake: bool) -> Furnished:
    async with town_at(folder) as town:
        intake = await town.party("intake", "machine")
        clinic = await town.clinic(intake=intake if with_intake else None)
        case = await town.case(clinic)
        await town.newcomer(clinic, case)
    return Furnished(folder=folder, case=case)


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """A clinic that has invited an owner into a case."""
    return asyncio.run(_furnish(tmp_path_factory.mktemp("furnished"), with_intake=True))


@pytest.fixture(scope="session")
def unchecked(tmp_path_factory: pytest.TempPathFactory) -> Furnished:
    """The same, but nobody checks files."""
    return asyncio.run(_furnish(tmp_path_factory.mktemp("unchecked"), with_intake=False))


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A relay without anybody."""
    async with town_at(tmp_path) as town:
        yield town


async def _entered(furnished: Furnished, folder: Path) -> AsyncIterator[Room]:
    shutil.copytree(furnished.folder, folder, dirs_exist_ok=True)
    async with town_at(folder, start_ms=START_MS + HOUR_MS) as town:
        yield Room(
            town=town,
            case=furnished.case,
            clinic=await town.kept("clinic"),
            owner=await town.kept("owner"),
            intake=await town.kept("intake"),
        )


@pytest_asyncio.fixture
async def room(furnished: Furnished, tmp_path: Path) -> AsyncIterator[Room]:
    """A case with a clinic, an owner and a file check, each at work."""
    async for entered in _entered(furnished, tmp_path / "room"):
        yield entered


@pytest_asyncio.fixture
async def room_without_intake(unchecked: Furnished, tmp_path: Path) -> AsyncIterator[Room]:
    """A case where nobody checks files."""
    async for entered in _entered(unchecked, tmp_path / "room"):
        yield entered
