"""Progress bars: the terminal's side of `vetrelay.client.progress`. Drawn on standard error, and only on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vetrelay.cli.terminal import printable
from vetrelay.client.progress import Progress, Step, silent


@contextmanager
def _bar(label: str, total: int) -> Iterator[Step]:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Drawn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Drawn(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task(printable(label), total=total or None)

        def step(done: int) -> None:
            drawn.advance(task, done)

        yield step


def bars() -> Progress:
    """Bars where somebody can see them, else silence."""
    return _bar if sys.stderr.isatty() else silent
