"""What an Excel workbook says of its sheets before their cells: names, shared texts, and the formats of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vetrelay.inspection.formats import markup
from vetrelay.inspection.formats.cellvalues import BUILT_IN, Shown, shown_by
from vetrelay.inspection.formats.package import Package
from vetrelay.inspection.formats.relationships import relationships_of

_YES = frozenset({"1", "true"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A sheet's name as its tab shows it, the id of its relationship, and whether the tab is shown."""

    name: str
    relationship: str
    is_hidden: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbook:
    """All that the reading of a sheet needs. `styles` says of each cell style what a number means."""

    sheets: tuple[Sheet, ...]
    parts: Mapping[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    styles: tuple[Shown, ...] = ()
    since_1904: bool = False


class _Main:
    def __init__(self) -> None:
        self.sheets: list[Sheet] = []
        self.since_1904 = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sheet":
            self.sheets.append(
                Sheet(
                    name=attributes.get("name", ""),
                    relationship=attributes.get("id", ""),
                    is_hidden=attributes.get("state", "visible") != "visible",
                ),
            )
        elif name == "workbookPr":
            self.since_1904 = attributes.get("date1904", "").lower() in _YES

    def end(self, name: str) -> None:
        """Nothing ends here."""

    def data(self, text: str) -> None:
        """Nothing is said here."""


class _SharedTexts:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self._pieces: list[str] = []
        self._reads = False
        # How an East Asian text is spoken would repeat it.
        self._skipping = markup.Skipping(frozenset({"rPh"}))

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        del attributes
        if not self._skipping.starts(name):
            self._reads = name == "t"

    def end(self, name: str) -> None:
        if self._skipping.ends():
            return
        self._reads = False
        if name == "si":
            self.texts.append("".join(self._pieces))
            self._pieces.clear()

    def data(self, text: str) -> None:
        if self._reads and not self._skipping:
            self._pieces.append(text)


class _Styles:
    def __init__(self) -> None:
        self._codes: dict[str, Shown] = {}
        self._in_cells = False
        self.styles: list[Shown] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = shown_by(attributes.get("formatCode", ""))
        elif name == "cellXfs":
            self._in_cells = True
        elif name == "xf" and self._in_cells:
            number = attributes.get("numFmtId", "0")
            built_in = BUILT_IN.get(int(number), Shown.NUMBER) if number.isdecimal() else Shown.NUMBER
            self.styles.append(self._codes.get(number, built_in))

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._in_cells = False

    def data(self, text: str) -> None:
        """Nothing is said here."""


def read_workbook(package: Package, main: str) -> Workbook:
    """The workbook without its cells. Raises Unfit."""
    book, texts, styles = _Main(), _SharedTexts(), _Styles()
    markup.walk(package.read(main), book)
    related = [one for one in relationships_of(package, main) if not one.is_outside and one.target in package]
    for one in related:
        if one.kind == "sharedStrings" and not texts.texts:
            markup.walk(package.read(one.target), texts)
        elif one.kind == "styles" and not styles.styles:
            markup.walk(package.read(one.target), styles)
    return Workbook(
        sheets=tuple(book.sheets),
        parts={one.id: one.target for one in related if one.kind in {"worksheet", "chartsheet"}},
        texts=tuple(texts.texts),
        styles=tuple(styles.styles),
        since_1904=book.since_1904,
    )
