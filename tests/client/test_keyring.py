"""The keyring: whole or not at all, for its owner's eyes alone, and telling nobody what is in it."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec
import pytest

from vetrelay.client.keyring import FILE_NAME, Keyring, StoredKey, is_locked, load_keyring, save_keyring
from vetrelay.client.parties import new_party
from vetrelay.errors import Fault, VetRelayError
from vetrelay.protocol.ids import b64

SALT, NONCE = bytes(16), bytes(24)


def keyring_of(name: str = "Anna Meier") -> Keyring:
    """A household's keyring."""
    made = new_party(
        "household",
        party_name=name,
        person_name=name,
        relay=b64(bytes(32)),
        relay_url="https://relay.example",
        random_bytes=os.urandom,
    )
    return made.keyring


def code_of(home: Path, passphrase: str | None) -> str:
    """What loading ends with."""
    try:
        load_keyring(home, passphrase=passphrase)
    except VetRelayError as error:
        return error.code
    return "success"


@pytest.mark.parametrize("passphrase", [None, "under the stairs"])
def test_a_keyring_comes_back_as_it_was(tmp_path: Path, passphrase: str | None) -> None:
    """With and without a passphrase, readable by its owner alone."""
    kept = keyring_of()
    save_keyring(tmp_path, kept, passphrase=passphrase, salt=SALT, nonce=NONCE)
    assert kept == load_keyring(tmp_path, passphrase=passphrase)
    assert (passphrase is not None) == is_locked(tmp_path)
    assert 0o600 == (tmp_path / FILE_NAME).stat().st_mode & 0o777


def test_a_locked_keyring_holds_no_seed_and_no_name(tmp_path: Path) -> None:
    """What is at rest is the salt and the box."""
    kept = keyring_of("Theodora")
    save_keyring(tmp_path, kept, passphrase="under the stairs", salt=SALT, nonce=NONCE)
    raw = (tmp_path / FILE_NAME).read_text()
    secrets = [kept.sign_seed, kept.seal_seed, kept.keys[0].seed, "Theodora", kept.party]
    assert [] == [secret for secret in secrets if secret in raw]


@pytest.mark.parametrize(
    ("passphrase", "code"), [(None, "wrong_passphrase"), ("", "wrong_passphrase"), ("x", "wrong_passphrase")]
)
def test_a_wrong_passphrase_is_told(tmp_path: Path, passphrase: str | None, code: str) -> None:
    """It is the person's to mend, not damage."""
    save_keyring(tmp_path, keyring_of(), passphrase="under the stairs", salt=SALT, nonce=NONCE)
    assert code == code_of(tmp_path, passphrase)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (None, "no_identity"),
        (b"", "keyring_damaged"),
        (b"{}", "keyring_damaged"),
        (b"\xff\xfe", "keyring_damaged"),
        (b'{"v":1,"locked":"argon2id-secretbox","salt":"AA","box":"AA"}', "keyring_damaged"),
        (b'{"v":1,"locked":"argon2id-secretbox","salt":"' + b64(SALT).encode() + b'","box":"AA"}', "wrong_passphrase"),
    ],
)
def test_a_damaged_keyring_is_told_apart_from_none(tmp_path: Path, raw: bytes | None, code: str) -> None:
    """Whoever reads the code knows whether to restore a backup."""
    if raw is not None:
        (tmp_path / FILE_NAME).write_bytes(raw)
    assert code == code_of(tmp_path, "x")


def test_a_seed_that_was_cut_is_damage(tmp_path: Path) -> None:
    """A keyring whose seeds are no seeds is not opened as far as it goes."""
    cut = msgspec.structs.replace(keyring_of(), sign_seed="AAAA")
    save_keyring(tmp_path, cut, passphrase=None, salt=b"", nonce=b"")
    with pytest.raises(Fault) as damaged:
        load_keyring(tmp_path, passphrase=None)
    assert "keyring_damaged" == damaged.value.code


def test_neither_keyring_nor_key_shows_a_seed() -> None:
    """A traceback or a debugger's line may show a value."""
    kept = keyring_of()
    shown = f"{kept!r} {kept.keys[0]!r} {kept.device!r} {kept.party_keys[0]!r}"
    seeds = [kept.sign_seed, kept.seal_seed, kept.keys[0].seed]
    assert [] == [seed for seed in seeds if seed in shown]
    assert isinstance(kept.keys[0], StoredKey)


def test_a_kill_leaves_the_old_keyring_or_the_new(tmp_path: Path) -> None:
    """Killed at each step of writing, the file is one of the two, whole."""
    old, new = keyring_of("old"), keyring_of("new")
    save_keyring(tmp_path, old, passphrase=None, salt=b"", nonce=b"")
    (tmp_path / "new.json").write_bytes(msgspec.json.encode(new))
    script = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        import msgspec
        from vetrelay.client.keyring import Keyring, save_keyring
        home, step = Path(sys.argv[1]), int(sys.argv[2])
        new = msgspec.json.decode((home / "new.json").read_bytes(), type=Keyring)
        count = 0
        def trace(frame, event, _arg):
            global count
            if frame.f_code.co_name not in {"save_keyring", "write_durably", "sync_folder"}:
                return None
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        save_keyring(home, new, passphrase=None, salt=b"", nonce=b"")
    """)
    names, step, code = set(), 1, -9
    while code:
        code = subprocess.run([sys.executable, "-c", script, str(tmp_path), str(step)], check=False).returncode
        names.add(load_keyring(tmp_path, passphrase=None).party_name)
        step += 4
    assert {"old", "new"} == names
