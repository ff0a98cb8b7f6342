"""Where a letter goes: the operator's smarthost, or the mail servers of its recipient's domain (RFC 5321, 5.1).

Whether a host's name can be believed is decided here. The operator's smarthost is sure; a name from the DNS is sure when
the domain's policy names it (MTA-STS, enforce), or when it lies inside the recipient's own domain: whoever forges the
answer has no certificate for that. Any other is good enough for letters that demand nothing.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from vetrelay.bridge.resolver import Resolver
from vetrelay.bridge.sending.mta_sts import Policies
from vetrelay.bridge.sending.outcome import Outcome, Refused, TlsUnverified
from vetrelay.errors import Fault

MAX_HOSTS: Final = 5
MAX_ADDRESSES: Final = 2  # of one host
SMTP_PORT: Final = 25
SUBMISSIONS_PORT: Final = 465  # RFC 8314: TLS from the first byte

HopTls = Literal["verified", "opportunistic", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How we are known at a smarthost."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One host to try. `host` is the name its certificate must bear, `address` where it is connected to."""

    host: str
    address: str
    port: int
    tls: HopTls
    name_is_sure: bool
    pin: str | None = None
    login: Login | None = None

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins before the greeting."""
        return self.port == SUBMISSIONS_PORT

    @property
    def can_be_verified(self) -> bool:
        """Whether a connection to it can count as verified at all."""
        return self.tls != "off" and (self.name_is_sure or self.pin is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smarthost:
    """The server that takes all our letters."""

    host: str
    port: int
    tls: HopTls
    login: Login | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """How hosts are found. `pins` are SHA-256 digests of certificates (hex), by recipient's domain or by host.

    `unsafe_private` lets the DNS point at this network's own addresses; tests only.
    """

    resolver: Resolver
    policies: Policies
    random_bytes: Callable[[int], bytes]
    smarthost: Smarthost | None = None
    pins: Mapping[str, str] = field(default_factory=dict)
    port: int = SMTP_PORT
    unsafe_private: bool = False

    async def to(self, domain: str) -> tuple[Hop, ...] | Outcome:
        """The hosts for a domain, in the order in which they are tried; or why there is none.

        Raises Fault `dns_unanswered`.
        """
        if self.smarthost is not None:
            return (self._smart(self.smarthost),)
        named = await self.resolver.mx(domain)
        if any(host == "" for _, host in named):
            return Refused(code=556, enhanced="5.1.10")  # RFC 7505: this domain takes no mail
        # RFC 5321, 5.1: without mail servers the domain is its own; equals among them are tried in any order.
        ordered = sorted(named, key=lambda each: (each[0], self.random_bytes(4)))
        hosts = [host.lower() for _, host in ordered] or [domain]
        pin = self.pins.get(domain)
        policy = None if pin else await self.policies.policy(domain)
        enforced = policy is not None and policy.mode == "enforce"
        if policy is not None and enforced:
            hosts = [host for host in hosts if policy.names(host)]
            if not hosts:
                return TlsUnverified(offered=False)  # RFC 8461, 5: not one of them is the domain's own word
        hops: list[Hop] = []
        for host in hosts[:MAX_HOSTS]:
            sure = enforced or host == domain or host.endswith(f".{domain}")
            for address in await self._addresses(host):
                tls: HopTls = "verified" if enforced else "opportunistic"
                pinned = pin or self.pins.get(host)
                hops.append(Hop(host=host, address=address, port=self.port, tls=tls, name_is_sure=sure, pin=pinned))
        return tuple(hops) or Refused(code=550, enhanced="5.1.2")

    async def _addresses(self, host: str) -> list[str]:
        try:
            found = await self.resolver.addresses(host)
        except Fault:
            return []
        public = [each for each in found if self.unsafe_private or ipaddress.ip_address(each).is_global]
        return public[:MAX_ADDRESSES]

    def _smart(self, host: Smarthost) -> Hop:
        return Hop(
            host=host.host,
            address=host.host,
            port=host.port,
            tls=host.tls,
            name_is_sure=True,
            pin=self.pins.get(host.host),
            login=host.login,
        )
