"""The listener with a whole mailroom behind it, in a process that kills itself (SIGKILL) at a named point.

Run as `python -m tests.bridge.dying_reception FOLDER DNS POINT COUNT`: dies when POINT is reached for the COUNT-th time
(COUNT 0: never). Prints where it listens, as one line.
"""

import asyncio
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.bridge.mailrooms import mailroom, reception_of
from vetrelay.bridge.receiving.smtp_in import listen

POINTS = (
    "data.first_byte",
    "data.middle",
    "data.whole",
    "spool.synced",
    "spool.renamed",
    "spool.folder_synced",
    "row.open",
    "row.committed",
    "before_250",
)


def deadly(point: str, count: int) -> Callable[[str], None]:
    """A checkpoint that ends the process there and then."""
    reached: Counter[str] = Counter()

    def checkpoint(name: str) -> None:
        reached[name] += 1
        if name == point and reached[name] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    return checkpoint


async def main(folder: Path, dns: str, point: str, count: int) -> None:
    """Listens until standard input ends."""
    async with mailroom(folder, dns, checkpoint=deadly(point, count)) as room:
        room.spool.sweep(room.arrivals.spools(), older_than_seconds=0)
        listening = await listen(reception_of(room), config=room.config, tls=None, random_bytes=secrets.token_bytes)
        print(listening.listens[0], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await listening.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
