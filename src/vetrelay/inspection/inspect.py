"""Inspects one untrusted file: what the intake, the bridge, a sender and `vetrelay inspect` all call.

    async with Inspector.start(Settings()) as inspector:
        finding = await inspector.inspect(content, "IMG_1234.HEIC", declared=None, purpose="wound")

Several files at once: each zygote of the pool serves one. A refused or held file is a finding, never an exception;
`Fault` says that no file can be inspected at all.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from vetrelay.errors import Fault
from vetrelay.inspection import policy, selftest
from vetrelay.inspection.frames import Garbled, Job, RawOutput, Request, Result, Role, decode_result
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.kinds import KINDS, Kind
from vetrelay.inspection.naming import safe_name
from vetrelay.inspection.outlines import jpeg, png
from vetrelay.inspection.sandbox import WORKER_COMMAND, End, Ending, Zygote, ZygoteLost
from vetrelay.inspection.words import Note, Reason, Unfit, Verdict

_log = logging.getLogger(__name__)
_ATTEMPTS = 2
_REASON_OF_END = {
    End.TIMED_OUT: Reason.JAIL_TIMEOUT,
    End.OUT_OF_MEMORY: Reason.NEEDS_TOO_MUCH_MEMORY,
    End.CRASHED: Reason.JAIL_CRASHED,
    End.FLOODED: Reason.JAIL_FLOODED,
}
_OUTLINES = {Kind.JPEG: jpeg.read, Kind.PNG: png.read}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How many files are inspected at once (each takes a core), and whether HEIC is opened where it can be."""

    parallel_jobs: int = field(default_factory=lambda: max(2, os.cpu_count() or 1))
    heic: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of the original and stands in no output: when it was taken, and its size in pixels."""

    capture_time: str | None = None
    width: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One file made by the inspection. `role` is "normalized" or "preview"."""

    role: str
    name: str
    media_type: str
    content: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was seen of one file.

    `media_type` is the normalized output's, or the content's own where nothing was made. `reason` is None exactly
    when the verdict is clean or converted. `keep_original` is the policy's default, which the sender may widen.
    """

    verdict: Verdict
    reason: Reason | None
    media_type: str
    name: str
    notes: tuple[str, ...]
    facts: Facts
    outputs: tuple[Output, ...]
    keep_original: bool

    @property
    def sentence(self) -> str | None:
        """The reason in one sentence, for a person."""
        return None if self.reason is None else self.reason.sentence


class Inspector:
    """A pool of zygotes. Made by `start`."""

    def __init__(self, settings: Settings, command: Sequence[str]) -> None:
        self._settings = settings
        self._command = command
        # First in, first out: while one zygote serves, the others have their next child ready.
        self._idle: asyncio.Queue[Zygote] = asyncio.Queue()
        self._alive: set[Zygote] = set()
        self._ended = False
        self.landlock_abi = 0
        self.opens_heic = False
        self.has_second_opinion = False

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, settings: Settings, *, command: Sequence[str] = WORKER_COMMAND) -> AsyncIterator[Self]:
        """Starts the pool, proves the jail by its self-test, and ends the pool on leaving.

        Raises Fault `no_sandbox` where a job cannot be confined, `sandbox_failed` where the check itself does not work.
        """
        inspector = cls(settings, command)
        try:
            first = await inspector._started()
            inspector._idle.put_nowait(first)
            await selftest.prove_pictures(first)
            for _ in range(settings.parallel_jobs - 1):
                inspector._idle.put_nowait(await inspector._started())
            inspector._tell(first)
            yield inspector
        finally:
            inspector._ended = True
            for zygote in tuple(inspector._alive):
                await zygote.close()

    async def inspect(
        self, content: bytes | int, name: str, *, declared: str | None = None, purpose: str | None = None
    ) -> Finding:
        """One file: bytes, or a descriptor (a sealed memory file is passed on without a copy; it stays the caller's).

        `declared` is the media type that the sender's program named, `purpose` what the sender says the photo is for.
        Raises Fault only where no jail can be had at all.
        """
        longest_side_px = policy.longest_side_px(purpose)
        with handed_over(content, most_bytes=policy.MAX_FILE_BYTES, head_bytes=policy.HEAD_BYTES) as handover:
            request = Request(
                job=Job.INSPECT,
                argument=longest_side_px,
                size_bytes=handover.size_bytes,
                limits=policy.limits_for(handover.head),
            )
            result = await self._result(request, handover.descriptor)
        return finding_of(result, name, declared=declared)

    async def _result(self, request: Request, content_descriptor: int) -> Result:
        for _ in range(_ATTEMPTS):
            async with self._slot() as zygote:
                try:
                    return checked_result(await zygote.run(request, content_descriptor))
                except ZygoteLost:
                    _log.warning("inspection.zygote_lost")
        return Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_LOST)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[Zygote]:
        """A living zygote for one job.

        A lost one is replaced when its place is next asked for: a failure to replace it meets whoever asks, and the
        place is kept for the next try.
        """
        zygote = await self._idle.get()
        try:
            if self._ended:
                raise Fault("sandbox_failed")
            # One that died while it was idle is not the next file's fault, and must not cost it a try.
            if not zygote.is_alive():
                await zygote.close()
                self._alive.discard(zygote)
                zygote = await self._started()
            yield zygote
        finally:
            self._idle.put_nowait(zygote)

    async def _started(self) -> Zygote:
        zygote = await Zygote.start(self._command, *(() if self._settings.heic else ("no-heic",)))
        self._alive.add(zygote)
        await selftest.prove_denials(zygote)
        return zygote

    def _tell(self, zygote: Zygote) -> None:
        self.landlock_abi = zygote.landlock_abi
        self.opens_heic = zygote.opens_heic
        self.has_second_opinion = zygote.has_second_opinion
        if not self.landlock_abi:
            _log.warning("inspection.landlock_absent")
        if not self.has_second_opinion:
            _log.warning("inspection.libmagic_absent")


def checked_result(ending: Ending) -> Result:
    """A job's ending as a result: every way to end that is not a sound answer becomes its reason."""
    if ending.end is not End.FINISHED:
        return Result(kind=Kind.UNKNOWN, reason=_REASON_OF_END[ending.end])
    try:
        result = decode_result(ending.untrusted)
    except Garbled:
        return Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_GARBLED)
    if not all(_is_bare(made) for made in result.outputs):
        return Result(kind=Kind.UNKNOWN, reason=Reason.JAIL_GARBLED)
    return result


def _is_bare(untrusted: RawOutput) -> bool:
    """Whether an output is a whole picture of the stated size with nothing beside it: checked, not trusted."""
    try:
        outline = _OUTLINES[untrusted.kind](untrusted.content)
    except Unfit:
        return False
    return outline.bare and (outline.width_px, outline.height_px) == (untrusted.width_px, untrusted.height_px)


def finding_of(result: Result, name: str, *, declared: str | None) -> Finding:
    """The finding on a file of this name: the verdict by policy, the notes in words, the names made safe."""
    made = result.outputs[0].kind if result.outputs else None
    claimed = policy.claimed_kind(name, declared)
    verdict, reason = policy.judge(claimed=claimed, seen=result.kind, reason=result.reason, made=made)
    if reason is not Reason.NONE or made is None:
        mended = policy.mends(claimed, result.kind)
        return Finding(
            verdict=verdict,
            reason=reason,
            media_type=KINDS[result.kind].media_type,
            name=safe_name(name, KINDS[result.kind].extensions[0] if mended else ""),
            notes=(),
            facts=Facts(),
            outputs=(),
            keep_original=True,
        )
    notes = result.notes | ({Note.RENAMED} if policy.mends(claimed, result.kind) else set())
    return Finding(
        verdict=verdict,
        reason=None,
        media_type=KINDS[made].media_type,
        name=safe_name(name, KINDS[made].extensions[0]),
        notes=tuple(note.words for note in sorted(notes)),
        facts=Facts(
            capture_time=result.captured.text() if result.captured else None,
            width=result.width_px,
            height=result.height_px,
        ),
        outputs=tuple(_output(raw, name) for raw in result.outputs),
        keep_original=policy.keep_original(result.kind),
    )


def _output(raw: RawOutput, name: str) -> Output:
    right = KINDS[raw.kind].extensions[0]
    safe = safe_name(name, right)
    if raw.role is Role.PREVIEW:
        safe = f"{safe.removesuffix(f'.{right}')}-preview.{right}"
    return Output(
        role=raw.role.word,
        name=safe,
        media_type=KINDS[raw.kind].media_type,
        content=raw.content,
        width=raw.width_px,
        height=raw.height_px,
    )


def finding_as_json(finding: Finding) -> dict[str, object]:
    """The finding as `vetrelay inspect --json` prints it, without the path; contents by hash and size."""
    return {
        "name": finding.name,
        "verdict": finding.verdict.value,
        "reason": None if finding.reason is None else finding.reason.key,
        "sentence": finding.sentence,
        "media_type": finding.media_type,
        "notes": list(finding.notes),
        "facts": {
            "capture_time": finding.facts.capture_time,
            "width": finding.facts.width,
            "height": finding.facts.height,
        },
        "outputs": [
            {
                "role": made.role,
                "name": made.name,
                "media_type": made.media_type,
                "size_bytes": len(made.content),
                "sha256": hashlib.sha256(made.content).hexdigest(),
                "width": made.width,
                "height": made.height,
            }
            for made in finding.outputs
        ],
    }
