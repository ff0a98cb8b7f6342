"""What is in hand at once: fetched, sealed, on this machine's disk, and waiting for its turns at the cores.

Small files and large ones have hands of their own, so that a photo never waits until a study is done; at the cores each
job takes its turn (`vetrelay.inspection.turns`).
"""

from contextlib import AbstractAsyncContextManager
from typing import Final

from vetrelay.inspection.kinds import KINDS, Family, Kind
from vetrelay.inspection.turns import Turns

LARGE_BYTES: Final = 64 * 1024 * 1024
_ONE_SHORT_JOB: Final = frozenset({Family.PICTURE, Family.PDF, Family.DICOM})
_SMALL_FOR_EACH_CORE: Final = 2


def hand_bytes(claimed: Kind, sealed_bytes: int) -> int:
    """The size by which a file is given a hand: what may take an hour, however small it is, counts as large.

    That is packs, recordings, what does not say what it is, and texts too, because a letter may call itself one. What
    says that it is a picture and is a pack is refused before it is opened.
    """
    return sealed_bytes if KINDS[claimed].family in _ONE_SHORT_JOB else max(sealed_bytes, LARGE_BYTES)


class Hands:
    """Hands for small files and for large ones."""

    def __init__(self, cores: int) -> None:
        self._small = Turns(_SMALL_FOR_EACH_CORE * cores)
        self._large = Turns(cores)

    def turn(self, size_bytes: int) -> AbstractAsyncContextManager[None]:
        """A hand for one file of this size, as soon as it is its turn."""
        return (self._large if size_bytes >= LARGE_BYTES else self._small).turn(size_bytes)
