"""Every path through every format, in the real jail: what the zygote walked before its first fork works inside too."""

import subprocess
import sys
from pathlib import Path

from vetrelay.inspection.inspect import Inspector, Settings
from vetrelay.inspection.kinds import KINDS, Family, Kind
from vetrelay.inspection.policy import ROWS
from vetrelay.inspection.words import Verdict

# An archive is read by the parent; the refined kinds of a text are what its name asks for.
WITHOUT_A_SAMPLE = {Kind.ZIP, Kind.CSV, Kind.JSON, Kind.MARKDOWN, Kind.OFFICE_ZIP}
# What the extras [heif] and [video] bring.
OPTIONAL = {kind for kind in ROWS if kind is Kind.HEIC or KINDS[kind].family is Family.RECORDING}

WRITE_THEM = """
import sys
from pathlib import Path
from vetrelay.inspection import worker
for number, sample in enumerate(worker.prepare("all").samples):
    Path(sys.argv[1], str(number)).write_bytes(sample)
"""


async def test_every_sample_is_opened_in_the_jail(tmp_path: Path) -> None:
    """At start one sample of each kind is tried; here all of them are, because a missing import shows only inside."""
    subprocess.run([sys.executable, "-I", "-c", WRITE_THEM, str(tmp_path)], check=True)  # noqa: ASYNC221 - before the rest
    samples = sorted(tmp_path.iterdir())
    async with Inspector.start(Settings(parallel_jobs=1)) as inspector:
        findings = [await inspector.inspect(sample.read_bytes(), "sample") for sample in samples]
    assert len(samples) > len(inspector.opens)
    assert set(ROWS) - WITHOUT_A_SAMPLE - OPTIONAL <= inspector.opens
    assert [] == [
        (sample.name, finding.kind.name, finding.reason)
        for sample, finding in zip(samples, findings, strict=True)
        if finding.reason is not None and finding.verdict is not Verdict.KEPT_SEALED
    ]
