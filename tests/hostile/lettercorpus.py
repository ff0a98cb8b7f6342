"""Real letters with what other programs read in them: leaves to compare, and how two readers may fairly differ.

stalwart-mail-parser: beside NNN.eml stand NNN.json and NNN.crlf.json (the same letter with CRLF line ends), with every
part's body; texts are decoded to Unicode. james-mime4j: beside x.msg stand x_decoded_1_2.txt or .bin, each leaf's own
bytes by its place. CPython's letters come without results.

A leaf is the same if its bytes are. A text is, if its words are: line ends, empty lines around it and what marks unseen
signs do not count. A web page's words are compared as plain text, and need not be there where plain text says the same.
"""

import codecs
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vetrelay.inspection.formats import lettertext, marks, pagetext
from vetrelay.inspection.formats.tally import Tally

STALWART = "mime/stalwart-mail-parser/resources"
JAMES = "mime/james-mime4j"
CPYTHON = "mime/cpython-3.11-test_email"


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """A part that another program read: "text", "page" (HTML) or "file"; `has_plain`: plain text beside it says it."""

    kind: str
    content: bytes
    has_plain: bool = False


@dataclass(frozen=True, kw_only=True)
class RealLetter:
    """A letter of the corpora, and its leaves where they are known."""

    name: str
    content: bytes
    leaves: tuple[Leaf, ...] | None = None


def real_letters(corpora: Path) -> Iterator[RealLetter]:
    """All of them, in both forms of line ends where both have results."""
    yield from _stalwart(corpora / STALWART)
    yield from _james(corpora / JAMES)
    for path in sorted((corpora / CPYTHON).glob("msg_*.txt")):
        yield RealLetter(name=path.name, content=path.read_bytes())


def _stalwart(folder: Path) -> Iterator[RealLetter]:
    for path in sorted(folder.rglob("*.eml")):
        raw = path.read_bytes()
        name = f"{path.parent.name}/{path.name}"
        yield RealLetter(name=name, content=raw, leaves=_leaves(json.loads(path.with_suffix(".json").read_bytes())))
        # Made as their own tests make it.
        ends = raw.replace(b"\r", b"").replace(b"\n", b"\r\n")
        said = json.loads(path.with_suffix(".crlf.json").read_bytes())
        yield RealLetter(name=f"{name} crlf", content=ends, leaves=_leaves(said))
    for path in sorted(path for path in (folder / "maildir").rglob("*") if path.is_file()):
        yield RealLetter(name=path.name, content=path.read_bytes())


def _leaves(message: Mapping[str, Any]) -> tuple[Leaf, ...]:
    parts = message["parts"]
    beside_plain: set[int] = set()
    for part in parts:
        if "Multipart" in part["body"] and _subtype(part) == "alternative":
            within = part["body"]["Multipart"]
            if any("Text" in parts[one]["body"] and _subtype(parts[one]) == "plain" for one in within):
                beside_plain |= _under(parts, within)
    found: list[Leaf] = []
    for number, part in enumerate(parts):
        kind, body = next(iter(part["body"].items()))
        if kind == "Message":
            found += _leaves(body)
        elif kind in {"Text", "Html"}:
            sort = "page" if kind == "Html" else "text"
            found.append(Leaf(kind=sort, content=body.encode(), has_plain=number in beside_plain))
        elif kind in {"Binary", "InlineBinary"}:
            found.append(Leaf(kind="file", content=bytes(body)))
    return tuple(found)


def _under(parts: list[Mapping[str, Any]], numbers: list[int]) -> set[int]:
    found = set(numbers)
    for one in numbers:
        found |= _under(parts, parts[one]["body"].get("Multipart", []))
    return found


def _subtype(part: Mapping[str, Any]) -> str:
    for header in part["headers"]:
        if header["name"] == "content_type" and "ContentType" in header["value"]:
            return str(header["value"]["ContentType"]["c_subtype"] or "")
    return "plain"


def _james(folder: Path) -> Iterator[RealLetter]:
    for path in sorted(folder.rglob("*.msg")):
        results = sorted(path.parent.glob(f"{path.stem}_decoded_*"))
        known = re.compile(re.escape(f"{path.stem}_decoded_") + r"[0-9_]+\.(txt|bin)")
        leaves = tuple(
            Leaf(kind="text" if one.suffix == ".txt" else "file", content=one.read_bytes())
            for one in results
            if known.fullmatch(one.name)
        )
        yield RealLetter(name=path.name, content=path.read_bytes(), leaves=leaves or None)
    for path in sorted(folder.rglob("mbox.rlug-*")):
        yield RealLetter(name=path.name, content=path.read_bytes())


def words(text: str) -> str:
    """A text as it is compared: its signs in their order, without the spaces between."""
    shown, _ = marks.with_marks(marks.with_line_feeds(text))
    return "".join(shown.split())


def page_words(page: bytes) -> str:
    """A web page as it is compared."""
    return words(pagetext.page_text(page.decode("utf-8", "replace"), Tally()))


def plain_signs(text: str) -> str:
    """What is left of a text where only one of two readers knew how its letters are written."""
    return "".join(sign for sign in words(text.replace("[U+", "")) if "!" <= sign <= "~")


def unpacked(content: bytes) -> bytes | None:
    """A leaf that the other program left uuencoded, by the standard library's decoder."""
    try:
        return codecs.decode(content.strip() + b"\n", "uu")
    except ValueError:
        return None


def how_found(leaf: Leaf, texts: Sequence[str], files: Sequence[bytes]) -> str:
    """In which way a leaf stands in what we read: bytes, words, page, "beside plain", uuencoded, signs; "" for none."""
    if leaf.content in files:
        return "bytes"
    known = [words(text) for text in texts]
    if leaf.kind != "file" or leaf.content.isascii():
        for encoding in ("utf-8", "cp1252", "iso8859-15", "latin-1"):
            with contextlib.suppress(UnicodeDecodeError):
                said = words(leaf.content.decode(encoding))
                if any(said in one for one in known) or any(said == words(_text(file)) for file in files):
                    return "words"
    if leaf.kind != "file" and b"<" in leaf.content and any(page_words(leaf.content) in one for one in known):
        return "page"
    if leaf.has_plain:
        return "beside plain"
    if (plain := unpacked(leaf.content)) is not None and plain in files:
        return "uuencoded"
    skeleton = plain_signs(leaf.content.decode("utf-8", "ignore"))
    if skeleton and any(skeleton in plain_signs(one) for one in texts):
        return "signs"
    return ""


def _text(file: bytes) -> str:
    return lettertext.body_text(file, "", Tally())
