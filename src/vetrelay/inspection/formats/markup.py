"""XML of a stranger, read as a stream: no document type, no entities, nothing from outside, and no tree in memory.

Names come without their namespaces: the strict and the transitional form of Office documents differ in nothing else.
"""

from collections.abc import Mapping
from typing import Protocol

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from vetrelay.inspection.formats.paper import PaperFull
from vetrelay.inspection.words import Reason, Unfit

# Tables within tables within frames reach forty; a thousand are made to exhaust somebody.
MOST_DEEP = 200
_FEED_BYTES = 64 * 1024


class Reader(Protocol):
    """What is told of elements and text as they come."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """Text between them."""


def _bare(name: str) -> str:
    return name.rpartition("}")[2]


class _Stripped:
    """Passes on what the parser says, without namespaces, and counts how deep it is."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._depth = 0
        self._bare: dict[str, str] = {}
        self.data = reader.data

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth > MOST_DEEP:
            raise Unfit(Reason.DOCUMENT_NOT_READ)
        bare = self._bare.get(name)
        if bare is None:
            bare = self._bare[name] = _bare(name)
        self._reader.start(bare, {_bare(key): value for key, value in attributes.items()} if attributes else {})

    def end(self, name: str) -> None:
        self._depth -= 1
        self._reader.end(self._bare[name])

    def close(self) -> None:
        """The parser calls it at the end."""


def walk(untrusted_xml: bytes, reader: Reader) -> None:
    """Reads the whole text. Raises Unfit: DOCUMENT_NOT_READ for a document type or too deep, DAMAGED for no sound XML.

    What the reader raises to stop (PaperFull) passes.
    """
    parser = DefusedXMLParser(target=_Stripped(reader), forbid_dtd=True)
    try:
        for start in range(0, len(untrusted_xml), _FEED_BYTES):
            parser.feed(untrusted_xml[start : start + _FEED_BYTES])
        parser.close()
    except (Unfit, PaperFull, MemoryError):
        raise
    except DefusedXmlException:
        raise Unfit(Reason.DOCUMENT_NOT_READ) from None
    except Exception:  # noqa: BLE001 - besides ParseError, a stranger's encoding may raise what it likes
        raise Unfit(Reason.DAMAGED) from None


class Skipping:
    """For readers: whether the reading is inside an element whose text is left out."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._depth = 0

    def starts(self, name: str) -> bool:
        """Whether this element is left out."""
        if self._depth or name in self._names:
            self._depth += 1
        return self._depth > 0

    def ends(self) -> bool:
        """Whether what ends was left out."""
        inside = self._depth > 0
        self._depth -= inside
        return inside

    def __bool__(self) -> bool:
        return self._depth > 0
