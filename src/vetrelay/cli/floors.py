"""What must be reached and what is aimed at: the rows of the design's tables of speed and memory that can be measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A row: the figure must be at least (or, with `at_most`, at most) `must`, and better still `aim` where there is one."""

    what: str
    must: float
    aim: float | None = None
    at_most: bool = False

    def reached(self, figure: float, bound: float) -> bool:
        """Whether a figure satisfies a bound of this row."""
        return figure <= bound if self.at_most else figure >= bound

    def shown(self, bound: float | None) -> str:
        """A bound as a table shows it."""
        return "" if bound is None else f"{'≤' if self.at_most else '≥'} {bound:g}"


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
    Bench(name="records", module="bench_records", what="PDF and DICOM against the bare libraries, and a long queue"),
    Bench(
        name="intake",
        module="bench_intake",
        what="a photo from accepted to published, against bare Pillow",
        full="measure(7)",
        quick="measure(3)",
    ),
    Bench(
        name="upload",
        module="bench_upload",
        what="uploads against a bare write loop, and the memory they take",
        full="measure(256 * 1024 * 1024)",
        quick="measure(32 * 1024 * 1024)",
    ),
    Bench(name="relay", module="bench_relay", what="accepting and waking readers, against bare HTTP and bare SQL"),
    Bench(
        name="smtp",
        module="bench_smtp",
        what="taking letters in, against Postfix and stock aiosmtpd",
        full="measure(7)",
        quick="measure(2)",
    ),
)
FLOORS: Final[Mapping[tuple[str, str], Floor]] = {
    ("age", "seal"): Floor(what="sealing, of the bare AEAD's speed", must=0.5, aim=0.7),
    ("age", "open"): Floor(what="opening, of the bare AEAD's speed", must=0.5, aim=0.7),
    ("age", "seal_with_hashes"): Floor(what="sealing with both hashes, of the bare AEAD's speed", must=0.15, aim=0.3),
    ("age", "open_with_hashes"): Floor(what="opening with both hashes, of the bare AEAD's speed", must=0.15, aim=0.3),
    ("inspection", "empty_job_median_ms"): Floor(what="an empty job in the jail, ms", must=3, at_most=True),
    ("inspection", "empty_full_job_median_ms"): Floor(
        what="an empty job with every decoder loaded, ms", must=10, at_most=True
    ),
    ("inspection", "photo_over_bare_pillow"): Floor(
        what="12-megapixel photo in the jail, times bare Pillow", must=1.15, at_most=True
    ),
    ("records", "pdf_over_bare"): Floor(
        what="20-page PDF, jailed and sealed, times bare pikepdf and pdfium", must=1.2, at_most=True
    ),
    ("records", "dicom_over_bare"): Floor(
        what="10 MB X-ray, jailed and sealed, times bare pydicom", must=1.2, at_most=True
    ),
    ("records", "queue_cores_busy"): Floor(
        what="cores at work in jails during a queue of 200 files", must=0.8, aim=0.9
    ),
    ("intake", "ratio"): Floor(
        what="12-megapixel photo, accepted to published, times bare Pillow", must=1.5, at_most=True
    ),
    ("upload", "upload"): Floor(what="upload, hashed and durable, of a bare write loop's speed", must=0.7, aim=0.9),
    ("upload", "upload_in_flight_mebibytes"): Floor(
        what="memory of one upload in flight, MiB", must=4, aim=2, at_most=True
    ),
    ("relay", "accept"): Floor(what="durable accept of 8 KiB, of bare aiohttp's speed", must=0.12, aim=0.25),
    ("relay", "group_commit"): Floor(what="group commit, times one commit each", must=10, aim=17),
    ("relay", "waiter_kib"): Floor(what="memory of one idle waiter, KiB", must=20, aim=12, at_most=True),
    ("relay", "page_growth"): Floor(
        what="inbox page at 1,000,000 envelopes, times the one at 1,000", must=1.5, aim=1.1, at_most=True
    ),
    ("relay", "wake_p95_ms"): Floor(what="accepted to waiting reader, p95, ms", must=50, aim=15, at_most=True),
    ("smtp", "large_of_postfix"): Floor(what="1 MiB letters, durable, of Postfix's speed", must=0.8, aim=1.2),
    ("smtp", "large_of_stock"): Floor(what="1 MiB letters, durable, times stock aiosmtpd", must=3),
    ("smtp", "small_of_postfix"): Floor(what="10 KiB letters, durable, of Postfix's speed", must=0.7, aim=1.0),
    ("smtp", "session_mebibytes"): Floor(what="memory of a session with a letter of 40 MiB, MiB", must=1, at_most=True),
}
