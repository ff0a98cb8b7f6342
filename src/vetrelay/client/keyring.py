"""The keyring: an end's secrets in one file, readable by its owner alone, optionally locked by a passphrase.

At rest: Argon2id (libsodium's moderate limits) and SecretBox. Written whole, fsynced, renamed: a kill leaves the old or the new.
"""

import os
from pathlib import Path
from typing import Final, Literal

import msgspec
from nacl import pwhash, secret
from nacl.exceptions import CryptoError

from vetrelay.errors import Fault, Refusal
from vetrelay.protocol.identity import DeviceIdentity, PartyKey
from vetrelay.protocol.ids import PartyId, PersonId, RelayId, b64, unb64
from vetrelay.protocol.party import PartyKind

FILE_NAME: Final = "keyring.json"


class StoredKey(msgspec.Struct, frozen=True):
    """One generation of the party's key; `since_ms` is when this end made it, where that matters (machines rotate)."""

    gen: int
    seed: str
    since_ms: int = 0

    def __repr__(self) -> str:
        """Never the seed."""
        return f"StoredKey(gen={self.gen})"


class Keyring(msgspec.Struct, frozen=True, kw_only=True):
    """Who this end is, and where its relay stands."""

    v: Literal[1] = 1
    relay_url: str
    relay: RelayId
    kind: PartyKind
    party: PartyId
    party_name: str
    person: PersonId
    person_name: str
    sign_seed: str
    seal_seed: str
    keys: tuple[StoredKey, ...]

    def __repr__(self) -> str:
        """Never the seeds: a traceback may show this."""
        return f"Keyring(party={self.party!r})"

    @property
    def device(self) -> DeviceIdentity:
        """This device's identity."""
        return DeviceIdentity(sign_seed=unb64(self.sign_seed, 32), seal_seed=unb64(self.seal_seed, 32))

    @property
    def party_keys(self) -> tuple[PartyKey, ...]:
        """The party's keys by generation."""
        return tuple(PartyKey(gen=stored.gen, seed=unb64(stored.seed, 32)) for stored in self.keys)


class _Locked(msgspec.Struct, frozen=True, kw_only=True):
    v: Literal[1] = 1
    locked: Literal["argon2id-secretbox"] = "argon2id-secretbox"
    salt: str
    box: str


def _stretch(passphrase: str, salt: bytes) -> bytes:
    return pwhash.argon2id.kdf(
        secret.SecretBox.KEY_SIZE,
        passphrase.encode(),
        salt,
        opslimit=pwhash.argon2id.OPSLIMIT_MODERATE,
        memlimit=pwhash.argon2id.MEMLIMIT_MODERATE,
    )


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """The whole content under that name, or the old one: temp file, fsync, rename, fsync of the folder."""
    partial = path.with_name(path.name + ".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    partial.replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Makes the names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def save_keyring(home: Path, keyring: Keyring, *, passphrase: str | None, salt: bytes, nonce: bytes) -> None:
    """Writes the keyring, locked when there is a passphrase; `salt` 16 and `nonce` 24 fresh random bytes."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    raw = msgspec.json.encode(keyring)
    if passphrase is not None:
        box = secret.SecretBox(_stretch(passphrase, salt)).encrypt(raw, nonce)
        raw = msgspec.json.encode(_Locked(salt=b64(salt), box=b64(bytes(box))))
    write_durably(home / FILE_NAME, raw)


def is_locked(home: Path) -> bool:
    """Whether the keyring asks for a passphrase."""
    try:
        return _locked_in((home / FILE_NAME).read_bytes()) is not None
    except FileNotFoundError:
        return False


def _locked_in(raw: bytes) -> _Locked | None:
    try:
        return msgspec.json.decode(raw, type=_Locked)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def load_keyring(home: Path, *, passphrase: str | None) -> Keyring:
    """The keyring of a home folder. Raises Refusal `no_identity`, `wrong_passphrase`, Fault `keyring_damaged`."""
    try:
        raw = (home / FILE_NAME).read_bytes()
    except FileNotFoundError as wrong:
        raise Refusal("no_identity") from wrong
    locked = _locked_in(raw)
    try:
        if locked is not None:
            raw = _unlocked(locked, passphrase)
        keyring = msgspec.json.decode(raw, type=Keyring)
        _ = keyring.device, keyring.party_keys  # its seeds are seeds
    except (msgspec.DecodeError, UnicodeDecodeError) as wrong:
        raise Fault("keyring_damaged") from wrong
    except Refusal as wrong:
        if wrong.code == "bad_base64":
            raise Fault("keyring_damaged") from wrong
        raise
    return keyring


def _unlocked(locked: _Locked, passphrase: str | None) -> bytes:
    salt, box = unb64(locked.salt, 16), unb64(locked.box)
    if not passphrase:
        raise Refusal("wrong_passphrase")
    try:
        return secret.SecretBox(_stretch(passphrase, salt)).decrypt(box)
    except CryptoError as wrong:
        raise Refusal("wrong_passphrase") from wrong
