"""A worker like the real one, in the real jail, with one difference: a file that holds POISON crashes its job.

Started in place of `vetrelay.inspection.worker`; a parser that a file takes over ends no other way.
"""

import os
import signal
import sys
from collections.abc import Iterable, Mapping

from vetrelay.inspection import worker, zygote
from vetrelay.inspection.formats import samples
from vetrelay.inspection.frames import Job, encode_result

POISON = b"a file that breaks its parser"


def main(arguments: list[str]) -> None:
    """As the real worker's `main`."""
    tools = worker.prepare(heic="no-heic" not in arguments)
    made = samples.make(heic=tools.heic)

    def inspect_job(task: zygote.Task) -> Iterable[bytes]:
        if POISON in bytes(task.content[:]):
            signal.raise_signal(signal.SIGSEGV)
            os.abort()
        return encode_result(worker.inspect(task, tools))

    jobs: Mapping[int, zygote.JobFunction] = {
        Job.INSPECT: inspect_job,
        Job.PROBE: lambda _task: [worker.probe()],
        Job.SAMPLE: lambda task: made[task.argument : task.argument + 1],
    }
    zygote.serve(zygote.channels(arguments), jobs, abilities=(tools.opinion is not None, tools.heic))


if __name__ == "__main__":
    main(sys.argv[1:])
