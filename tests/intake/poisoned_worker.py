"""A worker like the real one, in the real jail, with one difference: a file that holds POISON crashes its job.

Started in place of `vetrelay.inspection.worker`; a parser that a file takes over ends no other way.
"""

import os
import signal
import sys
from collections.abc import Iterable, Mapping

from vetrelay.inspection import worker, zygote
from vetrelay.inspection.frames import Job
from vetrelay.inspection.resultframe import encode_result

POISON = b"a file that breaks its parser"


def main(arguments: list[str]) -> None:
    """As the real worker's `main`."""
    tools = worker.prepare("pictures")  # whatever is asked for: these tests need a jail, not every format

    def inspect_job(task: zygote.Task) -> Iterable[bytes]:
        if POISON in bytes(task.content[:]):
            signal.raise_signal(signal.SIGSEGV)
            os.abort()
        return encode_result(worker.inspect(task, tools))

    jobs: Mapping[int, zygote.JobFunction] = {**worker.jobs_with(tools), Job.INSPECT: inspect_job}
    zygote.serve(zygote.channels(arguments), jobs, abilities=worker.abilities_of(tools))


if __name__ == "__main__":
    main(sys.argv[1:])
