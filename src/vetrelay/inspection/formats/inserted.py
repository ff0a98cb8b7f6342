"""What stands in a document beside its words: pictures, which go on to be inspected, and what is left out and counted."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from vetrelay.inspection import sniff
from vetrelay.inspection.formats.package import Package
from vetrelay.inspection.formats.relationships import relationships_in
from vetrelay.inspection.formats.tally import Tally
from vetrelay.inspection.kinds import KINDS, Family
from vetrelay.inspection.notes import Note
from vetrelay.inspection.policy import MiB
from vetrelay.inspection.result import RawPart

MOST_PICTURES = 50
# With the longest text beside them this stays below the row's output cap.
MAX_PICTURES_BYTES = 40 * MiB

_PICTURE = re.compile(r"(?:(?:word|xl|ppt)/media|Pictures)/[^/]+")
_MACROS = re.compile(
    r"(?i)(?:.*/)?vbaProject[^/]*\.bin|(?:.*/)?vbaData\.xml|(?:Basic|Scripts)/.*|(?:.*/)?macrosheets/.*"
)
_CONTROL = re.compile(r"(?i)(?:.*/)?(?:activeX|ctrlProps)/[^/]+\.xml")
_EMBEDDED = re.compile(r"(?i)(?:.*/)?embeddings/[^/]+|(?:.*/)?oleObject[^/]*\.bin|(?:.*/)?afchunk[^/]*")
_OBJECT = re.compile(r"(Object [0-9]+)(?:/.*)?")
_DETAILS = re.compile(r"(?i)docProps/.*|meta\.xml|(?:word|xl)/(?:people|commentAuthors|persons/person)\.xml")
_DIGITS = re.compile(r"\d{1,9}")
_LINK_KINDS = frozenset({"hyperlink"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """The pictures of a document, and what the text says in the place of each part's picture."""

    parts: tuple[RawPart, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)


def _natural(name: str) -> tuple[str, int, str]:
    """Sorts image2 before image10."""
    digits = _DIGITS.search(name)
    return (name[: digits.start()], int(digits[0]), name) if digits else (name, 0, name)


def pictures_in(package: Package, tally: Tally) -> Pictures:
    """Up to 50 pictures, as they lie in the document. Whatever else stands among them is left out. Raises Unfit."""
    parts: list[RawPart] = []
    marks: dict[str, str] = {}
    room_bytes = MAX_PICTURES_BYTES
    for name in sorted(filter(_PICTURE.fullmatch, package), key=_natural):
        content = b""
        if len(parts) < MOST_PICTURES and package.size_bytes(name) <= room_bytes:
            content = package.read(name)
        facts = KINDS[sniff.kind_of(content)]
        if not content or facts.family is not Family.PICTURE:
            tally.add(Note.PICTURES_LEFT_OUT)
            continue
        room_bytes -= len(content)
        number = len(parts) + 1
        # The name is ours: a document's own may say anything.
        part = RawPart(
            name=f"picture-{number}.{facts.extensions[0]}",
            media_type=facts.media_type,
            content=content,
        )
        parts.append(part)
        marks[name] = f"[picture {number}]"
    tally.add(Note.PICTURES_TAKEN_OUT, len(parts))
    return Pictures(parts=tuple(parts), marks=marks)


def count_left_out(package: Package, tally: Tally) -> None:
    """Counts what acts, what is embedded, what comes from outside, and what names people. Raises Unfit."""
    objects = set()
    has_macros = has_details = False
    for name in package:
        has_macros |= _MACROS.fullmatch(name) is not None
        has_details |= _DETAILS.fullmatch(name) is not None
        tally.add(Note.CONTROLS_LEFT_OUT, _CONTROL.fullmatch(name) is not None)
        tally.add(Note.EMBEDDED_LEFT_OUT, _EMBEDDED.fullmatch(name) is not None)
        if embedded := _OBJECT.fullmatch(name):
            objects.add(embedded[1])
        if name.endswith(".rels"):
            for one in relationships_in(package, name):
                if one.is_outside:
                    inert = one.kind in _LINK_KINDS
                    tally.add(Note.LINKS_MADE_INERT if inert else Note.OUTSIDE_CONTENT_LEFT_OUT)
    tally.add(Note.EMBEDDED_LEFT_OUT, len(objects))
    tally.add(Note.MACROS_LEFT_OUT, has_macros)
    tally.add(Note.DETAILS_LEFT_OUT, has_details)
