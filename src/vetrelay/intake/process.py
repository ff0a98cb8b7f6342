"""The intake's process: asks the clock and the dice once, proves the jail, and works until it is told to stop."""

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop

from vetrelay.client.admission import admitted, write_offer
from vetrelay.client.end import open_end
from vetrelay.client.machine import alone, until_stopped
from vetrelay.client.rotate import DAY_MS
from vetrelay.config import IntakeConfig
from vetrelay.inspection.ask import DicomMode
from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import Kind
from vetrelay.inspection.sandbox import WORKER_COMMAND
from vetrelay.inspection.tighten import tightened
from vetrelay.intake.clamav import Clamd
from vetrelay.intake.hands import Hands
from vetrelay.intake.intake import Checkpoint, Intake
from vetrelay.intake.jobs import JobTable
from vetrelay.intake.leases import Leases
from vetrelay.intake.service import tidy, work
from vetrelay.telemetry import event_log, set_up_logs

LOCK: Final = "intake.lock"

Ready = Callable[[Path], None]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def inspection_settings(config: IntakeConfig) -> Settings:
    """How this practice has its files inspected. Raises Fault `bad_config` for a limit that was raised."""
    mode = DicomMode[config.dicom.upper()]
    rows = tightened(config.types)
    if mode is not DicomMode.CARE:
        # What is taken out of the copy must not go on in the original beside it.
        rows = {**rows, **{kind: replace(rows[kind], keep_original=False) for kind in (Kind.DICOM, Kind.ZIP)}}
    return Settings(
        parallel_jobs=config.parallel_jobs or os.cpu_count() or 1,
        rows=rows,
        mode=mode,
        flatten=config.flatten_pdf,
        random_bytes=os.urandom,
    )


def scanner_of(config: IntakeConfig) -> Clamd | None:
    """The virus scanner that this practice runs, if it does."""
    if config.clamav is None:
        return None
    return Clamd(place=config.clamav, seconds=config.clamav_seconds, absent=config.clamav_absent)


def _go_on(_step: str) -> None:
    """Outside tests nothing happens between two steps."""


def run(config: IntakeConfig, *, ready: Ready | None = None) -> None:
    """Serves until SIGTERM or SIGINT, on uvloop. Raises as `serve` does."""
    uvloop.run(serve(config, ready=ready))


async def serve(
    config: IntakeConfig,
    *,
    ready: Ready | None = None,
    checkpoint: Checkpoint = _go_on,
    worker: Sequence[str] = WORKER_COMMAND,
) -> None:
    """Runs the intake until SIGTERM or SIGINT; then jobs under way are left to the job table.

    `ready` hears where the offer is, once it is enrolled. Raises Fault `no_sandbox` or `sandbox_failed` before anything
    else where files cannot be confined, `already_running`; Refusal for what its enrolment was refused with.
    """
    set_up_logs(as_json=config.log_json)
    await until_stopped(_work(config, ready, checkpoint, worker))
    event_log()("intake.stopped")


async def _work(config: IntakeConfig, ready: Ready | None, checkpoint: Checkpoint, worker: Sequence[str]) -> None:
    home = Path(config.data)
    async with contextlib.AsyncExitStack() as opened:
        opened.enter_context(alone(home, LOCK))
        # The jail is proved first, and its zygotes are started before this process holds a key.
        settings = inspection_settings(config)
        inspector = await opened.enter_async_context(Inspector.start(settings, command=worker))
        keyring = await admitted(config, "intake", now_ms=_now_ms, random_bytes=os.urandom)
        end = await opened.enter_async_context(open_end(home, keyring, now_ms=_now_ms, random_bytes=os.urandom))
        jobs = opened.enter_context(contextlib.closing(JobTable(home)))
        tidy(end, jobs)
        offer = write_offer(config, "intake", keyring)
        if ready is not None:
            ready(offer)
        await work(
            Intake(
                end=end,
                inspector=inspector,
                jobs=jobs,
                hands=Hands(settings.parallel_jobs),
                leases=Leases(config.lease_seconds),
                scanner=scanner_of(config),
                checkpoint=checkpoint,
                wait_seconds=config.wait_seconds,
                rotate_ms=config.rotate_days * DAY_MS,
                clinic_patience=config.clinic_patience,
            )
        )
