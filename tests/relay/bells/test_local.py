"""The bell of one process."""

import pytest

from tests.contracts.bell import BellContract
from vetrelay.relay.bells.local import LocalBells


class TestLocalBells(BellContract):
    """The local bell keeps the contract."""

    @pytest.fixture
    async def bell(self) -> LocalBells:
        """A bell of this event loop."""
        return LocalBells()


async def test_nothing_is_kept_of_those_who_left() -> None:
    """Thousands come and go: only who listens takes memory."""
    bells = LocalBells()
    for number in range(100):
        with bells.listen(f"topic {number}"):
            pass
    assert {} == bells._listening


async def test_closing_wakes_everybody() -> None:
    """The process ends: no reader is waited for."""
    bells = LocalBells()
    with bells.listen("a") as one, bells.listen("b") as other:
        bells.close()
        assert await one.heard(20)
        assert await other.heard(20)
