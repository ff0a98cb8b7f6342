"""N36: forty words through a whole journey, with all logs on, and then searched in everything that is kept or told.

What holds them by design is left out, and named: the person's own files (what was sent and what was saved), and the
keyring, which has the names of its party and person, readable by its owner alone.
"""

import asyncio
import base64
import io
import json
import logging
import os
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from tests.journeys.people import People, people
from vetrelay.client.cases import invite, open_case
from vetrelay.client.fetch import save_attachments
from vetrelay.client.follow import follow
from vetrelay.client.keyring import FILE_NAME
from vetrelay.client.news import receive
from vetrelay.client.outbox import promise_envelope
from vetrelay.client.say import draft_of, say
from vetrelay.client.thread import EntryView, read_thread
from vetrelay.errors import VetRelayError
from vetrelay.protocol.ids import unb64
from vetrelay.protocol.manifest import NO_HINTS, Text

SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
COMMENT, MAKE = 0x9286, 0x010F


def canaries(count: int) -> list[str]:
    """Words that stand nowhere by chance."""
    return ["".join(SYLLABLES[byte % len(SYLLABLES)] for byte in os.urandom(6)) for _ in range(count)]


def disguises(secret: bytes) -> Iterator[bytes]:
    """A secret as it might stand somewhere: as it is, in hex, in UTF-16, in base64 at any place of a longer text."""
    yield secret
    yield secret.hex().encode()
    yield secret.decode("latin-1").encode("utf-16-le")
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + secret)
        # The first and the last letters depend on what stands beside it.
        inner = encoded[4 if shift else 0 : len(encoded) - 4]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


def found_in(raw: bytes, secrets: dict[str, bytes]) -> list[str]:
    """The secrets that stand in some bytes, in any disguise."""
    return [name for name, secret in secrets.items() if any(form in raw for form in disguises(secret))]


def test_a_word_in_disguise_is_found() -> None:
    """The search below would see it."""
    word = b"kanarivogel"
    others = [b"x" * shift + word + b"yz" for shift in range(3)]
    hidden = [word, word.hex().encode(), word.decode().encode("utf-16-le"), *map(base64.b64encode, others)]
    assert [["word"]] * 6 == [found_in(b"before" + form + b"after", {"word": word}) for form in hidden]
    assert [] == found_in(b"something else", {"word": word})


def photo(words: list[str]) -> bytes:
    """A JPEG whose camera and comment are secrets."""
    exif = Image.Exif()
    exif[MAKE] = words[0]
    exif.get_ifd(0x8769)[COMMENT] = words[1].encode()
    written = io.BytesIO()
    Image.new("RGB", (200, 150), "red").save(written, "JPEG", exif=exif, comment=words[2].encode())
    return written.getvalue()


async def _checked(here: People) -> EntryView:
    """The first message as the veterinarian reads it once its files have their verdict."""
    while True:
        await receive(here.veterinarian, wait_seconds=5)
        entry = read_thread(here.veterinarian, here.case).entries[0]
        if all(view.verdict != "pending" for view in entry.attachments):
            return entry


def sent_files(words: list[str], mine: Path) -> list[Path]:
    """A photo and a note, secret by name and by content."""
    files = []
    for name, content in ((f"{words[0]}.jpg", photo(words[1:4])), (f"{words[4]}.txt", " ".join(words[5:9]).encode())):
        path = mine / name
        path.write_bytes(content)
        files.append(path)
    return files


async def _journey(here: People, words: list[str], files: list[Path], mine: Path) -> list[str]:
    """Words and files both ways, saved, and everything that can go wrong; the tracebacks of what did."""
    told: list[str] = []
    promised, _ = await say(
        here.owner, here.case, text=" ".join(words[9:14]), files=files, hints=replace(NO_HINTS, purpose="skin")
    )
    here.owner.journal.report(promised.id)
    entry = await _checked(here)
    assert ["clean", "clean"] == [view.verdict for view in entry.attachments]
    await save_attachments(here.veterinarian, entry, mine / "saved", original=False)
    await say(here.veterinarian, here.case, text=" ".join(words[14:18]))
    await receive(here.owner, wait_seconds=1)
    assert " ".join(words[14:18]) == read_thread(here.owner, here.case).entries[-1].text
    await open_case(here.veterinarian, " ".join(words[18:20]))
    await invite(here.veterinarian, here.case, "consultant")
    # Promised and never delivered: it waits in the outbox.
    draft = draft_of(
        here.owner, here.case, class_="message", audience="case", content=Text(text=" ".join(words[20:22]))
    )
    await promise_envelope(here.owner, "send:waits", draft, ())
    for attempt in (
        save_attachments(here.veterinarian, entry, mine / FILE_NAME / "no folder", original=True),
        open_case(here.veterinarian, " ".join(words[22:24]) * 20),
        follow(here.owner, here.case[::-1]),
        say(here.owner, here.case, text=" ".join(words[24:26]), files=[mine / "absent"]),
        here.owner.api.put_envelope(here.case, draft.id, json.dumps({"text": words[26]}).encode()),
        here.owner.api.post_statement(f"/v1/cases/{words[27]}/entries", words[28].encode()),
    ):
        try:
            await attempt
        except (VetRelayError, OSError):
            told.append(traceback.format_exc())
    assert len(told) >= 5
    return told


def _secrets_of(here: People, words: list[str]) -> dict[str, bytes]:
    """The words, and every key that this journey made."""
    secrets = {word: word.encode() for word in words}
    for end in (here.owner, here.veterinarian):
        keyring = end.keyring
        seeds = {"sign": keyring.sign_seed, "seal": keyring.seal_seed, "party": keyring.keys[0].seed}
        secrets |= {f"{keyring.person_name} {name}": unb64(seed) for name, seed in seeds.items()}
    return secrets


def _kept_files(folder: Path, mine: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and mine not in path.parents and path.name != FILE_NAME:
            yield path


async def test_forty_words_are_found_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in database, blobs, journals, spools, temporary files, logs, nor in the traceback of anything that failed."""
    temporary, mine = tmp_path / "temporary", tmp_path / "mine"
    temporary.mkdir()
    mine.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    words = canaries(40)
    files = sent_files(words[7:], mine)
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    async with people(
        tmp_path,
        title=" ".join(words[:3]),
        names=(" ".join(words[3:5]), " ".join(words[5:7])),
        with_intake=True,
        worker="real",
    ) as here:
        tracebacks = await _journey(here, words[7:], files, mine)
        secrets = _secrets_of(here, words)
        kept = {path: found_in(path.read_bytes(), secrets) for path in _kept_files(tmp_path, mine)}
    assert len(kept) > 10
    assert {} == {str(path): found for path, found in kept.items() if found}
    assert [] == found_in(" ".join(str(path.relative_to(tmp_path)) for path in kept).encode(), secrets)
    told = "\n".join([*tracebacks, caplog.text, *capfd.readouterr()]).encode()
    assert [] == found_in(told, secrets)
    print(f"40 words and {len(secrets) - 40} keys searched in {len(kept)} files and {len(told)} bytes of logs: 0 found")
