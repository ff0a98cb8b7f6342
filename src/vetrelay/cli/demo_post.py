"""The demo's post office, all on loopback: another clinic's mailbox behind a real SMTP server, and the DNS that vouches for it."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

DOMAIN: Final = "alderway.example"
MAILBOX: Final = f"records@{DOMAIN}"
RECORDS: Final = {DOMAIN: "v=spf1 ip4:127.0.0.1 -all", f"_dmarc.{DOMAIN}": "v=DMARC1; p=reject"}
_WAIT_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.1


@dataclass(kw_only=True)
class PostOffice:
    """Where the other clinic's letters arrive, and who answers for its domain."""

    resolver: str = ""
    smtp: str = ""
    letters: list[bytes] = field(default_factory=list)

    def wait(self, at_least: int) -> list[bytes]:
        """What arrived, once there is so much, or after a minute."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while len(self.letters) < at_least and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return list(self.letters)


class _Mailbox:
    """Takes every letter, as a clinic's mail server does for a patient mailbox."""

    def __init__(self, office: PostOffice) -> None:
        self._office = office

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self._office.letters.append(envelope.content)
        return "250 2.0.0 Ok"


class _Names(asyncio.DatagramProtocol):
    """A DNS server for one domain's TXT records; everything else does not exist."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the way back."""
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answers one question."""
        import dns.message
        import dns.rcode
        import dns.rdatatype
        import dns.rrset

        asked = dns.message.from_wire(data)
        question = asked.question[0]
        answer = dns.message.make_response(asked, recursion_available=True)
        text = RECORDS.get(question.name.to_text(omit_final_dot=True).lower())
        if text is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == dns.rdatatype.TXT:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", f'"{text}"'))
        self._transport.sendto(answer.to_wire(), addr)


async def _serve(office: PostOffice, ready: threading.Event, stop: asyncio.Event) -> None:
    from aiosmtpd.smtp import SMTP

    loop = asyncio.get_running_loop()
    names, _ = await loop.create_datagram_endpoint(_Names, ("127.0.0.1", 0))
    server = await loop.create_server(
        lambda: SMTP(_Mailbox(office), hostname=f"mx.{DOMAIN}", data_size_limit=64 * 1024 * 1024), "127.0.0.1", 0
    )
    office.resolver = "{}:{}".format(*names.get_extra_info("sockname")[:2])
    office.smtp = "{}:{}".format(*server.sockets[0].getsockname()[:2])
    ready.set()
    await stop.wait()
    server.close()
    names.close()


@contextlib.contextmanager
def post_office() -> Iterator[PostOffice]:
    """The post office, open until the block is left."""
    office, ready, stop = PostOffice(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(office, ready, stop)), daemon=True)
    thread.start()
    ready.wait(_WAIT_SECONDS)
    try:
        yield office
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(_WAIT_SECONDS)
        loop.close()
