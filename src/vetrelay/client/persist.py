"""Persisting: a step that depends on the relay is tried again, ever more slowly, until the relay is there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from vetrelay.client.outbox import STANDING
from vetrelay.errors import Fault, Refusal, VetRelayError
from vetrelay.telemetry import event_log

T = TypeVar("T")
FIRST_WAIT_SECONDS: Final = 0.2
LONGEST_WAIT_SECONDS: Final = 15.0
MENDED_BY_OTHERS: Final = STANDING | {"head_stale", "too_many_leases"}
"""Refusals that end by themselves, or when somebody sets a clock or updates: the step waits for it."""


def may_pass(error: VetRelayError) -> bool:
    """Whether the same step may succeed later."""
    return isinstance(error, Fault) or error.code in MENDED_BY_OTHERS


async def persist(step: Callable[[], Awaitable[T]]) -> T:
    """The step's result, however long it takes. Raises the Refusal that will not pass."""
    wait_seconds = FIRST_WAIT_SECONDS
    while True:
        try:
            return await step()
        except (Fault, Refusal) as stopped:
            if not may_pass(stopped):
                raise
            event_log()("machine.waits", code=stopped.code, milliseconds=round(wait_seconds * 1000))
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, LONGEST_WAIT_SECONDS)
