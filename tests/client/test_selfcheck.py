"""Where the ends inspect: what the sender's own program made goes, with its word; a word that is not true saves nothing."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from tests.client.town import Town, town_at
from tests.practice import photo
from vetrelay.client.attachments import AttachmentView
from vetrelay.client.cases import open_case
from vetrelay.client.drafts import DraftObject
from vetrelay.client.end import End
from vetrelay.client.fetch import NotSaved, save_attachments
from vetrelay.client.follow import follow
from vetrelay.client.outbox import deliver, promise_envelope
from vetrelay.client.say import draft_of, say
from vetrelay.client.thread import EntryView, read_thread
from vetrelay.client.transfer import SealedFile, seal_content
from vetrelay.errors import Refusal
from vetrelay.protocol.finding import CheckedFile, CheckedFiles, Derived
from vetrelay.protocol.ids import CaseId, b64

PROGRAM = b"MZ\x90\x00" + bytes(400)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A clinic and an owner in a case without a file check."""

    town: Town
    case: CaseId
    clinic: End
    owner: End

    async def read(self) -> EntryView:
        """What the clinic reads last."""
        await follow(self.clinic, self.case)
        return read_thread(self.clinic, self.case).entries[-1]


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """The case is opened so that senders check their own files."""
    async with town_at(tmp_path / "town") as town:
        clinic = await town.clinic()
        promised, case = await open_case(clinic, "Luna", inspection="ends")
        clinic.journal.report(promised.id)
        yield Pair(town=town, case=case, clinic=clinic, owner=await town.newcomer(clinic, case))


def written(folder: Path, name: str, content: bytes) -> Path:
    """A file to be sent."""
    (folder / name).write_bytes(content)
    return folder / name


def roles(file: AttachmentView) -> list[str]:
    """What can be saved of a file."""
    return [one.role for one in file.objects]


async def test_copies_go_with_their_senders_word_and_no_original(pair: Pair, tmp_path: Path) -> None:
    """The text beside them, the notes, and who checked."""
    await say(pair.owner, pair.case, text="Her paw.", files=[written(tmp_path, "paw.jpg", photo())])
    entry = await pair.read()
    (file,) = entry.attachments
    assert ("Her paw.", "sender", "clean", ["record", "preview"]) == (
        entry.text,
        file.checked_by,
        file.verdict,
        roles(file),
    )
    assert file.objects[0].sha256 == file.sha256
    saved, missed = await save_attachments(pair.clinic, entry, tmp_path / "out", original=False)
    assert ([], ["record"]) == (missed, [one.role for one in saved])
    with Image.open(saved[0].path) as opened:
        assert not opened.getexif()
    nothing, _ = await save_attachments(pair.clinic, entry, tmp_path / "out", original=True)
    assert [] == nothing


async def test_an_original_that_is_wished_goes_too(pair: Pair, tmp_path: Path) -> None:
    """Told as unsafe, and exactly what was sent."""
    path = written(tmp_path, "paw.jpg", photo())
    await say(pair.owner, pair.case, text="", files=[path], keep_original=True)
    entry = await pair.read()
    (file,) = entry.attachments
    assert (["record", "preview", "original"], True) == (roles(file), file.objects[-1].unsafe)
    saved, _ = await save_attachments(pair.clinic, entry, tmp_path / "out", original=True)
    assert [path.read_bytes()] == [one.path.read_bytes() for one in saved]


async def test_what_does_not_pass_is_named_and_nothing_is_sent(pair: Pair, tmp_path: Path) -> None:
    """Nor does anything of the good file beside it stay in the spool."""
    files = [written(tmp_path, "paw.jpg", photo()), written(tmp_path, "setup.exe", PROGRAM)]
    with pytest.raises(Refusal) as refused:
        await say(pair.owner, pair.case, text="look", files=files)
    assert ("file_not_sent", {"setup.exe": "type_not_taken"}) == (refused.value.code, refused.value.facts["files"])
    assert [] == list(pair.owner.journal.spool.iterdir())
    assert () == read_thread(pair.owner, pair.case).entries


async def test_a_file_that_went_away_is_told_as_such(pair: Pair, tmp_path: Path) -> None:
    """As where an intake inspects."""
    path = written(tmp_path, "paw.jpg", photo())
    path.chmod(0)
    path.unlink()
    with pytest.raises(Refusal, match="file_unreadable"):
        await say(pair.owner, pair.case, text="look", files=[path])


def picture(size: tuple[int, int] = (8, 8)) -> bytes:
    """A bare picture."""
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    return out.getvalue()


async def vouched(pair: Pair, content: bytes, *, name: str, media: str) -> EntryView:
    """What a dishonest program sends: any bytes, with any word on them."""
    sealed = seal_content(pair.owner, content)
    derived = Derived(
        use="record",
        h0=sealed.p,
        plain_sha256=sealed.plain_sha256,
        size=sealed.plain_bytes,
        media=media,
        name=name,
        width=8,
        height=8,
        member=None,
    )
    file = CheckedFile(
        name=name,
        size=1,
        code="clean",
        original=None,
        reason=None,
        notes=(),
        media=media,
        captured=None,
        width=8,
        height=8,
        items=None,
        duration_ms=None,
        patient=None,
        derived=(derived,),
        members=(),
    )
    draft = draft_of(
        pair.owner,
        pair.case,
        class_="message",
        audience="case",
        content=CheckedFiles(text="trust me", files=(file,)),
        objects=(as_copy(sealed, name=name, media=media),),
    )
    await deliver(pair.owner, await promise_envelope(pair.owner, "a lie", draft, (sealed,)))
    return await pair.read()


def as_copy(sealed: SealedFile, *, name: str, media: str) -> DraftObject:
    """A sealed file as a copy in a draft."""
    return DraftObject(
        role="normalized",
        p=sealed.p,
        size=sealed.size_bytes,
        key=b64(sealed.key),
        plain_sha256=sealed.plain_sha256,
        plain_size=sealed.plain_bytes,
        media=media,
        name=name,
        keep_original=False,
    )


@pytest.mark.parametrize(
    ("name", "media", "content"),
    [
        ("paw.png", "image/png", PROGRAM),
        ("paw.png", "image/png", b"<html><script>alert(1)</script>"),
        ("paw.png", "image/png", picture() + b"and more"),
        ("paw.png", "image/png", picture((9, 8))),
        ("paw.png", "image/png", picture()[:40]),
        ("paw.png", "image/png", b""),
        ("paw.exe", "image/png", picture()),
        ("setup.exe", "application/octet-stream", PROGRAM),
        ("page.html", "text/html", b"<html><script>alert(1)</script>"),
        ("letter.txt", "text/plain", b"a line\x1b[2J"),
        ("letter.pdf", "application/pdf", picture()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_copy_that_is_not_what_its_sender_says_is_not_saved(
    pair: Pair, tmp_path: Path, name: str, media: str, content: bytes
) -> None:
    """Whoever wrote the sender's program: the reader looks at the bytes before they get a name."""
    entry = await vouched(pair, content, name=name, media=media)
    saved, missed = await save_attachments(pair.clinic, entry, tmp_path / "out", original=False)
    assert ([], [NotSaved(name=entry.attachments[0].name, code="copy_differs")]) == (saved, missed)
    assert [] == list((tmp_path / "out").iterdir())


async def test_a_copy_that_is_what_its_sender_says_is_saved(pair: Pair, tmp_path: Path) -> None:
    """The same way, with a true word."""
    entry = await vouched(pair, picture(), name="paw.png", media="image/png")
    saved, _ = await save_attachments(pair.clinic, entry, tmp_path / "out", original=False)
    assert [picture()] == [one.path.read_bytes() for one in saved]
