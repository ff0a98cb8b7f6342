"""The zygote's entry point: `python -I -m vetrelay.inspection.worker CONTROL JOBS all|pictures|letters`. Started, never imported.

The only module that imports the parsers of strangers' files. It warms every code path a job takes, because inside the
jail nothing can be imported or opened any more, and then serves.
"""

import codecs
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from vetrelay.inspection import policy, second_opinion, sniff, zygote
from vetrelay.inspection.ask import Ask
from vetrelay.inspection.contact import decode_pictures
from vetrelay.inspection.formats import (
    dicom,
    image,
    mail,
    member,
    office,
    pdf,
    recording,
    rtf,
    sheet,
    text,
    tnef,
    wholeletter,
)
from vetrelay.inspection.frames import Job, inspecting
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.letterframe import encode_letter, encode_refusal
from vetrelay.inspection.outlines.outline import Content
from vetrelay.inspection.result import Result
from vetrelay.inspection.resultframe import encode_result
from vetrelay.inspection.words import Reason, Unfit, Verdict

# Python imports a codec when it is first named; these are the ones that text and metadata may be written in.
_CODECS = (
    "ascii", "latin-1", "iso8859_15", "cp1250", "cp1251", "cp1252", "cp1254", "cp437", "cp850", "utf-8", "utf-8-sig",
    "utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "quopri", "base64", "idna", "raw_unicode_escape",
)  # fmt: skip
# Less than this is no file of any kind: an empty choice, or a lone start-of-image marker.
_FEWEST_BYTES = 4
# Documents that stand in a ZIP: the first KiB cannot always tell, the sender's word may.
_IN_A_ZIP = frozenset({Kind.DOCX, Kind.XLSX, Kind.ODT, Kind.OFFICE_ZIP})


class Opens(Protocol):
    """What a module of `formats/` gives."""

    def prepare(self) -> None:
        """Loads and sets what a job needs, in the zygote."""

    def samples(self) -> tuple[bytes, ...]:
        """Tiny sound files, one for each path through the format that this machine can take."""

    def normalize(self, content: Content, kind: Kind, ask: Ask) -> Result:
        """Rebuilds one file. Raises Unfit, MemoryError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The kinds that a module opens."""

    opens: Opens
    kinds: frozenset[Kind]


_PICTURES = (
    Format(
        opens=image,
        kinds=frozenset(
            {Kind.JPEG, Kind.PNG, Kind.WEBP, Kind.HEIC, Kind.GIF, Kind.TIFF, Kind.BMP, Kind.AVIF},
        ),
    ),
)
_PAPERS = (Format(opens=pdf, kinds=frozenset({Kind.PDF})),)
_SCANS = (Format(opens=dicom, kinds=frozenset({Kind.DICOM})),)
_WRITINGS = (
    Format(opens=text, kinds=frozenset({Kind.TEXT})),
    Format(opens=office, kinds=frozenset({Kind.OFFICE_ZIP})),
    Format(opens=rtf, kinds=frozenset({Kind.RTF})),
)
_LETTERS = (
    Format(opens=mail, kinds=frozenset({Kind.MAIL})),
    Format(opens=tnef, kinds=frozenset({Kind.TNEF})),
)
_RECORDINGS = (
    Format(
        opens=recording,
        kinds=frozenset(
            {Kind.MP4, Kind.QUICKTIME, Kind.WEBM, Kind.AVI}
            | {Kind.MP3, Kind.M4A, Kind.OGG, Kind.WAV, Kind.FLAC, Kind.AMR},
        ),
    ),
)
FORMATS: Mapping[str, tuple[Format, ...]] = {
    "pictures": _PICTURES,
    "letters": _LETTERS,
    "all": (*_PICTURES, *_PAPERS, *_SCANS, *_WRITINGS, *_LETTERS, *_RECORDINGS),
}
"""What a worker loads, by the word that it is started with. A lean one is forked faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What this worker has: libmagic's opinion, the formats by kind, the samples, one proof of each kind, the kinds."""

    opinion: second_opinion.SecondOpinion | None
    formats: Mapping[Kind, Opens]
    samples: tuple[bytes, ...] = ()
    proofs: tuple[bytes, ...] = ()
    opens: frozenset[Kind] = frozenset()


def inspect(task: zygote.Task, tools: Tools) -> Result:
    """One file, from its bytes to the result; a rule that says no becomes the result's reason."""
    request = task.request
    if tools.opinion is None:
        return Result(kind=Kind.UNKNOWN, reason=Reason.NO_SECOND_OPINION)
    if request.size_bytes < _FEWEST_BYTES:
        return Result(kind=Kind.UNKNOWN, reason=Reason.EMPTY)
    kind = sniff.kind_of(task.content)
    if kind is Kind.ZIP and request.ask.claimed in _IN_A_ZIP:
        kind = Kind.OFFICE_ZIP
    objection = _objection(task, kind, tools)
    if objection is not Reason.NONE:
        return Result(kind=kind, reason=objection)
    try:
        return tools.formats[kind].normalize(task.content, kind, request.ask)
    except Unfit as unfit:
        return Result(kind=kind, reason=unfit.reason)


def _objection(task: zygote.Task, kind: Kind, tools: Tools) -> Reason:
    """What keeps a file from its decoder, before any of it is decoded."""
    request = task.request
    if kind not in tools.formats:
        return KINDS[kind].not_opened
    if request.size_bytes > request.ask.file_bytes or len(task.content) != request.size_bytes:
        return Reason.TOO_MANY_BYTES
    assert tools.opinion is not None
    opinion = tools.opinion(bytes(task.content[: second_opinion.LOOK_BYTES]))
    return Reason.NONE if second_opinion.agrees(opinion, kind) else Reason.TYPES_DISAGREE


def take_out(task: zygote.Task) -> Iterable[bytes]:
    """One member of a pack: its reason in one byte, and its own bytes where that is NONE."""
    request = task.request
    try:
        plain = member.inflate(task.content, method=request.method, plain_bytes=request.plain_bytes, crc=request.crc)
    except Unfit as unfit:
        return [bytes([unfit.reason])]
    return [bytes([Reason.NONE]), plain]


def draw(task: zygote.Task) -> Result:
    """A contact sheet of previews."""
    try:
        made = sheet.contact_sheet(tuple(decode_pictures(bytes(task.content[:]))))
    except Unfit as unfit:
        return Result(kind=Kind.JPEG, reason=unfit.reason)
    return Result(kind=Kind.JPEG, width_px=made.width_px, height_px=made.height_px, outputs=(made,))


def read_letter(task: zygote.Task) -> Iterable[bytes]:
    """A whole letter as a value, or why it is not opened."""
    try:
        return encode_letter(*wholeletter.read(task.content, most=task.request.argument))
    except Unfit as unfit:
        return encode_refusal(unfit.reason)


def probe() -> bytes:
    """One byte per thing that must be impossible here: 1 if it failed as it should, 0 if the jail let it pass."""
    attempts: tuple[Callable[[], object], ...] = (
        lambda: os.open("/etc/passwd", os.O_RDONLY),
        lambda: os.open("/tmp/vetrelay-probe", os.O_WRONLY | os.O_CREAT),  # noqa: S108 - it must fail
        lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
        os.fork,
        lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - it must fail
        lambda: os.kill(os.getppid(), 0),
    )
    return bytes(_denied(attempt) for attempt in attempts)


def _denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError as error:
        return error.errno in {errno.EPERM, errno.EACCES}
    return False


def prepare(load: str) -> Tools:
    """Loads every library and walks every path once, in the zygote, over samples made on the spot."""
    for name in _CODECS:
        codecs.lookup(name)
    member.prepare()
    sheet.prepare()
    if load in {"letters", "all"}:
        wholeletter.prepare()
    chosen = FORMATS[load]
    for one in chosen:
        one.opens.prepare()
    tools = Tools(
        opinion=second_opinion.load(),
        formats={kind: one.opens for one in chosen for kind in one.kinds},
        samples=tuple(sample for one in chosen for sample in one.opens.samples()),
    )
    if tools.opinion is None:
        return tools
    # Every path is walked here; of each kind the first sample is what goes through the jail when the parent asks.
    proofs: dict[Kind, bytes] = {}
    for sample in tools.samples:
        proofs.setdefault(_proved(sample, tools), sample)
    return replace(tools, opens=frozenset(proofs), proofs=tuple(proofs.values()))


def _proved(sample: bytes, tools: Tools) -> Kind:
    """The kind of a sample that is opened as it should be. Raises RuntimeError: then this worker must not serve."""
    result = inspect(sample_task(sample), tools)
    if result.reason is not Reason.NONE and result.reason.verdict is not Verdict.KEPT_SEALED:
        raise RuntimeError(f"a sample of {result.kind.name} was not opened: {result.reason.key}")
    return result.kind


def sample_task(sample: bytes) -> zygote.Task:
    """A sample as a job."""
    row = policy.row_of(policy.ROWS, sniff.kind_of(sample))
    return zygote.Task(content=sample, request=inspecting(row, Ask(), size_bytes=len(sample)))


def jobs_with(tools: Tools) -> Mapping[int, zygote.JobFunction]:
    """What this worker can be asked to do."""

    def inspect_job(task: zygote.Task) -> Iterable[bytes]:
        return encode_result(inspect(task, tools))

    return {
        Job.INSPECT: inspect_job,
        Job.MEMBER: take_out,
        Job.LETTER: read_letter,
        Job.SHEET: lambda task: encode_result(draw(task)),
        Job.PROBE: lambda _task: [probe()],
        Job.SAMPLE: lambda task: tools.proofs[task.request.argument : task.request.argument + 1],
    }


def abilities_of(tools: Tools) -> zygote.Abilities:
    """What the parent is told of this worker."""
    return zygote.Abilities(second_opinion=tools.opinion is not None, opens=tools.opens)


def main(arguments: list[str]) -> None:
    """Prepares, then serves until the parent goes."""
    tools = prepare(arguments[2])
    zygote.serve(zygote.channels(arguments), jobs_with(tools), abilities=abilities_of(tools))


if __name__ == "__main__":
    main(sys.argv[1:])
