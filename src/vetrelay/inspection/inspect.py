"""Inspects one untrusted file: what the intake, the bridge, a sender and `vetrelay inspect` all call.

    async with Inspector.start(Settings()) as inspector:
        finding = await inspector.inspect(content, "IMG_1234.HEIC", wishes=Wishes(purpose="wound"))

Several files at once: each job takes a turn at a core. A refused or held file is a finding, never an exception; `Fault`
says that no file can be inspected at all.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from vetrelay.inspection import policy, sniff
from vetrelay.inspection.answer import checked_result
from vetrelay.inspection.ask import Ask, DicomMode
from vetrelay.inspection.budget import Budget
from vetrelay.inspection.bundle import bundled
from vetrelay.inspection.entries import Entry
from vetrelay.inspection.finding import Finding, finding_of
from vetrelay.inspection.frames import Request, inspecting
from vetrelay.inspection.handover import handed_over
from vetrelay.inspection.kinds import KINDS, Family, Kind
from vetrelay.inspection.pack import Sink
from vetrelay.inspection.packjobs import Slice, check_sum, drawing, taken_out, taking_out
from vetrelay.inspection.policy import Row
from vetrelay.inspection.pool import LOADS, Pool
from vetrelay.inspection.result import RawOutput, Result
from vetrelay.inspection.sandbox import WORKER_COMMAND, Ending
from vetrelay.inspection.source import BytesSource, DescriptorSource, Source
from vetrelay.inspection.threads import to_its_end
from vetrelay.inspection.unpack import LETTERS, MAX_LETTERS, Hands, Place, unpack, unpack_letter
from vetrelay.inspection.unpacked import is_pack, kind_to_open, letter_finding, pack_finding
from vetrelay.inspection.wishes import NO_WISHES, Wishes
from vetrelay.inspection.words import Reason, Unfit, Verdict
from vetrelay.inspection.zipforms import STORED

_log = logging.getLogger(__name__)
# Packs need no decoder of documents: the zygote that is forked faster serves them.
_LIGHT = "pictures"
SALT_BYTES = 16
_LEAN = {Family.PICTURE: "pictures"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How many jobs run at once (each takes a core), the policy table, and what a clinic wants of DICOM and PDF.

    `random_bytes` is needed for DICOM in the teaching mode, which is held without it. `loads` is what its zygotes have
    loaded: "letters" alone reads letters and inspects nothing.
    """

    parallel_jobs: int = field(default_factory=lambda: max(2, os.cpu_count() or 1))
    rows: Mapping[Kind, Row] = field(default_factory=lambda: policy.ROWS)
    mode: DicomMode = DicomMode.CARE
    flatten: bool = False
    random_bytes: Callable[[int], bytes] | None = None
    loads: tuple[str, ...] = LOADS


class Inspector:
    """Zygotes, and the policy that they work by. Made by `start`."""

    def __init__(self, settings: Settings, pool: Pool) -> None:
        self._settings = settings
        self._pool = pool
        self.landlock_abi = 0
        self.opens: frozenset[Kind] = frozenset()
        self.has_second_opinion = False

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, settings: Settings, *, command: Sequence[str] = WORKER_COMMAND) -> AsyncIterator[Self]:
        """Starts the zygotes, proves the jail by its self-test, and ends them on leaving.

        Raises Fault `no_sandbox` where a job cannot be confined, `sandbox_failed` where the check itself does not work.
        """
        pool = Pool(command, parallel_jobs=settings.parallel_jobs, loads=settings.loads)
        inspector = cls(settings, pool)
        try:
            zygote = await pool.fill()
            inspector.landlock_abi = zygote.landlock_abi
            inspector.opens = zygote.abilities.opens
            inspector.has_second_opinion = zygote.abilities.second_opinion
            inspector._tell()
            yield inspector
        finally:
            await pool.close()

    @property
    def rows(self) -> Mapping[Kind, Row]:
        """The policy table in force."""
        return self._settings.rows

    @property
    def parallel_jobs(self) -> int:
        """How many jobs run at once."""
        return self._settings.parallel_jobs

    async def inspect(
        self,
        content: bytes | int | Source,
        name: str,
        *,
        declared: str | None = None,
        wishes: Wishes = NO_WISHES,
        sink: Sink | None = None,
    ) -> Finding:
        """One file, given whole, by its descriptor (which stays the caller's), or as a source that is read in its turn.

        A sealed memory file is passed on without a copy. `declared` is the media type that the sender's program named.
        A pack of many files is packed anew into `sink`, piece by piece (in memory without one, up to 256 MiB). Raises
        Fault only where no jail can be had at all.
        """
        if self._settings.random_bytes is not None:
            wishes = replace(wishes, salt=self._settings.random_bytes(SALT_BYTES))
        finding = await self._found(_source(content), name, declared, Place(), wishes, sink)
        return bundled(finding, most=wishes.most_records)

    async def run(self, request: Request, source: Source) -> Ending:
        """A job that is no inspection (a letter that is read), in its turn, over the whole of this content.

        Raises Unfit(JAIL_LOST) where its jail was lost twice, Fault where none can be had.
        """
        return await self._run(self._settings.loads[-1], request, source, budget=None)

    async def _found(
        self,
        source: Source,
        name: str,
        declared: str | None,
        place: Place,
        wishes: Wishes,
        sink: Sink | None,
    ) -> Finding:
        def found(result: Result) -> Finding:
            return finding_of(result, name, declared=declared, rows=self._settings.rows, expected=wishes.patient)

        claimed = policy.claimed_kind(name, declared)
        kind = sniff.kind_of(source.read(0, policy.HEAD_BYTES))
        row = policy.row_of(self._settings.rows, kind)
        try:
            if is_pack(kind, claimed) and row.accept:
                empty = found(Result(kind=kind))
                if empty.verdict is not Verdict.CONVERTED:
                    return empty
                hands = self._hands(wishes)
                unpacked = await unpack(source, name, hands=hands, place=place, sink=sink, row=row)
                return pack_finding(empty, unpacked, expected=wishes.patient)
            result = await self._seen(source, claimed, wishes, place)
            finding = found(result)
            if _is_too_deep(result, place):
                return found(Result(kind=result.kind, reason=Reason.LETTER_TOO_DEEP))
            if not result.parts or finding.reason is not None:
                return finding
            hands = self._hands(wishes)
            unpacked = await unpack_letter(result.parts, name, hands=hands, place=place, sink=sink)
            return letter_finding(finding, unpacked, expected=wishes.patient)
        except Unfit as unfit:
            return found(Result(kind=kind, reason=unfit.reason))

    def _hands(self, wishes: Wishes) -> Hands:
        """What a walk through a pack may ask for: always one thing at a time, each with a turn of its own."""

        async def inspect(source: Source, name: str, declared: str | None, place: Place) -> Finding:
            return await self._found(source, name, declared, place, wishes, None)

        rows = self._settings.rows
        return Hands(
            inspect=inspect,
            take_out=self._taken_out,
            draw=self._drawn,
            largest_bytes=max(row.file_bytes for kind, row in rows.items() if kind is not Kind.ZIP),
        )

    async def _taken_out(self, source: Source, entry: Entry, place: Place) -> Source:
        packed = Slice(source=source, offset=entry.offset, size_bytes=entry.packed_bytes)
        if entry.method == STORED:
            await to_its_end(check_sum, packed, entry.crc)
            return packed
        return taken_out(await self._run(_LIGHT, taking_out(entry), packed, budget=place.budget))

    async def _drawn(self, previews: bytes) -> RawOutput | None:
        result = await _believed(await self._run(_LIGHT, drawing(previews), BytesSource(previews), budget=None))
        return result.outputs[0] if result.outputs else None

    async def _run(
        self, load: str, request: Request, source: Source, *, budget: Budget | None, most_bytes: int | None = None
    ) -> Ending:
        """One job in its turn; of a file above `most_bytes` only the head. What it takes is taken from the budget.

        Raises Unfit(JAIL_LOST) where its jail was lost twice.
        """
        most_bytes = source.size_bytes if most_bytes is None else most_bytes
        now = asyncio.get_running_loop().time
        async with self._pool.turn(source.size_bytes):
            started = now()
            try:
                async with handed_over(source, most_bytes=most_bytes, head_bytes=policy.HEAD_BYTES) as handover:
                    request = replace(request, size_bytes=handover.size_bytes)
                    ending = await self._pool.run(load, request, handover.descriptor)
            finally:
                if budget is not None:
                    budget.spend(now() - started)
        if ending is None:
            raise Unfit(Reason.JAIL_LOST)
        return ending

    async def _seen(self, source: Source, claimed: Kind, wishes: Wishes, place: Place) -> Result:
        """What the jail says of one file, by the row of what its first bytes say it is."""
        kind = kind_to_open(sniff.kind_of(source.read(0, policy.HEAD_BYTES)), claimed)
        row = policy.row_of(self._settings.rows, kind)
        if not row.accept:
            return Result(kind=kind, reason=Reason.TYPE_SWITCHED_OFF)
        ask = Ask(
            claimed=claimed,
            longest_side_px=wishes.longest_side_px,
            mode=self._settings.mode,
            flatten=self._settings.flatten,
            keep_motion=wishes.keep_motion,
            salt=wishes.salt,
            preview=place.preview,
        )
        request = inspecting(row, ask, size_bytes=source.size_bytes, patience=wishes.patience)
        load = _LEAN.get(KINDS[kind].family, "all")
        try:
            ending = await self._run(load, request, source, budget=place.budget, most_bytes=row.file_bytes)
        except Unfit as lost:
            return Result(kind=Kind.UNKNOWN, reason=lost.reason)
        return self._allowed(await _believed(ending), source.size_bytes)

    def _allowed(self, result: Result, size_bytes: int) -> Result:
        """The jail may have seen another kind than the first bytes said: that kind's row must allow it as well."""
        if result.outputs and size_bytes > policy.row_of(self._settings.rows, result.kind).file_bytes:
            return Result(kind=result.kind, reason=Reason.TOO_MANY_BYTES)
        if policy.row_of(self._settings.rows, result.kind).accept:
            return result
        return Result(kind=result.kind, reason=Reason.TYPE_SWITCHED_OFF)

    def _tell(self) -> None:
        if not self.landlock_abi:
            _log.warning("inspection.landlock_absent")
        if not self.has_second_opinion:
            _log.warning("inspection.libmagic_absent")


async def _believed(ending: Ending) -> Result:
    """What is believed of a job's answer; a large one is looked through in a thread, so that others are not kept."""
    if len(ending.untrusted) <= policy.MiB:
        return checked_result(ending)
    return await to_its_end(checked_result, ending)


def _is_too_deep(result: Result, place: Place) -> bool:
    """Letters stand in letters so deep and no deeper; a document in the innermost one may still have pictures."""
    if result.kind in LETTERS:
        return place.letters >= MAX_LETTERS
    return bool(result.parts) and place.letters > MAX_LETTERS


def _source(content: bytes | int | Source) -> Source:
    if isinstance(content, bytes):
        return BytesSource(content)
    return DescriptorSource(content) if isinstance(content, int) else content
