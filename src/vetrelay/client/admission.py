"""A machine's first start: it makes its own party, enrols it with the one-time code, and offers itself in a file.

Each step is durable before the next, so a kill at any point is made good by starting again.
"""

from functools import partial
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import structs

from vetrelay.client.api import RelayApi, connect
from vetrelay.client.end import NowMs, RandomBytes
from vetrelay.client.enrolment import drop_enrolment, keep_enrolment, kept_enrolment
from vetrelay.client.keyring import FILE_NAME, Keyring, load_keyring, save_keyring, write_durably
from vetrelay.client.parties import enrol, machine_offer, new_party
from vetrelay.client.persist import persist
from vetrelay.errors import Refusal
from vetrelay.protocol.ids import RelayId
from vetrelay.protocol.statement import render

MachineRole = Literal["intake", "bridge"]
NAMES: Final[dict[MachineRole, str]] = {"intake": "file check", "bridge": "email bridge"}
READABLE_BY_ALL: Final = 0o644


class Admission(Protocol):
    """What a machine's settings say of its admission."""

    @property
    def data(self) -> str:
        """Its folder."""
        ...

    @property
    def relay_url(self) -> str:
        """The relay it works for."""
        ...

    @property
    def code(self) -> str | None:
        """The one-time code, or where it stands: `code_file`."""
        ...

    @property
    def code_file(self) -> str | None:
        """The file with the one-time code."""
        ...

    @property
    def offer_file(self) -> str | None:
        """Where its offer goes, if not into its folder."""
        ...


async def admitted(config: Admission, role: MachineRole, *, now_ms: NowMs, random_bytes: RandomBytes) -> Keyring:
    """This machine's keyring, whose party the relay knows; waits for the relay as long as it takes.

    Raises Refusal `wrong_relay` where another relay answers than the one it belongs to, `needs_code`, `code_*`.
    """
    home = Path(config.data)
    async with connect(config.relay_url, device="", signer=None, now_ms=now_ms) as api:
        facts = await persist(api.relay_facts)
        keyring = _own_keyring(home, role, relay=facts.relay, relay_url=config.relay_url, random_bytes=random_bytes)
        if keyring.relay != facts.relay:
            raise Refusal("wrong_relay")
        await _enrolled(api, home, keyring, config)
    return keyring


def _own_keyring(
    home: Path, role: MachineRole, *, relay: RelayId, relay_url: str, random_bytes: RandomBytes
) -> Keyring:
    if not (home / FILE_NAME).exists():
        party = new_party(
            "machine",
            party_name=NAMES[role],
            person_name=NAMES[role],
            relay=relay,
            relay_url=relay_url,
            random_bytes=random_bytes,
        )
        keep_enrolment(home, party)
        # Durable before it enrols: a party whose keys are lost could never be used, and its code would be spent.
        save_keyring(home, party.keyring, passphrase=None, salt=b"", nonce=b"")
    keyring = load_keyring(home, passphrase=None)
    return structs.replace(keyring, relay_url=relay_url)  # the relay may have moved to another address


async def _enrolled(api: RelayApi, home: Path, keyring: Keyring, config: Admission) -> None:
    party = kept_enrolment(home, keyring)
    if party is not None:
        await persist(partial(enrol, api, party, code=_code(config)))
        drop_enrolment(home)


def _code(config: Admission) -> str:
    if config.code is not None:
        return config.code
    try:
        return Path(config.code_file or "").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as wrong:
        raise Refusal("needs_code") from wrong


def write_offer(config: Admission, role: MachineRole, keyring: Keyring) -> Path:
    """Writes what a clinic adopts this machine by: whole or not at all, readable by everybody, nothing secret in it."""
    path = Path(config.offer_file) if config.offer_file is not None else Path(config.data) / f"{role}.offer.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, render(machine_offer(keyring, role)) + b"\n", mode=READABLE_BY_ALL)
    return path
