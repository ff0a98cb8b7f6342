"""Progress bars: drawn where somebody can see them, and nowhere else."""

import os
import pty
import subprocess
import sys

from tests.gateway import clean_environment

PROGRAM = """
from vetrelay.cli.bars import bars
with bars()("sealing photo\\x1b[31m.jpg", 4) as step:
    for _ in range(4):
        step(1)
print("answer")
"""


def test_in_a_pipe_nothing_is_drawn() -> None:
    """Standard error of a script stays clean."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=clean_environment(), capture_output=True, text=True, check=True
    )
    assert ("answer\n", "") == (done.stdout, done.stderr)


def test_on_a_terminal_a_bar_is_drawn_on_standard_error_alone() -> None:
    """The label is a stranger's file name: it is shown, not obeyed. The answer stays in its own stream."""
    shown, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=clean_environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=terminal,
    )
    os.close(terminal)
    drawn = b""
    try:
        while piece := os.read(shown, 65536):
            drawn += piece
    except OSError:  # the other end of a terminal closes like this
        pass
    answer, _ = process.communicate(timeout=60)
    os.close(shown)
    assert (b"answer\n", 0) == (answer, process.returncode)
    assert "sealing photo␛[31m.jpg".encode() in drawn
    assert b"100%" in drawn
