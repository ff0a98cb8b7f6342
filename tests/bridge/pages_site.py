"""The bridge's pages as the tests meet them: real tables, a real spool, a shelf with two messages, three correspondents."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiohttp import web
from sqlalchemy import Engine

from vetrelay.bridge.pages.app import build_app
from vetrelay.bridge.pages.counter import Counter, Stores
from vetrelay.bridge.pages.desk import OpenFile, PageFile, PageMessage
from vetrelay.bridge.ports import Arrival, ArrivalState
from vetrelay.bridge.store.addresses import Addresses, Correspondence
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.events import Events
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.tables import open_database
from vetrelay.config import BridgeConfig, BridgeLimits
from vetrelay.errors import Fault

KEY = bytes(range(32))
CASE = "A" * 43
DOMAIN = "post.wrenfield.test"
CODE = "48271936"
LIMITS = BridgeLimits(min_free_percent=0)
NOW_MS = 1_790_000_000_000


def token_of(letter: str) -> str:
    """A token that a reader can tell from the others."""
    return letter * 26


LISTED = Correspondence(
    case=CASE, token=token_of("t"), address="vet@clinic.test", upload_token=token_of("u"), code=CODE, created_ms=1
)
CLOSED = replace(LISTED, token=token_of("c"), upload_token=token_of("d"), closed=True)
REVOKED = replace(LISTED, token=token_of("r"), upload_token=token_of("s"), revoked=True)
UNKNOWN = token_of("x")
XRAY = bytes(range(256)) * 2000
MESSAGE = PageMessage(
    id="m" * 22,
    author="Dr. Ada <Wren>",
    role="veterinarian",
    said_ms=NOW_MS,
    text="Give 2 ml.\nFrom: 20 kg\n<script>alert(1)</script> & more",
    files=(
        PageFile(untrusted_name="../../X-ray \u202egnp.exe", size_bytes=len(XRAY)),
        PageFile(untrusted_name='Röntgen "1".dcm', size_bytes=len(XRAY)),
        PageFile(untrusted_name="away.pdf", size_bytes=5),
        PageFile(untrusted_name="torn.pdf", size_bytes=len(XRAY)),
    ),
    unready=1,
)


@dataclass
class MemoryShelf:
    """A shelf that holds what the test put on it. The third file is away, the fourth breaks in its middle."""

    standing: tuple[PageMessage, ...] = (MESSAGE,)

    async def messages(self, correspondence: Correspondence) -> tuple[PageMessage, ...]:
        """Desk's words."""
        return self.standing if correspondence.token == LISTED.token else ()

    @asynccontextmanager
    async def file(self, correspondence: Correspondence, message: str, number: int) -> AsyncIterator[OpenFile | None]:
        """Desk's words."""
        of_page = {one.id: one.files for one in await self.messages(correspondence)}
        files = of_page.get(message, ())
        yield OpenFile(file=files[number], pieces=_pieces(files[number])) if number < len(files) else None


async def _pieces(file: PageFile) -> AsyncIterator[bytes]:
    if file.untrusted_name == "away.pdf":
        raise Fault("storage_failed")
    yield XRAY[:1000]
    if file.untrusted_name == "torn.pdf":
        raise Fault("storage_failed")
    yield XRAY[1000:]


@dataclass
class House:
    """A bridge's folder with the pages' desk on it. Made again on the same folder, it is the bridge after a restart."""

    folder: Path
    limits: BridgeLimits = LIMITS
    shelf: MemoryShelf = field(default_factory=MemoryShelf)
    web_url: str = "https://mail.wrenfield.test"
    database: str | None = None
    now_ms: int = NOW_MS
    woken: int = 0

    def __post_init__(self) -> None:
        seals = Seals(KEY, os.urandom)
        self.engine: Engine = open_database(self.database or self.folder / "bridge.sqlite3")
        self.spool = Spool(self.folder / "spool", KEY, os.urandom)
        self.arrivals = Arrivals(self.engine, seals, self.clock)
        self.addresses = Addresses(self.engine, seals)
        self.events = Events(self.engine, seals, self.clock)
        for one in (LISTED, CLOSED, REVOKED):
            if self.addresses.by_token(one.token) is None:
                self.addresses.put(one)
        config = BridgeConfig(
            data=str(self.folder),
            relay_url="unix:/nowhere",
            domain=DOMAIN,
            hostname="mail.wrenfield.test",
            web_url=self.web_url,
            limits=self.limits,
        )
        stores = Stores(
            engine=self.engine,
            seals=seals,
            spool=self.spool,
            arrivals=self.arrivals,
            addresses=self.addresses,
            events=self.events,
            shelf=self.shelf,
        )
        self.desk = Counter(stores, config, now_ms=self.clock, random_bytes=os.urandom, arrived=self.wake)

    def clock(self) -> int:
        """The time, which stands until a test moves it."""
        return self.now_ms

    def wake(self) -> None:
        """Counts how often the bridge was told that something arrived."""
        self.woken += 1

    def app(self) -> web.Application:
        """The pages."""
        return build_app(self.desk, web_url=self.web_url, domain=DOMAIN)

    def arrived(self, state: ArrivalState = ArrivalState.RECEIVED) -> dict[str, bytes]:
        """Name → content of what was accepted."""
        return {one.name or "": self.spool.read(one.spool) for one in self.arrivals.in_state(state)}

    def rows(self) -> tuple[Arrival, ...]:
        """What was accepted and is to be worked on."""
        return self.arrivals.pending()

    def spooled(self) -> int:
        """How many files stand in the spool, whole or not."""
        return sum(1 for part in ("new", "tmp", "broken") for _ in (self.folder / "spool" / part).iterdir())

    def close(self) -> None:
        """Lets go of the database, as the end of a process does."""
        self.engine.dispose()
