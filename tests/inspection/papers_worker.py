"""A worker that opens PDFs only, as the user that starts it or as one that owns nothing: `papers_worker.py USER …`."""

import os
import sys

from vetrelay.inspection import kernel, worker, zygote
from vetrelay.inspection.formats import pdf
from vetrelay.inspection.kinds import Kind

NOBODY = 65534


def main(user: str, arguments: list[str]) -> None:
    """As the real worker's `main`."""
    only_papers = (worker.Format(opens=pdf, kinds=frozenset({Kind.PDF})),)
    setattr(worker, "FORMATS", {"papers": only_papers})  # noqa: B010 - a name that is never assigned to elsewhere
    tools = worker.prepare("papers")
    channels = zygote.channels(arguments)
    if user == "nobody":
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # what exec gives a process that starts as this user
    zygote.serve(channels, worker.jobs_with(tools), abilities=worker.abilities_of(tools))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
