"""The share of a training that checkpoints take, measured within it."""

import tempfile
import warnings
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.report import Report

EPOCHS, QUICK_EPOCHS = 20, 8
ROUNDS, QUICK_ROUNDS = 9, 3
SIZES = [2, 64, 64, 3]
BATCH = 64
# Rows of an epoch of about 0.1 s with NumPy, and of one of some milliseconds, which run more often.
ROWS = {60_000: 1, 2_000: 20}
RUNS = ["auto", "1 epoch"]
FITS = ["1 epoch", "1 s", "100 steps"]


class Stopwatch:
    """The time that methods of callbacks take."""

    def __init__(self, callbacks, names=("on_epoch_end", "on_pause")):
        self.seconds = 0.0
        for callback in callbacks:
            for name in names:
                setattr(callback, name, self._timed(getattr(callback, name)))

    def _timed(self, method):
        def timed(trainer):
            start = perf_counter()
            result = method(trainer)
            self.seconds += perf_counter() - start
            return result

        return timed


def train_run(rows, epochs, every, folder):
    """Return the seconds of a run from a config, and those of its checkpoints."""
    from nnlayers.config import Run, prepare

    config = {
        "data": {"type": "spirals", "rows": rows},
        "model": {"type": "mlp", "sizes": SIZES},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "Adam"},
        "training": {"epochs": epochs, "batch_size": BATCH, "checkpoint_every": every},
    }
    config["training"] |= {"record": False, "engine": "numpy"}
    run = Run(prepare(config, "benchmark"), folder)
    watch = Stopwatch(run.experiment.trainer.callbacks)
    start = perf_counter()
    run.experiment.fit()
    return perf_counter() - start, watch.seconds


def train_fit(rows, epochs, every, folder):
    """Return the seconds of a fit, and those of its checkpoints."""
    import numpy as np

    import nnlayers as nn

    rows = rows * 7 // 10  # A run trains on so many of them.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, SIZES[0])).astype(np.float32)
    # Labels that cannot be learnt by heart, or gradients would shrink to subnormal numbers.
    y = (x[:, 0] > rng.normal(size=rows)).astype(int)
    model = nn.mlp(SIZES, rng=0)
    keep = nn.callbacks.Checkpoint(folder, every=every)
    watch = Stopwatch([keep])
    optimizer = nn.optim.Adam(model.parameters())
    loss = nn.SoftmaxCrossEntropy()
    trainer = nn.Trainer(model, loss, optimizer, callbacks=[keep], engine="numpy")
    start = perf_counter()
    trainer.fit(x, y, epochs=epochs, batch_size=BATCH, rng=0)
    return perf_counter() - start, watch.seconds


def run(options):
    """Measure and report."""
    epochs, rounds = (QUICK_EPOCHS, QUICK_ROUNDS) if options.quick else (EPOCHS, ROUNDS)
    header = ["training", "milliseconds an epoch", "checkpoint every", "share of the time"]
    report = Report("checkpoints", header, options.output)
    lines = [header]
    cases = [("`nnlayers train`", train_run, every) for every in RUNS]
    cases += [("`Trainer.fit`", train_fit, every) for every in FITS]
    for rows, times in ROWS.items():
        for name, train, every in cases:
            results = []
            for _ in range(rounds + 1):
                with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    results.append(train(rows, times * epochs, every, Path(folder, "kept")))
            share = median(spent / total for total, spent in results[1:])
            epoch = median(total - spent for total, spent in results[1:]) / (times * epochs)
            line = [name, f"{1000 * epoch:.3g}", f'`"{every}"`', f"{100 * share:.2g} %"]
            report.add(line)
            lines.append(line)
    report.save(lines)
