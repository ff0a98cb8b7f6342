"""The mail doctor's walks: to this bridge's own port, to it as the world sees it, to those who take its letters."""

import asyncio
import ipaddress
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiosmtplib

from vetrelay.bridge.resolver import Resolver
from vetrelay.cli.checkup import Check
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault

SMTP_PORT: Final = 25
SUBMISSIONS_PORT: Final = 465
PATIENCE_SECONDS: Final = 15.0
QUIT_SECONDS: Final = 2.0
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104  # to tell them from places, not to listen there


@dataclass(frozen=True, slots=True, kw_only=True)
class Met:
    """What a mail server said of itself. `tls`: "verified", "unverified" (encrypted, to whom is not proved) or "none"."""

    banner: str
    tls: str
    size_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMet:
    """Nobody there, or nobody who speaks SMTP: why, in words for a person."""

    why: str


async def meet(host: str, port: int, *, name: str, ours: str, trusted: ssl.SSLContext | None = None) -> Met | NotMet:
    """Says EHLO and STARTTLS to a mail server at `host`, which should prove to be `name`; sends nothing."""
    try:
        return await _spoken(host, port, name=name, ours=ours, tls=trusted or ssl.create_default_context())
    except aiosmtplib.SMTPConnectError as wrong:
        if not isinstance(wrong.__cause__, ssl.SSLCertVerificationError):
            return NotMet(why="no connection")
    except ssl.SSLError:
        pass
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        return NotMet(why="no answer that a mail server gives")
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE  # to learn only whether there is any TLS
    try:
        met = await _spoken(host, port, name=name, ours=ours, tls=blind)
    except (aiosmtplib.SMTPException, ssl.SSLError, OSError, TimeoutError):
        return NotMet(why="TLS fails")
    return Met(banner=met.banner, tls="unverified", size_bytes=met.size_bytes)


async def _spoken(host: str, port: int, *, name: str, ours: str, tls: ssl.SSLContext) -> Met:
    client = aiosmtplib.SMTP(
        hostname=host,
        port=port,
        local_hostname=ours,
        timeout=PATIENCE_SECONDS,
        use_tls=port == SUBMISSIONS_PORT,
        start_tls=False,
        tls_context=tls,
    )
    greeting = await client.connect()
    try:
        await client.ehlo()
        encrypted = port == SUBMISSIONS_PORT
        if not encrypted and client.supports_extension("starttls"):
            await client.starttls(server_hostname=name, tls_context=tls)
            await client.ehlo()
            encrypted = True
        size = client.esmtp_extensions.get("size", "")
        return Met(
            banner=greeting.message.partition("\n")[0],
            tls="verified" if encrypted else "none",
            size_bytes=int(size) if size.isdigit() else None,
        )
    finally:
        transport = client.transport  # forgotten by the client when it has said goodbye
        with suppress(aiosmtplib.SMTPException, OSError):
            await client.quit(timeout=QUIT_SECONDS)
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()  # a TLS connection would wait for the other side's last word


async def own_port(config: BridgeConfig) -> Check:
    """Whether the bridge answers where it listens on this machine."""
    host, _, port = config.listen[0].rpartition(":")
    name, bare = "mail port here", EVERYWHERE.get(host, host).removeprefix("[").removesuffix("]")
    met = await meet(bare, int(port), name=config.hostname, ours=config.hostname)
    if isinstance(met, NotMet):
        mend = "start the bridge: vetrelay bridge run --config bridge.toml"
        return Check(name=name, verdict="bad", what=f"{config.listen[0]}: {met.why}", mend=mend)
    if config.hostname not in met.banner.lower():
        mend = "another program has this port, or the bridge runs with other settings"
        return Check(name=name, verdict="bad", what="who answers there greets with another name", mend=mend)
    if met.tls == "none":
        mend = "give it a certificate: tls_cert and tls_key"
        return Check(name=name, verdict="warn", what="the bridge answers, without STARTTLS", mend=mend)
    return Check(name=name, verdict="ok", what="the bridge answers, with STARTTLS")


async def port_in(config: BridgeConfig, resolver: Resolver, *, port: int = SMTP_PORT) -> Check:
    """Whether the bridge answers under its public name and port, as the world's servers would find it."""
    name = "port 25 inward"
    try:
        addresses = await resolver.addresses(config.hostname)
    except Fault as fault:
        return Check(name=name, verdict="warn", what=fault.sentence.partition("; ")[0], mend="ask again later")
    if not addresses:
        mend = f"publish an address (A or AAAA) for {config.hostname}"
        return Check(name=name, verdict="bad", what=f"{config.hostname} has no address", mend=mend)
    met = await meet(addresses[0], port, name=config.hostname, ours=config.hostname)
    if isinstance(met, NotMet):
        mend = (
            "open port 25 in firewall and router towards this machine, and let `listen` name it; "
            "some routers cannot reach themselves from inside: then try from another network"
        )
        return Check(name=name, verdict="bad", what=f"{config.hostname}: {met.why}", mend=mend)
    if config.hostname not in met.banner.lower():
        mend = "port 25 of that address leads to another machine or program"
        return Check(name=name, verdict="bad", what="who answers there greets with another name", mend=mend)
    if met.tls != "verified":
        what = "it answers without STARTTLS" if met.tls == "none" else "its certificate is not one that others believe"
        mend = "use a certificate of a public authority for its name, with the whole chain in tls_cert"
        return Check(name=name, verdict="warn", what=what, mend=mend)
    return Check(name=name, verdict="ok", what="it answers under its public name, with a certificate that holds")


async def way_out(config: BridgeConfig, resolver: Resolver, *, to: str | None, port: int = SMTP_PORT) -> Check:
    """Whether letters can leave: to the smarthost, or to the mail server of a domain that the operator names."""
    if config.smarthost is not None:
        return await _smarthost(config)
    name = "port 25 outward"
    if to is None:
        mend = "name a clinic that you write to: vetrelay doctor mail --to DOMAIN"
        return Check(name=name, verdict="warn", what="not checked", mend=mend)
    try:
        hosts = [host for _, host in await resolver.mx(to)] or [to]
        found = [(host, address) for host in hosts for address in await resolver.addresses(host)]
    except Fault as fault:
        return Check(name=name, verdict="warn", what=fault.sentence.partition("; ")[0], mend="ask again later")
    if not found:
        return Check(name=name, verdict="bad", what=f"{to} takes no mail", mend="name another domain")
    host, address = found[0]
    met = await meet(address, port, name=host, ours=config.hostname)
    if isinstance(met, NotMet):
        family = "IPv6" if ipaddress.ip_address(address).version == 6 else "IPv4"
        mend = "many providers close port 25 outward: ask yours to open it, or use a smarthost"
        return Check(name=name, verdict="bad", what=f"{host} over {family}: {met.why}", mend=mend)
    how = {"verified": "its certificate holds", "unverified": "its certificate proves nothing", "none": "without TLS"}
    return Check(name=name, verdict="ok", what=f"{host} answers, {how[met.tls]}")


async def _smarthost(config: BridgeConfig) -> Check:
    name, place = "smarthost", config.smarthost or ""
    host, _, port = place.rpartition(":")
    met = await meet(host.removeprefix("[").removesuffix("]"), int(port), name=host, ours=config.hostname)
    if isinstance(met, NotMet):
        mend = "check its name and port with your provider, and your firewall"
        return Check(name=name, verdict="bad", what=f"{place}: {met.why}", mend=mend)
    if config.smarthost_password_file and not Path(config.smarthost_password_file).is_file():
        mend = "write its password into that file, readable by the bridge alone"
        return Check(name=name, verdict="bad", what="smarthost_password_file cannot be read", mend=mend)
    if config.smarthost_tls == "verified" and met.tls != "verified" and host not in config.pins:
        what = "no TLS there" if met.tls == "none" else "its certificate proves nothing"
        mend = "no letter leaves so; name it as its certificate does, or pin its certificate (pins)"
        return Check(name=name, verdict="bad", what=f"{place}: {what}", mend=mend)
    if met.tls == "none":
        mend = "letters go in clear to it: good only on this machine"
        return Check(name=name, verdict="warn", what=f"{place} answers, without TLS", mend=mend)
    return Check(name=name, verdict="ok", what=f"{place} answers, with TLS")
