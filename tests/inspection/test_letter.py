"""A whole letter read in the jail: its fields, its words, its files, its report, and how it is protected."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.hostile import letters, packs
from tests.hostile.letters import HEAD, made_of, part, plain, report
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.letter import (
    MAX_LETTER_BYTES,
    Action,
    DeliveryReport,
    LetterRead,
    Protection,
    SignedPart,
    read_letter,
)
from vetrelay.inspection.letterread import MAX_TEXT_CHARS
from vetrelay.inspection.notes import Note
from vetrelay.inspection.source import DescriptorSource
from vetrelay.inspection.words import Reason, Unfit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def inspector() -> AsyncIterator[Inspector]:
    """One inspector for all letters."""
    async with Inspector.start(Settings(parallel_jobs=2)) as started:
        yield started


# --- fields ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "name", "address"),
    [
        (b"Dr. Vet <vet@example.org>", "Dr. Vet", "vet@example.org"),
        (b"vet@example.org", "", "vet@example.org"),
        (b"vet@example.org (Dr. Vet)", "Dr. Vet", "vet@example.org"),
        (b'"Vet, Dr." <vet@example.org>', "Vet, Dr.", "vet@example.org"),
        (b"=?utf-8?q?Dr=2E_J=C3=BCrgen=2C_Vet?= <vet@example.org>", "Dr. Jürgen, Vet", "vet@example.org"),
        (b"=?iso-8859-1?Q?J=FCrgen?= =?iso-8859-1?Q?_Vet?= <vet@example.org>", "Jürgen Vet", "vet@example.org"),
        (b"J\xfcrgen <vet@example.org>", "Jürgen", "vet@example.org"),
        ("Jürgen € <vet@example.org>".encode(), "Jürgen €", "vet@example.org"),
        (b"=?utf-8?b?4oCuZ3JvLmVscG1heGVAdGV2?= <x@evil.example>", "[U+202E]gro.elpmaxe@tev", "x@evil.example"),
        (b'"owner@example.org" <x@evil.example>', "owner@example.org", "x@evil.example"),
        (b"Practice", "Practice", ""),
        (b"", "", ""),
        (b"a@example.org, b@example.org", "", "a@example.org"),
    ],
)
async def test_the_sender_is_told_as_the_letter_says(
    inspector: Inspector, said: bytes, name: str, address: str
) -> None:
    """The name with its signs shown, and the address that stands behind it; no word of it is believed."""
    read = await read_letter(inspector, b"From: " + said + b"\r\n\r\nHello.")
    assert (name, address) == (read.sender_name, read.sender_address)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (b"Mon, 6 May 2024 07:08:09 +0200", 1714972089000),
        (b"6 May 2024 07:08 GMT", 1714979280000),
        (b"Mon, 6 May 2024 07:08:60 -0000 (UTC)", 1714979339000),
        (b"yesterday", None),
        (b"Mon, 32 May 2024 07:08:09 +0200", None),
        (b"Mon, 6 May 99999999999999999999 07:08:09 +0200", None),
        (b"Thu, 1 Jan 1970 00:00:00 +0200", None),
        (b"Fri, 31 Dec 9999 23:59:59 -1200", None),
        (b"", None),
    ],
)
async def test_the_date_is_a_moment_or_nothing(inspector: Inspector, said: bytes, expected: int | None) -> None:
    """In milliseconds; nonsense is no date."""
    assert expected == (await read_letter(inspector, b"Date: " + said + b"\r\n\r\nHello.")).written_ms


async def test_ids_tell_which_letter_answers_which(inspector: Inspector) -> None:
    """With their brackets; References tells it too, by its last; what is no id is none."""
    fields = b"Message-ID: <1@example.org>\r\nIn-Reply-To: your letter <2@example.org> of Monday\r\n"
    read = await read_letter(inspector, fields + b"\r\nHello.")
    assert ("<1@example.org>", "<2@example.org>") == (read.message_id, read.in_reply_to)
    fields = b"Message-ID: 1@example.org\r\nReferences: <2@example.org>\r\n <3@example.org>\r\n"
    read = await read_letter(inspector, fields + b"\r\nHello.")
    assert ("", "<3@example.org>") == (read.message_id, read.in_reply_to)


async def test_a_subject_is_one_line_of_seen_signs(inspector: Inspector) -> None:
    """Folded, encoded, with a sign that turns the writing round."""
    read = await read_letter(inspector, b"Subject: =?utf-8?q?Luna=0D=0ABcc:?=\r\n =?utf-8?b?4oCu?= x\r\n\r\nHello.")
    assert "Luna Bcc:[U+202E] x" == read.subject


async def test_the_first_of_two_fields_counts(inspector: Inspector) -> None:
    """Of two From fields, which no sound letter has, the second is never told."""
    read = await read_letter(inspector, b"From: a@example.org\r\nfrom: b@example.org\r\n\r\nHello.")
    assert "a@example.org" == read.sender_address


# --- words ----------------------------------------------------------------------------------------------------------


async def words(inspector: Inspector, content: bytes) -> str:
    return (await read_letter(inspector, content)).text


async def test_paragraphs_that_were_broken_are_joined(inspector: Inspector) -> None:
    """format=flowed: of the words and of what they quote, but not the signature."""
    flowed = "Give her \n2 ml \ntwice.\n\n> How \n> much?\n>> Luna\n From here\n-- \nDr. Vet"
    expected = "Give her 2 ml twice.\n\n> How much?\n>> Luna\nFrom here\n-- \nDr. Vet"
    assert expected == await words(inspector, letters.flowed(flowed))


@pytest.mark.parametrize(
    ("fields", "body", "expected"),
    [
        (b"Content-Type: text/plain; charset=windows-1252\r\n", b"2 \x80", "2 €"),
        (b"Content-Type: text/plain; charset=us-ascii\r\n", "2 €".encode(), "2 €"),
        (b"Content-Type: text/plain; charset=utf-8\r\n", "für 2 €".encode()[:-1], "für 2 \ufffd"),
        (b"Content-Type: text/plain; charset=nonsense\r\n", "2 €".encode(), "2 €"),
        (b"Content-Transfer-Encoding: quoted-printable\r\n", b"2=\r\n ml", "2 ml"),
        (b"Content-Transfer-Encoding: base64\r\n", b"MiBtbA==\r\n", "2 ml"),
        (b"Content-Transfer-Encoding: base64\r\n", b"MiA=bWw=\r\n", "2 ml"),
        (b"Content-Transfer-Encoding: base64\r\n", b"Give 2 ml, twice. Then 3 ml.\r\n", "Give 2 ml, twice. Then 3 ml."),
        (b"", b"a\0b\xe2\x80\xaec", "a␀b[U+202E]c"),
        (b"", b"one\rtwo\r\nthree", "one\ntwo\nthree"),
        (b"Content-Type: text\r\n", b"2 ml", "2 ml"),
        (b"Content-Type: multipart/mixed\r\n", b"2 ml", "2 ml"),
    ],
)
async def test_words_are_read_however_they_were_sent(
    inspector: Inspector, fields: bytes, body: bytes, expected: str
) -> None:
    """By the encoding that they say, or by what fits; unseen signs shown."""
    assert expected == await words(inspector, fields + b"\r\n" + body)


async def test_a_letter_without_fields_is_all_words(inspector: Inspector) -> None:
    """Nothing is taken for a field that is none."""
    assert "Give 2 ml.\n\nTwice." == await words(inspector, b"Give 2 ml.\r\n\r\nTwice.")
    assert "Dose: 2 ml" == await words(inspector, b"Dose: 2 ml")
    assert "See:\n\nDose: 2 ml" == await words(inspector, made_of("mixed", b"\r\nSee:", b"Dose: 2 ml"))


async def test_what_a_gateway_wrote_around_the_parts_is_shown(inspector: Inspector) -> None:
    """Words before and behind the parts stay; those that only tell of MIME do not."""
    content = made_of("mixed", part("text/plain", b"Give 2 ml.")) + b"Scanned by us.\r\n"
    content = content.replace(b"\r\n\r\n--b\r\n", b"\r\n\r\nThis is a multi-part message in MIME format.\r\n--b\r\n", 1)
    assert "Scanned by us.\n\nGive 2 ml." in (
        "\n\n".join(sorted((await words(inspector, content)).split("\n\n"), reverse=True))
    )
    assert "MIME" not in await words(inspector, content)


async def test_boundaries_that_say_nothing_hide_nothing(inspector: Inspector) -> None:
    """Where the parts cannot be told apart, all of it is shown."""
    assert "2 ml" in await words(inspector, HEAD + b'Content-Type: multipart/mixed; boundary="a"\r\n\r\n--a--\r\n2 ml')
    missing = HEAD + b"Content-Type: multipart/mixed\r\n\r\n--x\r\nContent-Type: image/png\r\n\r\nabc\r\n--x--\r\n"
    read = await read_letter(inspector, missing)
    assert [b"abc"] == [one.content for one in read.parts]


async def test_a_text_without_end_is_a_file_too(inspector: Inspector) -> None:
    """The words begin in the text, which says where they go on: not one of them is lost."""
    text = "Give 2 ml.\n" * (MAX_TEXT_CHARS // 10)
    read = await read_letter(inspector, plain(text))
    assert read.text.endswith("--- the letter goes on in the file letter-text.txt ---")
    assert len(read.text) <= MAX_TEXT_CHARS
    assert [("letter-text.txt", text.encode())] == [(one.name, one.content) for one in read.parts]
    assert 1 == read.notes[Note.TEXT_SHORTENED]


async def test_a_page_without_end_is_a_file_too(inspector: Inspector) -> None:
    """Of one that is too long for a screen the beginning is shown; of many only the first, and all are there."""
    page = b"<p>Give 2 ml.</p>\n" * 70_000
    read = await read_letter(inspector, made_of("mixed", *[part("text/html", page)] * 3))
    assert [("page.html", page)] * 3 == [(one.name, one.content) for one in read.parts]
    assert read.text.startswith("Give 2 ml.\n")
    assert read.text.endswith("--- a web page that is only in the file page.html ---")


# --- files ----------------------------------------------------------------------------------------------------------


async def test_a_page_pasted_with_a_picture_gives_the_picture(inspector: Inspector) -> None:
    """It is written into the page itself, and is a file like any other."""
    photo = packs.photo(800, 600) + bytes(6000)
    page = b"<p>See:</p><img src='data:image/jpeg;base64," + letters.in_base64(photo) + b"'>"
    read = await read_letter(inspector, HEAD + b"Content-Type: text/html\r\n\r\n" + page)
    assert ("See:", [("part-1.jpg", photo, True)]) == (read.text, [(p.name, p.content, p.inline) for p in read.parts])


async def test_a_file_without_a_name_or_content_has_its_place(inspector: Inspector) -> None:
    """A name is made of its number; one with a name and nothing in it is there, since somebody meant to send it."""
    content = made_of(
        "mixed",
        part("application/pdf", b"%PDF-1.4"),
        part("application/x-nobody", b"?"),
        part("image/png; name=empty.png", b""),
        part("image/png", b""),
        part("text/plain; name=notes.txt", b"attached words"),
        part("text/calendar", b"BEGIN:VCALENDAR"),
    )
    read = await read_letter(inspector, content)
    assert ["part-1.pdf", "part-2", "empty.png", "notes.txt", "part-5"] == [one.name for one in read.parts]
    assert 5 == read.notes[Note.PARTS_TAKEN_OUT]


async def test_a_forwarded_letters_sender_is_only_claimed(inspector: Inspector) -> None:
    """Its words stand under a line that says so, its file beside; the letter's own fields stay its own."""
    inner = (
        b"From: Owner <owner@example.org>\r\nDate: Mon, 6 May 2024 07:08:09 +0200\r\nSubject: Help\r\n\r\nShe limps."
    )
    read = await read_letter(
        inspector, made_of("mixed", part("text/plain", b"See below."), part("message/rfc822", inner))
    )
    assert (
        "See below.\n\n--- forwarded letter from Owner <owner@example.org>, Mon, 6 May 2024 07:08:09 +0200, Help ---\n\n"
        "She limps.\n\n--- end of the forwarded letter ---"
    ) == read.text
    assert [("letter-1.eml", "message/rfc822", inner)] == [(p.name, p.media_type, p.content) for p in read.parts]
    assert ("vet@example.org", "Luna") == (read.sender_address, read.subject)


async def test_a_letter_in_a_letter_is_called_one(inspector: Inspector) -> None:
    """Whatever its name says: by its ending it is opened."""
    inner = part('message/rfc822; name="Findings of Luna.txt"', plain("Hello."))
    assert ["Findings of Luna.txt.eml"] == [
        p.name for p in (await read_letter(inspector, made_of("mixed", inner))).parts
    ]


async def test_a_digest_is_made_of_letters(inspector: Inspector) -> None:
    """Its parts are letters without saying so (RFC 2046, 5.1.5)."""
    read = await read_letter(inspector, made_of("digest", b"\r\n" + plain("One."), b"\r\n" + plain("Two.")))
    assert 2 == read.text.count("--- forwarded letter from")
    assert ["letter-1.eml", "letter-2.eml"] == [one.name for one in read.parts]


async def test_outlooks_words_are_told_once(inspector: Inspector) -> None:
    """A winmail.dat repeats the letter as often as not; a broken one is only a file."""
    outlook = part("application/ms-tnef; name=winmail.dat", packs.winmail(("a.txt", b"x\n")), base64=True)
    read = await read_letter(inspector, made_of("mixed", part("text/plain", b"All is  well."), outlook))
    assert ("All is  well.", ["winmail.dat", "a.txt"]) == (read.text, [one.name for one in read.parts])
    assert "All is well." == await words(inspector, made_of("mixed", outlook))
    broken = part("application/ms-tnef; name=winmail.dat", b"nothing of the kind")
    assert ["winmail.dat"] == [one.name for one in (await read_letter(inspector, made_of("mixed", broken))).parts]


# --- delivery reports -----------------------------------------------------------------------------------------------


async def test_a_delivery_report_is_read(inspector: Inspector) -> None:
    """What became of which letter, by RFC 3464; its words stay words."""
    content = report(
        "Final-Recipient: rfc822; other@example.org",
        "Original-Recipient: rfc822;Clinic@example.org",
        "Action: failed (gone)",
        "Status: 5.1.1 (no such user)",
        "Diagnostic-Code: smtp; 550 5.1.1 <clinic@example.org>: unknown",
    )
    read = await read_letter(inspector, content)
    assert (
        DeliveryReport(
            action=Action.FAILED,
            status="5.1.1",
            diagnostic_type="smtp",
            reply_code=550,
            envelope_id="b0123456789",
            recipient="Clinic@example.org",
        )
        == read.report
    )
    assert read.text == "Your message could not be delivered."
    assert ["message/delivery-status", "text/rfc822-headers"] == [one.media_type for one in read.parts]


async def test_of_several_recipients_the_worst_is_told(inspector: Inspector) -> None:
    """Delivered to one, delayed for another."""
    content = report(
        "Final-Recipient: rfc822;a@b.example",
        "Action: delivered",
        "",
        "Final-Recipient: rfc822;c@d.example",
        "Action: delayed",
    )
    read = await read_letter(inspector, content)
    assert read.report is not None
    assert (Action.DELAYED, "c@d.example", "") == (read.report.action, read.report.recipient, read.report.status)


async def test_an_old_bounce_is_understood_by_its_words(inspector: Inspector) -> None:
    """qmail never made a report that a program can read."""
    content = (
        b"From: MAILER-DAEMON@example.org\r\nSubject: failure notice\r\n\r\nHi. This is the qmail-send program at "
        b"example.org.\r\nI'm afraid I wasn't able to deliver your message to the following addresses.\r\n\r\n"
        b"<clinic@example.org>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n"
    )
    read = await read_letter(inspector, content)
    assert DeliveryReport(action=Action.FAILED, recipient="clinic@example.org", guessed=True) == read.report


@pytest.mark.parametrize(
    "content",
    [
        plain("The delivery failed (#5.1.1): <clinic@example.org>"),
        made_of(
            "report; report-type=disposition-notification", part("message/disposition-notification", b"Disposition: x")
        ),
        report("Action: nonsense", "Status: 5.1.1"),
        made_of(
            "mixed", part("message/delivery-status", b"A: b\r\n\r\nAction: failed\r\nFinal-Recipient: rfc822;a@b.c")
        ),
    ],
)
async def test_what_is_no_report_is_none(inspector: Inspector, content: bytes) -> None:
    """A person's words, a receipt for reading, a report without an action, a report that somebody forwards."""
    assert None is (await read_letter(inspector, content)).report


# --- protection -----------------------------------------------------------------------------------------------------


def run(*command: str, home: Path) -> None:
    program = shutil.which(command[0])
    assert program is not None, f"{command[0]} is not installed"
    environment = {**os.environ, "GNUPGHOME": str(home), "HOME": str(home)}
    subprocess.run([program, *command[1:]], check=True, capture_output=True, cwd=home, env=environment)


async def test_what_openssl_signs_is_handed_on_to_be_verified(inspector: Inspector, tmp_path: Path) -> None:
    """The exact bytes and the signature; the words are told, and the signature is no file among the others."""
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
        "-subj", "/CN=vet", "-days", "2", home=tmp_path,
    )  # fmt: skip
    (tmp_path / "inner").write_bytes(b"Content-Type: text/plain\r\n\r\nGive 2 ml.\r\n")
    signing = ("openssl", "cms", "-sign", "-signer", "cert.pem", "-inkey", "key.pem", "-in", "inner")
    run(*signing, "-out", "signed.eml", home=tmp_path)
    read = await read_letter(inspector, HEAD + (tmp_path / "signed.eml").read_bytes())
    assert (Protection.SMIME_SIGNED, "Give 2 ml.", ()) == (read.protection, read.text, read.parts)
    verify(tmp_path, read)
    run(*signing, "-nodetach", "-out", "enclosed.eml", home=tmp_path)
    read = await read_letter(inspector, HEAD + (tmp_path / "enclosed.eml").read_bytes())
    assert (Protection.SMIME_SIGNED, "", ()) == (read.protection, read.text, read.parts)
    assert read.signed is not None
    assert b"" == read.signed.content
    (tmp_path / "signature").write_bytes(read.signed.signature)
    run("openssl", "cms", "-verify", "-noverify", "-inform", "DER", "-in", "signature", "-out", "out", home=tmp_path)
    assert "Give 2 ml." == await words(inspector, (tmp_path / "out").read_bytes())


def verify(folder: Path, read: LetterRead) -> None:
    assert read.signed is not None
    (folder / "content").write_bytes(read.signed.content)
    (folder / "signature").write_bytes(read.signed.signature)
    run(
        "openssl", "cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", "signature", "-content", "content",
        "-out", "out", home=folder,
    )  # fmt: skip


async def test_what_openssl_encrypts_is_handed_on_whole(inspector: Inspector, tmp_path: Path) -> None:
    """The ciphertext alone, whatever its media type says of it."""
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
        "-subj", "/CN=vet", "-days", "2", home=tmp_path,
    )  # fmt: skip
    (tmp_path / "inner").write_bytes(b"Content-Type: text/plain\r\n\r\nGive 2 ml.\r\n")
    run("openssl", "cms", "-encrypt", "-aes256", "-in", "inner", "-out", "locked.eml", "cert.pem", home=tmp_path)
    locked = HEAD + (tmp_path / "locked.eml").read_bytes()
    for content in (locked, locked.replace(b"smime-type=enveloped-data; ", b"")):
        read = await read_letter(inspector, content)
        assert (Protection.SMIME_ENCRYPTED, "", 1) == (read.protection, read.text, len(read.parts))
        (tmp_path / "ciphertext").write_bytes(read.parts[0].content)
        run(
            "openssl",
            "cms",
            "-decrypt",
            "-inform",
            "DER",
            "-in",
            "ciphertext",
            "-inkey",
            "key.pem",
            "-out",
            "out",
            home=tmp_path,
        )
        assert "Give 2 ml." == await words(inspector, (tmp_path / "out").read_bytes())


async def test_what_gpg_signs_is_handed_on_to_be_verified(inspector: Inspector, tmp_path: Path) -> None:
    """The exact bytes of the first part, its fields with it, up to the line end before the boundary."""
    tmp_path.chmod(0o700)
    generating = ("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "vet@example.org", "ed25519", "sign")
    run(*generating, home=tmp_path)
    inner = b"Content-Type: text/plain; charset=utf-8\r\n\r\nGive 2 ml. \r\n\r\n"
    (tmp_path / "inner").write_bytes(inner)
    run("gpg", "--batch", "--armor", "--detach-sign", "--output", "signature", "inner", home=tmp_path)
    signature = (tmp_path / "signature").read_bytes()
    kind = "signed; micalg=pgp-sha512; protocol=application/pgp-signature"
    read = await read_letter(inspector, made_of(kind, inner, part("application/pgp-signature", signature)))
    assert (Protection.PGP_SIGNED, SignedPart(content=inner, signature=signature)) == (read.protection, read.signed)
    assert "Give 2 ml. " == read.text
    (tmp_path / "content").write_bytes(read.signed.content if read.signed else b"")
    run("gpg", "--batch", "--verify", "signature", "content", home=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        made_of("mixed", made_of("encrypted", *letters.PGP_PARTS, boundary="e")[len(HEAD) :]),
        made_of("encrypted", letters.PGP_PARTS[1], letters.PGP_PARTS[0]),
        made_of("signed", part("text/plain", b"x")),
        made_of("signed", part("text/plain", b"x"), part("text/plain", b"y")),
        HEAD + part("application/pkcs7-mime; name=smime.p7m", b"no CMS"),
    ],
)
async def test_what_is_protected_in_part_is_not_protected(inspector: Inspector, content: bytes) -> None:
    """Only the outermost part counts, and only if it is whole."""
    read = await read_letter(inspector, content)
    assert (Protection.NONE, None) == (read.protection, read.signed)


# --- limits and loading ---------------------------------------------------------------------------------------------------------


async def test_a_letter_may_lie_behind_a_descriptor(inspector: Inspector, tmp_path: Path) -> None:
    """As the bridge's spool gives it; what was signed is taken from there."""
    path = tmp_path / "letter"
    path.write_bytes(made_of("signed", part("text/plain", b"x"), part("application/pgp-signature", b"y")))
    with path.open("rb") as opened:
        read = await read_letter(inspector, DescriptorSource(opened.fileno()))
    assert SignedPart(content=b"Content-Type: text/plain\r\n\r\nx", signature=b"y") == read.signed


async def test_a_letter_has_no_more_files_than_it_may(inspector: Inspector) -> None:
    """The bridge says how many."""
    content = made_of("mixed", *[part("application/pdf", b"%PDF")] * 3)
    assert 3 == len((await read_letter(inspector, content, at_most_parts=3)).parts)
    with pytest.raises(Unfit) as refused:
        await read_letter(inspector, content, at_most_parts=2)
    assert Reason.LETTER_TOO_MANY_PARTS is refused.value.reason


async def test_a_letter_that_is_too_large_is_not_opened(inspector: Inspector, tmp_path: Path) -> None:
    """Nothing of it is read."""
    path = tmp_path / "letter"
    with path.open("wb+") as opened:
        opened.truncate(MAX_LETTER_BYTES + 1)
        with pytest.raises(Unfit) as refused:
            await read_letter(inspector, DescriptorSource(opened.fileno()))
    assert Reason.TOO_MANY_BYTES is refused.value.reason


# Inside the jail nothing can be imported: what is met there first would make a sound letter unreadable, or a bounce none.
NOTHING_NEW = """
import sys
from pathlib import Path
from vetrelay.inspection import worker
from vetrelay.inspection.formats import wholeletter
from vetrelay.inspection.words import Unfit
worker.prepare("all")
before = set(sys.modules)
for path in Path(sys.argv[1]).iterdir():
    try:
        wholeletter.read(path.read_bytes(), most=100)
    except Unfit:
        pass
print(sorted(set(sys.modules) - before))
"""


def imported_while_reading(folder: Path) -> str:
    """What a warm worker must load to read these letters."""
    command = [sys.executable, "-I", "-c", NOTHING_NEW, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


async def test_nothing_is_imported_while_a_letter_is_read(tmp_path: Path) -> None:
    """Bombs, pages, replies, reports, Outlook's files: all that is needed is there when the worker is warm."""
    made = [bomb.make() for bomb in letters.BOMBS] + [heavy() for heavy in letters.HEAVY.values()]
    made += [plain(text) for text in letters.REPLIES.values()] + [letters.PAGE, letters.everything()[0]]
    made += [report("Action: failed"), report("Final-Recipient: rfc822;a@b.example", "Action: delayed")]
    for number, content in enumerate(made):
        (tmp_path / str(number)).write_bytes(content)
    assert "[]" == imported_while_reading(tmp_path)
