"""Commands that die: `vetrelay` is killed by its own hand (SIGKILL) at a counted moment, in a forked process.

A moment lies before each request to the relay, after each answer, and around everything that is made durable. One
process imports the program once and forks for each command; it reads `{"words", "die_at"}` and answers with JSON lines.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from tests.gateway import Done, clean_environment


class Mortal:
    """The program in a process of its own, from which each command is forked."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.dying"],
            cwd=Path(__file__).parent.parent,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: str, die_at: int = 0) -> Done | None:
        """A command; None when it died. Without `die_at`, or when it ends before that moment, how it ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"words": words, "die_at": die_at}) + "\n")
        self._process.stdin.flush()
        ended = json.loads(self._process.stdout.readline())
        return (
            None if ended["signal"] == signal.SIGKILL else Done(code=ended["code"], out=ended["out"], err=ended["err"])
        )

    def moments(self, words: Callable[[int], tuple[str, ...]]) -> Iterator[int]:
        """Runs the command that `words` gives for each moment, and dies there; ends after the first that survived."""
        moment = 0
        while True:
            moment += 1
            ended = self.run(*words(moment), die_at=moment)
            if ended is not None:
                assert ended.code == 0, ended.err
                yield moment
                return
            yield moment

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate("", timeout=20)


@contextmanager
def mortal_program() -> Iterator[Mortal]:
    """A `Mortal` until the block is left."""
    program = Mortal()
    try:
        yield program
    finally:
        program.close()


def arm(die_at: int) -> None:
    """From here on this process counts its moments, and dies at this one."""
    from vetrelay.cli.filed import Filed
    from vetrelay.client import enrolment, keyring
    from vetrelay.client.api import RelayApi
    from vetrelay.client.journal import Journal

    passed = 0

    def moment() -> None:
        nonlocal passed
        passed += 1
        if passed == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **extra: Any) -> Any:
            moment()
            result = function(*args, **extra)
            moment()
            return result

        return watched

    asked, written, transaction = RelayApi.open, keyring.write_durably, Journal.transaction

    @asynccontextmanager
    async def asking(*args: Any, **extra: Any) -> AsyncIterator[Any]:
        moment()
        async with asked(*args, **extra) as answer:
            moment()
            yield answer

    @contextmanager
    def committing(*args: Any, **extra: Any) -> Iterator[None]:
        with transaction(*args, **extra):
            yield
            moment()
        moment()

    for module in (keyring, enrolment):
        setattr(module, "write_durably", around(written))  # noqa: B010  # it is imported there, not exported
    Filed.add = around(Filed.add)  # type: ignore[method-assign]  # this process lives for one command
    RelayApi.open = asking  # type: ignore[method-assign]  # this process lives for one command
    Journal.transaction = committing  # type: ignore[method-assign]  # the same


def _forked(words: list[str], die_at: int) -> dict[str, Any]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            arm(die_at)
            sys.argv = ["vetrelay", *words]
            from vetrelay.cli.main import main

            try:
                main()
            except SystemExit as ended:
                sys.stdout.flush()
                os._exit(ended.code if isinstance(ended.code, int) else 1)
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        how = {"signal": os.WTERMSIG(status), "code": os.WEXITSTATUS(status)}
        return {**how, "out": out.read().decode(), "err": err.read().decode()}


def main() -> None:
    """Serves commands until standard input ends."""
    for command in ("case", "clinic", "message", "receive", "watch"):
        importlib.import_module(f"vetrelay.cli.{command}")
    for line in sys.stdin:
        wanted = json.loads(line)
        print(json.dumps(_forked(wanted["words"], wanted["die_at"])), flush=True)


if __name__ == "__main__":
    main()
