"""Run each contender in a new process, in turn, and take medians."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

# Variables that choose kernels or threads for a library. Only those set here reach a contender.
PREFIXES = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_", "XLA_", "JAX_", "NPY_", "TORCH")


@dataclass(frozen=True)
class Result:
    """Seconds of each round of a contender, and of nnlayers in the same rounds."""

    contender: str
    seconds: list[float]
    ours: list[float]

    @property
    def median(self):
        """Median seconds of a round."""
        return median(self.seconds)

    @property
    def ratio(self):
        """Median over rounds of nnlayers' time as a fraction of the contender's."""
        return median(ours / theirs for ours, theirs in zip(self.ours, self.seconds, strict=True))


class Process:
    """A contender's process; the target is its module and function."""

    def __init__(self, target, threads):
        self.target = target
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", target, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(threads),
            cwd=Path(__file__).parents[1],
        )

    def ask(self, **request):
        """Return the answer to a request.

        Between requests the process is stopped, so that threads that wait for work by spinning do
        not slow down the next contender.
        """
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        self._process.send_signal(signal.SIGSTOP)
        if not line:
            raise RuntimeError(f"the process of {self.target} ended when asked for {request}")
        return json.loads(line)

    def close(self):
        """End the process, which first ends those that it has started."""
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def is_pinned(name):
    """Return whether an environment variable chooses kernels or threads for a library."""
    return name.startswith(PREFIXES)


def environment(threads):
    """Return the environment without such variables, but with the number of threads."""
    unpinned = {name: value for name, value in os.environ.items() if not is_pinned(name)}
    return unpinned | {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}",
    }


class Starters:
    """Processes of all contenders for one number of threads, as a context manager."""

    def __init__(self, contenders, threads):
        self.contenders, self.threads = contenders, threads
        self._left_out = set()

    def __enter__(self):
        self._stack = ExitStack()
        self._processes = {}
        for name, target in self.contenders.items():
            self._processes[name] = process = Process(target, self.threads)
            self._stack.callback(process.close)
        return self

    def __exit__(self, *exception):
        self._stack.close()

    def race(self, task, *, rounds, seconds):
        """Return the results of all contenders able to do the task; a run takes about `seconds`."""
        ready = {}
        for name, process in self._processes.items():
            problem = process.ask(task=asdict(task))
            if problem is None:
                ready[name] = process
            elif (name, problem) not in self._left_out:
                self._left_out.add((name, problem))
                print(f"{name} is left out: {problem}", file=sys.stderr)
        work = dict.fromkeys(ready, 1)
        for _ in range(2):  # The second run has warm caches.
            for name, process in ready.items():
                work[name] = max(1, round(seconds / process.ask(run=work[name])))
        times = {name: [] for name in ready}
        for _ in range(rounds):
            for name, process in ready.items():
                times[name].append(process.ask(run=work[name]))
        ours = times["nnlayers"]
        return [Result(name, seconds, ours) for name, seconds in times.items()]
