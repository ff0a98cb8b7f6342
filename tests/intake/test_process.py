"""The intake's process: its first start, its refusals to start, and how it stops."""

import asyncio
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.practice import now_ms
from tests.processes import ROOT, Process, enrolment_code, intake_at, relay
from vetrelay.client.admission import admitted
from vetrelay.client.enrolment import FILE_NAME as ENROLMENT
from vetrelay.client.keyring import FILE_NAME as KEYRING
from vetrelay.client.parties import read_offer
from vetrelay.config import IntakeConfig, parse_config
from vetrelay.errors import Refusal
from vetrelay.intake.process import inspection_settings
from vetrelay.protocol.ids import fingerprint


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """The folder and the address of a relay."""
    folder = tmp_path_factory.mktemp("relay")
    with relay(folder) as process:
        yield folder, str(process.told["url"])


def config_at(home: Path, url: str, code: str | None) -> IntakeConfig:
    """Settings as a process would read them."""
    return IntakeConfig(data=str(home), relay_url=url, code=code)


async def test_it_offers_itself_once_it_is_enrolled_and_stops_when_told(
    running: tuple[Path, str], tmp_path: Path
) -> None:
    """The offer is a file that everybody may read and that names party, relay and fingerprint; SIGTERM ends it with 0."""
    folder, url = running
    intake = intake_at(tmp_path, url, code=await enrolment_code(folder, "machine"))
    intake.start()
    offer_path = Path(str(intake.told["offer"]))
    offer = read_offer(offer_path)
    assert 0 == intake.end()
    assert 0o644 == stat.S_IMODE(offer_path.stat().st_mode)
    assert ("intake", url, fingerprint(offer.party)) == (offer.role, offer.relay_url, offer.fingerprint)
    assert 0o600 == stat.S_IMODE((tmp_path / "intake" / KEYRING).stat().st_mode)
    assert not (tmp_path / "intake" / ENROLMENT).exists()


async def test_a_second_start_is_the_same_machine_and_needs_no_code(running: tuple[Path, str], tmp_path: Path) -> None:
    """The code was spent at the first."""
    folder, url = running
    parties = []
    for code in (await enrolment_code(folder, "machine"), "spent-or-lost"):
        intake = intake_at(tmp_path, url, code=code)
        intake.start()
        parties.append(read_offer(Path(str(intake.told["offer"]))).party)
        intake.end()
    assert parties[0] == parties[1]


async def test_a_kill_before_the_relay_has_answered_spends_no_second_code(
    running: tuple[Path, str], tmp_path: Path
) -> None:
    """Whether the relay had taken the party in or not, the same party enrols with the same code again."""
    folder, url = running
    config = config_at(tmp_path, url, await enrolment_code(folder, "machine"))
    with pytest.raises(Refusal, match="code_unknown"):
        await admitted(config_at(tmp_path, url, "WRONG-CODE"), "intake", now_ms=now_ms, random_bytes=os.urandom)
    kept = (tmp_path / ENROLMENT).read_bytes()
    first = await admitted(config, "intake", now_ms=now_ms, random_bytes=os.urandom)
    (tmp_path / ENROLMENT).write_bytes(kept)  # killed after the relay had answered and before that was noted
    second = await admitted(config, "intake", now_ms=now_ms, random_bytes=os.urandom)
    assert first == second


async def test_the_code_may_stand_in_a_file_of_its_own(running: tuple[Path, str], tmp_path: Path) -> None:
    """So that the settings hold nothing secret."""
    folder, url = running
    code_file = tmp_path / "code"
    code_file.write_text((await enrolment_code(folder, "machine")) + "\n")
    config = IntakeConfig(data=str(tmp_path / "intake"), relay_url=url, code_file=str(code_file))
    assert (await admitted(config, "intake", now_ms=now_ms, random_bytes=os.urandom)).party


async def test_without_a_code_the_first_start_ends_and_says_so(running: tuple[Path, str], tmp_path: Path) -> None:
    """Nobody but whoever runs the relay lets a machine in."""
    with pytest.raises(Refusal, match="needs_code"):
        await admitted(config_at(tmp_path, running[1], None), "intake", now_ms=now_ms, random_bytes=os.urandom)


async def test_it_belongs_to_the_relay_it_enrolled_at(running: tuple[Path, str], tmp_path: Path) -> None:
    """At another relay's address it refuses to start: its cases are not there."""
    folder, url = running
    config = config_at(tmp_path / "intake", url, await enrolment_code(folder, "machine"))
    await admitted(config, "intake", now_ms=now_ms, random_bytes=os.urandom)
    with relay(tmp_path / "other") as other:
        moved = config_at(tmp_path / "intake", str(other.told["url"]), None)
        with pytest.raises(Refusal, match="wrong_relay"):
            await admitted(moved, "intake", now_ms=now_ms, random_bytes=os.urandom)


def test_without_a_jail_it_does_not_start(running: tuple[Path, str], tmp_path: Path) -> None:
    """Exit code 1, one sentence, no key made, no code spent: files that cannot be confined are never opened."""
    intake = intake_at(tmp_path, running[1], code="unused", worker="unconfined")
    intake.start(until_ready=False)
    assert 1 == intake.wait()
    assert "[no_sandbox]" in intake.log.read_text()
    assert not (tmp_path / "intake" / KEYRING).exists()


async def test_two_intakes_do_not_share_a_folder(running: tuple[Path, str], tmp_path: Path) -> None:
    """The second ends at once; the first goes on."""
    folder, url = running
    first = intake_at(tmp_path, url, code=await enrolment_code(folder, "machine"))
    first.start()
    second = Process(first.arguments, tmp_path / "second.log")
    second.start(until_ready=False)
    assert 1 == second.wait()
    assert "[already_running]" in second.log.read_text()
    assert 0 == first.end()


async def test_it_waits_for_a_relay_that_is_not_there_yet(tmp_path: Path) -> None:
    """Started first, on the relay's socket, it enrols when the relay comes up."""
    address = f"unix:{tmp_path / 'relay.sock'}"
    with relay(tmp_path, address):
        code = await enrolment_code(tmp_path, "machine")
    intake = intake_at(tmp_path, address, code=code)
    intake.start(until_ready=False)
    try:
        while "machine.waits" not in intake.log.read_text():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
        with relay(tmp_path, address):
            intake.hear()
            assert Path(str(intake.told["offer"])).exists()
    finally:
        assert 0 == intake.end(signal.SIGTERM)


def test_the_settings_that_are_shown_are_settings_it_takes() -> None:
    """`config/intake.toml` can be copied as it is; only the code is missing."""
    shown = parse_config((ROOT / "config" / "intake.toml").read_text(), IntakeConfig)
    assert shown == IntakeConfig(data=shown.data, relay_url=shown.relay_url, types=shown.types)
    assert inspection_settings(IntakeConfig(data="", relay_url="")) == inspection_settings(shown)
