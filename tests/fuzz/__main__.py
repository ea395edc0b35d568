"""Run targets for as long as is asked, each in a process of its own."""

from __future__ import annotations

import argparse
import faulthandler
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from .all_targets import TARGETS
from .measuring import BrokenPromiseError, hold
from .targets import Target

MOST_MEMORY = 6 << 30
# Seconds of the processor for one input, after which its process ends. Those of a clock would count
# the time of other processes too.
STUCK = 60


def main() -> int:
    """Run the command line, and return the number of kinds of findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10, help="the time of each target")
    parser.add_argument("--target", action="append", choices=[*TARGETS], help="by default all")
    parser.add_argument("--case", type=int, help="run this case alone, and show its error")
    parser.add_argument("--start", type=int, default=0, help="the first case")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.target or [*TARGETS]
    if arguments.inside:
        return _run(TARGETS[names[0]], arguments.inside, arguments.seconds, arguments.start)
    if arguments.case is not None:
        return _show(TARGETS[names[0]], arguments.case)
    return sum(_supervise(name, arguments.seconds, arguments.start) for name in names)


def _supervise(name: str, seconds: float, start: int) -> int:
    """Run a target in processes until its time is over; a process that dies is a finding."""
    findings, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with tempfile.TemporaryDirectory() as directory:
            options = ["--target", name, "--seconds", str(left), "--start", str(start)]
            child = [sys.executable, "-m", __spec__.name, *options, "--inside", directory]
            status = subprocess.run(child, check=False).returncode
            if not (Path(directory) / "number").exists():
                raise SystemExit(f"{name}: the target cannot start")
            if status in range(100):
                return findings + status
            number = (Path(directory) / "number").read_text()
            print(f"{name}: case {number} ends the process with status {status}", flush=True)
            findings, start = findings + 1, int(number) + 1
    return findings


def _run(target_class: type[Target], directory: Path, seconds: float, start: int) -> int:
    """Run cases for some seconds, print each kind of finding once, and return their number."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    (directory / "files").mkdir()
    warnings.simplefilter("ignore")
    target, found, number = target_class(directory / "files"), Counter[str](), start
    target.warm_up(20)
    # SIGPROF shows where the target is stuck, and ends the process.
    faulthandler.register(signal.SIGPROF, chain=True)
    accepted, began = 0, time.monotonic()
    with open(directory / "number", "w") as file:
        while time.monotonic() - began < seconds:
            file.seek(0)
            file.write(str(number))
            file.flush()
            signal.setitimer(signal.ITIMER_PROF, STUCK)
            try:
                case = target.case(number)
                accepted += hold(lambda: target.read(case), target.errors, target.size(case))  # noqa: B023
            except BrokenPromiseError as error:
                kind = _place(error)
                found[kind] += 1
                if found[kind] == 1:
                    print(f"{target.name}: case {number}: {error} at {kind}", flush=True)
            number += 1
    signal.setitimer(signal.ITIMER_PROF, 0)
    print(
        f"{target.name}: {number - start:,} inputs in {time.monotonic() - began:.0f} s, "
        f"{accepted:,} read, {sum(found.values()):,} findings of {len(found)} kinds",
        flush=True,
    )
    return min(len(found), 99)


def _place(error: BrokenPromiseError) -> str:
    """Return the innermost line of nnlayers in an error, which tells kinds of findings apart."""
    cause = error.__cause__
    if cause is None:
        return str(error).partition(":")[0].lstrip("0123456789,. ")
    frames = traceback.extract_tb(cause.__traceback__)
    lines = [f"{Path(f.filename).name}:{f.lineno}" for f in frames if "nnlayers" in f.filename]
    return f"{type(cause).__name__} in {' < '.join(lines[:-4:-1])}"


def _show(target_class: type[Target], number: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        target = target_class(Path(directory))
        target.warm_up()
        case = target.case(number)
        print(f"{len(case.content)} bytes, way {case.way!r}\n{case.content[:2000]!r}")
        try:
            print(
                "read"
                if hold(lambda: target.read(case), target.errors, target.size(case))
                else "refused"
            )
        except BrokenPromiseError:
            traceback.print_exc()
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
