"""A practice whose email bridge is adopted and at work, with the DNS and the mailboxes that it meets: all real processes.

The bridge's letters go to a capturing SMTP server as their smarthost; letters to it come from this test by SMTP.
"""

import asyncio
import smtplib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

from tests.bridge.sinks import Captured, Sink, smtp_sink
from tests.bridge.zone import Zone, serving
from tests.practice import Practice, Visit, end_of, practice, visit
from tests.processes import Process, bridge_at, enrolment_code
from vetrelay.client.end import End
from vetrelay.client.mail import MailState, mail_state, set_correspondent, turn_on
from vetrelay.client.news import receive
from vetrelay.client.parties import adopt, read_offer
from vetrelay.client.thread import EntryView, read_thread
from vetrelay.protocol.bymail import Correspondent, Mailbox, MailMode

CLINIC = "alderway.example"
RECORDS = f"records@{CLINIC}"
HERE = "127.0.0.1"
WAIT_SECONDS = 90


@dataclass(kw_only=True)
class MailTown:
    """A practice with a bridge; `visit` is a case in which the bridge is on."""

    here: Practice
    zone: Zone
    sink: Sink
    bridge: Process
    visit: Visit
    code: str
    settings: str
    sent: int = field(default=0)

    @property
    def smtp(self) -> tuple[str, int]:
        """Where the bridge takes letters."""
        host, _, port = str(self.bridge.told["smtp"]).rpartition(":")
        return host, int(port)

    @property
    def pages(self) -> str:
        """Where its pages are."""
        return str(self.bridge.told["pages"])

    @property
    def home(self) -> Path:
        """The bridge's folder."""
        return self.here.folder / "bridge"

    def restart(self, *, die_at: str = "") -> None:
        """Ends the bridge, if it still runs, and starts it again on the same folder."""
        self.bridge.end()
        self.bridge = bridge_at(self.here.folder, self.here.url, code=self.code, die_at=die_at, settings=self.settings)
        self.bridge.start()

    async def list_clinic(
        self, address: str = RECORDS, *, mode: MailMode = "notify", visit: Visit | None = None, **more: object
    ) -> Mailbox:
        """Staff list a correspondent; its mailbox, once the bridge has told it."""
        there = visit or self.visit
        settings = {"key": None, "key_material": None, "reference": None, "confirm": False, **more}
        correspondent = Correspondent(address=address, name=address[:100], listed=True, mode=mode, **settings)  # type: ignore[arg-type]  # as the field table says
        await set_correspondent(there.veterinarian, there.case, correspondent)
        state = await self.mail(lambda state: address in state.mailboxes, visit=there)
        return state.mailboxes[address]

    async def mail(self, wanted: Callable[[MailState], bool], *, visit: Visit | None = None) -> MailState:
        """How the case's email stands, once it stands so."""
        there = visit or self.visit
        end = there.veterinarian
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            await receive(end, wait_seconds=2)
            state = mail_state(end, there.case)
            if wanted(state):
                return state
        raise AssertionError(
            f"it does not stand so: {mail_state(end, there.case)}\n{self.bridge.log.read_text()[-3000:]}"
        )

    async def entries(
        self, wanted: Callable[[list[EntryView]], bool], *, by: End | None = None, visit: Visit | None = None
    ) -> list[EntryView]:
        """What was said in the case, once this is true of it."""
        there = visit or self.visit
        reader = by or there.veterinarian
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            await receive(reader, wait_seconds=2)
            entries = list(read_thread(reader, there.case).entries)
            if wanted(entries):
                return entries
        raise AssertionError(f"it does not come: {self.bridge.log.read_text()[-3000:]}")

    def letters_from(self, mailbox: Mailbox) -> list[Captured]:
        """What has left from this case address so far."""
        return [one for one in self.sink.letters() if mailbox.mail in str(one.message["From"])]

    async def letter_to(self, mailbox: Mailbox, number: int = 1) -> Captured:
        """The letter of this number that left from this case address, once it has."""
        await self.until(lambda: len(self.letters_from(mailbox)) >= number)
        return self.letters_from(mailbox)[number - 1]

    def spooled(self) -> list[Path]:
        """The letters in the bridge's spool."""
        return list((self.home / "letters" / "new").iterdir())

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Waits until this is true."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not await asyncio.to_thread(wanted):
            assert time.monotonic() < deadline, self.bridge.log.read_text()[-3000:]
            await asyncio.sleep(0.1)

    async def until_async(self, wanted: Callable[[], Awaitable[bool]]) -> None:
        """The same, for a question that has to be awaited."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not await wanted():
            assert time.monotonic() < deadline, self.bridge.log.read_text()[-3000:]
            await asyncio.sleep(0.2)

    async def accepts(self, sent: EmailMessage, *, to: str) -> bool:
        """Sends a letter; whether it was taken."""
        return (await self.send(sent, to=to)).startswith("250")

    async def refuses(self, sent: EmailMessage, *, to: str, code: str) -> None:
        """Waits until letters to this address are refused with this code."""

        async def refused() -> bool:
            return (await self.send(sent, to=to)).startswith(code)

        await self.until_async(refused)

    async def send(self, letter: EmailMessage | bytes, *, to: str, mail_from: str = RECORDS) -> str:
        """Brings a letter to the bridge by SMTP; what it answered to the dot."""
        raw = letter if isinstance(letter, bytes) else letter.as_bytes(policy=letter.policy.clone(linesep="\r\n"))
        return await asyncio.to_thread(self._sent, raw, to, mail_from)

    def _sent(self, raw: bytes, to: str, mail_from: str) -> str:
        with smtplib.SMTP(*self.smtp, timeout=60) as session:
            session.ehlo("mx.alderway.example")
            for code, answer in (session.mail(mail_from), session.rcpt(to)):
                if code >= 300:
                    return f"{code} {answer.decode()}"
            code, answer = session.data(raw)
            return f"{code} {answer.decode()}"


def letter(
    text: str, *, subject: str = "Luna", sender: str = RECORDS, to: str = "x@mail.example", **headers: str
) -> EmailMessage:
    """A letter as a clinic's mail program writes it."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = f"Dr. Alder <{sender}>", to, subject
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = make_msgid(domain=CLINIC)
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def town_zone() -> Zone:
    """The clinic's domain as SPF and DMARC know it; its letters come from this machine."""
    zone = Zone()
    zone.add(CLINIC, "TXT", f"v=spf1 ip4:{HERE} -all")
    zone.add(f"mx.{CLINIC}", "TXT", f"v=spf1 ip4:{HERE} -all")
    zone.add(f"_dmarc.{CLINIC}", "TXT", "v=DMARC1; p=reject")
    return zone


@asynccontextmanager
async def mail_town(folder: Path, *, settings: str = "", listen: str = "127.0.0.1:0") -> AsyncIterator[MailTown]:
    """A practice with its bridge at work, and one case in which it is on."""
    zone = town_zone()
    with smtp_sink(folder / "sink") as sink:
        async with serving(zone) as resolver:
            more = f'resolver = "{resolver}"\nsmarthost = "127.0.0.1:{sink.port}"\nsmarthost_tls = "off"\n{settings}'
            ways = practice(folder, listen=listen)
            here = await asyncio.to_thread(ways.__enter__)
            code = await enrolment_code(folder, "machine")
            bridge = bridge_at(folder, here.url, code=code, settings=more)
            try:
                await asyncio.to_thread(bridge.start)
                async with end_of(folder / "veterinarian", here.clinic) as veterinarian:
                    await adopt(veterinarian, read_offer(Path(str(bridge.told["offer"]))))
                async with visit(here, "Luna") as there:
                    await turn_on(there.veterinarian, there.case)
                    town = MailTown(
                        here=here, zone=zone, sink=sink, bridge=bridge, visit=there, code=code, settings=more
                    )
                    try:
                        yield town
                    finally:
                        bridge = town.bridge
            finally:
                await asyncio.to_thread(bridge.end)
                await asyncio.to_thread(ways.__exit__, None, None, None)
