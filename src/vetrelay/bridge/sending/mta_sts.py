"""What a domain says about TLS to its mail servers (MTA-STS, RFC 8461): fetched over https, kept as long as it says.

The fetch goes to a name that a stranger chose. So it goes to public addresses only, to those that were checked; it
follows no redirect, reads 64 KiB at most, and takes no certificate that is not valid for the name.
"""

import ipaddress
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from vetrelay.bridge.resolver import Resolver
from vetrelay.errors import Fault

MAX_POLICY_BYTES: Final = 64 * 1024
MAX_AGE_SECONDS: Final = 31_557_600  # RFC 8461, 3.2
FETCH_SECONDS: Final = 30
AGAIN_MS: Final = 5 * 60_000
"""After a fetch that failed: how long the domain is left in peace (RFC 8461, 3.3)."""
MAX_KEPT: Final = 4096

Mode = Literal["enforce", "testing", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A domain's policy: the mail servers it names, and whether others are to be refused."""

    mode: Mode
    mx: tuple[str, ...]
    max_age_seconds: int

    def names(self, host: str) -> bool:
        """Whether a mail server is one of those; `*.` stands for exactly one label (RFC 8461, 4.1)."""
        host = host.rstrip(".").lower()
        wild = f"*.{host.partition('.')[2]}"
        return any(pattern in {host, wild} for pattern in self.mx)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    id: str
    policy: Policy | None  # None: it could not be fetched
    until_ms: int
    again_ms: int = 0  # when a newer one may be fetched, after a fetch that failed


class Policies:
    """The policies of domains. `port` and `unsafe_private` (addresses of this network) are for tests."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        now_ms: Callable[[], int],
        trust: ssl.SSLContext,
        port: int = 443,
        unsafe_private: bool = False,
    ) -> None:
        self._resolver = resolver
        self._now_ms = now_ms
        self._trust = trust
        self._port = port
        self._unsafe_private = unsafe_private
        self._kept: dict[str, _Kept] = {}

    async def policy(self, domain: str) -> Policy | None:
        """The domain's policy; None where it has none, or none that can be had. Raises nothing.

        One that is kept stays in force until its time is over, even when its record or its page disappears: that is
        what protects against whoever can make them disappear (RFC 8461, 5.1 and 10.2).
        """
        now_ms = self._now_ms()
        kept = self._kept.get(domain)
        if kept is not None and kept.until_ms <= now_ms:
            kept = None
        try:
            identifier = record_id(await self._resolver.txt(f"_mta-sts.{domain}"))
        except Fault:
            identifier = None
        if identifier is None or (kept is not None and (kept.id == identifier or now_ms < kept.again_ms)):
            return kept.policy if kept is not None else None
        fetched = await self._fetch(f"mta-sts.{domain}")
        if fetched is None and kept is not None and kept.policy is not None:
            self._kept[domain] = replace(kept, again_ms=now_ms + AGAIN_MS)
            return kept.policy
        wait_ms = AGAIN_MS if fetched is None else fetched.max_age_seconds * 1000
        while len(self._kept) >= MAX_KEPT:
            del self._kept[next(iter(self._kept))]  # the oldest
        self._kept[domain] = _Kept(id=identifier, policy=fetched, until_ms=now_ms + wait_ms)
        return fetched

    async def _fetch(self, host: str) -> Policy | None:
        url = f"https://{host}:{self._port}/.well-known/mta-sts.txt"
        addresses = _CheckedAddresses(self._resolver, unsafe_private=self._unsafe_private)
        connector = aiohttp.TCPConnector(resolver=addresses, ssl=self._trust, use_dns_cache=False)
        timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session,
                session.get(url, allow_redirects=False, headers={"Accept-Encoding": "identity"}) as response,
            ):
                if response.status != 200 or response.content_type != "text/plain":
                    return None
                untrusted = bytearray()
                async for chunk in response.content.iter_chunked(8192):
                    untrusted += chunk
                    if len(untrusted) > MAX_POLICY_BYTES:
                        return None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError, Fault):
            return None
        return parse_policy(bytes(untrusted))


class _CheckedAddresses(AbstractResolver):
    """Resolves by our resolver, to addresses that a stranger may have us connect to."""

    def __init__(self, resolver: Resolver, *, unsafe_private: bool) -> None:
        self._resolver = resolver
        self._unsafe_private = unsafe_private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The public addresses of a host. Raises OSError where there is none."""
        found = [ipaddress.ip_address(each) for each in await self._resolver.addresses(host)]
        checked = [each for each in found if self._unsafe_private or each.is_global]
        if family is not socket.AF_UNSPEC:
            checked = [each for each in checked if _family(each) is family]
        if not checked:
            raise OSError
        return [
            ResolveResult(
                hostname=host,
                host=str(each),
                port=port,
                family=_family(each),
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in checked
        ]

    async def close(self) -> None:
        """Nothing to close."""


def _family(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def record_id(untrusted_records: tuple[str, ...]) -> str | None:
    """The id in a domain's `_mta-sts` record; None unless there is exactly one such record, well-formed (RFC 8461, 3.1)."""
    ours = [record for record in untrusted_records if record.replace(" ", "").startswith("v=STSv1;")]
    if len(ours) != 1:
        return None
    fields = [part.partition("=") for part in ours[0].split(";")]
    named = [value.strip() for name, _, value in fields if name.strip() == "id"]
    if len(named) == 1 and named[0].isascii() and named[0].isalnum() and len(named[0]) <= 32:
        return named[0]
    return None


def parse_policy(untrusted: bytes) -> Policy | None:
    """The policy in a policy file (RFC 8461, 3.2); None if it is not one."""
    try:
        lines = untrusted.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
    mx: list[str] = []
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            continue
        if name == "mx":
            mx.append(value.rstrip(".").lower())
        else:
            fields.setdefault(name, value)  # of a field that stands twice, the first counts
    mode, age = fields.get("mode"), fields.get("max_age", "")
    if fields.get("version") != "STSv1" or mode not in {"enforce", "testing", "none"}:
        return None
    if not (age.isascii() and age.isdigit() and len(age) <= 10) or (mode != "none" and not mx):
        return None
    return Policy(mode=cast("Mode", mode), mx=tuple(mx), max_age_seconds=min(int(age), MAX_AGE_SECONDS))
