"""Seconds until the first step of a new process, without and with compiled kernels on disk."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.race import environment
from benchmarks.report import Report

MEASURE = """
import json, sys
from time import perf_counter

times = [perf_counter()]
{imports}
from benchmarks.contenders import Task
import benchmarks.contenders.{module} as contender
times.append(perf_counter())
contender.{function}(Task((64, 128, 64, 10), rows=128))(1)
times.append(perf_counter())
print(json.dumps([b - a for a, b in zip(times, times[1:])]))
"""
CONTENDERS = {
    "nnlayers, first use": ("nnlayers", "ours", "trainer_step"),
    "nnlayers": ("nnlayers", "ours", "trainer_step"),
    "nnlayers, NumPy engine": ("nnlayers", "ours", "numpy_step"),
    "PyTorch": ("torch", "pytorch", "eager_step"),
    "JAX": ("jax, optax", "jax_optax", "jitted_step"),
}
HEADER = ("first step of 64-128-64-10", "import, s", "first step, s", "says on standard error")


def measure(imports, module, function, directory):
    """Return the seconds of the import and of the first step in a new process, and its messages."""
    code = MEASURE.format(imports=f"import {imports}", module=module, function=function)
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=environment(1) | {"NNLAYERS_CACHE_DIR": str(directory)},
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    return *json.loads(done.stdout), done.stderr.strip()


def run(options):
    """Start the contenders in turn, and print and write the table."""
    rounds = 3 if options.quick else 7
    report, rows = Report("start", HEADER, options.output), [HEADER]
    results = {name: [] for name in CONTENDERS}
    with TemporaryDirectory() as directory:
        for turn in range(1 + rounds):  # The first fills the caches of files.
            for name, contender in CONTENDERS.items():
                is_first = name.endswith("first use")
                if turn > 2 and is_first:  # It takes long.
                    continue
                own = Path(directory, f"{turn}" if is_first else "code")
                try:
                    results[name].append(measure(*contender, own))
                except subprocess.CalledProcessError as error:
                    if turn == 0:
                        print(f"{name} is left out: {error.stderr.splitlines()[-1]}")
    for name, measured in results.items():
        if measured:
            imports, steps, messages = zip(*measured[1:], strict=True)
            row = name, f"{median(imports):.2f}", f"{median(steps):.2f}", messages[-1]
            report.add(row)
            rows.append(row)
    report.save(rows)
