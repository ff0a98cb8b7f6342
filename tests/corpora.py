"""Where the shared corpora are: real files written by others, read where they lie, never part of this project."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ABSENT = "the shared corpora are not here: set VETRELAY_CORPORA to their folder"


def corpora_folder() -> Path | None:
    """The folder named by VETRELAY_CORPORA, else shared/corpora beside the project; None where there is none.

    For tests that make their parameters from files, at collection; all others ask for the fixture `corpora`.
    """
    named = os.environ.get("VETRELAY_CORPORA")
    folder = Path(named) if named else PROJECT.parent / "shared" / "corpora"
    return folder if folder.is_dir() else None
