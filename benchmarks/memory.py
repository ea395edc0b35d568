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
HEADER = ("memory, MB", "engine", "data, weights, state", "peak", "share")


def measure(code, **settings):
    """Return what a process prints that runs the code."""
    command = [sys.executable, "-c", (SETUP + code).format(**settings)]
    root = Path(__file__).parents[1]
    done = subprocess.run(
        command, check=True, env=environment(1), stdout=subprocess.PIPE, text=True, cwd=root
    )
    return json.loads(done.stdout)


def run(options):
    """Print two tables; with ``--quick`` over a tenth of the steps."""
    report, rows = Report("memory", HEADER, options.output), [HEADER]
    for engine in ("compiled", "numpy"):
        needed, peak = measure(FIT, engine=engine)
        row = "fit of 100,000 x 50", engine, f"{needed:.1f}", f"{peak:.1f}", f"{peak / needed:.2f}"
        report.add(row)
        rows.append(row)
    epochs = 10 if options.quick else 100
    first, last = measure(STEPS, engine="compiled", epochs=epochs)
    print(f"\nAfter {epochs * 1_000:,} steps {first:.1f} MB, after {epochs * 10_000:,} {last:.1f}")
    report.save(rows)
