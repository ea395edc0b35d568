"""Memory and time over a million steps: neither may grow with the number of steps done.

Each way of training runs in a process of its own. Memory is what is resident after the first tenth
of the steps and after all of them. The machine's speed drifts by more than what is measured, so
that the training that has done them all then takes turns with one that begins.
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
# The steps of a turn, and the turns of each training.
TURN, TURNS = 1000, 101
HEADER = (
    *("optimizer", "engine", "way", "steps", "microseconds a step"),
    *("the last to the first steps", "memory grown, kB"),
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
    # Labels that cannot be learnt by heart, or gradients would shrink to subnormal numbers.
    y = (x[:, 0] > rng.normal(size=3200)).astype(int)
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


def seconds_of(function, *arguments):
    start = process_time()
    function(*arguments)
    return process_time() - start


def measure(optimizer, engine, way, steps):
    """Print the seconds of all steps, how their last compare with first ones, and memory grown."""
    old = train(optimizer, engine, way)
    seconds = seconds_of(old, steps // 10)
    before = resident()
    seconds += seconds_of(old, steps - steps // 10)
    grown = resident() - before
    new = train(optimizer, engine, way)
    new(TURN)
    turns = [(seconds_of(old, TURN), seconds_of(new, TURN)) for _ in range(TURNS)]
    print(json.dumps([seconds, median(last / first for last, first in turns), grown]))


def run(options):
    """Print the table; with ``--quick`` a tenth of the steps."""
    steps = STEPS // 10 if options.quick else STEPS
    report = Report("long", HEADER, options.output, page=RELIABILITY)
    rows = [HEADER]
    for optimizer in options.only or OPTIMIZERS:
        for engine in ("numpy", "compiled"):
            for way in WAYS[engine == "compiled" :]:
                seconds, ratio, grown = in_a_process(optimizer, engine, way, steps)
                cells = [
                    *(optimizer, engine, way, f"{steps:,}", f"{seconds / steps * 1e6:.1f}"),
                    f"{ratio:.3f}",
                    f"{grown / 1024:.0f}",
                ]
                report.add(cells)
                rows.append(cells)
    report.save(rows)
