"""What every bell promises, whatever rings it; each adapter's test inherits this suite."""

import asyncio

import pytest

from vetrelay.relay.ports import Bell

LONG_SECONDS = 20.0


class BellContract:
    """Inherit, and give the fixture `bell`: nobody listens yet."""

    @pytest.fixture
    async def bell(self) -> Bell:
        """The bell under test."""
        raise NotImplementedError

    async def test_whoever_listens_is_woken(self, bell: Bell) -> None:
        """A ring for the topic ends the wait."""
        with bell.listen("a") as listening:
            waiting = asyncio.create_task(listening.heard(LONG_SECONDS))
            await asyncio.sleep(0)
            bell.ring(["a"])
            assert await waiting

    async def test_a_ring_between_listening_and_waiting_is_not_missed(self, bell: Bell) -> None:
        """Whoever listens first and looks then may be told while looking."""
        with bell.listen("a") as listening:
            bell.ring(["a"])
            assert await listening.heard(LONG_SECONDS)

    async def test_another_topic_wakes_nobody(self, bell: Bell) -> None:
        """Readers of one case are not woken for another."""
        with bell.listen("a") as listening:
            bell.ring(["b"])
            assert not await listening.heard(0.02)

    async def test_everybody_who_listens_is_woken(self, bell: Bell) -> None:
        """All readers of a topic, by one ring among several."""
        with bell.listen("a") as first, bell.listen("a") as second, bell.listen("c") as third:
            bell.ring(["a", "b", "c"])
            assert [True, True, True] == [await one.heard(LONG_SECONDS) for one in (first, second, third)]

    async def test_a_wait_ends_by_itself(self, bell: Bell) -> None:
        """A lost ring costs one wait and no more."""
        with bell.listen("a") as listening:
            assert not await listening.heard(0.01)

    async def test_not_waiting_at_all_is_answered_at_once(self, bell: Bell) -> None:
        """No seconds to wait: only what was heard already counts."""
        with bell.listen("a") as listening:
            assert not await listening.heard(0)
            bell.ring(["a"])
            assert await listening.heard(0)

    async def test_whoever_stopped_listening_is_not_woken(self, bell: Bell) -> None:
        """A ring for nobody is no error, and a listener that left is not kept."""
        with bell.listen("a") as listening:
            pass
        bell.ring(["a"])
        assert not await listening.heard(0)

    async def test_a_reader_that_goes_away_while_waiting_leaves_nothing_behind(self, bell: Bell) -> None:
        """A client that hangs up cancels its wait; the others are still woken."""

        async def wait() -> bool:
            with bell.listen("a") as listening:
                return await listening.heard(LONG_SECONDS)

        gone, stays = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        bell.ring(["a"])
        assert await stays
        assert gone.cancelled()
