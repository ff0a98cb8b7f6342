"""The way out, put together: the sender of a bridge's letters with its routes, its signature and its voice."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from vetrelay.bridge.addressing import bounce_address
from vetrelay.bridge.cases.bridge import Bridge, Checkpoint
from vetrelay.bridge.cases.service import told
from vetrelay.bridge.resolver import DnsResolver
from vetrelay.bridge.sending.dkim_sign import DkimKey, read_key
from vetrelay.bridge.sending.mta_sts import Policies
from vetrelay.bridge.sending.retry import Patience
from vetrelay.bridge.sending.route import Login, Routes, Smarthost
from vetrelay.bridge.sending.sender import Pulse, Sender, Sending
from vetrelay.bridge.sending.smtp_out import Voice
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault
from vetrelay.inspection.sandbox import WORKER_COMMAND

HOUR_MS: Final = 60 * 60 * 1000
SMTP_PORT: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What tests change: steps to die at, another worker, where mail goes, how long the sender rests at first."""

    checkpoint: Checkpoint = lambda _step: None
    worker: Sequence[str] = WORKER_COMMAND
    pulse: Pulse = field(default_factory=Pulse)
    smtp_port: int = SMTP_PORT
    trust: ssl.SSLContext | None = None
    unsafe_private: bool = False


def smarthost_of(config: BridgeConfig) -> Smarthost | None:
    """The server that takes all our letters, if there is one. Raises Fault `bad_config` for a password that cannot be read."""
    if config.smarthost is None:
        return None
    host, _, port = config.smarthost.rpartition(":")
    login = None
    if config.smarthost_user is not None:
        try:
            password = Path(config.smarthost_password_file or "").read_text().strip()
        except (OSError, UnicodeDecodeError) as wrong:
            raise Fault("bad_config", setting="smarthost_password_file", reason="it cannot be read") from wrong
        login = Login(user=config.smarthost_user, password=password)
    return Smarthost(host=host, port=int(port), tls=config.smarthost_tls, login=login)


def sender_of(bridge: Bridge, resolver: DnsResolver, trial: Trial) -> Sender:
    """The sender of this bridge's letters. Raises Fault `bad_config`, `bad_dkim_key`."""
    config, seals = bridge.config, bridge.seals
    trust = trial.trust or ssl.create_default_context()
    policies = Policies(resolver, now_ms=bridge.end.now_ms, trust=trust, unsafe_private=trial.unsafe_private)
    routes = Routes(
        resolver=resolver,
        policies=policies,
        random_bytes=bridge.end.random_bytes,
        smarthost=smarthost_of(config),
        pins=config.pins,
        port=trial.smtp_port,
        unsafe_private=trial.unsafe_private,
    )
    voice = Voice(hostname=config.hostname, trust=trust)
    sending = Sending(
        worker=bridge.end.random_bytes(8).hex(),
        routes=routes,
        voice=voice,
        dkim=_dkim_key(config),
        bounce_address=lambda departure: bounce_address(departure, key=seals.bounce_key, domain=config.domain),
        tell=partial(told, bridge),
        now_ms=bridge.end.now_ms,
        random_bytes=bridge.end.random_bytes,
        patience=Patience(retry_ms=config.retry_hours * HOUR_MS),
        checkpoint=trial.checkpoint,
    )
    return Sender(bridge.departures, sending, pulse=trial.pulse)


def _dkim_key(config: BridgeConfig) -> DkimKey | None:
    """What our letters are signed with; None where no key was named. Raises Fault `bad_dkim_key`."""
    if config.dkim_key_file is None:
        return None
    return read_key(Path(config.dkim_key_file), selector=config.dkim_selector, domain=config.domain)


async def wake(sender: Sender, leaving: asyncio.Event) -> None:
    """Has the sender look whenever something new leaves."""
    while True:
        await leaving.wait()
        leaving.clear()
        sender.wake()
