"""Memory and time over a million steps: neither may grow with the number of steps done.

Each way of training runs in a process of its own. Memory is what is resident after the first and
after the last tenth of the steps; the times of the tenths are those of the processor. The machine's
speed drifts by more than what is measured, so that the last tenth is compared with the median of
all others.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np

from benchmarks.race import environment
from benchmarks.report import RELIABILITY, Report

STEPS = 1_000_000
PARTS = 10
HEADER = (
    *("optimizer", "engine", "way", "steps", "microseconds a step"),
    *("last tenth to the others", "memory grown, kB"),
)
WAYS = ("forward, backward, step", "Trainer.step", "Trainer.fit")
# The second optimizer has a schedule and a list of momenta.
OPTIMIZERS = ("Adam", "NAdam")


def resident():
    """Return the bytes of memory that the process holds."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def train(optimizer, engine, way):
    """Return a function that does some steps of 2-16-16-2 on batches of 32 rows."""
    import nnlayers as nn

    rng = np.random.default_rng(0)
    x = rng.normal(size=(3200, 2)).astype(np.float32)
    y = (x[:, 0] > x[:, 1]).astype(int)
    model, loss = nn.mlp([2, 16, 16, 2], rng=0), nn.SoftmaxCrossEntropy()
    schedule = nn.optim.schedules.CosineDecay(1e-3, STEPS)
    updates = getattr(nn.optim, optimizer)(
        model.parameters(), schedule if optimizer == "NAdam" else 1e-3
    )
    trainer = nn.Trainer(model, loss, updates, engine=engine)
    batch = x[:32], y[:32]

    def by_hand():
        loss.forward(model.forward(batch[0]), batch[1])
        model.backward(loss.backward())
        updates.step()

    if way == WAYS[2]:
        return lambda steps: trainer.fit(x, y, epochs=steps // 100, rng=0)
    step = by_hand if way == WAYS[0] else lambda: trainer.step(*batch)

    def steps_of(steps):
        for _ in range(steps):
            step()

    return steps_of


def in_a_process(*arguments):
    """Return what `measure` prints in a process of its own, with one thread."""
    code = f"from benchmarks.long import measure; measure{arguments!r}"
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        env=environment(1),
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure(optimizer, engine, way, steps):
    """Print the seconds of each tenth of the steps, and the bytes of memory after each."""
    run = train(optimizer, engine, way)
    run(1000)
    seconds, memory = [], []
    for _ in range(PARTS):
        start = process_time()
        run(steps // PARTS)
        seconds.append(process_time() - start)
        memory.append(resident())
    print(json.dumps([seconds, memory]))


def run(options):
    """Print the table; with ``--quick`` a tenth of the steps."""
    steps = STEPS // 10 if options.quick else STEPS
    report = Report("long", HEADER, options.output, page=RELIABILITY)
    rows = [HEADER]
    for optimizer in options.only or OPTIMIZERS:
        for engine in ("numpy", "compiled"):
            for way in WAYS[engine == "compiled" :]:
                command = (
                    "import sys; from benchmarks.long import measure; measure(*sys.argv[1:4], "
                )
                arguments = [sys.executable, "-c", f"{command}{steps})", optimizer, engine, way]
                printed = subprocess.run(arguments, capture_output=True, text=True, check=True)
                seconds, memory = json.loads(printed.stdout.splitlines()[-1])
                cells = [
                    *(optimizer, engine, way, f"{steps:,}", f"{sum(seconds) / steps * 1e6:.1f}"),
                    f"{seconds[-1] / median(seconds[:-1]):.3f}",
                    f"{(memory[-1] - memory[0]) / 1024:.0f}",
                ]
                report.add(cells)
                rows.append(cells)
    report.save(rows)
