"""The words of a letter: fields and bodies decoded from whatever they were sent in.

Nothing is looked up by a name that a stranger gives: encodings are those loaded here.
"""

import binascii
import codecs
import re
from email.errors import HeaderParseError
from email.header import decode_header
from encodings import aliases

from vetrelay.inspection.formats import marks
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.notes import Note

MAX_FIELD_CHARS = 4096
_NOT_OF_TEXT = frozenset(
    {
        "base64_codec",
        "bz2_codec",
        "hex_codec",
        "quopri_codec",
        "rot_13",
        "uu_codec",
        "zlib_codec",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "raw_unicode_escape",
    }
)
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
# So many signs that base64 has not, and one in twenty.
_FEWEST_STRANGE, _STRANGE_OF = 3, 20
_OF_ANOTHER_SYSTEM = frozenset({"mbcs", "oem"})


def _known_codecs() -> dict[str, codecs.CodecInfo]:
    """Every encoding of text that Python has, loaded. Those that pack, turn or escape bytes are loaded and left out."""
    known = {}
    for name in {"utf_8", "ascii", "latin_1", *aliases.aliases.values()} - _OF_ANOTHER_SYSTEM:
        info = codecs.lookup(name)
        if name not in _NOT_OF_TEXT:
            known[name] = info
    return known


_CODECS = _known_codecs()


def prepare() -> None:
    """Walks a page and a field once, so that nothing of it is first met in the jail."""
    field_text("=?iso-2022-jp?b?GyRCJCIbKEI=?= =?utf-8?q?a=C3=A4?= =?x-none?q?b?=")
    for encoding in ("base64", "quoted-printable", "x-uuencode", ""):
        transferred(b"begin 644 a\n#0V%T\n \nend\n", encoding)


def transferred(body: bytes, encoding: str) -> bytes:
    """A body as it was before it was written in letters and digits; what is not sound in it is left out."""
    match encoding.strip().lower():
        case "base64":
            return _from_base64(body)
        case "quoted-printable":
            return binascii.a2b_qp(body)
        case "x-uuencode" | "uuencode" | "uue" | "x-uue":
            return _from_uuencode(body)
        case _:
            return body


def _from_base64(body: bytes) -> bytes:
    """Block by block, as several may stand behind one another. What is plainly not base64 was never packed."""
    strange = len(b" ".join(body.split(b"\n")).strip().translate(None, _BASE64 + b"\r="))
    if strange >= _FEWEST_STRANGE and strange * _STRANGE_OF > len(body):
        return body
    return b"".join(_block(block) for block in body.split(b"=") if block.strip())


def _block(block: bytes) -> bytes:
    kept = block.translate(None, _NOT_BASE64)
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    return binascii.a2b_base64(kept + b"=" * (-len(kept) % 4))


def _from_uuencode(body: bytes) -> bytes:
    lines = body.splitlines()
    begin = next((index for index, line in enumerate(lines) if line.startswith(b"begin ")), None)
    made = bytearray()
    for line in lines[begin + 1 :] if begin is not None else []:
        if line.strip() == b"end":
            break
        try:
            made += binascii.a2b_uu(line)
        except binascii.Error:
            continue
    return bytes(made)


def body_text(body: bytes, charset: str, tally: Tally) -> str:
    """A body as text, by its declared encoding if that is known and fits, else by what fits."""
    info = _codec(charset)
    if info in {None, _CODECS["utf_8"]} and (text := _mostly_utf_8(body)):
        tally.add(Note.LETTERS_GUESSED)
        return marks.with_line_feeds(text)
    for tried in (info, _CODECS["utf_8"], _CODECS["cp1252"]):
        if tried is None:
            continue
        try:
            text, _ = tried.decode(body, "strict")
        except (UnicodeError, ValueError):
            continue
        if tried is not info and not body.isascii():
            tally.add(Note.LETTERS_GUESSED)
        return marks.with_line_feeds(text)
    tally.add(Note.LETTERS_GUESSED)
    return marks.with_line_feeds(body.decode("latin-1"))


def _mostly_utf_8(body: bytes) -> str:
    """A body that is UTF-8 but for a sign here and there, or was cut in one; empty for one that is all of it, or none."""
    text = body.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    right = len(text) - len(text.encode("ascii", "ignore")) - wrong
    return text if wrong and right >= wrong else ""


def _codec(charset: str) -> codecs.CodecInfo | None:
    name = re.sub(r"[^a-z0-9]+", "_", charset.lower()).strip("_")
    name = aliases.aliases.get(name, name)
    # What calls itself ASCII or Latin 1 is Windows' superset of it as often as not.
    return _CODECS.get({"latin_1": "cp1252", "iso8859_1": "cp1252"}.get(name, name))


def field_text(raw: object) -> str:
    """A field's words on one line, its encoded words decoded. `raw` is as the header parser gives it."""
    text = str(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:MAX_FIELD_CHARS]
    pieces = []
    try:
        for piece, charset in decode_header(" ".join(text.split())):
            if isinstance(piece, str):
                pieces.append(piece)
            elif charset is None:
                # Beside encoded words, the standard library writes what is not Latin 1 in escapes.
                pieces.append(piece.decode("raw_unicode_escape"))
            else:
                pieces.append(body_text(piece, charset, Tally()))
    except (HeaderParseError, binascii.Error, ValueError):
        pieces = [text]
    shown, _ = marks.with_marks(" ".join("".join(pieces).split()))
    return shown.encode("utf-8", "replace").decode()
