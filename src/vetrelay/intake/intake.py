"""What the intake works with, in one value that its verbs are given."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from vetrelay.client.end import End
from vetrelay.client.follow import Followed, recall
from vetrelay.inspection.inspect import Inspector
from vetrelay.intake.jobs import JobTable
from vetrelay.intake.turns import Turns
from vetrelay.protocol.ids import CaseId

KNOWN_CASES: Final = 256

Checkpoint = Callable[[str], None]
"""Told the name of each step that has just been taken; a test ends the process there."""


class RecentCases(OrderedDict[CaseId, Followed]):
    """The cases that had news lately, as they stand; others are read from the journal again when they have news."""

    def __setitem__(self, case: CaseId, followed: Followed) -> None:
        """Keeps a case, as the most recent one."""
        super().__setitem__(case, followed)
        self.move_to_end(case)
        while len(self) > KNOWN_CASES:
            self.popitem(last=False)


@dataclass(kw_only=True)
class Intake:
    """An intake at work. `end` is replaced when its key rotates; `read_to_the_end_ms` is when the inbox was last empty."""

    end: End
    inspector: Inspector
    jobs: JobTable
    turns: Turns
    checkpoint: Checkpoint
    wait_seconds: int
    rotate_ms: int
    known: RecentCases = field(default_factory=RecentCases)
    read_to_the_end_ms: int = 0

    def followed(self, case: CaseId) -> Followed:
        """A case as far as the journal has it."""
        if case not in self.known:
            self.known[case] = recall(self.end, case)
        return self.known[case]
