"""The mail doctor's checks of what is published and of what lies on this disk: certificate, names, policies, keys."""

import asyncio
import shutil
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from vetrelay.bridge.letters.openpgp import require_openpgp
from vetrelay.bridge.ports import Peer
from vetrelay.bridge.proving.dmarc import demand_of
from vetrelay.bridge.proving.sender_policy import SenderPolicies
from vetrelay.bridge.resolver import Resolver
from vetrelay.bridge.sending.dkim_sign import dns_record
from vetrelay.cli.checkup import Check
from vetrelay.config import BridgeConfig
from vetrelay.errors import Fault

SOON_DAYS: Final = 14
PATIENCE_SECONDS: Final = 15.0


def sealing() -> list[Check]:
    """Whether letters can be sealed and opened: PGP by the extra's library, S/MIME signatures by openssl."""
    try:
        require_openpgp()
        pgp = Check(name="PGP", verdict="ok", what="letters can be sealed and opened")
    except Fault:
        mend = "install the extra: pip install 'vetrelay[openpgp]'; without it those clinics get notices"
        pgp = Check(name="PGP", verdict="warn", what="letters cannot be sealed or opened", mend=mend)
    if shutil.which("openssl"):
        return [pgp, Check(name="S/MIME", verdict="ok", what="letters can be sealed, and signatures checked")]
    mend = "install openssl; without it no S/MIME signature is checked"
    return [pgp, Check(name="S/MIME", verdict="warn", what="signatures cannot be checked", mend=mend)]


def certificate(config: BridgeConfig, *, now_ms: int) -> Check:
    """The certificate for STARTTLS: there, for our name, valid for a while yet, and with its own key."""
    name = "TLS certificate"
    if config.tls_cert is None or config.tls_key is None:
        mend = "get one for the bridge's name, and set tls_cert and tls_key; letters come in clear without"
        return Check(name=name, verdict="warn", what="none is set", mend=mend)
    try:
        pem = Path(config.tls_cert).read_bytes()
        found = x509.load_pem_x509_certificates(pem)
        key = load_pem_private_key(Path(config.tls_key).read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        mend = "both must be PEM files that the bridge can read, the key without a passphrase"
        return Check(name=name, verdict="bad", what="tls_cert or tls_key cannot be read", mend=mend)
    first = found[0]
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if first.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        mend = "the chain begins with the bridge's own certificate; take the key that it was made with"
        return Check(name=name, verdict="bad", what="certificate and key do not belong together", mend=mend)
    if not _names(first, config.hostname):
        mend = f"get one for {config.hostname}"
        return Check(name=name, verdict="bad", what="it is for another name", mend=mend)
    return _dated(name, first, now_ms=now_ms)


def _dated(name: str, found: x509.Certificate, *, now_ms: int) -> Check:
    now = datetime.fromtimestamp(now_ms / 1000, tz=UTC)
    days = (found.not_valid_after_utc - now).days
    if now < found.not_valid_before_utc or now >= found.not_valid_after_utc:
        mend = "renew it, and restart the bridge"
        return Check(name=name, verdict="bad", what="it is not valid today", mend=mend)
    if days < SOON_DAYS:
        mend = "renew it, and restart the bridge; let a program do that from now on"
        return Check(name=name, verdict="warn", what=f"it ends in {days} days", mend=mend)
    return Check(name=name, verdict="ok", what=f"for the bridge's name, valid for {days} days")


def _names(found: x509.Certificate, hostname: str) -> bool:
    try:
        named = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    patterns = [each.lower() for each in named.get_values_for_type(x509.DNSName)]
    return hostname in patterns or f"*.{hostname.partition('.')[2]}" in patterns


async def reverse_name(config: BridgeConfig, resolver: Resolver) -> Check:
    """Whether the bridge's addresses point back to its name: many servers take no mail from others."""
    name = "reverse name"
    addresses = await resolver.addresses(config.hostname)
    if not addresses:
        mend = f"publish an address (A or AAAA) for {config.hostname}"
        return Check(name=name, verdict="bad", what=f"{config.hostname} has no address", mend=mend)
    wrong = [address for address in addresses if config.hostname not in await resolver.ptr(address)]
    if not wrong:
        return Check(name=name, verdict="ok", what=f"{', '.join(addresses)} is {config.hostname} both ways")
    what = f"{', '.join(wrong)} does not point back to {config.hostname}"
    if config.smarthost is not None:
        mend = "letters leave by the smarthost, so it counts little; mend it if you change to direct delivery"
        return Check(name=name, verdict="warn", what=what, mend=mend)
    mend = "ask whoever gave you the address (your provider) to set its reverse record"
    return Check(name=name, verdict="bad", what=what, mend=mend)


async def mail_servers(config: BridgeConfig, resolver: Resolver) -> Check:
    """Whether letters to the domain lead here."""
    name = "MX record"
    found = await resolver.mx(config.domain)
    hosts = [host for _, host in found]
    if config.hostname in hosts:
        others = [host for host in hosts if host != config.hostname]
        if not others:
            return Check(name=name, verdict="ok", what=f"letters to {config.domain} lead to {config.hostname}")
        mend = "each of them must pass letters on to the bridge; a server that only keeps them loses them"
        return Check(name=name, verdict="warn", what=f"letters may also go to {', '.join(others)}", mend=mend)
    if not found and config.domain == config.hostname and await resolver.addresses(config.domain):
        return Check(name=name, verdict="ok", what=f"{config.domain} has no MX and is its own mail server")
    what = f"letters to {config.domain} lead elsewhere: {', '.join(hosts)}" if hosts else f"{config.domain} has none"
    return Check(name=name, verdict="bad", what=what, mend=f"publish: {config.domain} MX 10 {config.hostname}")


async def sender_policy(config: BridgeConfig, resolver: Resolver) -> Check:
    """Whether the domain's SPF record names whoever sends its letters; From and envelope are of one domain, so it aligns."""
    name = "SPF"
    host = config.smarthost.rpartition(":")[0].removeprefix("[").removesuffix("]") if config.smarthost else None
    addresses = await resolver.addresses(host or config.hostname)
    policies = SenderPolicies(resolver)
    try:
        results = {
            (await policies.check(Peer(address=each, helo=config.hostname, tls=True), f"case@{config.domain}")).result
            for each in addresses
        }
    finally:
        policies.close()
    if results == {"pass"}:
        return Check(name=name, verdict="ok", what=f"{host or config.hostname} may send for {config.domain}: aligned")
    if not addresses or "temperror" in results:
        return Check(name=name, verdict="warn", what="it could not be evaluated", mend="ask again later")
    said = ", ".join(sorted(results))
    if host is not None and results & {"pass", "neutral", "softfail", "fail"}:
        mend = "ask your provider what to include: its servers may send from other addresses than they take mail at"
        return Check(name=name, verdict="warn", what=f"for {host} it says {said}", mend=mend)
    return Check(name=name, verdict="bad", what=f"it says {said}", mend="publish the SPF record above")


async def key_published(config: BridgeConfig, resolver: Resolver) -> Check:
    """Whether the published DKIM key is that of the private one; d= is the domain of From, so it aligns."""
    name = "DKIM"
    if config.dkim_key_file is None:
        mend = "make one: openssl genrsa -out dkim.pem 2048, and set dkim_key_file"
        what = "letters are not signed here"
        if config.smarthost is not None:
            mend += "; or let the smarthost sign, with d= of this domain"
        return Check(name=name, verdict="warn", what=what, mend=mend)
    try:
        wanted = dns_record(await asyncio.to_thread(Path(config.dkim_key_file).read_bytes))
    except (OSError, Fault):
        mend = "it must be an RSA key as PEM that the bridge can read"
        return Check(name=name, verdict="bad", what="dkim_key_file cannot be read", mend=mend)
    place = f"{config.dkim_selector}._domainkey.{config.domain}"
    texts = await resolver.txt(place)
    if any(_tag(text, "p") == _tag(wanted, "p") for text in texts):
        return Check(name=name, verdict="ok", what=f"the key is published at {place}: aligned")
    what = f"another key is published at {place}" if texts else f"no key is published at {place}"
    return Check(name=name, verdict="bad", what=what, mend="publish the DKIM record above")


def _tag(record: str, tag: str) -> str:
    pairs = (pair.partition("=") for pair in record.split(";"))
    return next(("".join(value.split()) for name, _, value in pairs if name.strip() == tag), "")


async def demand(config: BridgeConfig, resolver: Resolver) -> Check:
    """What others are asked to do with letters that only claim to be ours."""
    name = "DMARC"
    found = await demand_of(config.domain, resolver)
    if found.policy is None:
        mend = "publish the DMARC record above: large providers take no letters from domains without one"
        return Check(name=name, verdict="bad", what=f"{config.domain} has no policy", mend=mend)
    if found.policy == "none":
        mend = "once SPF and DKIM are ok for some weeks, raise it to p=quarantine or p=reject"
        return Check(name=name, verdict="warn", what="forged letters in your name are let through (p=none)", mend=mend)
    return Check(name=name, verdict="ok", what=f"forged letters in your name are stopped (p={found.policy})")


async def pages(config: BridgeConfig) -> Check:
    """Whether the web pages answer under the address that stands in letters."""
    name = "web pages"
    url = config.web_url.rstrip("/") + "/"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_SECONDS)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            broken = answer.status >= 500
    except (aiohttp.ClientError, TimeoutError, ssl.SSLError):
        mend = "put a proxy with a certificate in front of web_listen, and name its address as web_url"
        return Check(name=name, verdict="bad", what=f"{config.web_url} does not answer", mend=mend)
    if broken:
        mend = "the proxy answers and the bridge behind it does not: start it, or check where the proxy leads"
        return Check(name=name, verdict="bad", what=f"{config.web_url} answers with an error", mend=mend)
    if not url.startswith("https:"):
        mend = "good only for trying out on one machine: links in letters must be https"
        return Check(name=name, verdict="warn", what=f"{config.web_url} answers, in clear", mend=mend)
    return Check(name=name, verdict="ok", what=f"{config.web_url} answers")
