"""Who belongs to whom in an Office document: its content types and its relationships, as far as they are of use."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from vetrelay.inspection.formats import markup
from vetrelay.inspection.formats.package import Package

CONTENT_TYPES = "[Content_Types].xml"
_RELATIONSHIPS_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """What a part refers to: `kind` is the last word of its type, `target` a part's name, or an address outside."""

    id: str
    kind: str
    target: str
    is_outside: bool


class _ContentTypes:
    def __init__(self) -> None:
        self.by_part: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "Override":
            self.by_part[attributes.get("PartName", "").lstrip("/")] = attributes.get("ContentType", "").lower()

    def end(self, name: str) -> None:
        """Nothing ends here."""

    def data(self, text: str) -> None:
        """Nothing is said here."""


class _Relationships:
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: list[Relationship] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name != "Relationship":
            return
        is_outside = attributes.get("TargetMode", "").lower() == "external"
        target = attributes.get("Target", "")
        if not is_outside:
            target = posixpath.normpath(posixpath.join("/", self._folder, target)).lstrip("/")
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.found.append(
            Relationship(id=attributes.get("Id", ""), kind=kind, target=target, is_outside=is_outside),
        )

    def end(self, name: str) -> None:
        """Nothing ends here."""

    def data(self, text: str) -> None:
        """Nothing is said here."""


def content_types(package: Package) -> Mapping[str, str]:
    """The content type of each part that has one of its own, in small letters. Raises Unfit."""
    types = _ContentTypes()
    markup.walk(package.read(CONTENT_TYPES), types)
    return types.by_part


def relationships_of(package: Package, part: str) -> tuple[Relationship, ...]:
    """What a part refers to; nothing where it has no list. Raises Unfit."""
    folder, name = posixpath.split(part)
    return relationships_in(package, posixpath.join(folder, "_rels", f"{name}.rels"))


def relationships_in(package: Package, listing: str) -> tuple[Relationship, ...]:
    """What a list of relationships says; nothing where it is missing or beyond all measure. Raises Unfit."""
    if listing not in package or package.size_bytes(listing) > _RELATIONSHIPS_BYTES:
        return ()
    reader = _Relationships(posixpath.dirname(posixpath.dirname(listing)))
    markup.walk(package.read(listing), reader)
    return tuple(reader.found)
