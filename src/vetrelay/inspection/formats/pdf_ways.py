"""The ways inside a PDF that may stay: links from page to page, and the table of contents at its side.

Both are made anew from a page number and a view; what a stranger's link says beside these is not read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pikepdf

from vetrelay.inspection.formats.pdf_survey import in_name_tree, walked

# The views of ISO 32000, and how many numbers follow each.
_VIEWS = {"/XYZ": 3, "/Fit": 0, "/FitH": 1, "/FitV": 1, "/FitR": 4, "/FitB": 0, "/FitBH": 1, "/FitBV": 1}
_MOST_TITLE_LETTERS = 300
_MOST_CHAPTERS = 3000
_DEEPEST = 8
_FARTHEST = 1_000_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A page by its position, and how it is to be shown."""

    page: int
    view: str
    numbers: tuple[float | None, ...]

    def to(self, pages: Any) -> pikepdf.Array:
        """The place as a destination among these pages."""
        return pikepdf.Array([pages[self.page].obj, pikepdf.Name(self.view), *self.numbers])


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A rectangle of a page that leads to a place."""

    rectangle: tuple[float, float, float, float]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """An entry of the table of contents."""

    title: str
    place: Place | None
    depth: int


def rectangle(value: Any) -> tuple[float, float, float, float] | None:
    """Four finite numbers, in the order left, bottom, right, top; None where it is no rectangle with an area."""
    if not isinstance(value, pikepdf.Array) or len(value) != 4:
        return None
    numbers = [_number(item) for item in value]
    if any(number is None for number in numbers):
        return None
    first_x, first_y, second_x, second_y = (number for number in numbers if number is not None)
    left, right = sorted((first_x, second_x))
    bottom, top = sorted((first_y, second_y))
    if not (left < right and bottom < top):
        return None
    return _short(left), _short(bottom), _short(right), _short(top)


def _short(number: float) -> float:
    """A whole number without its fraction: quicker to write, and shorter."""
    return int(number) if number.is_integer() else number


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    # What is not a number is not within either.
    return number if abs(number) <= 100 * _FARTHEST else None


class Signposts:
    """Finds the place that a destination means."""

    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._root = pdf.Root
        self._pages = {page.obj.objgen: position for position, page in enumerate(pdf.pages)}
        self._named: dict[str, Any] | None = None

    def place(self, holder: Any) -> Place | None:
        """Where a link or a chapter leads, if it is a page of this file."""
        meant = holder.get("/Dest")
        action = holder.get("/A")
        if meant is None and isinstance(action, pikepdf.Dictionary) and action.get("/S") == pikepdf.Name.GoTo:
            meant = action.get("/D")
        if isinstance(meant, pikepdf.Name | pikepdf.String):
            meant = self._by_name(str(meant))
        if isinstance(meant, pikepdf.Dictionary):
            meant = meant.get("/D")
        return self._read(list(meant)) if isinstance(meant, pikepdf.Array) else None

    def _by_name(self, name: str) -> Any:
        if self._named is None:
            names = self._root.get("/Names")
            tree = names.get("/Dests") if isinstance(names, pikepdf.Dictionary) else None
            old = self._root.get("/Dests")
            self._named = {str(key): value for key, value in in_name_tree(tree) if isinstance(key, pikepdf.String)}
            self._named |= dict(old.items()) if isinstance(old, pikepdf.Dictionary) else {}
        return self._named.get(name)

    def _read(self, destination: list[Any]) -> Place | None:
        target = destination[0] if destination else None
        page = self._pages.get(target.objgen) if isinstance(target, pikepdf.Dictionary) else None
        if page is None:
            return None
        view = str(destination[1]) if len(destination) > 1 else "/Fit"
        if view not in _VIEWS:
            view = "/Fit"
        given = [_number(value) for value in destination[2 : 2 + _VIEWS[view]]]
        given += [None] * (_VIEWS[view] - len(given))
        numbers = tuple(number if number is not None and abs(number) <= _FARTHEST else None for number in given)
        return (
            Place(page=page, view="/Fit", numbers=())
            if view == "/FitR" and None in numbers
            else Place(page=page, view=view, numbers=numbers)
        )

    def ways(self, page: Any) -> list[Way]:
        """The links of a page that stay inside the file."""
        found = []
        for annotation in walked(page.get("/Annots")):
            if annotation.get("/Subtype") != pikepdf.Name.Link:
                continue
            area, place = rectangle(annotation.get("/Rect")), self.place(annotation)
            if area is not None and place is not None:
                found.append(Way(rectangle=area, place=place))
        return found

    def chapters(self) -> Iterator[Chapter]:
        """The table of contents, in order, no deeper and no longer than a reader can use."""
        outlines = self._root.get("/Outlines")
        waiting = [(outlines.get("/First"), 0)] if isinstance(outlines, pikepdf.Dictionary) else []
        seen: set[tuple[int, int]] = set()
        while waiting and len(seen) < _MOST_CHAPTERS:
            item, depth = waiting.pop()
            if not isinstance(item, pikepdf.Dictionary) or item.objgen in seen:
                continue
            seen.add(item.objgen)
            waiting.append((item.get("/Next"), depth))
            if depth < _DEEPEST:
                waiting.append((item.get("/First"), depth + 1))
            title = item.get("/Title")
            words = str(title) if isinstance(title, pikepdf.String) else ""
            if words:
                yield Chapter(title=words[:_MOST_TITLE_LETTERS], place=self.place(item), depth=depth)


def write_ways(pdf: pikepdf.Pdf, page: Any, ways: list[Way]) -> None:
    """Puts the links on a page."""
    if ways:
        page.Annots = pikepdf.Array(
            pdf.make_indirect(
                pikepdf.Dictionary(
                    Type=pikepdf.Name.Annot,
                    Subtype=pikepdf.Name.Link,
                    Rect=pikepdf.Array(way.rectangle),
                    Border=pikepdf.Array([0, 0, 0]),
                    Dest=way.place.to(pdf.pages),
                )
            )
            for way in ways
        )


def write_chapters(pdf: pikepdf.Pdf, chapters: list[Chapter]) -> None:
    """Writes the table of contents."""
    if not any(chapter.place for chapter in chapters):
        return
    with pdf.open_outline() as outline:
        above = [outline.root]
        for chapter in chapters:
            destination = chapter.place.to(pdf.pages) if chapter.place else None
            item = pikepdf.OutlineItem(chapter.title, destination)
            # A chapter whose parent had no title stands one step higher.
            del above[chapter.depth + 1 :]
            above[-1].append(item)
            above.append(item.children)
