"""What one attachment may cost, however many packs and letters are nested in it."""

from dataclasses import dataclass

from vetrelay.inspection.words import Reason, Unfit

MOST_SECONDS = 60 * 60.0
"""So long the jobs of one pack or letter may take together."""


@dataclass(slots=True)
class Budget:
    """How many files, and bytes of them, the whole of what was sent may still have, however it is nested.

    `seconds` is how long their jobs may still take, without what they wait for their turns.
    """

    files: int
    bytes: int
    seconds: float

    def take(self, size_bytes: int) -> None:
        """One more. Raises Unfit: PACK_TOO_MANY, UNPACKS_TOO_LARGE."""
        self.files -= 1
        self.bytes -= size_bytes
        if self.files < 0:
            raise Unfit(Reason.PACK_TOO_MANY)
        if self.bytes < 0:
            raise Unfit(Reason.UNPACKS_TOO_LARGE)

    def spend(self, seconds: float) -> None:
        """A job took so long."""
        self.seconds -= seconds

    @property
    def is_spent(self) -> bool:
        """Whether no other file may be opened."""
        return self.seconds <= 0
