"""The zygote's entry point: `python -I -m vetrelay.inspection.worker CONTROL JOBS [no-heic]`. Started, never imported.

The only module that imports the parsers of strangers' files. It warms every code path a job takes, because inside the
jail nothing can be imported or opened any more, and then serves.
"""

import codecs
import errno
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from vetrelay.inspection import second_opinion, sniff, zygote
from vetrelay.inspection.formats import heif, image, samples
from vetrelay.inspection.frames import Job, Result, encode_result
from vetrelay.inspection.kinds import KINDS, OPENED_KINDS, Kind
from vetrelay.inspection.outlines import gif, jpeg, png, webp
from vetrelay.inspection.outlines import heif as heif_outline
from vetrelay.inspection.outlines.outline import Content, Outline
from vetrelay.inspection.policy import NORMALIZED_SIDE_PX
from vetrelay.inspection.words import Reason, Unfit

_OUTLINES: Mapping[Kind, Callable[[Content], Outline]] = {
    Kind.JPEG: jpeg.read,
    Kind.PNG: png.read,
    Kind.WEBP: webp.read,
    Kind.HEIC: heif_outline.read,
    Kind.GIF: gif.read,
}
# Python imports a codec when it is first named; these are the ones that metadata may be written in.
_CODECS = ("ascii", "latin-1", "cp1252", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32")
# Less than this is no file of any kind: an empty choice, or a lone start-of-image marker.
_FEWEST_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What this worker found on its machine."""

    opinion: second_opinion.SecondOpinion | None
    decoders: Mapping[Kind, image.Decoder]

    @property
    def heic(self) -> bool:
        """Whether HEIC can be opened."""
        return Kind.HEIC in self.decoders


def inspect(task: zygote.Task, tools: Tools) -> Result:
    """One file, from its bytes to the result; a rule that says no becomes the result's reason."""
    if tools.opinion is None:
        return Result(kind=Kind.UNKNOWN, reason=Reason.NO_SECOND_OPINION)
    if task.size_bytes < _FEWEST_BYTES:
        return Result(kind=Kind.UNKNOWN, reason=Reason.EMPTY)
    kind = sniff.kind_of(task.content)
    try:
        outline = _outline(task, kind, tools)
        if tools.opinion(bytes(task.content[: second_opinion.LOOK_BYTES])) is not kind:
            return Result(kind=kind, reason=Reason.TYPES_DISAGREE)
        return image.normalize(
            task.content,
            kind=kind,
            outline=outline,
            decoder=tools.decoders[kind],
            longest_side_px=task.argument,
        )
    except Unfit as unfit:
        return Result(kind=kind, reason=unfit.reason)


def _outline(task: zygote.Task, kind: Kind, tools: Tools) -> Outline:
    """The structure of a file that is to be opened. Raises Unfit for every other one."""
    if kind in OPENED_KINDS and task.size_bytes > task.file_bytes:
        raise Unfit(Reason.TOO_MANY_BYTES)
    if kind in OPENED_KINDS and kind not in tools.decoders:
        raise Unfit(Reason.HEIC_NOT_SUPPORTED)
    outline = None
    if kind in _OUTLINES and len(task.content) == task.size_bytes:
        outline = _OUTLINES[kind](task.content)
    if outline is None or kind not in OPENED_KINDS:
        raise Unfit(KINDS[kind].not_opened)
    if outline.moving:
        raise Unfit(Reason.HELD_ANIMATION)
    return outline


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


def prepare(*, heic: bool) -> Tools:
    """Loads every library and walks every path once, in the zygote, over samples made on the spot."""
    for name in _CODECS:
        codecs.lookup(name)
    image.prepare()
    decoders = dict(image.DECODERS)
    if heic and (heic_decoder := heif.decoder()) is not None:
        decoders[Kind.HEIC] = heic_decoder
    tools = Tools(opinion=second_opinion.load(), decoders=decoders)
    for sample in samples.make(heic=tools.heic):
        task = zygote.Task(content=sample, size_bytes=len(sample), argument=NORMALIZED_SIDE_PX, file_bytes=len(sample))
        inspect(task, tools)
    return tools


def jobs_with(tools: Tools) -> Mapping[int, zygote.JobFunction]:
    """What this worker can be asked to do."""
    made = samples.make(heic=tools.heic)

    def inspect_job(task: zygote.Task) -> Iterable[bytes]:
        return encode_result(inspect(task, tools))

    return {
        Job.INSPECT: inspect_job,
        Job.PROBE: lambda _task: [probe()],
        Job.SAMPLE: lambda task: made[task.argument : task.argument + 1],
    }


def main(arguments: list[str]) -> None:
    """Prepares, then serves until the parent goes."""
    tools = prepare(heic="no-heic" not in arguments)
    abilities = (tools.opinion is not None, tools.heic)
    zygote.serve(zygote.channels(arguments), jobs_with(tools), abilities=abilities)


if __name__ == "__main__":
    main(sys.argv[1:])
