"""Hostile packs and letters, made on the spot: rows 48 to 56 of the checklist, and what else a ZIP or an email can be."""

import io
import struct
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from PIL import Image

from vetrelay.inspection.words import Verdict

TEXT = b"Rex is well.\n"


@cache
def photo(width: int = 120, height: int = 80) -> bytes:
    """A small sound JPEG."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


def zipped(files: Iterable[tuple[str | zipfile.ZipInfo, bytes]], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """What zipfile makes of these, names unchecked and as often as they come."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as pack:
        for name, content in files:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name)
            info.compress_type = method
            pack.writestr(info, content)
    return buffer.getvalue()


def directory_at(pack: bytes) -> int:
    """Where the central directory begins."""
    return int(struct.unpack_from("<I", pack, len(pack) - 6)[0])


def named(name: str) -> bytes:
    """A pack of a sound photo and of a file with this name."""
    stand_in = "x" * len(name.encode())
    made = zipped([("paw.jpg", photo()), (stand_in, TEXT)])
    return made.replace(stand_in.encode(), name.encode())


def twice(first: str, second: str) -> bytes:
    """A pack of two files, the second called like this."""
    stand_in = "y" * len(second.encode())
    return zipped([(first, TEXT), (stand_in, TEXT)]).replace(stand_in.encode(), second.encode())


def with_mode(mode: int) -> bytes:
    """A pack with a member of this type: a link, a device."""
    info = zipfile.ZipInfo("paw.jpg")
    info.create_system = 3
    info.external_attr = mode << 16
    return zipped([(info, b"/etc/passwd")])


def nested(levels: int) -> bytes:
    """A pack in a pack, so many times."""
    content = zipped([("note.txt", TEXT)])
    for _ in range(levels):
        content = zipped([("inner.zip", content)])
    return content


def overlapping() -> bytes:
    """Five hundred lines of the list that all mean the same data."""
    one = zipped([("a.txt", b"0" * 100)], method=zipfile.ZIP_STORED)
    at = directory_at(one)
    line = bytearray(one[at:-22])
    lines = bytearray()
    for count in range(500):
        name = f"{count:05d}".encode()
        lines += line[:46] + name
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 500, 500, len(lines), at, 0)
    return one[:at] + bytes(lines) + end


def lying(said: int) -> bytes:
    """A member of a hundred bytes whose list says so many, in both places."""
    made = bytearray(zipped([("a.txt", b"x" * 100)]))
    struct.pack_into("<I", made, 22, said)
    struct.pack_into("<I", made, directory_at(bytes(made)) + 24, said)
    return bytes(made)


def locked() -> bytes:
    """A pack with the mark of a password on its member."""
    made = bytearray(zipped([("paw.jpg", photo())], method=zipfile.ZIP_STORED))
    made[6] |= 1
    made[directory_at(bytes(made)) + 8] |= 1
    return bytes(made)


def bomb() -> bytes:
    """Two hundred megabytes of nothing in two hundred kilobytes, written in pieces."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as pack, pack.open("a.txt", "w") as member:
        for _ in range(200):
            member.write(bytes(1 << 20))
    return buffer.getvalue()


def many(count: int) -> bytes:
    """A pack of so many empty files."""
    return zipped(((f"{number}.txt", b"") for number in range(count)), method=zipfile.ZIP_STORED)


def letter(*parts: bytes, head: bytes = b"", boundary: bytes = b"b") -> bytes:
    """A letter of these parts, each with its own fields."""
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return (
        b"From: vet@example.org\r\nTo: owner@example.org\r\nSubject: Luna\r\nMIME-Version: 1.0\r\n"
        + head
        + b"Content-Type: multipart/mixed; boundary="
        + boundary
        + b"\r\n\r\n"
        + body
        + b"--"
        + boundary
        + b"--\r\n"
    )


def attached(name: str, content: bytes, media_type: str = "application/octet-stream") -> bytes:
    """A part with a file, as it is."""
    fields = f'Content-Type: {media_type}\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
    return fields.encode() + content


def letters_in_letters(levels: int) -> bytes:
    """A letter in a letter, so many times."""
    content = b"From: vet@example.org\r\nSubject: the innermost\r\n\r\nHello.\r\n"
    for level in range(levels):
        inner = b"Content-Type: message/rfc822\r\n\r\n" + content
        content = letter(inner, boundary=f"level{level}".encode())
    return content


def boundaries_in_boundaries(levels: int) -> bytes:
    """Parts made of parts, so many times, each with a boundary that begins like the last."""
    head = b"From: vet@example.org\r\nSubject: deep\r\nMIME-Version: 1.0\r\n"
    pieces = [head]
    for level in range(levels):
        boundary = b"x" * 2 + str(level).encode()
        pieces.append(b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n\r\n--" + boundary + b"\r\n")
    return b"".join(pieces) + b"\r\nHello.\r\n"


def _tnef_object(level: int, name: int, sort: int, data: bytes) -> bytes:
    return struct.pack("<BHHI", level, name, sort, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)


def winmail(*attachments: tuple[str, bytes], body: bytes = b"All is well.\0") -> bytes:
    """Outlook's own form of a letter."""
    objects = [
        _tnef_object(1, 0x9006, 8, struct.pack("<I", 0x10000)),
        _tnef_object(1, 0x9007, 6, struct.pack("<II", 1252, 0)),
        _tnef_object(1, 0x8004, 1, b"Luna\0"),
        _tnef_object(1, 0x8009, 1, b"prying-message-id\0"),
        _tnef_object(1, 0x800C, 2, body),
    ]
    for name, content in attachments:
        objects.append(_tnef_object(2, 0x9002, 6, bytes(14)))
        objects.append(_tnef_object(2, 0x8010, 1, name.encode("cp1252") + b"\0"))
        objects.append(_tnef_object(2, 0x800F, 6, content))
    return struct.pack("<IH", 0x223E9F78, 1) + b"".join(objects)


def endless_recipients() -> bytes:
    """A list of four thousand million recipients, in four bytes."""
    return winmail() + _tnef_object(1, 0x9004, 6, b"\xff\xff\xff\xff")


def carrying() -> bytes:
    """A pack that says Prying wherever a ZIP may say something beside its members."""
    info = zipfile.ZipInfo("paw.jpg", date_time=(2021, 2, 3, 4, 5, 6))
    info.comment, info.extra = b"Prying", struct.pack("<HH", 0xCAFE, 6) + b"Prying"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as pack:
        pack.writestr(info, photo())
        for number in range(30):
            pack.writestr(f"{number}.txt", TEXT)
        pack.comment = b"Prying"
    return buffer.getvalue()


PAGE = (
    b"From: vet@example.org\r\nSubject: page\r\nReceived: from prying.example.org\r\nX-Prying-Id: 4711\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n"
    b"<html><head><title>no title</title><style>p{background:url(https://track.example.org/a)}</style></head><body>"
    b"<p>Luna is <b>well</b>.<script>alert(1)</script></p><img src='https://track.example.org/pixel.gif'>"
    b"<blockquote>Is she?</blockquote><a href='javascript:alert(1)'>here</a> <a href='https://example.org/x'>there</a>"
    b"</body></html>\r\n"
)
LOCKED_LETTER = (
    b"From: vet@example.org\r\nSubject: locked\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
)


@dataclass(frozen=True)
class Row:
    """A file, and the verdict on it."""

    row: str
    make: Callable[[], bytes]
    name: str
    verdict: Verdict
    reason: str | None


def _pack(row: str, make: Callable[[], bytes], reason: str, verdict: Verdict = Verdict.REFUSED) -> Row:
    return Row(row, make, "pack.zip", verdict, reason)


def _letter(row: str, make: Callable[[], bytes], reason: str, verdict: Verdict = Verdict.REFUSED) -> Row:
    return Row(row, make, "letter.eml", verdict, reason)


UNSAFE, DISAGREES = "pack_name_unsafe", "pack_disagrees"

ROWS = (
    _pack("48 a name that leads out", lambda: named("../../x.txt"), UNSAFE),
    _pack("48 a name that leads out later", lambda: named("a/../../x.txt"), UNSAFE),
    _pack("48 an absolute name", lambda: named("/etc/x.txt"), UNSAFE),
    _pack("48 a name on a drive", lambda: named("C:x.txt"), UNSAFE),
    _pack("48 a backslash", lambda: named("a\\..\\x.txt"), UNSAFE),
    _pack("48 a NUL", lambda: named("x.txt\0.jpg"), UNSAFE),
    _pack("48 a line break", lambda: named("x\n.txt"), UNSAFE),
    _pack("48 a name of a device", lambda: named("aux.txt"), UNSAFE),
    _pack("48 a folder of a device", lambda: named("a/COM1/x.txt"), UNSAFE),
    _pack("48 nothing between two slashes", lambda: named("a//x.txt"), UNSAFE),
    _pack("48 a folder that is only dots", lambda: named("a/. ./x.txt"), UNSAFE),
    _pack("48 an endless name", lambda: named("x" * 300), UNSAFE),
    _pack("48 folders without end", lambda: named("a/" * 12 + "x.txt"), "pack_too_deep"),
    _pack("49 a link", lambda: with_mode(0o120777), "pack_link"),
    _pack("49 a device", lambda: with_mode(0o020666), DISAGREES),
    _pack("49 a folder that is a file", lambda: with_mode(0o040755), DISAGREES),
    _pack("50 a thousand times as much", bomb, "unpacks_too_large"),
    _pack("51 a pack in a pack", lambda: nested(1), "pack_too_deep"),
    _pack("51 twenty packs in packs", lambda: nested(20), "pack_too_deep"),
    _pack("52 overlapping members", overlapping, DISAGREES),
    _pack("53 a size that is too small", lambda: lying(10), DISAGREES),
    _pack("53 a size that is too large", lambda: lying(1000), DISAGREES),
    _pack("54 a name twice", lambda: twice("a.txt", "a.txt"), "pack_names_twice"),
    _pack("54 a name in large letters", lambda: twice("paw.jpg", "PAW.jpg"), "pack_names_twice"),
    _pack("54 a name that ends with a dot", lambda: twice("paw.jpg", "paw.jpg."), "pack_names_twice"),
    _pack("54 a name in pieces", lambda: twice("\u00e4.txt", "a\u0308.txt"), "pack_names_twice"),
    _pack("54 a file that is a folder too", lambda: twice("a", "a/b.txt"), "pack_names_twice"),
    _pack("55 a password", locked, "pack_locked", Verdict.KEPT_SEALED),
    _pack("56 a hundred thousand files", lambda: many(100_000), "pack_too_many"),
    _pack("56 five hundred and one files", lambda: many(501), "pack_too_many"),
    _pack("nothing in it", lambda: zipped([]), "pack_empty"),
    _pack("nothing but hidden files", lambda: zipped([("__MACOSX/._a.jpg", b"x")]), "pack_empty"),
    _pack(
        "nothing that is taken",
        lambda: zipped([("a.exe", b"MZ" + bytes(90)), ("b.svg", b"<svg> </svg>")]),
        "pack_nothing_taken",
    ),
    _pack("one program", lambda: zipped([("a.exe", b"MZ" + bytes(90))]), "type_not_taken"),
    _pack(
        "a riddle among what is not taken",
        lambda: zipped([("a.exe", b"MZ" + bytes(90)), ("b.xyz", bytes(range(256)))]),
        "pack_nothing_checked",
        Verdict.HELD,
    ),
    _letter("ten thousand parts", lambda: letter(*[b"\r\nx"] * 10_000), "letter_too_many_parts"),
    _letter("a hundred thousand parts", lambda: letter(*[b"\r\nx"] * 100_000), "letter_too_many_parts"),
    _letter("two hundred and one files", lambda: letter(*[attached("a.txt", TEXT)] * 201), "letter_too_many_parts"),
    _letter("a thousand boundaries", lambda: boundaries_in_boundaries(1000), "letter_too_deep"),
    _letter("endless fields", lambda: b"From: a@example.org\r\nSubject: x\r\n" + b"X-A: b\r\n" * 100_000, "damaged"),
    _letter(
        "false boundaries without end",
        lambda: letter(b"\r\n" + b"--bb\r\n" * 1_000_000),
        "letter_too_many_parts",
    ),
    Row("endless recipients", endless_recipients, "winmail.dat", Verdict.REFUSED, "damaged"),
    Row(
        "two hundred and one files of Outlook's",
        lambda: winmail(*[("a.txt", TEXT)] * 201),
        "winmail.dat",
        Verdict.REFUSED,
        "letter_too_many_parts",
    ),
    _letter("an encrypted letter", lambda: LOCKED_LETTER, "letter_locked", Verdict.KEPT_SEALED),
)
