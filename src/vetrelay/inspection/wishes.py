"""What the sender of a file wishes for it, and what the case says of it: all of it the caller's, none of it the file's."""

from dataclasses import dataclass

from vetrelay.inspection.policy import CLOSE_LOOK_PURPOSES, CLOSE_LOOK_SIDE_PX, MAX_SIDE_PX, NORMALIZED_SIDE_PX
from vetrelay.inspection.result import Patient


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """`purpose` is what a photo shows; `full_size` keeps its size, `keep_motion` an animation's motion.

    `most_records` is how many files may be made of this one before they go as one ZIP. `patient` is whom the case is about, to be compared with what a record says. `patience` multiplies the time that a
    job may take. `salt` is one secret for all of a study, which the inspector draws and forgets.
    """

    purpose: str | None = None
    full_size: bool = False
    keep_motion: bool = False
    patient: Patient | None = None
    patience: int = 1
    most_records: int = 64
    salt: bytes = b""

    @property
    def longest_side_px(self) -> int:
        """How long the longer side of a normalized photo may be."""
        if self.full_size:
            return MAX_SIDE_PX
        return CLOSE_LOOK_SIDE_PX if self.purpose in CLOSE_LOOK_PURPOSES else NORMALIZED_SIDE_PX


NO_WISHES = Wishes()
