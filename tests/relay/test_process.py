"""The relay as a process: what it makes at its first start, whom it lets beside it, how it ends."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_IMODE

import pytest

from tests.ends import End, world_at
from vetrelay.config import RelayConfig, RelayLimits
from vetrelay.errors import Fault
from vetrelay.relay import enrol
from vetrelay.relay.process import DATABASE, LOG_KEY, issue_code, load_log_key, open_relay

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import json, sys
from vetrelay.config import RelayConfig
from vetrelay.errors import VetRelayError
from vetrelay.relay import enrol
from vetrelay.relay.process import run
try:
    run(RelayConfig(data=sys.argv[1], listen=("127.0.0.1:0",)), ready=lambda told: print(json.dumps(told), flush=True))
except VetRelayError as no:
    print(json.dumps(no.code), flush=True)
"""


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A relay process on a folder."""
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def told(child: "subprocess.Popen[str]") -> object:
    """What the process says first."""
    assert child.stdout is not None
    return json.loads(child.stdout.readline())


def test_it_says_where_it_listens_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """SIGTERM: no request is cut, nothing is left behind, the exit is clean."""
    with running(tmp_path) as child:
        origins = told(child)
        assert isinstance(origins, list)
        with urllib.request.urlopen(f"{origins[0]}/health") as answer:
            assert {"status": "live"} == json.load(answer)
        child.send_signal(signal.SIGTERM)
        assert 0 == child.wait(20)


def test_a_second_relay_on_the_same_folder_does_not_start(tmp_path: Path) -> None:
    """Each would believe to be the only one who writes."""
    with running(tmp_path) as first:
        assert isinstance(told(first), list)  # it has the lock now; two that start at once may get it in either order
        with running(tmp_path) as second:
            assert "already_running" == told(second)


def test_the_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    """However it ended."""
    with running(tmp_path) as first:
        told(first)
        first.kill()
        first.wait(20)
        with running(tmp_path) as second:
            assert isinstance(told(second), list)


def test_the_log_key_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    """Whoever has it can lie about every log."""
    first = load_log_key(tmp_path, random_bytes=os.urandom)
    assert 0o600 == S_IMODE((tmp_path / LOG_KEY).stat().st_mode)
    assert first.public == load_log_key(tmp_path, random_bytes=os.urandom).public


@pytest.mark.parametrize("content", [None, b"", b"too short"])
async def test_a_relay_that_lost_its_log_key_does_not_become_another(tmp_path: Path, content: bytes | None) -> None:
    """Its clients would take it for a liar: it says so and does not start."""
    async with open_relay(tmp_path, RelayLimits(), origins=frozenset()):
        pass
    if content is None:
        (tmp_path / LOG_KEY).unlink()
    else:
        (tmp_path / LOG_KEY).write_bytes(content)
    with pytest.raises(Fault, match="bad_log_key"):
        load_log_key(tmp_path, random_bytes=os.urandom)


def test_what_it_keeps_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Folder, database and key: nobody else on the machine reads them."""
    folder = tmp_path / "relay"
    with running(folder) as child:
        told(child)
        modes = {name: S_IMODE((folder / name).stat().st_mode) for name in (".", DATABASE, LOG_KEY)}
    assert {".": 0o700, DATABASE: 0o600, LOG_KEY: 0o600} == modes


def test_a_code_is_issued_beside_a_running_relay(tmp_path: Path) -> None:
    """And good at once."""
    with running(tmp_path) as child:
        told(child)
        code = issue_code(RelayConfig(data=str(tmp_path)), "clinic")
    assert 4 == len(code.split("-"))


async def test_an_issued_code_lets_one_clinic_in_however_it_is_typed(tmp_path: Path) -> None:
    """Small letters, spaces and missing dashes are what people type."""
    async with world_at(tmp_path) as world:
        code = await enrol.issue_code(world.relay, "clinic")
        clinic = End(world, "clinic", "clinic")
        assert 201 == (await clinic.enrol(f" {code.lower().replace('-', ' ')} ")).status
        assert 200 == (await clinic.enrol(code)).status
        assert "code_used" == (await End(world, "another", "clinic").enrol(code)).code
        assert (
            "code_unknown"
            == (await End(world, "machine", "machine").enrol(await enrol.issue_code(world.relay, "clinic"))).code
        )
