"""What the bridge asks the domain name system.

"There is none" is an answer, and it is empty. "Nobody answered" is a fault: the letter's fate waits for another try.
"""

import asyncio
import contextlib
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
import dns.reversename

from vetrelay.errors import Fault

TRY_SECONDS: Final = 3.0
"""How long one server may take for one question."""
QUESTION_SECONDS: Final = 10.0
"""How long one question may take over all servers and tries."""
REMEMBERED_ANSWERS: Final = 1024
REMEMBERED_SECONDS: Final = 300
"""No answer is remembered for longer, whatever its server says: a clinic that mends its records is not kept waiting."""


@runtime_checkable
class Resolver(Protocol):
    """The four questions. Each raises Fault `dns_unanswered` where nobody answered (SERVFAIL, silence)."""

    async def txt(self, name: str) -> tuple[str, ...]:
        """The TXT records, each joined to one text; one character stands for one byte (Latin-1)."""
        ...

    async def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        """The mail servers, lowest preference first; the name "" says that the domain takes no mail (RFC 7505)."""
        ...

    async def addresses(self, name: str) -> tuple[str, ...]:
        """The IPv4 and then the IPv6 addresses."""
        ...

    async def ptr(self, address: str) -> tuple[str, ...]:
        """The names that an address points back to."""
        ...


class DnsResolver:
    """Asks the servers given as HOST:PORT (`[::1]:53` for IPv6), or those that this machine is set up with."""

    def __init__(
        self,
        servers: tuple[str, ...] = (),
        *,
        question_seconds: float = QUESTION_SECONDS,
        clock_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = [_server(each) for each in servers]
        else:
            with contextlib.suppress(dns.resolver.NoResolverConfiguration):
                self._resolver.read_resolv_conf("/etc/resolv.conf")
            # resolv.conf(5): without one, the server is on this machine
            self._resolver.nameservers = self._resolver.nameservers or ["127.0.0.1"]
        self._resolver.timeout = TRY_SECONDS
        self._resolver.lifetime = question_seconds
        self._clock_seconds = clock_seconds
        self._remembered: OrderedDict[tuple[dns.name.Name, str], tuple[float, list[Any]]] = OrderedDict()

    async def txt(self, name: str) -> tuple[str, ...]:
        """See `Resolver`."""
        return tuple(b"".join(record.strings).decode("latin-1") for record in await self._ask(name, "TXT"))

    async def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        """See `Resolver`."""
        return tuple(sorted((record.preference, _text(record.exchange)) for record in await self._ask(name, "MX")))

    async def addresses(self, name: str) -> tuple[str, ...]:
        """See `Resolver`. One family that nobody answers for is no fault where the other one has addresses."""
        answers: tuple[list[Any] | BaseException, ...] = await asyncio.gather(
            self._ask(name, "A"), self._ask(name, "AAAA"), return_exceptions=True
        )
        found = [record.address for each in answers if isinstance(each, list) for record in each]
        for each in answers:
            if isinstance(each, BaseException) and not (found and isinstance(each, Fault)):
                raise each
        return tuple(found)

    async def ptr(self, address: str) -> tuple[str, ...]:
        """See `Resolver`."""
        try:
            reverse = dns.reversename.from_address(address)
        except (dns.exception.SyntaxError, ValueError):
            return ()
        return tuple(_text(record.target) for record in await self._ask(reverse.to_text(), "PTR"))

    async def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            absolute = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return []  # what cannot be a name has no records
        until, known = self._remembered.get((absolute, kind), (0.0, []))
        if self._clock_seconds() < until:
            return known
        try:
            answer = await self._resolver.resolve(absolute, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as nowhere:
            response, found = nowhere.response(absolute), []  # type: ignore[no-untyped-call]  # dnspython left this one out
        except (dns.exception.DNSException, OSError) as unanswered:
            raise Fault("dns_unanswered") from unanswered
        else:
            response, found = answer.response, list(answer.rrset or ())
        self._remember((absolute, kind), response, found)
        return found

    def _remember(self, asked: tuple[dns.name.Name, str], response: Any, found: list[Any]) -> None:
        """For as long as the answer says; that there is nothing only if it says for how long (RFC 2308 5)."""
        seconds = response.resolve_chaining().minimum_ttl if found or response.authority else 0
        if seconds > 0:
            self._remembered[asked] = (self._clock_seconds() + min(seconds, REMEMBERED_SECONDS), found)
            self._remembered.move_to_end(asked)
        if len(self._remembered) > REMEMBERED_ANSWERS:
            self._remembered.popitem(last=False)


def _server(listed: str) -> Any:
    """A server of `HOST:PORT`; raises Fault `bad_listen` for another form."""
    host, colon, port = listed.rpartition(":")
    try:
        address = str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))
        if not colon or not 0 < int(port) < 1 << 16:
            raise Fault("bad_listen", setting="resolver")
    except ValueError as wrong:
        raise Fault("bad_listen", setting="resolver") from wrong
    return dns.nameserver.Do53Nameserver(address, int(port))


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower() if name != dns.name.root else ""
