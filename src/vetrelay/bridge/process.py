"""The bridge's process: asks the clock and the dice once, opens its tables and its ears, and works until it is told to stop."""

import asyncio
import contextlib
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import web
from sqlalchemy import Engine

from vetrelay.bridge.cases.bridge import Bridge
from vetrelay.bridge.cases.casemail import FRONT_DOOR
from vetrelay.bridge.cases.caseshelf import CaseShelf
from vetrelay.bridge.cases.service import work
from vetrelay.bridge.pages.app import build_app
from vetrelay.bridge.pages.counter import Counter, Stores
from vetrelay.bridge.post import Trial, sender_of, wake
from vetrelay.bridge.proving.authentication import Authentication
from vetrelay.bridge.receiving.mailroom import Mailroom
from vetrelay.bridge.receiving.reception import MailReception
from vetrelay.bridge.receiving.smtp_in import Listening, listen
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.departures import Departures
from vetrelay.bridge.sending.look import database_of
from vetrelay.bridge.store.addresses import Addresses
from vetrelay.bridge.store.arrivals import Arrivals
from vetrelay.bridge.store.events import Events
from vetrelay.bridge.store.groupcommit import GroupCommit
from vetrelay.bridge.store.notes import Notes
from vetrelay.bridge.store.sealing import Seals
from vetrelay.bridge.store.spool import Spool
from vetrelay.bridge.store.spoolkey import load_or_make_key
from vetrelay.bridge.store.tables import open_database
from vetrelay.client.admission import admitted, write_offer
from vetrelay.client.end import open_end
from vetrelay.client.machine import alone, until_stopped
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault, VetRelayError
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.telemetry import event_log, set_up_logs

LOCK: Final = "bridge.lock"
DAY_SECONDS: Final = 24 * 60 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Where a bridge that works can be reached: its offer, its SMTP addresses, the address of its pages."""

    offer: Path
    smtp: tuple[str, ...]
    pages: str


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def run(config: BridgeConfig, *, ready: Callable[[Ready], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, on uvloop. Raises as `serve` does."""
    uvloop.run(serve(config, ready=ready))


async def serve(
    config: BridgeConfig, *, ready: Callable[[Ready], None] | None = None, trial: Trial | None = None
) -> None:
    """Runs the bridge until SIGTERM or SIGINT; what is in hand then is left to its tables.

    `ready` hears where it can be reached, once it is enrolled. Raises Fault `no_sandbox`, `sandbox_failed`, `already_running`,
    `bad_listen`, `bad_tls`, `bad_dkim_key`; Refusal for what its enrolment was refused with.
    """
    set_up_logs(as_json=config.log_json)
    await until_stopped(_work(config, ready, trial or Trial()))
    event_log()("bridge.stopped")


async def _work(config: BridgeConfig, ready: Callable[[Ready], None] | None, trial: Trial) -> None:
    home = Path(config.data)
    async with contextlib.AsyncExitStack() as opened:
        opened.enter_context(alone(home, LOCK))
        tls = server_tls(config)
        # The jail is proved first, and its zygotes are started before this process holds a key.
        settings = Settings(parallel_jobs=os.cpu_count() or 1, loads=("letters",))
        inspector = await opened.enter_async_context(Inspector.start(settings, command=trial.worker))
        keyring = await admitted(config, "bridge", now_ms=_now_ms, random_bytes=os.urandom)
        end = await opened.enter_async_context(open_end(home, keyring, now_ms=_now_ms, random_bytes=os.urandom))
        key = load_or_make_key(home, os.urandom)
        seals = Seals(key, os.urandom)
        spool = Spool(home / "letters", key, os.urandom, checkpoint=trial.checkpoint)
        engine = open_database(database_of(config))
        opened.callback(engine.dispose)
        bridge = Bridge(
            config=config,
            end=end,
            inspector=inspector,
            spool=spool,
            seals=seals,
            arrivals=Arrivals(engine, seals, _now_ms),
            addresses=Addresses(engine, seals),
            departures=Departures(engine, seals, spool, _now_ms),
            events=Events(engine, seals, _now_ms),
            notes=Notes(engine, seals),
            checkpoint=trial.checkpoint,
        )
        if config.database is None:
            bridge.departures.end_leases()  # tables of our own: whoever held them was this bridge before it died
        resolver = DnsResolver((config.resolver,) if config.resolver else ())
        sender = sender_of(bridge, resolver, trial)
        listening = await _listen(opened, bridge, engine, resolver, trial, tls)
        pages, counter = await _serve_pages(opened, bridge, engine)
        offer = write_offer(config, "bridge", keyring)
        if ready is not None:
            ready(Ready(offer=offer, smtp=listening.listens, pages=pages))
        async with asyncio.TaskGroup() as group:
            group.create_task(sender.run())
            group.create_task(wake(sender, bridge.leaving))
            group.create_task(work(bridge))
            group.create_task(_keep_recovering(counter))


def server_tls(config: BridgeConfig) -> ssl.SSLContext | None:
    """Our side of STARTTLS; None without a certificate. Raises Fault `bad_tls`."""
    if config.tls_cert is None or config.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_cert, config.tls_key)
    except (OSError, ssl.SSLError) as wrong:
        raise Fault("bad_tls") from wrong
    return context


async def _listen(
    opened: contextlib.AsyncExitStack,
    bridge: Bridge,
    engine: Engine,
    resolver: DnsResolver,
    trial: Trial,
    tls: ssl.SSLContext | None,
) -> Listening:
    commits = GroupCommit(engine, bridge.spool, checkpoint=trial.checkpoint)
    opened.push_async_callback(commits.close)
    authentication = Authentication(resolver)
    opened.callback(authentication.close)
    room = Mailroom(
        config=bridge.config,
        spool=bridge.spool,
        arrivals=bridge.arrivals,
        addresses=bridge.addresses,
        events=bridge.events,
        commits=commits,
        seals=bridge.seals,
        authentication=authentication,
        now_ms=_now_ms,
        random_bytes=os.urandom,
        knows_departure=lambda departure: bridge.departures.get(departure) is not None,
        front_door_open=lambda: bridge.notes.get(FRONT_DOOR) is not None,
        arrived=bridge.arrived.set,
        checkpoint=trial.checkpoint,
    )
    listening = await listen(MailReception(room), config=bridge.config, tls=tls, random_bytes=os.urandom)
    opened.push_async_callback(listening.close)
    return listening


async def _keep_recovering(counter: Counter) -> None:
    """Once a day: uploads that nobody went on with are given up."""
    while True:
        await asyncio.sleep(DAY_SECONDS)
        try:
            await counter.recover()
        except VetRelayError as failed:
            event_log()("bridge.waits", code=failed.code)


async def _serve_pages(opened: contextlib.AsyncExitStack, bridge: Bridge, engine: Engine) -> tuple[str, Counter]:
    """The pages for clinics. Returns where they listen, and who serves them. Raises Fault `bad_listen`."""
    config = bridge.config
    stores = Stores(
        engine=engine,
        seals=bridge.seals,
        spool=bridge.spool,
        arrivals=bridge.arrivals,
        addresses=bridge.addresses,
        events=bridge.events,
        shelf=CaseShelf(bridge),
    )
    counter = Counter(stores, config, now_ms=_now_ms, random_bytes=os.urandom, arrived=bridge.arrived.set)
    bridge.unfinished = counter.spools
    await counter.recover()  # what was whole when a crash came is accepted now
    runner = web.AppRunner(build_app(counter, web_url=config.web_url, domain=config.domain), access_log=None)
    await runner.setup()
    opened.push_async_callback(runner.cleanup)
    host, _, port = config.web_listen.rpartition(":")
    try:
        site = web.TCPSite(runner, host.strip("[]") or None, int(port))
        await site.start()
    except (OSError, ValueError, OverflowError) as wrong:
        raise Fault("bad_listen", listen=config.web_listen) from wrong
    name = runner.addresses[0]
    return f"http://{name[0]}:{name[1]}", counter
