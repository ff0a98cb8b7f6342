"""kill -9 at every moment of a command, then the same command again: it goes on where it was, and doubles nothing."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dying import Mortal, mortal_program
from tests.gateway import Gateway, Person

LEAST_MOMENTS = 10


@pytest.fixture(scope="module")
def vet(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A clinic."""
    return gateway.clinic(tmp_path_factory.mktemp("vet") / "home")


@pytest.fixture(scope="module")
def program() -> Iterator[Mortal]:
    """A program that can be killed at any moment."""
    with mortal_program() as mortal:
        yield mortal


def finish(program: Mortal, *words: str) -> str:
    """The same command again, to its end; what it answers."""
    ended = program.run(*words)
    assert ended is not None
    assert ended.code == 0, ended.err
    return ended.out.strip()


def test_send_killed_anywhere_and_repeated_is_one_message(
    gateway: Gateway, vet: Person, program: Mortal, tmp_path: Path
) -> None:
    """Text and file, killed before and after each request and each commit: there once, in order, with its file."""
    case, anna = gateway.case(vet, tmp_path / "anna")
    (tmp_path / "notes.txt").write_text("eats well")

    def sending(moment: int) -> tuple[str, ...]:
        return ("--home", str(anna.home), "send", case, "--text", f"message {moment}", str(tmp_path / "notes.txt"))

    sent: dict[str, str] = {}
    last = 0
    for last in program.moments(sending):
        sent[f"message {last}"] = finish(program, *sending(last))
    texts = Counter(entry["text"] for entry in vet.json("read", case)["entries"])
    # The one that was not killed was sent, and its repeat is a new message of the same words.
    assert Counter(dict.fromkeys(sent, 1)) + Counter([f"message {last}"]) == texts
    assert last > LEAST_MOMENTS
    known = {entry["envelope"]: entry for entry in vet.json("read", case)["entries"]}
    assert sent == {known[envelope]["text"]: envelope for envelope in sent.values()}
    assert {1} == {len(entry["attachments"]) for entry in known.values()}
    assert [] == list((anna.home / "spool").iterdir())


def test_join_killed_anywhere_and_repeated_is_one_party(
    gateway: Gateway, vet: Person, program: Mortal, tmp_path: Path
) -> None:
    """From an empty home to a member who can write: one identity, one party, whatever came between."""
    cases: dict[int, tuple[str, str]] = {}

    def joining(moment: int) -> tuple[str, ...]:
        case = vet.word("case", "open", "--title", f"Case {moment}")
        cases[moment] = (case, vet.word("case", "invite", case))
        return ("--home", str(tmp_path / f"home {moment}"), "case", "join", cases[moment][1], "--name", "Anna")

    last = 0
    for last in program.moments(joining):
        case, link = cases[last]
        home = tmp_path / f"home {last}"
        kept = (home / "keyring.json").read_bytes() if (home / "keyring.json").exists() else None
        assert case == finish(program, "--home", str(home), "case", "join", link, "--name", "Anna")
        assert kept in (None, (home / "keyring.json").read_bytes())
        assert not (home / "enrolment.json").exists()
        owners = [party for party in vet.json("case", "show", case)["parties"] if party["role"] == "owner"]
        assert ["Anna"] == [party["name"] for party in owners]
        anna = Person(home=home)
        assert [f"Case {last}"] == [one["title"] for one in anna.json("case", "list")["cases"]]
        anna.run("send", case, "--text", "here I am")
    assert last > LEAST_MOMENTS


def test_open_killed_anywhere_and_repeated_is_one_case(vet: Person, program: Mortal) -> None:
    """One title, one case."""

    def opening(moment: int) -> tuple[str, ...]:
        return ("--home", str(vet.home), "case", "open", "--title", f"Opened at {moment}")

    opened: dict[str, str] = {}
    last = 0
    for last in program.moments(opening):
        opened[f"Opened at {last}"] = finish(program, *opening(last))
    titles = Counter(one["title"] for one in vet.json("case", "list")["cases"])
    assert {1} == {titles[title] for title in opened if title != f"Opened at {last}"}
    assert last > LEAST_MOMENTS


def test_approve_killed_anywhere_and_repeated_lets_in_once(
    gateway: Gateway, vet: Person, program: Mortal, tmp_path: Path
) -> None:
    """Whoever waited is in, and the command that was repeated says so."""
    case, _ = gateway.case(vet, tmp_path / "anna")
    moment = 0
    for moment in range(1, 1000, 3):
        newcomer = Person(home=tmp_path / f"newcomer {moment}")
        newcomer.run(
            "case", "join", vet.word("case", "invite", case, "--role", "consultant"), "--name", f"Dr. {moment}"
        )
        words = ("--home", str(vet.home), "case", "approve", case)
        ended = program.run(*words, die_at=moment)
        if ended is not None:
            break
        assert "can read this case from now on" in finish(program, *words)
        vet.run("case", "remove", case, newcomer.json("case", "show", case)["parties"][-1]["party"])
    assert moment > LEAST_MOMENTS


def test_clinic_create_killed_anywhere_and_repeated_is_one_clinic(
    gateway: Gateway, program: Mortal, tmp_path: Path
) -> None:
    """One code, one clinic: the keys were safe before the code was spent."""
    somebody = Person(home=tmp_path / "nobody")
    codes: dict[int, str] = {}

    def creating(moment: int) -> tuple[str, ...]:
        if moment not in codes:
            codes[moment] = somebody.word("relay", "code", "clinic", "--config", str(gateway.folder / "relay.toml"))
        where = ("--home", str(tmp_path / f"home {moment}"), "--relay", gateway.url)
        return (*where, "clinic", "create", "Practice", "--as", "Dr. X", "--code", codes[moment])

    last = 0
    for last in program.moments(creating):
        assert "fingerprint" in finish(program, *creating(last))
        Person(home=tmp_path / f"home {last}").run("case", "open", "--title", "works")
    assert last > 4
