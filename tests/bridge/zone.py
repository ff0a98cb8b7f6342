"""A real DNS server on loopback, UDP and TCP on one port, that answers from a dict.

Names that are `broken` get SERVFAIL, names that are `silent` get no answer at all, and a long answer is cut short over
UDP (the TC bit), so that whoever asks comes back over TCP as in life.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

PLAIN_UDP_BYTES = 512


@dataclass
class Zone:
    """The records, by name without last dot in lower case and by type."""

    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    ttl_seconds: int = 0  # nothing is remembered: a test changes its records, and they have changed

    def add(self, name: str, kind: str, *values: str) -> None:
        """Adds records; the value of a TXT is its plain text, of any length; an MX is `10 mx.example`."""
        self.records.setdefault((name.lower(), kind), []).extend(values)

    def add_ptr(self, address: str, name: str) -> None:
        """The name that an address points back to."""
        self.add(dns.reversename.from_address(address).to_text(omit_final_dot=True), "PTR", name)

    def replace(self, name: str, kind: str, *values: str) -> None:
        """What stands there now is gone, and these are there."""
        self.records[name.lower(), kind] = list(values)

    def answer(self, asked: dns.message.Message) -> dns.message.Message | None:
        """The answer to one question; None is silence."""
        question = asked.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        answer = dns.message.make_response(asked, recursion_available=True)
        if name in self.broken:
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        for _hop in range(8):
            alias = self.records.get((name, "CNAME"))
            if not alias or kind == "CNAME":
                break
            answer.answer.append(self._set(name, "CNAME"))
            name = alias[0].lower()
        if (name, kind) in self.records:
            answer.answer.append(self._set(name, kind))
        elif not any(known == name or known.endswith("." + name) for known, _ in self.records):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        if self.ttl_seconds and not answer.answer:
            soa = f"ns.example. admin.example. 1 1 1 1 {self.ttl_seconds}"
            answer.authority.append(dns.rrset.from_text("example.", self.ttl_seconds, "IN", "SOA", soa))
        return answer

    def _set(self, name: str, kind: str) -> dns.rrset.RRset:
        values = self.records[name, kind]
        texts = [_txt(value) if kind == "TXT" else value for value in values]
        absolute = dns.name.from_text(name)
        data = [dns.rdata.from_text("IN", kind, text, origin=dns.name.root, relativize=False) for text in texts]
        return dns.rrset.from_rdata_list(absolute, self.ttl_seconds, data)


def _txt(value: str) -> str:
    """One TXT value as a zone file writes it: strings of at most 255 bytes, each byte beyond ASCII by number."""
    raw = value.encode("latin-1")
    parts = [raw[at : at + 255] for at in range(0, len(raw), 255)] or [b""]
    plain = ["".join(chr(c) if 32 <= c < 127 and c not in b'"\\' else f"\\{c:03d}" for c in part) for part in parts]
    return " ".join(f'"{part}"' for part in plain)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # the loop's own is none by its class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        answer = self._zone.answer(asked)
        if answer is None or self._transport is None:
            return
        try:
            wire = answer.to_wire(max_size=asked.payload or PLAIN_UDP_BYTES)
        except dns.exception.TooBig:
            short = dns.message.make_response(asked, recursion_available=True)
            short.flags |= dns.flags.TC
            wire = short.to_wire()
        self._transport.sendto(wire, addr)


@contextlib.asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[str]:
    """Serves the zone on a free port of 127.0.0.1; gives `HOST:PORT`, as `resolver` in bridge.toml takes it."""

    asking: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        asking.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while True:
                (size,) = struct.unpack("!H", await reader.readexactly(2))
                answer = zone.answer(dns.message.from_wire(await reader.readexactly(size)))
                if answer is not None:
                    wire = answer.to_wire(max_size=65535)
                    writer.write(struct.pack("!H", len(wire)) + wire)
                    await writer.drain()
        asking.discard(task)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server, transport = await _listen(zone, one)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"{host}:{port}"
    finally:
        transport.close()
        server.close()
        for task in tuple(asking):
            task.cancel()
        await asyncio.gather(*asking)


async def _listen(zone: Zone, one: object) -> tuple[asyncio.Server, asyncio.DatagramTransport]:
    """TCP on a free port, and UDP on the same; another port where somebody else has the UDP half."""
    loop = asyncio.get_running_loop()
    while True:
        server = await asyncio.start_server(one, "127.0.0.1", 0)  # type: ignore[arg-type]  # a handler, told as object
        port = server.sockets[0].getsockname()[1]
        try:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(zone), ("127.0.0.1", port))
        except OSError:
            server.close()
        else:
            return server, transport
