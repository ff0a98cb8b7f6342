"""What the intake has in hand at once."""

import asyncio

from vetrelay.intake.hands import LARGE_BYTES, Hands


async def test_a_photo_never_waits_for_a_study_to_be_done() -> None:
    """Whatever is in hand of large files, small ones have hands of their own."""
    hands = Hands(1)
    async with hands.turn(LARGE_BYTES):
        waiting = asyncio.create_task(_take(hands, 10 * LARGE_BYTES))
        await asyncio.wait_for(_take(hands, 1000), timeout=10)
        assert not waiting.done()
    await asyncio.wait_for(waiting, timeout=10)


async def test_no_more_is_in_hand_than_there_are_hands() -> None:
    """Each hand is a file on this machine's disk: their number is bounded."""
    hands = Hands(1)
    async with hands.turn(1), hands.turn(1):
        waiting = asyncio.create_task(_take(hands, 1))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await asyncio.wait_for(waiting, timeout=10)


async def _take(hands: Hands, size_bytes: int) -> None:
    async with hands.turn(size_bytes):
        pass
