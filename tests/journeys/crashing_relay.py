"""A relay process that kills itself, as a power cut would, when it comes to a named place for the nth time.

Run by tests: `python crashing_relay.py FOLDER PLACE NTH`; prints its origin when it answers, and serves until killed.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from tests.chains import START_MS
from tests.housed_relay import LIMITS
from vetrelay.relay.http.app import build_app
from vetrelay.relay.http.listen import bind, origin_of, serving
from vetrelay.relay.process import open_relay


async def serve(folder: Path, place: str, nth: int) -> None:
    """The real services and the real application, with a killer at one checkpoint."""
    left = nth

    def checkpoint(reached: str) -> None:
        nonlocal left
        left -= reached == place
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    sockets = bind(["127.0.0.1:0"])
    async with (
        open_relay(folder, LIMITS, origins=frozenset(), clock=lambda: START_MS) as relay,
        serving(build_app(replace(relay, checkpoint=checkpoint)), sockets, LIMITS),
    ):
        print(origin_of(sockets[0]), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
