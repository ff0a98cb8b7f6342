"""A whole gateway: it comes up, survives its parts, stops cleanly, and comes back where it was."""

import json
import os
import signal
import smtplib
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.gateway import Gateway, Person, running_gateway, type_command

PARTS = ("relay", "intake", "bridge")


def greeted(place: str) -> bool:
    """Whether a mail server says hello there."""
    host, _, port = place.rpartition(":")
    try:
        with smtplib.SMTP(host, int(port)) as session:
            return session.ehlo()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def until(holds: Callable[[], bool]) -> None:
    """Waits for what happens in other processes."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def replaced(gateway: Gateway, name: str) -> Callable[[], bool]:
    """Kills a part, and tells whether another one has taken its place."""
    killed = gateway.child(name)
    os.kill(killed, signal.SIGKILL)

    def is_there() -> bool:
        try:
            return gateway.child(name) != killed
        except (AssertionError, FileNotFoundError):
            return False

    return is_there


def test_a_gateway_lives_through_the_death_of_its_parts_and_comes_back(tmp_path: Path) -> None:
    """kill -9 of each part, then a stop, then a start: one address, nothing lost, no part left behind."""
    folder = tmp_path / "gateway"
    with running_gateway(folder) as gateway:
        ready = json.loads((folder / "ready.json").read_text())
        assert {"url", "clinic_code", "offers", "smtp", "mail_pages"} == ready.keys()
        vet = Person(home=tmp_path / "vet")
        vet.run(
            *("--relay", ready["url"], "clinic", "create", "Practice", "--as", "Dr. X", "--code", ready["clinic_code"])
        )
        for offer in ready["offers"]:
            vet.run("clinic", "adopt", offer)
        case, anna = gateway.case(vet, tmp_path / "anna")
        until(replaced(gateway, "relay"))
        until(lambda: anna.run("send", case, "--text", "after the relay died", code=None).code == 0)
        until(replaced(gateway, "intake"))
        (tmp_path / "notes.txt").write_text("eats well")
        anna.run("send", case, str(tmp_path / "notes.txt"))
        until(lambda: vet.json("read", case)["entries"][-1]["attachments"][0]["verdict"] == "clean")
        until(replaced(gateway, "bridge"))
        until(lambda: greeted(ready["smtp"]))
        children = [gateway.child(name) for name in PARTS]
        second = type_command("up", "--data", str(folder), "--listen", "127.0.0.1:0")
        assert (3, True) == (second.code, "code   already_running" in second.err)
    assert 0 == gateway.process.returncode
    assert not (folder / "ready.json").exists()
    assert [False] * len(PARTS) == [is_alive(child) for child in children]
    log = folder.with_suffix(".log").read_text()
    assert f"ready {gateway.url}" in log
    assert "the message server has ended by itself; it is started again" in log
    assert "the file check has ended by itself; it is started again" in log
    assert "the email bridge has ended by itself; it is started again" in log
    with running_gateway(folder) as again:
        assert gateway.url == again.url
        assert ready["smtp"] == json.loads((folder / "ready.json").read_text())["smtp"]
        new_code = json.loads((folder / "ready.json").read_text())["clinic_code"]
        assert new_code != ready["clinic_code"]  # that one is used
        assert "after the relay died" in vet.run("read", case).out


def test_a_killed_gateway_takes_its_parts_with_it(tmp_path: Path) -> None:
    """kill -9 of `up` itself: nobody is left to hold the address, and the next start needs no care."""
    folder = tmp_path / "gateway"
    with running_gateway(folder) as gateway:
        children = [gateway.child(name) for name in PARTS]
        gateway.process.kill()
        gateway.process.wait()
        until(lambda: not any(map(is_alive, children)))
    with running_gateway(folder) as again:
        assert gateway.url == again.url


def test_a_gateway_that_cannot_come_up_says_so(tmp_path: Path) -> None:
    """A setting that nobody knows: the fault names the part, and nothing runs on."""
    folder = tmp_path / "gateway"
    folder.mkdir()
    (folder / "intake.toml").write_text('data = "intake"\nrelay_url = "unix:relay.sock"\nwrong = 1\n')
    ended = type_command("up", "--data", str(folder), "--listen", "127.0.0.1:0")
    assert 1 == ended.code
    assert "code   bad_config (setting wrong" in ended.err
    assert "code   gateway_failed (part file check)" in ended.err
    assert "" == ended.out


def test_an_address_that_is_taken_is_said(gateway: Gateway, tmp_path: Path) -> None:
    """Two gateways cannot listen in one place."""
    taken = gateway.url.removeprefix("http://")
    ended = type_command("up", "--data", str(tmp_path / "gateway"), "--listen", taken)
    assert 1 == ended.code
    assert "code   bad_listen" in ended.err


def test_a_folder_with_a_long_name_is_no_trouble(tmp_path: Path) -> None:
    """A socket's path may have 107 bytes; a data folder's may have more."""
    folder = tmp_path / ("long-" * 24)
    with running_gateway(folder) as gateway:
        assert len(str(gateway.folder / "relay.sock")) > 107


def test_the_mail_parts_listen_where_they_are_told(tmp_path: Path) -> None:
    """`--smtp` and `--pages` say where; the address of the pages that letters name follows."""
    folder = tmp_path / "gateway"
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        smtp, pages = (f"127.0.0.1:{free.getsockname()[1]}" for free in (one, other))
    with running_gateway(folder, "--smtp", smtp, "--pages", pages):
        ready = json.loads((folder / "ready.json").read_text())
        assert (smtp, f"http://{pages}") == (ready["smtp"], ready["mail_pages"])
        assert greeted(smtp)
        with urllib.request.urlopen(ready["mail_pages"]) as page:
            assert page.status == 200
        assert not (folder / "bridge.code").exists()  # used
