"""A sender that kills itself at the nth thing it does to its disk or its network: `python -m tests.journeys.dying_sender`.

Reads one JSON line per attempt (home, url, case, text, files, nth) and answers with one JSON line: how the attempt
ended, what it told the person, how many things it did. Each attempt is a process of its own, forked from this one,
which has only loaded the code; nth 0 is an attempt that lives.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import structs

from vetrelay.client.end import open_end
from vetrelay.client.keyring import load_keyring
from vetrelay.client.say import say

CHANGES = ("INSERT", "UPDATE", "DELETE", "COMMIT")


class Steps:
    """Counts what is done, and kills this process before the nth of it."""

    def __init__(self, nth: int) -> None:
        self.count = 0
        self.nth = nth

    def take(self) -> None:
        """One more step is about to be taken."""
        self.count += 1
        if self.count == self.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def sql(self, statement: str) -> None:
        """A statement is about to be carried out."""
        if statement.startswith(CHANGES):
            self.take()

    def counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, counted."""

        def call(*arguments: Any, **named: Any) -> Any:
            self.take()
            return function(*arguments, **named)

        return call

    def tracing(self) -> aiohttp.TraceConfig:
        """Before a request goes out, and when its answer is here."""
        config = aiohttp.TraceConfig()

        async def hear(*_facts: object) -> None:
            self.take()

        config.on_request_start.append(hear)
        config.on_request_end.append(hear)
        return config


async def attempt(asked: dict[str, Any], steps: Steps) -> str:
    """`vetrelay send`, as the command does it: say, tell, report."""
    home = Path(asked["home"])
    keyring = structs.replace(load_keyring(home, passphrase=None), relay_url=asked["url"])
    async with open_end(home, keyring, now_ms=lambda: time.time_ns() // 1_000_000, random_bytes=os.urandom) as end:
        end.journal._db.set_trace_callback(steps.sql)
        tracing = steps.tracing()
        tracing.freeze()
        end.api.http._trace_configs.append(tracing)
        promised, receipt = await say(
            end, asked["case"], text=asked["text"], files=[Path(name) for name in asked["files"]]
        )
        assert receipt.entry is not None
        end.journal.report(promised.id)
        return receipt.entry


def child(asked: dict[str, Any], told: int) -> None:
    """One attempt in this process, which ends with it."""
    steps = Steps(asked["nth"])
    os.fsync = steps.counted(os.fsync)
    os.unlink = steps.counted(os.unlink)
    entry = asyncio.run(attempt(asked, steps))
    os.write(told, json.dumps({"entry": entry, "steps": steps.count}).encode())
    os._exit(0)


def main() -> None:
    """Attempts until there are no more lines."""
    for line in sys.stdin:
        reading, telling = os.pipe()
        process = os.fork()
        if not process:
            child(json.loads(line), telling)
        os.close(telling)
        with os.fdopen(reading, "rb") as told:
            answer = json.loads(told.read() or b"{}")
        _, status = os.waitpid(process, 0)
        print(json.dumps({**answer, "ended": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
