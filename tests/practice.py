"""A veterinary practice for journeys: a relay and an intake as processes, people as ends of the client SDK."""

import asyncio
import io
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace
from PIL import Image

from tests.processes import Process, enrolment_code, intake_at, relay
from vetrelay.client.api import connect
from vetrelay.client.cases import invite, join, look_at_invitation, open_case
from vetrelay.client.end import End, open_end
from vetrelay.client.keyring import Keyring
from vetrelay.client.news import receive
from vetrelay.client.parties import adopt, enrol, new_party, read_offer
from vetrelay.client.say import say
from vetrelay.client.thread import EntryView, read_thread
from vetrelay.protocol.ids import CaseId
from vetrelay.protocol.invitation import InvitationLink, parse_link
from vetrelay.protocol.manifest import NO_HINTS

VERDICT_SECONDS = 60
ORIENTATION, MAKE, GPS_IFD = 0x0112, 0x010F, 0x8825


def now_ms() -> int:
    """The clock."""
    return time.time_ns() // 1_000_000


@dataclass(kw_only=True)
class Practice:
    """A relay, its intake, and the clinic that has adopted it."""

    folder: Path
    url: str
    relay: Process
    intake: Process
    machine_code: str
    clinic: Keyring

    @property
    def intake_home(self) -> Path:
        """The intake's data folder."""
        return self.folder / "intake"

    async def adopt_intake(self, veterinarian: End) -> None:
        """The clinic makes the intake its own, by the offer that it wrote."""
        await adopt(veterinarian, read_offer(Path(str(self.intake.told["offer"]))))

    def restart_intake(self, *, die_at: str = "", worker: str = "pictures") -> None:
        """Ends the intake, if it still runs, and starts it again on the same folder."""
        self.intake.end()
        self.intake = intake_at(self.folder, self.url, code=self.machine_code, die_at=die_at, worker=worker)
        self.intake.start()


@dataclass(kw_only=True)
class Visit:
    """One case: the veterinarian, the owner, and what they do."""

    folder: Path
    case: CaseId
    veterinarian: End
    owner: End

    async def send(self, files: dict[str, bytes], *, keep_original: bool = False, purpose: str | None = None) -> str:
        """The owner sends files by name in one message; the message's entry id."""
        self.folder.mkdir(exist_ok=True)
        for name, content in files.items():
            (self.folder / name).write_bytes(content)
        paths = [self.folder / name for name in files]
        _, receipt = await say(
            self.owner,
            self.case,
            text="look",
            files=paths,
            keep_original=keep_original,
            hints=replace(NO_HINTS, purpose=purpose),
        )
        assert receipt.entry is not None
        return receipt.entry

    async def checked(self, entry: str, *, by: End | None = None) -> EntryView:
        """The message as the veterinarian reads it, once all its files have their verdict."""
        reader = by or self.veterinarian
        deadline = time.monotonic() + VERDICT_SECONDS
        while time.monotonic() < deadline:
            await receive(reader, wait_seconds=2)
            found = [one for one in read_thread(reader, self.case).entries if one.entry == entry]
            if found and all(file.verdict != "pending" for file in found[0].attachments):
                return found[0]
        raise AssertionError("no verdict came")


@contextmanager
def practice(
    folder: Path, *, worker: str = "pictures", die_at: str = "", settings: str = "", listen: str = "127.0.0.1:0"
) -> Iterator[Practice]:
    """A practice that is open: processes run, the clinic is enrolled, its intake is adopted."""
    with relay(folder, listen) as running:
        url = str(running.told["url"])
        code = asyncio.run(enrolment_code(folder, "machine"))
        intake = intake_at(folder, url, code=code, worker=worker, die_at=die_at, settings=settings)
        intake.start()
        clinic = asyncio.run(_clinic(folder, url, Path(str(intake.told["offer"]))))
        here = Practice(folder=folder, url=url, relay=running, intake=intake, machine_code=code, clinic=clinic)
        try:
            yield here
        finally:
            here.intake.end()


async def _clinic(folder: Path, url: str, offer: Path) -> Keyring:
    async with connect(url, device="", signer=None, now_ms=now_ms) as api:
        facts = await api.relay_facts()
        party = new_party(
            "clinic",
            party_name="practice",
            person_name="veterinarian",
            relay=facts.relay,
            relay_url=url,
            random_bytes=os.urandom,
        )
        await enrol(api, party, code=await enrolment_code(folder, "clinic"))
    async with end_of(folder / "veterinarian", party.keyring) as veterinarian:
        await adopt(veterinarian, read_offer(offer))
    return party.keyring


@asynccontextmanager
async def end_of(home: Path, keyring: Keyring) -> AsyncIterator[End]:
    """An end with the real clock and dice."""
    async with open_end(home, keyring, now_ms=now_ms, random_bytes=os.urandom) as end:
        yield end


@asynccontextmanager
async def visit(here: Practice, title: str) -> AsyncIterator[Visit]:
    """A new case of this title, which its owner has joined by a link."""
    async with AsyncExitStack() as stack:
        veterinarian = await stack.enter_async_context(end_of(here.folder / "veterinarian", here.clinic))
        _, case = await open_case(veterinarian, title)
        link = parse_link(await invite(veterinarian, case, "owner"))
        assert isinstance(link, InvitationLink)
        welcome = await look_at_invitation(veterinarian.api, link)
        party = new_party(
            "household",
            party_name="household",
            person_name="owner",
            relay=link.relay,
            relay_url=here.url,
            random_bytes=os.urandom,
        )
        owner = await stack.enter_async_context(end_of(here.folder / f"owner of {title}", party.keyring))
        await join(owner, link, welcome, party)
        yield Visit(folder=here.folder / f"files of {title}", case=case, veterinarian=veterinarian, owner=owner)


def photo(width_px: int = 640, height_px: int = 480, *, colour: str = "red") -> bytes:
    """A JPEG lying on its side, with the place where it was taken; its upper left quarter, when upright, is white."""
    picture = Image.new("RGB", (width_px, height_px), colour)
    # Orientation 6: shown after a quarter turn to the right, so that the lower left becomes the upper left.
    picture.paste("white", (0, height_px // 2, width_px // 2, height_px))
    exif = Image.Exif()
    exif[ORIENTATION], exif[MAKE] = 6, "a camera"
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (48.0, 8.0, 14.0), 3: "E", 4: (11.0, 34.0, 31.0)})
    written = io.BytesIO()
    picture.save(written, "JPEG", exif=exif, quality=90)
    return written.getvalue()
