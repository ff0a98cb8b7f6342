"""Whole letters through the real jail: rows 30 to 35 of the bridge's checklist, and every letter of the corpora."""

import random
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.corpora import ABSENT, corpora_folder
from tests.hostile import lettercorpus, letters, packs
from tests.hostile.lettercorpus import RealLetter
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.letter import LetterRead, Protection, read_letter
from vetrelay.inspection.words import JAIL_ENDS, Reason, Unfit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all letters: none of them may leave it unfit for the next."""
    async with Inspector.start(Settings()) as started:
        yield started


class Listener:
    """Somebody who waits for a letter to be opened, on a port of this machine."""

    def __init__(self) -> None:
        self.hits = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self) -> None:
        while True:
            try:
                taken, _ = self._socket.accept()
            except OSError:
                return
            self.hits += 1
            taken.close()

    def close(self) -> None:
        """Stops waiting."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A web server that nothing may ask."""
    started = Listener()
    yield started
    started.close()


# --- row 30 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pgp", "smime"])
async def test_row_30_a_ciphertext_between_two_halves_of_a_page_is_a_file(
    inspector: Inspector, listener: Listener, kind: str
) -> None:
    """EFAIL: nothing is asked for, nothing is spliced, and the letter does not count as encrypted."""
    read = await read_letter(inspector, letters.efail(listener.host, kind=kind))
    assert 0 == listener.hits
    assert Protection.NONE is read.protection
    assert listener.host not in read.text
    assert read.parts


async def test_row_30_only_a_whole_letter_counts_as_encrypted(inspector: Inspector) -> None:
    """Of it exactly the ciphertext is handed on; a third part beside the two makes it no encrypted letter."""
    kind = "encrypted; protocol=application/pgp-encrypted"
    read = await read_letter(inspector, letters.made_of(kind, *letters.PGP_PARTS))
    assert (Protection.PGP_ENCRYPTED, "", "Luna") == (read.protection, read.text, read.subject)
    assert [b"-----BEGIN PGP MESSAGE-----\r\n\r\nabc=\r\n-----END PGP MESSAGE-----\r\n"] == [
        p.content for p in read.parts
    ]
    more = letters.made_of(kind, *letters.PGP_PARTS, letters.part("text/html", b"<p>more"))
    assert "none" == (await read_letter(inspector, more)).protection


# --- row 31 ---------------------------------------------------------------------------------------------------------

# Where we read otherwise than they do, and why that is right.
UNDERSTOOD = {
    "malformed/009.eml": "an outer boundary ends the inner part (RFC 2046, 5.1.2); they go on",
    "malformed/011.eml": "the same",
    "malformed/012.eml": "the same",
    "malformed/020.eml": "two media types in one field: they take all that follows for text",
    "malformed/021.eml": "the same",
    "thirdparty/002.eml": "'?garbage' said to be base64: we unpack its letters, they leave it",
    "frag.msg": "base64 that breaks off: we keep the two bytes of its last piece",
    "multi-frag.msg": "words behind base64: we keep two bytes more",
    "boundary-name-clash.msg": "a page beside plain text that says the same",
    "malformedHeaderStartsBody-nocrlfcrlf.msg": "what follows the fields: they leave out a line of it, we do not",
    "weird-boundary.msg": "a boundary that ends with spaces, which none may (RFC 2046, 5.1.1)",
}


def real_letters() -> list[RealLetter]:
    folder = corpora_folder()
    return [] if folder is None else list(lettercorpus.real_letters(folder))


async def everything_in(inspector: Inspector, content: bytes, depth: int = 0) -> tuple[list[str], list[bytes]]:
    """The texts and files of a letter, and of the letters in it."""
    read = await read_letter(inspector, content)
    texts, files = [read.text], [part.content for part in read.parts]
    files += [] if read.signed is None else [read.signed.signature]
    for part in read.parts:
        if part.media_type.startswith("message/") and part.content and depth < 10:
            inner_texts, inner_files = await everything_in(inspector, part.content, depth + 1)
            texts += inner_texts
            files += inner_files
    return texts, files


@pytest.mark.corpora
@pytest.mark.skipif(corpora_folder() is None, reason=ABSENT)
async def test_row_31_every_real_letter_is_read_and_its_leaves_are_there(inspector: Inspector) -> None:
    """357 letters without a refusal; every leaf that two other readers found, but for what is understood."""
    counts: Counter[str] = Counter()
    differing: set[str] = set()
    for letter in real_letters():
        texts, files = await everything_in(inspector, letter.content)
        counts["letters"] += 1
        ways = [lettercorpus.how_found(leaf, texts, files) for leaf in letter.leaves or ()]
        counts.update(way or "otherwise" for way in ways)
        if "" in ways:
            differing.add(letter.name.removesuffix(" crlf"))
    print(dict(counts))
    assert set(UNDERSTOOD) == differing
    assert counts["letters"] > 350
    assert counts["bytes"] + counts["words"] > 600


# --- row 32 ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bomb", [pytest.param(bomb, id=bomb.row) for bomb in letters.BOMBS])
async def test_row_32_what_is_made_to_keep_a_reader_is_not_opened(inspector: Inspector, bomb: letters.Bomb) -> None:
    """Refused by a count, long before the limits of its jail."""
    with pytest.raises(Unfit) as refused:
        await read_letter(inspector, bomb.make())
    assert bomb.reason == refused.value.reason.key


@pytest.mark.parametrize("name", letters.HEAVY)
async def test_row_32_what_is_just_within_the_bounds_is_read(inspector: Inspector, name: str) -> None:
    """It ends by itself, well within its time."""
    read = await read_letter(inspector, letters.HEAVY[name]())
    assert read.text


async def test_row_32_a_letter_of_25_mib_is_read(inspector: Inspector) -> None:
    """Its file whole."""
    read = await read_letter(inspector, letters.large(25 << 20))
    assert ("See the file.", ["scan.dcm"]) == (read.text, [part.name for part in read.parts])
    assert (25 << 20) * 3 // 4 // 256 * 256 == len(read.parts[0].content)


# --- row 33 ---------------------------------------------------------------------------------------------------------


async def test_row_33_all_that_clinics_send_at_once_comes_out(inspector: Inspector) -> None:
    """Outlook's file and what is in it, an Outlook letter, letters in letters, a pack, a page's picture, a scan."""
    content, files = letters.everything()
    read = await read_letter(inspector, content)
    assert [name for name, _ in files] == [part.name for part in read.parts]
    assert [content for _, content in files[:-1]] == [part.content for part in read.parts[:-1]]
    assert [True] + [False] * 8 == [part.inline for part in read.parts]
    assert "See below." in read.text
    for said in ("All is well.", "Number 3", "Number 2", "The innermost: 1 ml."):
        assert said in read.text
    assert "--- forwarded letter from Dr. Vet <vet@example.org>, no date, Luna ---" in read.text


@pytest.mark.parametrize(("field", "expected"), [pytest.param(*row[1:], id=row[0]) for row in letters.NAMES])
async def test_row_33_a_name_is_told_as_it_is_and_does_nothing(
    inspector: Inspector, field: bytes, expected: str
) -> None:
    """However it was written: one path part, every unseen sign shown, its ending kept."""
    read = await read_letter(
        inspector, letters.made_of("mixed", letters.part("text/plain", b"x"), letters.attached(field))
    )
    assert [expected] == [part.name for part in read.parts]


async def test_row_33_letters_in_letters_are_told_three_deep(inspector: Inspector) -> None:
    """The fourth is in its file alone."""
    read = await read_letter(inspector, packs.letters_in_letters(6))
    assert 3 == read.text.count("--- forwarded letter from")
    assert ["letter-1.eml"] == [part.name for part in read.parts]


# --- row 34 ---------------------------------------------------------------------------------------------------------


def shown_of(read: LetterRead) -> str:
    """What a screen shows that folds everything it may."""
    position, shown = 0, ""
    for begin, end in read.folds:
        shown += read.text[position:begin]
        position = end
    return shown + read.text[position:]


@pytest.mark.parametrize("name", letters.REPLIES)
async def test_row_34_no_word_of_a_reply_is_ever_missing(inspector: Inspector, name: str) -> None:
    """The text is all of it, and each dose outside quotes is seen without unfolding anything."""
    text = letters.REPLIES[name]
    read = await read_letter(inspector, letters.plain(text))
    assert text == read.text
    for line in text.split("\n"):
        if "ml" in line and not (line.startswith(">") and read.folds):
            assert line in shown_of(read)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a chart that looks like a head", letters.DOSAGE),
        ("answers between the lines", "2 ml\ntwice"),
        ("answers below", "\nGive 2 ml."),
        ("a head of Outlook's", "Give 2 ml.\n\n"),
        ("a French head", "Donnez 2 ml.\n\n"),
        ("a German head", "2 ml.\n\n"),
        ("a signature", "Give 2 ml.\n"),
        ("nothing but a quote", "> Give 2 ml.\n> Twice."),
    ],
)
async def test_row_34_an_older_letter_may_be_folded(inspector: Inspector, name: str, shown: str) -> None:
    """Below the answer, between the lines of it, in several languages; never so that nothing is left."""
    assert shown == shown_of(await read_letter(inspector, letters.plain(letters.REPLIES[name])))


async def test_row_34_a_dose_that_only_the_page_tells_is_shown(inspector: Inspector) -> None:
    """Plain text that says less than the page beside it does not hide it; the same said twice is shown once."""
    page = letters.part(
        "text/html", b"<p>Luna is well. Give <b>2 ml</b> of it.</p><a href='https://x.example/77'>Us</a>"
    )
    poor = letters.made_of("alternative", letters.part("text/plain", b"Luna is well. Give of it. Us"), page)
    assert "2 ml" in (await read_letter(inspector, poor)).text
    same = letters.made_of("alternative", letters.part("text/plain", b"Luna is well. Give 2 ml of it. Us"), page)
    assert "Luna is well. Give 2 ml of it. Us" == (await read_letter(inspector, same)).text


# --- row 35 ---------------------------------------------------------------------------------------------------------


async def test_row_35_a_page_is_words_and_asks_for_nothing(inspector: Inspector, listener: Listener) -> None:
    """Pixel, script, style, frame and object are gone, what is hidden is shown, a link is named."""
    read = await read_letter(inspector, letters.PAGE.replace(b"%(host)s", listener.host.encode()))
    assert "Give 2 ml of it.\n\nhere there <https://clinic.example.org/x>\nThen 3 ml." == read.text
    assert 0 == listener.hits
    assert () == read.parts


# --- whatever comes -------------------------------------------------------------------------------------------------


def sound() -> dict[str, bytes]:
    """Letters that are read as they are."""
    return {
        "files": letters.made_of(
            "mixed",
            letters.part("text/plain", b"Give 2 ml."),
            letters.attached(b"filename*=utf-8''B%C3%BCcher.pdf"),
            letters.part("application/ms-tnef", packs.winmail(("a.txt", b"x")), base64=True),
            letters.part("message/rfc822", letters.plain("Hello.")),
        ),
        "page": letters.PAGE,
        "report": letters.report("Final-Recipient: rfc822; a@example.org", "Action: failed", "Status: 5.1.1"),
        "signed": letters.made_of(
            "signed", letters.part("text/plain", b"Give 2 ml."), letters.part("application/pgp-signature", b"x")
        ),
    }


async def reason_of(inspector: Inspector, content: bytes) -> Reason:
    """Why a letter is not read; NONE where it is."""
    try:
        await read_letter(inspector, content)
    except Unfit as unfit:
        return unfit.reason
    return Reason.NONE


@pytest.mark.parametrize("name", sound())
async def test_a_letter_cut_anywhere_never_takes_the_reader_down(inspector: Inspector, name: str) -> None:
    """A hundred cuts: each is read, or refused for what it is."""
    content, dice = sound()[name], random.Random(name)
    for place in sorted({dice.randrange(len(content)) for _ in range(100)}):
        assert await reason_of(inspector, content[:place]) not in JAIL_ENDS


@pytest.mark.parametrize("name", sound())
async def test_a_changed_letter_never_takes_the_reader_down(inspector: Inspector, name: str) -> None:
    """A hundred turned bits: each is read, or refused for what it is."""
    content, dice = sound()[name], random.Random(name)
    for _ in range(100):
        changed = bytearray(content)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        assert await reason_of(inspector, bytes(changed)) not in JAIL_ENDS
