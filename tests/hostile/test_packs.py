"""Packs and letters through the real jail: rows 48 to 56 of the checklist, and that nothing takes the check down."""

import io
import random
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.corpora import ABSENT, corpora_folder
from tests.hostile import packs
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.words import JAIL_ENDS, Verdict

pytestmark = pytest.mark.asyncio(loop_scope="module")
MADE = {Verdict.CLEAN, Verdict.CONVERTED}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all files: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


@pytest.mark.parametrize("row", [pytest.param(row, id=row.row) for row in packs.ROWS])
async def test_the_checklist_holds(inspector: Inspector, row: packs.Row) -> None:
    """Each row's verdict and reason; nothing is made of what is refused."""
    finding = await inspector.inspect(row.make(), row.name)
    assert (row.verdict, row.reason) == (finding.verdict, None if finding.reason is None else finding.reason.key)
    assert () == finding.outputs


async def test_a_letters_words_stay_and_what_tells_on_its_reader_goes(inspector: Inspector) -> None:
    """A web page becomes text; nothing of it is fetched, nothing of it runs, its quote stays."""
    finding = await inspector.inspect(packs.PAGE, "letter.eml")
    assert (Verdict.CONVERTED, "letter.txt") == (finding.verdict, finding.name)
    assert (
        "2 pieces of content from the internet removed",
        "route of the letter removed",
        "shown as plain text",
    ) == finding.notes
    expected = (
        "From: vet@example.org\nSubject: page\n\nLuna is well.\n\n> Is she?\nhere there <https://example.org/x>\n"
    )
    assert expected == finding.outputs[0].content.decode()


async def test_the_files_of_a_letter_are_inspected_like_any_other(inspector: Inspector) -> None:
    """Each by its own row: a photo is made, a program left out, a pack unpacked; all are listed."""
    content = packs.letter(
        b"\r\nSee the photos.",
        packs.attached("paw.jpg", packs.photo(), "image/jpeg"),
        packs.attached("viewer.exe", b"MZ" + bytes(100)),
        packs.attached("more.zip", packs.zipped([("ear.jpg", packs.photo())])),
    )
    finding = await inspector.inspect(content, "letter.eml")
    assert [
        ("paw.jpg", "clean", None),
        ("viewer.exe", "refused", "type_not_taken"),
        ("more.zip", "converted", None),
        ("more.zip/ear.jpg", "clean", None),
    ] == [(one.name, one.verdict, None if one.reason is None else one.reason.key) for one in finding.members]
    assert [
        ("record", "letter.txt", None),
        ("record", "paw.jpg", 0),
        ("preview", "paw-preview.jpg", 0),
        ("record", "ear.jpg", 3),
        ("preview", "ear-preview.jpg", 3),
    ] == [(made.role, made.name, made.member) for made in finding.outputs]


async def test_outlooks_letters_give_their_words_and_files(inspector: Inspector) -> None:
    """The same as any letter's, the text under its subject."""
    finding = await inspector.inspect(
        packs.winmail(("paw.jpg", packs.photo()), ("Befund.txt", b"Gut.\n")), "winmail.dat"
    )
    assert (Verdict.CONVERTED, ("2 attachments taken out",)) == (finding.verdict, finding.notes)
    assert b"Subject: Luna\n\nAll is well.\n" == finding.outputs[0].content
    assert ["paw.jpg", "Befund.txt"] == [member.name for member in finding.members]


async def test_nothing_that_a_pack_or_letter_carries_along_is_in_what_is_made(inspector: Inspector) -> None:
    """Comments, extra fields and dates of a ZIP; the route, the programs and the numbers of a letter."""
    carried = {"a.zip": packs.carrying(), "a.eml": packs.PAGE, "winmail.dat": packs.winmail(("a.txt", packs.TEXT))}
    for name, content in carried.items():
        finding = await inspector.inspect(content, name)
        assert finding.verdict in MADE
        for made in finding.outputs:
            for canary in (b"rying", b"4711", b"track.example", b"alert", b"no title"):
                assert canary not in made.content, (name, made.name, canary)
    (record, *_) = (await inspector.inspect(carried["a.zip"], "a.zip")).outputs
    with zipfile.ZipFile(io.BytesIO(record.content)) as opened:
        assert {((1980, 1, 1, 0, 0, 0), b"", b"")} == {
            (one.date_time, one.extra, one.comment) for one in opened.infolist()
        }
        assert b"" == opened.comment


@pytest.mark.parametrize(("levels", "reached"), [(3, 4), (4, 5), (5, 5), (12, 5)])
async def test_letters_in_letters_are_read_five_deep(inspector: Inspector, levels: int, reached: int) -> None:
    """The sixth is left out, and listed as too deep."""
    finding = await inspector.inspect(packs.letters_in_letters(levels), "letter.eml")
    assert Verdict.CONVERTED is finding.verdict
    texts = [made for made in finding.outputs if made.media_type == "text/plain"]
    assert reached == len(texts)
    reasons = [one.reason.key for one in finding.members if one.reason is not None]
    assert (["letter_too_deep"] if levels > 4 else []) == reasons


def sound() -> list[tuple[str, bytes]]:
    """A pack and a letter that are taken as they are."""
    pack = packs.zipped([("paw.jpg", packs.photo()), ("a/note.txt", packs.TEXT)])
    return [
        ("pack.zip", pack),
        ("letter.eml", packs.letter(b"\r\nHello.", packs.attached("paw.jpg", packs.photo(), "image/jpeg"))),
        ("winmail.dat", packs.winmail(("paw.jpg", packs.photo()), ("note.txt", packs.TEXT))),
    ]


@pytest.mark.parametrize(("name", "content"), sound())
async def test_a_pack_or_letter_cut_anywhere_never_takes_the_check_down(
    inspector: Inspector, name: str, content: bytes
) -> None:
    """A pack that breaks off is refused; a letter is as long as it is, so its last file alone may be incomplete."""
    dice = random.Random(name)
    assert (await inspector.inspect(content, name)).verdict in MADE
    for place in sorted({dice.randrange(1, len(content)) for _ in range(100)}):
        finding = await inspector.inspect(content[:place], name)
        assert finding.reason not in JAIL_ENDS
        if name == "pack.zip":
            assert Verdict.REFUSED is finding.verdict, place


@pytest.mark.parametrize(("name", "content"), sound())
async def test_a_changed_pack_or_letter_never_takes_the_check_down(
    inspector: Inspector, name: str, content: bytes
) -> None:
    """One bit turned, a hundred times: a verdict about the content each time."""
    dice = random.Random(name)
    for _ in range(100):
        changed = bytearray(content)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        finding = await inspector.inspect(bytes(changed), name)
        assert finding.reason not in JAIL_ENDS
        assert all(member.reason not in JAIL_ENDS for member in finding.members)


@pytest.mark.corpora
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
@pytest.mark.parametrize("folder", ["tnef", "mime/stalwart-mail-parser/resources/eml/thirdparty"])
async def test_real_letters_are_judged_without_a_crash(inspector: Inspector, corpora: Path, folder: str) -> None:
    """Every winmail.dat and a folder of real letters: a verdict each, and every part has one too."""
    counts: dict[str, int] = {}
    for path in sorted(path for path in (corpora / folder).rglob("*") if path.suffix in {".tnef", ".eml"}):
        finding = await inspector.inspect(path.read_bytes(), path.name)
        counts[finding.verdict] = counts.get(finding.verdict, 0) + 1
        assert finding.reason not in JAIL_ENDS, path.name
        assert all(member.reason not in JAIL_ENDS for member in finding.members), path.name
    print(counts)
    assert counts["converted"] > 5
