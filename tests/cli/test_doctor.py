"""The doctor: what is fit, what is not, and what to do."""

import re
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.gateway import Gateway, Person, running_gateway
from vetrelay.cli import checkup
from vetrelay.errors import Fault

LOCAL = {"sandbox (seccomp)", "Landlock", "libmagic", "HEIC photos", "videos and sound", "disk", "durable writes"}


def checks(person: Person, *words: str, code: int = 0) -> dict[str, dict[str, str]]:
    """The doctor's checks by name."""
    return {one["check"]: one for one in person.json("doctor", *words, code=code)["checks"]}


def test_a_machine_alone_is_checked_without_an_address(tmp_path: Path) -> None:
    """Sandbox, libmagic, disk; and a word that the rest was not looked at."""
    found = checks(Person(home=tmp_path / "home"))
    assert {*LOCAL, "message server"} == found.keys()
    assert {"ok"} == {found[name]["verdict"] for name in ("sandbox (seccomp)", "libmagic", "durable writes")}
    assert ("warn", "not checked") == (found["message server"]["verdict"], found["message server"]["what"])


def test_a_gateway_is_checked_through_its_address(gateway: Gateway, tmp_path: Path) -> None:
    """Clock and readiness for everybody; uploads for who takes part in a case there."""
    stranger = checks(Person(home=tmp_path / "stranger"), gateway.url)
    assert ("ok", "ok", "warn") == tuple(
        stranger[name]["verdict"] for name in ("clock", "message server", "uploads on the way")
    )
    vet = gateway.clinic(tmp_path / "vet")
    vet.run("case", "open", "--title", "T")
    found = checks(vet)
    assert {"ok"} == {found[name]["verdict"] for name in ("clock", "message server", "uploads on the way")}
    assert re.match(r"ok +uploads on the way: of 2\.1 MB sent", vet.run("doctor").out.splitlines()[-1])


def test_an_address_where_nobody_listens_is_bad(tmp_path: Path) -> None:
    """Exit 1, and what to do."""
    found = checks(Person(home=tmp_path / "home"), "http://127.0.0.1:9", code=1)
    assert "bad" == found["message server"]["verdict"]
    assert found["message server"]["to_do"]


class Holding(socketserver.StreamRequestHandler):
    """What a proxy with request buffering does: it passes a request on when all of it has come."""

    def handle(self) -> None:
        """One request and its answer."""
        lines: list[bytes] = []
        while (line := self.rfile.readline()) not in (b"\r\n", b""):
            lines.append(line)
        if not lines:
            return
        sizes = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        body = self.rfile.read(sizes[0]) if sizes else b""
        if sizes and len(body) < sizes[0]:
            return  # cut short: such a proxy passes nothing on
        kept = [line for line in lines if not line.lower().startswith(b"connection:")]
        with socket.create_connection(self.server.upstream) as upstream:  # type: ignore[attr-defined]  # set below
            upstream.sendall(b"".join([*kept, b"Connection: close\r\n\r\n", body]))
            while piece := upstream.recv(65536):
                self.wfile.write(piece)


@contextmanager
def holding_proxy() -> Iterator[tuple[int, socketserver.ThreadingTCPServer]]:
    """Such a proxy and its port; it is told its upstream later."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Holding) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1], server
        finally:
            server.shutdown()
            thread.join()


def test_a_proxy_that_holds_uploads_back_is_found_out(tmp_path: Path) -> None:
    """Half an upload is sent and held: nothing has arrived, so nothing could be resumed."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    with holding_proxy() as (port, server):
        public = f"http://127.0.0.1:{port}"
        (folder / "relay.toml").write_text(f'data = "relay"\norigins = ["{public}"]\n')
        with running_gateway(folder) as gateway:
            assert public == gateway.url
            listening = (folder / "listen.json").read_text()
            server.upstream = ("127.0.0.1", int(re.findall(r":(\d+)", listening)[0]))  # type: ignore[attr-defined]  # ours
            vet = gateway.clinic(tmp_path / "vet")
            vet.run("case", "open", "--title", "T")
            found = checks(vet, code=1)
    assert "ok" == found["message server"]["verdict"]
    assert "bad" == found["uploads on the way"]["verdict"]
    assert "proxy_request_buffering off" in found["uploads on the way"]["to_do"]


async def test_a_machine_without_a_sandbox_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file check would open no file there."""

    def absent(*_: object, **__: object) -> None:
        raise Fault("no_sandbox")

    monkeypatch.setattr("vetrelay.cli.checkup.Inspector.start", absent)
    (only,) = await checkup.sandbox()
    assert ("bad", "sandbox (seccomp)") == (only.verdict, only.name)
    assert "allow seccomp" in only.mend


@pytest.mark.parametrize(("free_bytes", "verdict"), [(100 * 1024**2, "bad"), (1024**3, "warn"), (100 * 1024**3, "ok")])
def test_room_is_judged(free_bytes: int, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too little is bad, little is a warning."""
    usage = type("Usage", (), {"free": free_bytes})
    monkeypatch.setattr("vetrelay.cli.checkup.shutil.disk_usage", lambda _: usage)
    assert verdict == checkup.disk(tmp_path)[0].verdict
    assert [] == list(tmp_path.iterdir())


def test_a_slow_disk_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every accepted message waits for it."""
    monkeypatch.setattr(checkup, "_sync_ms", lambda _: 80.0)
    slow = checkup.disk(tmp_path)[1]
    assert ("warn", "a write is on the disk after 80.0 ms") == (slow.verdict, slow.what)


def test_a_folder_that_takes_no_file_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be made durable there."""

    def refused(_: Path) -> float:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(checkup, "_sync_ms", refused)
    assert ("bad", "Permission denied") == (checkup.disk(tmp_path)[1].verdict, checkup.disk(tmp_path)[1].what)


@pytest.mark.parametrize(("ahead_ms", "verdict"), [(0, "ok"), (120_000, "warn"), (3_600_000, "bad")])
def test_a_clock_is_judged(
    ahead_ms: int, verdict: str, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute is noticed; a quarter of an hour is longer than a session."""
    real = time.time_ns
    monkeypatch.setattr("vetrelay.cli.doctor.now_ms", lambda: real() // 1_000_000 + ahead_ms)
    found = checks(Person(home=tmp_path / "home"), gateway.url, code=1 if verdict == "bad" else 0)
    assert verdict == found["clock"]["verdict"]
