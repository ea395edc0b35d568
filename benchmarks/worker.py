"""A contender in its own process, which answers the race over a pipe.

A line of JSON in, a line of JSON out: ``{"task": ...}`` makes it ready and is answered with what is
missing, or null; ``{"run": n}`` is answered with the seconds of one of n pieces of work.
"""

import json
import os
import sys
from importlib import import_module
from time import perf_counter, process_time

from benchmarks.contenders import Task


def prepare(target, task):
    """Return ``run`` and None, or None and the reason why the contender cannot take part."""
    module, _, function = target.partition(":")
    try:
        make = getattr(import_module(f"benchmarks.contenders.{module}"), function)
        run = make(Task(**task | {"sizes": tuple(task["sizes"])}))
        run(1)
    except Exception as error:  # The race goes on without this contender.
        return None, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return run, None


def measure(run, n, clock):
    """Return the seconds of one piece of work, after a run that warms the caches."""
    run(n // 8)
    start = clock()
    pieces = run(n)
    return (clock() - start) / pieces


def main():
    target, cores = sys.argv[1], int(sys.argv[2])
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # Output of a library must not mix with the answers.
    run = None
    # Other programs on the machine lengthen the time of the processor less than that of the clock.
    clock = process_time if cores == 1 else perf_counter
    for line in sys.stdin:
        request = json.loads(line)
        if "task" in request:
            run, answer = prepare(target, request["task"])
        else:
            answer = measure(run, request["run"], clock)
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    main()
