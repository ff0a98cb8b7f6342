"""Supervising: children that die are started again, and those that cannot start are not tried for ever."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vetrelay.cli import supervise
from vetrelay.cli.supervise import Child, keep_running
from vetrelay.errors import Fault

STEADY = "print('ready', flush=True); print('ready now', flush=True); import time; time.sleep(60)"


def child_of(tmp_path: Path, program: str, name: str = "part") -> Child:
    """A child that runs a small program."""
    return Child(name=name, command=(sys.executable, "-c", program), folder=tmp_path)


async def running(child: Child) -> int:
    """The process id of a child that is ready."""
    await asyncio.wait_for(child.ready.wait(), 20)
    assert child.process is not None
    return child.process.pid


async def until(holds: Callable[[], bool]) -> None:
    """Waits for what happens outside of this process."""
    deadline = time.monotonic() + 20
    while not holds():  # another process does it, so there is no event to wait for
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_killed_child_is_started_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """kill -9 of a child is survived, and said."""
    stopping, child = asyncio.Event(), child_of(tmp_path, STEADY, "message server")
    task = asyncio.create_task(keep_running(child, stopping))
    first = await running(child)
    os.kill(first, signal.SIGKILL)
    await until(lambda: not child.ready.is_set())
    second = await running(child)
    stopping.set()
    await asyncio.wait_for(task, 20)
    assert first != second
    assert not is_alive(second)
    assert "the message server has ended by itself; it is started again" in capsys.readouterr().err


async def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    """The whole process group goes: a helper of a killed child holds nothing open."""
    program = (
        "import subprocess, sys, time\n"
        "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('helper', 'w').write(str(helper.pid))\nprint('ready now', flush=True)\ntime.sleep(60)"
    )
    stopping, child = asyncio.Event(), child_of(tmp_path, program)
    task = asyncio.create_task(keep_running(child, stopping))
    pid = await running(child)
    helper = int((tmp_path / "helper").read_text())
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not child.ready.is_set())
    stopping.set()
    await asyncio.wait_for(task, 20)
    await until(lambda: not is_alive(helper))


async def test_a_child_that_never_comes_up_is_given_up(tmp_path: Path) -> None:
    """Several deaths without ever being ready: the fault names the part."""
    with pytest.raises(Fault) as raised:
        await asyncio.wait_for(
            keep_running(child_of(tmp_path, "raise SystemExit(3)", "file check"), asyncio.Event()), 30
        )
    assert ("gateway_failed", {"part": "file check"}) == (raised.value.code, dict(raised.value.facts))


async def test_a_child_that_does_not_stop_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked first, and given its time."""
    monkeypatch.setattr(supervise, "STOP_SECONDS", 0.3)
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STEADY
    stopping, child = asyncio.Event(), child_of(tmp_path, stubborn)
    task = asyncio.create_task(keep_running(child, stopping))
    pid = await running(child)
    stopping.set()
    await asyncio.wait_for(task, 20)
    assert not is_alive(pid)
