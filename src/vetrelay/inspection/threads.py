"""Work in a thread that nobody walks away from: what it reads and writes may be closed once it is waited for.

`asyncio.to_thread` would let it go on, after a cancel, with descriptors that may mean another file by then.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_its_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of `work`, done in a thread. Raises what it raises.

    Whoever is cancelled meanwhile still waits until the thread is done.
    """
    return await _waited_for(partial(work, *args, **kwargs), Event())


async def until_stopped(work: Callable[[Event], T]) -> T:
    """The same for work that looks now and then whether it should stop, which a cancel tells it. Raises what it raises."""
    stop = Event()
    return await _waited_for(partial(work, stop), stop)


async def _waited_for(work: Callable[[], T], stop: Event) -> T:
    # A plain future and not a task: what ends a whole loop cancels every task, and a thread cannot be cancelled.
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop.set()
        while not working.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # seen, so that nobody is told that it was not
        raise
