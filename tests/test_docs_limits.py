"""docs/limits.md says what the code says: its tables are made from the facts, and a number that rots fails here."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from vetrelay.bridge.letters import lettermime
from vetrelay.bridge.pages import tries
from vetrelay.bridge.proving import headfields
from vetrelay.bridge.receiving import data
from vetrelay.config import BridgeLimits, FileType, FileTypes, IntakeConfig
from vetrelay.inspection import policy, study, unpack
from vetrelay.inspection.entries import Room
from vetrelay.inspection.formats import jsontext, package, recording_tracks, text, wholeletter
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.policy import ROWS, MiB, Row
from vetrelay.inspection.shelf import MAX_LOOSE_BYTES, MAX_LOOSE_MEMBERS
from vetrelay.inspection.tighten import KINDS_OF_TYPE

LETTERS: Final = BridgeLimits()
KiB: Final = 1024
GiB: Final = 1024**3
DOCS: Final = Path(__file__).parent.parent / "docs"
PAGE: Final = (DOCS / "limits.md").read_text(encoding="utf-8")
COUNTED: Final = {
    "png": "frames",
    "webp": "frames",
    "gif": "frames",
    "tiff": "pages",
    "pdf": "pages",
    "video": "seconds",
    "audio": "seconds",
    "office": "parts",
    "mail": "parts",
    "zip": "files",
}
"""What `most` counts, by type; the others have nothing to count."""
HEAD: Final = "| type | files | largest | at most | time | memory | answer | original stays | preview |"


def mib(size_bytes: int) -> str:
    """A size in MiB."""
    assert size_bytes % MiB == 0
    return f"{size_bytes // MiB} MiB"


def line_of(name: str, kinds: Iterable[Kind], row: Row) -> str:
    """One row of the table."""
    endings = ", ".join(KINDS[kind].extensions[0] for kind in kinds if kind is not Kind.OFFICE_ZIP)
    most = f"{row.most} {COUNTED[name]}" if row.most else "–"
    seconds = f"{row.base_seconds} s" + (f" + {row.seconds_per_mib:g} s/MiB" if row.seconds_per_mib else "")
    cells = (
        f"`{name}`",
        endings,
        mib(row.file_bytes),
        most,
        seconds,
        mib(row.address_space_bytes),
        mib(row.output_bytes),
        "yes" if row.keep_original else "no",
        "yes" if row.preview else "no",
    )
    return f"| {' | '.join(cells)} |"


def table() -> Iterator[str]:
    """The table of all types, as the page has it."""
    yield HEAD
    yield "|---" * HEAD.count(" | ") + "|---|"
    for name, kinds in KINDS_OF_TYPE.items():
        rows = {ROWS[kind] for kind in kinds}
        assert 1 == len(rows), f"the kinds of {name} have rows of their own: give each a line"
        yield line_of(name, kinds, rows.pop())


def room(room: Room) -> str:
    """What a pack may have."""
    return (
        f"{mib(room.file_bytes)} packed, {mib(room.plain_bytes)} unpacked, {room.most} files, "
        f"{room.ratio} times its packed size"
    )


def test_the_table_has_the_numbers_of_the_policy() -> None:
    """Every row, in order; what this test would write stands in its failure."""
    wanted = "\n".join(table())
    assert wanted in PAGE, f"docs/limits.md needs:\n{wanted}"


def test_every_kind_that_is_opened_stands_in_the_table() -> None:
    """No row of the policy is left out."""
    assert set(ROWS) == {kind for kinds in KINDS_OF_TYPE.values() for kind in kinds}
    assert set(COUNTED) == {name for name, kinds in KINDS_OF_TYPE.items() if ROWS[kinds[0]].most}


@pytest.mark.parametrize(
    "config", [IntakeConfig, FileTypes, FileType, BridgeLimits], ids=lambda config: config.__name__
)
def test_every_setting_is_named(config: type[msgspec.Struct]) -> None:
    """Each key of intake.toml, and each limit of bridge.toml, as code."""
    missing = [key for key in config.__struct_fields__ if f"`{key}`" not in PAGE]
    assert [] == missing


@pytest.mark.parametrize(
    "words",
    [
        f"{policy.MAX_PIXELS // 1_000_000} million pixels",
        f"{policy.MAX_SIDE_PX} px",
        f"{policy.NORMALIZED_SIDE_PX} px",
        f"{policy.CLOSE_LOOK_SIDE_PX} px",
        f"{recording_tracks.MAX_VIDEO_SIDE_PX} px",
        f"{recording_tracks.MAX_FRAMES_PER_SECOND} frames a second",
        f"{text.MAX_LINE_BYTES // 1024} KiB",
        f"{jsontext.MOST_DEEP} deep",
        f"{package.MAX_PLAIN_BYTES // MiB} MiB unpacked",
        f"{unpack.MAX_LETTERS} letters",
        room(study.STUDY_ROOM),
        room(study.OTHER_ROOM),
        f"{MAX_LOOSE_MEMBERS} files and {mib(MAX_LOOSE_BYTES)}",
        f"| {mib(LETTERS.letter_bytes)}, about 36 MB of files |",
        f"| {LETTERS.upload_bytes // GiB} GiB | `upload_bytes` |",
        f"| {LETTERS.spool_bytes // GiB} GiB | `spool_bytes` |",
        f"| {LETTERS.min_free_percent} percent |",
        f"| {LETTERS.connections} and {LETTERS.connections_per_address} |",
        f"| {LETTERS.recipients}, {LETTERS.letters_per_session} and {LETTERS.wrong_recipients} |",
        f"| {LETTERS.session_seconds}, {LETTERS.idle_seconds} and {LETTERS.hook_seconds} seconds |",
        f"| {LETTERS.parallel_letters} | `parallel_letters` |",
        f"| {headfields.HEAD_BYTES // KiB} KiB, {headfields.FIELD_BYTES // KiB} KiB, {headfields.HEAD_FIELDS} |",
        f"| one line of a letter | {data.LINE_BYTES // KiB} KiB |",
        f"| {wholeletter.MAX_DEPTH} deep, {wholeletter.MAX_FORWARDED} deep |",
        f"| {lettermime.PLAIN_BYTES // 10**6} MB in the open, {lettermime.SEALED_BYTES / 10**6:g} MB sealed;",
        f"| {tries.MOST_TRIES} an hour for each link |",
    ],
)
def test_what_cannot_be_changed_is_said_as_it_is(words: str) -> None:
    """Limits outside of the table."""
    assert words in PAGE
