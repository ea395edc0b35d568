"""Memory of a fit beside its data, weights and optimizer state, and over a million steps."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.race import environment
from benchmarks.report import Report

SETUP = """
import json
import numpy as np
import nnlayers as nn
from benchmarks.contenders import Task
from benchmarks.contenders.ours import parts

def megabytes(field):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(field)).split()[1]) / 1000

def trainer(task):
    model, loss, optimizer = parts(task)
    return nn.Trainer(model, loss, optimizer, engine="{engine}")

def forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
"""
# A fit of few rows before loads the library and the kernels, which is not memory of the fit.
FIT = """
task = Task((50, 100, 10), rows=100_000, batch_size=200)
x, y = task.rows_and_classes()
trainer(task).fit(x[:1000], y[:1000], epochs=1, batch_size=200)
forget_peak()
before = megabytes("VmRSS")
fit = trainer(task)
fit.fit(x, y, epochs=3, batch_size=200, rng=0)
weights = sum(p.value.nbytes for p in fit.model.parameters())
needed = (x.nbytes + y.nbytes + 4 * weights) / 1e6
print(json.dumps([needed, needed - 4 * weights / 1e6 + megabytes("VmHWM") - before]))
"""
STEPS = """
task = Task((2, 16, 16, 2), rows=32_000, batch_size=32)
x, y = task.rows_and_classes()
fit, numbers = trainer(task), []
for _ in range(10):
    fit.fit(x, y, epochs={epochs}, batch_size=32, rng=0)
    numbers.append(megabytes("VmRSS"))
print(json.dumps([numbers[0], numbers[-1]]))
"""
HEADER = ("memory, MB", "engine", "at first", "at most", "ratio")


def measure(code, **settings):
    """Return what a process prints that runs the code."""
    command = [sys.executable, "-c", (SETUP + code).format(**settings)]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        command, check=True, env=environment(1), stdout=subprocess.PIPE, text=True, cwd=root
    )
    return json.loads(done.stdout)


def run(options):
    """Print the table; with ``--quick`` over a tenth of the steps.

    At first, a fit has its data, weights and optimizer state, and a process that trains for long
    has done a tenth of its steps.
    """
    report, rows = Report("memory", HEADER, options.output), [HEADER]
    epochs = 10 if options.quick else 100
    for engine in ("compiled", "numpy"):
        results = {"fit of 100,000 x 50": measure(FIT, engine=engine)}
        if engine == "compiled":
            label = f"process, {epochs * 10_000:,} steps of 2-16-16-2"
            results[label] = measure(STEPS, engine=engine, epochs=epochs)
        for label, (first, most) in results.items():
            row = label, engine, f"{first:.1f}", f"{most:.1f}", f"{most / first:.2f}"
            report.add(row)
            rows.append(row)
    report.save(rows)
