"""All that the relay knows of a case, in words: and no word of what was said."""

from pathlib import Path

import pytest

from tests.gateway import Gateway, Person, type_here


@pytest.fixture(scope="module")
def luna(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A case in which something was said and a file was sent."""
    folder = tmp_path_factory.mktemp("look")
    vet = gateway.clinic(folder / "vet", name="Quincetoes Practice", person="Dr. Marzipan")
    case, anna = gateway.case(vet, folder / "anna", title="Kedgeree", owner="Fennimore")
    (folder / "thistle.txt").write_text("zephyrhill")
    anna.run("send", case, "--text", "gorsethorn", str(folder / "thistle.txt"))
    for _ in range(10):
        vet.run("receive", "--wait", "5", code=None)
        if vet.json("read", case)["entries"][-1]["attachments"][0]["verdict"] != "pending":
            break
    return case


def look(gateway: Gateway, *words: str, code: int = 0) -> str:
    """What `relay look` says."""
    done = type_here("relay", "look", "--data", str(gateway.folder), *words)
    assert code == done.code, done.err
    return done.out or done.err


def test_a_case_is_told_in_words(gateway: Gateway, luna: str) -> None:
    """Parties by fingerprint, devices, roles, times, sizes, classes, audiences, verdict codes, who fetched up to where."""
    told = look(gateway, luna[:8])
    for words in (
        "a clinic as care",
        "a household as owner",
        "a machine as intake",
        "has fetched up to position",
        "opens the case",
        "makes a link for one newcomer",
        "joins by a link",
        "sends a message to ",
        "1 slip",
        "1 attachment",
        "verdict: 1 clean",
        "It has no names of people",
    ):
        assert words in told


def test_no_word_of_what_was_said_is_told(gateway: Gateway, luna: str) -> None:
    """Not in words, not in JSON: the relay has none."""
    for told in (look(gateway, luna), look(gateway), look(gateway, luna, "--json"), look(gateway, "--json")):
        for word in ("Quincetoes", "Marzipan", "Kedgeree", "Fennimore", "thistle", "zephyrhill", "gorsethorn"):
            assert word not in told


def test_the_whole_relay_is_told(gateway: Gateway, luna: str) -> None:
    """Every party, every case, without their logs."""
    told = look(gateway)
    assert luna in told
    assert "unused code" in told
    assert "a machine, here since" in told


def test_a_case_that_is_not_there_ends_with_4(gateway: Gateway) -> None:
    """Too short a beginning, or one of no case."""
    assert "no_such_case" in look(gateway, "AAA", code=4)
    assert "no_such_case" in look(gateway, "A" * 43, code=4)


def test_looking_needs_a_gateway(tmp_path: Path) -> None:
    """One of --data and --config, and a relay that was started there."""
    assert 2 == type_here("relay", "look").code
    assert 2 == type_here("relay", "look", "--data", str(tmp_path)).code
    (tmp_path / "relay.toml").write_text('data = "relay"\n')
    assert "has not been started" in type_here("relay", "look", "--config", str(tmp_path / "relay.toml")).err


def test_looking_changes_nothing(gateway: Gateway, luna: str) -> None:
    """It reads while the relay works, and writes nothing."""
    before = (gateway.folder / "relay" / "relay.sqlite").stat().st_mtime_ns
    look(gateway, luna)
    assert before == (gateway.folder / "relay" / "relay.sqlite").stat().st_mtime_ns


def test_a_relay_needs_a_settings_file_or_a_command() -> None:
    """`vetrelay relay` alone does not know which one."""
    assert 2 == type_here("relay").code


def test_a_fresh_code_lets_one_clinic_in(gateway: Gateway, tmp_path: Path) -> None:
    """And no second one."""
    config = ("--config", str(gateway.folder / "relay.toml"))
    code = type_here("relay", "code", "clinic", *config).out.strip()
    words = ("--relay", gateway.url, "clinic", "create", "Name", "--as", "Person", "--code", code)
    Person(home=tmp_path / "one").run(*words)
    assert "code_used" in Person(home=tmp_path / "two").run(*words, code=3).err
