"""What a format counts while it reads: its notes, each with how often it applied."""

from vetrelay.inspection.notes import Note


class Tally:
    """Counts notes. A note that never applied is not said."""

    def __init__(self) -> None:
        self._counts: dict[Note, int] = {}

    def add(self, note: Note, count: int = 1) -> None:
        """Something was done, or found, so many times more."""
        if count:
            self._counts[note] = self._counts.get(note, 0) + count

    def notes(self) -> dict[Note, int]:
        """What was counted, in the order of the notes."""
        return dict(sorted(self._counts.items()))
