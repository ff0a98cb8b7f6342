"""What must be reached and what is aimed at: the rows of the design's tables of speed and memory that can be measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A row: the figure must be at least (or, with `at_most`, at most) `must`, and better still `aim`."""

    what: str
    must: float
    aim: float
    at_most: bool = False

    def reached(self, figure: float, bound: float) -> bool:
        """Whether a figure satisfies a bound of this row."""
        return figure <= bound if self.at_most else figure >= bound

    def shown(self, bound: float) -> str:
        """A bound as a table shows it."""
        return f"{'≤' if self.at_most else '≥'} {bound:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A benchmark: its module in tests/benchmarks, and how it is called for good and for rough figures."""

    name: str
    module: str
    what: str
    full: str = "measure()"
    quick: str = "measure()"


BENCHES: Final = (
    Bench(
        name="age",
        module="bench_age",
        what="the age codec against the AEAD alone",
        full="measure(512 * 1024 * 1024)",
        quick="measure(64 * 1024 * 1024)",
    ),
    Bench(name="inspection", module="bench_inspection", what="the jail against bare Pillow"),
    Bench(name="relay", module="bench_relay", what="accepting and waking readers, against bare HTTP and bare SQL"),
    Bench(name="upload", module="bench_upload", what="uploads against a bare write loop, and the memory they take"),
)
FLOORS: Final[Mapping[tuple[str, str], Floor]] = {
    ("age", "seal"): Floor(what="sealing, of the bare AEAD's speed", must=0.5, aim=0.7),
    ("age", "open"): Floor(what="opening, of the bare AEAD's speed", must=0.5, aim=0.7),
    ("age", "seal_with_hashes"): Floor(what="sealing with both hashes, of the bare AEAD's speed", must=0.15, aim=0.3),
    ("age", "open_with_hashes"): Floor(what="opening with both hashes, of the bare AEAD's speed", must=0.15, aim=0.3),
}
