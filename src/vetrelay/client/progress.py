"""Progress, as the client tells it: a label, how much there is, and steps; the terminal draws it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Step = Callable[[int], None]
Progress = Callable[[str, int], AbstractContextManager[Step]]
"""`with progress("sealing photo.jpg", total_bytes) as step: step(65536)`."""


@contextmanager
def silent(_label: str, _total_bytes: int) -> Iterator[Step]:
    """Progress that nobody watches."""

    def step(_done_bytes: int) -> None:
        pass

    yield step
