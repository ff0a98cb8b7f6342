"""The worker as a whole, outside the jail, for what cannot be seen from outside it."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.hostile import images

HAS_HEIC = find_spec("pillow_heif") is not None

# Everything a job touches must be loaded before the fork: inside, an import fails, and a good picture is refused.
NOTHING_NEW = """
import sys
from pathlib import Path
from vetrelay.inspection import worker
files = [path.read_bytes() for path in Path(sys.argv[1]).iterdir()]
tools = worker.prepare("all")
before = set(sys.modules)
for content in files:
    worker.inspect(worker.sample_task(content), tools)
print(len(files), sorted(set(sys.modules) - before))
"""


def test_nothing_is_imported_after_the_worker_is_warm(tmp_path: Path) -> None:
    """No path through a picture, sound or hostile, needs a module that was not there before."""
    files = [row.make() for row in images.ROWS if (HAS_HEIC or not row.needs_heic) and row.row[:2] not in {"1:", "4:"}]
    files += [content for _, content in images.sound(with_heic=HAS_HEIC)]
    files += [images.everything_jpeg(), images.everything_png(), images.deep_png(1, 2, 3)]
    for index, content in enumerate(files):
        (tmp_path / str(index)).write_bytes(content)
    answer = subprocess.run(
        [sys.executable, "-I", "-c", NOTHING_NEW, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert f"{len(files)} []" == answer.stdout.strip()


def test_the_worker_tells_nothing_to_whoever_starts_it_wrongly() -> None:
    """Without its channels it ends with an error, and never serves."""
    answer = subprocess.run(
        [sys.executable, "-I", "-m", "vetrelay.inspection.worker"], capture_output=True, check=False, timeout=60
    )
    assert 0 != answer.returncode
    assert b"" == answer.stdout
