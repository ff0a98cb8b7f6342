"""What the intake works with, in one value that its verbs are given."""

from collections.abc import Callable
from dataclasses import dataclass, field

from vetrelay.client.end import End
from vetrelay.client.follow import Followed, recall
from vetrelay.client.followed import RecentCases
from vetrelay.inspection.inspect import Inspector
from vetrelay.intake.clamav import Clamd
from vetrelay.intake.hands import Hands
from vetrelay.intake.jobs import Job, JobTable
from vetrelay.intake.leases import Leases
from vetrelay.protocol.ids import CaseId

Checkpoint = Callable[[str], None]
"""Told the name of each step that has just been taken; a test ends the process there."""


@dataclass(kw_only=True)
class Intake:
    """An intake at work. `end` is replaced when its key rotates; `read_to_the_end_ms` is when the inbox was last empty."""

    end: End
    inspector: Inspector
    jobs: JobTable
    hands: Hands
    leases: Leases
    scanner: Clamd | None
    checkpoint: Checkpoint
    wait_seconds: int
    rotate_ms: int
    clinic_patience: int
    known: RecentCases = field(default_factory=RecentCases)
    read_to_the_end_ms: int = 0

    def followed(self, case: CaseId) -> Followed:
        """A case as far as the journal has it."""
        if case not in self.known:
            self.known[case] = recall(self.end, case)
        return self.known[case]

    async def claim(self, job: Job) -> None:
        """Makes sure that no other intake of the case works on a job. Raises TakenElsewhere; Refusal or Fault as asked.

        An intake that is alone asks nobody.
        """
        if len(self.followed(job.case).roster.intakes) > 1:
            await self.leases.take(self.end, job)
