"""A whole mailroom for tests: spool, tables, reception, a case with its correspondents, and a real DNS server's answers."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from tests.bridge.receiver import config_for
from tests.bridge.zone import Zone
from vetrelay.bridge.addressing import case_address
from vetrelay.bridge.proving.authentication import Authentication
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.receiving.reception import MailReception
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.store.addresses import Addresses, Correspondence
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.events import Events
from vetrelay.bridge.store.groupcommit import GroupCommit
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool, no_checkpoint
from vetrelay.bridge.store.spoolkey import load_or_make_key
from vetrelay.bridge.store.tables import open_database

NOW_MS: Final = 1_800_000_000_000
ROWAN: Final = Correspondence(
    case="case-one",
    token="abcdefghijklmnopqrstuvwx23",
    address="dr.rowan@wrenfield.example",
    upload_token="upload-of-rowan",
    code="12345678",
    created_ms=NOW_MS,
)
CLINIC: Final = replace(
    ROWAN, case="case-two", token="c" * 26, address="@wrenfield.example", upload_token="upload-of-clinic"
)


@dataclass(kw_only=True)
class Told:
    """What the mailroom is told by others, and how often it woke them."""

    departures: set[str] = field(default_factory=set)
    front_door_open: bool = True
    arrived: int = 0
    now_ms: int = NOW_MS

    def wake(self) -> None:
        """A letter arrived."""
        self.arrived += 1


@asynccontextmanager
async def mailroom(
    folder: Path,
    dns: str,
    *,
    told: Told | None = None,
    checkpoint: Callable[[str], None] = no_checkpoint,
    **settings: Any,
) -> AsyncIterator[Mailroom]:
    """A mailroom on this folder; `dns` is the HOST:PORT that answers. Settings are bridge.toml's, limits among them."""
    told = told or Told()
    config = config_for(folder, **settings)
    key = load_or_make_key(folder, os.urandom)
    seals = Seals(key, os.urandom)
    engine = open_database(config.database or folder / "bridge.sqlite3")
    spool = Spool(folder / "spool", key, os.urandom, checkpoint=checkpoint)
    commits = GroupCommit(engine, spool, checkpoint=checkpoint)
    authentication = Authentication(DnsResolver((dns,)))
    try:
        yield Mailroom(
            config=config,
            spool=spool,
            arrivals=Arrivals(engine, seals, lambda: told.now_ms),
            addresses=Addresses(engine, seals),
            events=Events(engine, seals, lambda: told.now_ms),
            commits=commits,
            seals=seals,
            authentication=authentication,
            now_ms=lambda: told.now_ms,
            random_bytes=os.urandom,
            knows_departure=told.departures.__contains__,
            front_door_open=lambda: told.front_door_open,
            arrived=told.wake,
            checkpoint=checkpoint,
        )
    finally:
        authentication.close()
        await commits.close()
        engine.dispose()


def zone() -> Zone:
    """Three senders: wrenfield, who proves itself and wants fakes rejected; plain, who says nothing; and a broken one."""
    made = Zone()
    made.add("wrenfield.example", "TXT", "v=spf1 ip4:127.0.0.1 -all")
    made.add("mx.wrenfield.example", "TXT", "v=spf1 ip4:127.0.0.1 -all")
    made.add("_dmarc.wrenfield.example", "TXT", "v=DMARC1; p=reject")
    made.add("strict.example", "TXT", "v=spf1 -all")
    made.add("_dmarc.strict.example", "TXT", "v=DMARC1; p=quarantine")
    made.add("plain.example", "MX", "10 mx.plain.example")
    made.broken |= {"broken.example", "_dmarc.broken.example"}
    return made


def letter(
    sender: str = ROWAN.address, *, message_id: str = "<1@wrenfield.example>", more: str = "", text: str = "Hi"
) -> bytes:
    """A letter with a head of its own; `more` are further fields, each with its line's end."""
    head = f"From: Somebody <{sender}>\r\nMessage-ID: {message_id}\r\nSubject: Record\r\n{more}\r\n"
    return f"{head}{text}\r\n".encode()


def reception_of(room: Mailroom) -> MailReception:
    """Its reception, with the two correspondents in the table."""
    for one in (ROWAN, CLINIC):
        room.addresses.put(one)
    return MailReception(room)


def case_of(one: Correspondence, domain: str = "post.example") -> str:
    """The case address of a correspondence."""
    return case_address(one.token, domain)
