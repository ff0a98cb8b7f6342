"""Hostile and awkward letters, made on the spot: rows 30 to 35 of the bridge's checklist."""

import io
from base64 import b64encode, encodebytes
from collections.abc import Callable
from dataclasses import dataclass
from email.header import Header
from urllib.parse import quote

from tests.hostile import packs

HEAD = b"From: Dr. Vet <vet@example.org>\r\nTo: case@example.com\r\nSubject: Luna\r\nMIME-Version: 1.0\r\n"


def plain(text: str, *, fields: bytes = b"", charset: str = "utf-8") -> bytes:
    """A letter of plain words."""
    kind = f"Content-Type: text/plain; charset={charset}\r\n".encode()
    return HEAD + fields + kind + b"\r\n" + text.replace("\n", "\r\n").encode(charset)


def made_of(kind: str, *parts: bytes, boundary: str = "b", fields: bytes = b"") -> bytes:
    """A letter whose parts stand between boundaries; `kind` is the rest of its media type."""
    between = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts)
    said = f'Content-Type: multipart/{kind}; boundary="{boundary}"\r\n\r\n'.encode()
    return HEAD + fields + said + between + f"--{boundary}--\r\n".encode()


def part(kind: str, content: bytes, *, fields: bytes = b"", base64: bool = False) -> bytes:
    """One part of a letter."""
    said = b"Content-Type: " + kind.encode() + b"\r\n" + fields
    return said + (b"Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(content) if base64 else b"\r\n" + content)


def attached(name_field: bytes, content: bytes = b"%PDF-1.4 x") -> bytes:
    """An attachment whose Content-Disposition goes on like this."""
    fields = b"Content-Disposition: attachment; " + name_field + b"\r\n"
    return part("application/pdf", content, fields=fields, base64=True)


def inline(content_id: str, content: bytes) -> bytes:
    """A picture that a page shows."""
    return part("image/jpeg", content, fields=f"Content-ID: <{content_id}>\r\n".encode(), base64=True)


# --- row 32: what is read at all is bounded first -------------------------------------------------------------------


def endless_subject() -> bytes:
    """320 KB of encoded words, for which the standard library takes nine seconds."""
    return HEAD.replace(b"Luna", b"=?utf-8?q?a?=\r\n =?utf-8?b?YQ==?= " * 10_000) + b"\r\nx"


def long_subject() -> bytes:
    """As much of the same as one field may have."""
    return HEAD.replace(b"Luna", b"=?utf-8?q?a?= =?utf-8?b?YQ==?= " * 1000) + b"\r\nx"


def endless_parameters() -> bytes:
    """Twenty thousand parameters."""
    return HEAD + b"Content-Type: text/plain" + b"".join(b";\r\n p*%d=x" % n for n in range(20_000)) + b"\r\n\r\nx"


def many_parameters() -> bytes:
    """As many of them as one field may have, in each of a hundred parts."""
    field = b"Content-Type: text/plain" + b"".join(b"; p*%d*=x" % n for n in range(700)) + b"\r\n"
    return made_of("mixed", *[field + b"\r\nHello."] * 100)


def quotes_without_end() -> bytes:
    """A field of parameters that is nothing but signs of quoting."""
    return made_of("mixed", *[b'Content-Type: text/plain; a="' + b";\\" * 3900 + b"\r\n\r\nHello."] * 100)


def comments_in_comments() -> bytes:
    """An address inside a thousand comments."""
    return b"From: " + b"(" * 1000 + b"x" + b")" * 1000 + b" <vet@example.org>\r\n\r\nHello."


def many_addresses() -> bytes:
    """Twenty thousand senders."""
    return b"From: " + b"a@example.org, " * 20_000 + b"\r\n\r\nHello."


def thousand_deep() -> bytes:
    """A thousand parts in parts."""
    return packs.boundaries_in_boundaries(1000)


def twenty_thousand_parts() -> bytes:
    """More parts than anybody reads."""
    return made_of("mixed", *[b"\r\nx"] * 20_000)


def endless_fields() -> bytes:
    """More than 256 KiB of fields."""
    return b"".join(b"X-%d: %s\r\n" % (n, b"y" * 900) for n in range(400)) + b"\r\nHello."


def many_fields() -> bytes:
    """More than a thousand of them."""
    return b"".join(b"X-%d: y\r\n" % n for n in range(1500)) + b"\r\nHello."


def deep_page() -> bytes:
    """A web page of tags in tags."""
    return HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div><span>" * 5000


def three_hundred_files() -> bytes:
    """More files than a letter may have, each sound."""
    return made_of("mixed", *[attached(b'filename="a.pdf"')] * 101)


def bomb_in_outlook() -> bytes:
    """A winmail.dat with more files than a letter may have."""
    inner = packs.winmail(*[("a.txt", b"x")] * 150)
    return made_of("mixed", part("application/ms-tnef", inner, base64=True))


@dataclass(frozen=True)
class Bomb:
    """A letter that is not opened, and the reason."""

    row: str
    make: Callable[[], bytes]
    reason: str


BOMBS = (
    Bomb("32 a subject without end", endless_subject, "damaged"),
    Bomb("32 twenty thousand parameters", endless_parameters, "damaged"),
    Bomb("32 a thousand deep", thousand_deep, "letter_too_deep"),
    Bomb("32 twenty thousand parts", twenty_thousand_parts, "letter_too_many_parts"),
    Bomb("32 twenty thousand addresses", many_addresses, "damaged"),
    Bomb("32 fields without end", endless_fields, "damaged"),
    Bomb("32 a thousand and more fields", many_fields, "damaged"),
    Bomb("32 a page of tags in tags", deep_page, "nested_too_deep"),
    Bomb("32 a hundred and one files", three_hundred_files, "letter_too_many_parts"),
    Bomb("32 too many files in a winmail.dat", bomb_in_outlook, "letter_too_many_parts"),
    Bomb("32 nothing", lambda: b"", "empty"),
)
# As much as is let through: read, however awkward.
HEAVY: dict[str, Callable[[], bytes]] = {
    "a long subject": long_subject,
    "many parameters": many_parameters,
    "signs of quoting": quotes_without_end,
    "comments in comments": comments_in_comments,
    "lines that look like quotes": lambda: plain(("From: " + "* " * 75 + "\n>\n\n") * 400),
    "lines that look like senders": lambda: plain(("On On " + "x " * 75 + "\n") * 400),
    "a page of a megabyte": lambda: HEAD + b"Content-Type: text/html\r\n\r\n" + b"<p>Give <b>2 ml</b>.</p>" * 40_000,
    "ten forwarded letters in one another": lambda: packs.letters_in_letters(10),
}

# --- rows 30 and 35: web pages --------------------------------------------------------------------------------------

PAGE = (
    HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    b"<html><head><title>no title</title><style>p{background:url(http://%(host)s/css)} @import url(http://%(host)s/i);"
    b"</style><link rel=stylesheet href=http://%(host)s/sheet></head><body background='http://%(host)s/wall'>"
    b"<p>Give <b>2 ml</b> of it.</p><img src='http://%(host)s/pixel.gif' width=1 height=1><script>alert(1)</script>"
    b"<a href='javascript:alert(2)'>here</a> <a href='https://clinic.example.org/x'>there</a>"
    b"<iframe src=http://%(host)s/frame></iframe><object data=http://%(host)s/object></object><svg onload=alert(3)></svg>"
    b"<p onclick=alert(4) style='display:none'>Then 3 ml.</p></body></html>\r\n"
)


def efail(host: str, *, kind: str) -> bytes:
    """The direct way to a plaintext: a page whose picture's address is left open, a ciphertext, and the page's end."""
    ciphertext = {
        "pgp": made_of("encrypted; protocol=application/pgp-encrypted", *PGP_PARTS, boundary="e")[len(HEAD) :],
        "smime": part("application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m", ENVELOPED, base64=True),
    }[kind]
    return made_of(
        "mixed",
        part("text/html", f"<img src='http://{host}/".encode()),
        ciphertext,
        part("text/html", b"'>"),
    )


PGP_PARTS = (
    part("application/pgp-encrypted", b"Version: 1\r\n"),
    part("application/octet-stream", b"-----BEGIN PGP MESSAGE-----\r\n\r\nabc=\r\n-----END PGP MESSAGE-----\r\n"),
)
_OID = "06092a864886f70d0107"
ENVELOPED = bytes.fromhex("3080" + _OID + "03a080") + bytes(40)
SIGNED = bytes.fromhex("3080" + _OID + "02a080") + bytes(40)

# --- row 33: names --------------------------------------------------------------------------------------------------

LONG = "Röntgenbild " * 25
NAMES: tuple[tuple[str, bytes, str], ...] = (
    ("2231", b"filename*=utf-8''B%C3%BCcher%20%E2%82%AC.pdf", "Bücher €.pdf"),
    ("2231 in pieces", b"filename*0*=utf-8''B%C3%BC; filename*1*=cher; filename*2=.pdf", "Bücher.pdf"),
    ("2231 windows", b"filename*=windows-1252''Preis%80.pdf", "Preis€.pdf"),
    ("2047", b'filename="' + Header("Bücher.pdf", "utf-8").encode().encode() + b'"', "Bücher.pdf"),
    ("windows 1252", b'filename="B\xfccher \x80.pdf"', "Bücher €.pdf"),
    ("utf-8 as it is", 'filename="Bücher.pdf"'.encode(), "Bücher.pdf"),
    ("turned round", b"filename*=utf-8''inv%E2%80%AEfdp.exe", "inv[U+202E]fdp.exe"),
    ("a way out", b'filename="../../etc/passwd"', "passwd"),
    ("a way out of windows", b'filename="..\\\\..\\\\x.pdf"', "x.pdf"),
    ("nothing but a way", b'filename="../.."', "part-1.pdf"),
    ("NUL", b"filename*=utf-8''a%00.pdf.exe", "a␀.pdf.exe"),
    ("a line break", b"filename*=utf-8''a%0D%0Ab.pdf", "a b.pdf"),
    ("without quotes", b"filename=a b.pdf", "a b.pdf"),
    ("three hundred letters", b"filename*=utf-8''" + quote(LONG).encode() + b".pdf", LONG[:196] + ".pdf"),
    ("three hundred wide letters", b"filename*=utf-8''" + quote("犬" * 300).encode() + b".pdf", "犬" * 83 + ".pdf"),
)


def heic() -> bytes:
    """What begins like a photo of an iPhone; it is not opened here."""
    return b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)


def dicom(size_bytes: int) -> bytes:
    """What begins like a record, as large as records are."""
    return bytes(128) + b"DICM" + bytes(size_bytes - 132)


def everything() -> tuple[bytes, list[tuple[str, bytes]]]:
    """A letter with all that clinics send at once, and the files that must come out of it, in their order."""
    photo, pack = packs.photo(), packs.zipped([("inner.eml", plain("In a pack."))])
    winmail = packs.winmail(("report.pdf", b"%PDF-1.4 report"), ("paw.jpg", photo))
    nested = plain("The innermost: 1 ml.")
    for number in range(2, 4):
        nested = made_of(
            "mixed", part("text/plain", b"Number %d" % number), part("message/rfc822", nested), boundary=f"n{number}"
        )
    files = [
        ("logo.jpg", photo),
        ("winmail.dat", winmail),
        ("report.pdf", b"%PDF-1.4 report"),
        ("paw.jpg", photo),
        ("mail.msg", bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)),
        ("letters.zip", pack),
        ("IMG_1.HEIC", heic()),
        ("scan.dcm", dicom(20 << 20)),
        ("letter-9.eml", nested),
    ]
    page = part("text/html", b"<p>See <img src='cid:logo'> below.</p>")
    related = made_of(
        "related",
        page,
        part("image/jpeg; name=logo.jpg", photo, fields=b"Content-ID: <logo>\r\n", base64=True),
        boundary="r",
    )
    others = [
        part(
            f'application/octet-stream; name="{name}"',
            content,
            fields=b"Content-Disposition: attachment\r\n",
            base64=True,
        )
        for name, content in (files[1], *files[4:8])
    ]
    return made_of("mixed", related[len(HEAD) :], *others, part("message/rfc822", nested)), files


# --- row 34: replies ------------------------------------------------------------------------------------------------

DOSAGE = "Weight chart:\nFrom: 20 kg\nTo: 25 kg\nGive 2 ml."
REPLIES = {
    "a chart that looks like a head": DOSAGE,
    "a chart with hours": "Weight chart:\nFrom: 20 kg at 10:30\nTo: 25 kg at 12:30\nGive 2 ml.",
    "answers between the lines": "On Mon, 6 May 2024 at 07:08, A <a@example.org> wrote:\n> How much?\n2 ml\n> How often?\ntwice",
    "answers below": "> How much does she get?\n> She weighs 20 kg.\n\nGive 2 ml.",
    "a list of doses": "- 2 ml in the morning\n- 3 ml at night\nBest regards,\nDr. Vet\n\nPS: 4 ml from Monday.",
    "a head of Outlook's": (
        "Give 2 ml.\n\nVon: Dr. Müller <m@example.org>\nGesendet: Montag, 6. Mai 2024 07:08\nAn: vet@example.org\n"
        "Betreff: Luna\n\nWie viel?"
    ),
    "a French head": "Donnez 2 ml.\n\nLe lun. 6 mai 2024 à 07:08, Dr <a@example.org> a écrit :\n\n> Combien ?",
    "a German head": "2 ml.\n\nAm 06.05.2024 um 07:08 schrieb Dr. Müller <a@example.org>:\n> Wie viel?",
    "a signature": "Give 2 ml.\n-- \nDr. Vet\n+49 000",
    "nothing but a quote": "> Give 2 ml.\n> Twice.",
}


def flowed(text: str) -> bytes:
    """A letter whose paragraphs were broken into lines."""
    return (
        HEAD + b"Content-Type: text/plain; format=flowed; charset=utf-8\r\n\r\n" + text.replace("\n", "\r\n").encode()
    )


def report(*fields: str, kind: str = "report; report-type=delivery-status") -> bytes:
    """A delivery report about our letter, with these lines of the second part."""
    said = "\r\n".join(("Reporting-MTA: dns; mx.example.org", "Original-Envelope-Id: b0123456789", "", *fields, ""))
    return made_of(
        kind,
        part("text/plain", b"Your message could not be delivered."),
        part("message/delivery-status", said.encode()),
        part("text/rfc822-headers", b"Subject: Case K7Q2\r\n"),
    ).replace(b"Dr. Vet <vet@example.org>", b"MAILER-DAEMON <>")


def in_base64(content: bytes) -> bytes:
    """Bytes in the letters of base64, on one line."""
    return b64encode(content)


def large(size_bytes: int) -> bytes:
    """A letter of about this size with one file."""
    buffer = io.BytesIO()
    buffer.write(bytes(range(256)) * (size_bytes * 3 // 4 // 256))
    return made_of("mixed", part("text/plain", b"See the file."), attached(b'filename="scan.dcm"', buffer.getvalue()))
