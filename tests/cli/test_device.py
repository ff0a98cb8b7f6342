"""The keys of a home folder: exported on explicit wish, locked, unlocked."""

import stat
from pathlib import Path

import pytest

from tests.gateway import Gateway, Person
from vetrelay.client.keyring import load_keyring
from vetrelay.protocol.age.identities import HybridIdentity, parse_identity
from vetrelay.protocol.ids import unb64


@pytest.fixture(scope="module")
def anna(gateway: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A household."""
    folder = tmp_path_factory.mktemp("device")
    return gateway.case(gateway.clinic(folder / "vet"), folder / "anna")[1]


def test_the_identity_is_printed_only_on_explicit_wish(anna: Person) -> None:
    """The answer is the key alone; the warning names whose it is."""
    assert "not_printed" in anna.run("device", "export-identity", code=3).err
    done = anna.run("device", "export-identity", "--unsafe-print")
    comment, key = done.out.splitlines()
    assert "# party key, generation 0" == comment
    assert key.startswith("AGE-SECRET-KEY-PQ-1")
    identity = parse_identity(key)
    assert isinstance(identity, HybridIdentity)
    assert identity.recipient == HybridIdentity(unb64(load_keyring(anna.home, passphrase=None).keys[0].seed)).recipient
    assert "WARNING: these are the secret keys of Anna Meier" in done.err


def test_the_home_is_for_its_owner_alone(anna: Person) -> None:
    """The folder and everything in it."""
    assert 0o700 == stat.S_IMODE(anna.home.stat().st_mode)
    for path in anna.home.rglob("*"):
        assert 0 == stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_a_locked_keyring_opens_with_its_passphrase_alone(anna: Person) -> None:
    """From the environment, where nobody can be asked; and can be unlocked again."""
    assert "passphrase_needed" in anna.run("device", "lock", code=3).err
    anna.run("device", "lock", VETRELAY_PASSPHRASE="correct horse")
    assert "already_locked" in anna.run("device", "lock", code=3, VETRELAY_PASSPHRASE="other").err
    assert "passphrase_needed" in anna.run("case", "list", code=3).err
    assert "wrong_passphrase" in anna.run("case", "list", code=3, VETRELAY_PASSPHRASE="wrong").err
    anna.run("case", "list", VETRELAY_PASSPHRASE="correct horse")
    anna.run("device", "unlock", VETRELAY_PASSPHRASE="correct horse")
    anna.run("case", "list")


def test_a_new_identity_is_locked_when_a_passphrase_is_set(gateway: Gateway, anna: Person, tmp_path: Path) -> None:
    """It is never on the disk without it."""
    vet = gateway.clinic(tmp_path / "vet")
    case = vet.word("case", "open", "--title", "T")
    person = Person(home=tmp_path / "home")
    link = vet.word("case", "invite", case)
    person.run("case", "join", link, "--name", "Ben", VETRELAY_PASSPHRASE="secret")
    assert b'"locked"' in (person.home / "keyring.json").read_bytes()
    assert "passphrase_needed" in person.run("read", case, code=3).err
    person.run("read", case, VETRELAY_PASSPHRASE="secret")
