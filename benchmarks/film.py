"""The share of a training that its film takes, how much longer it makes it, and its page."""

import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.checkpoints import Stopwatch
from benchmarks.report import Report

# The sizes of networks, the rows, the metrics, without which the engine joins epochs, and the
# epochs of trainings.
CASES = [
    ([2, 16, 16, 2], 1_000, (), (20, 200, 1_500)),
    ([2, 16, 16, 2], 1_000, ("accuracy",), (20, 200)),
    ([64, 64, 32, 10], 1_797, (), (10, 300)),
    ([784, 256, 10], 2_000, (), (2, 20)),
]
# The seconds in which pairs of fits are repeated, and the fewest and the most pairs.
SECONDS, FEWEST, MOST = 4.0, 3, 31
METHODS = ("on_fit_start", "on_epoch_start", "epochs_to_call", "on_epoch_end", "on_fit_end")


def train(sizes, rows, metrics, epochs, engine, callbacks):
    """Return the trainer and the seconds of a fit."""
    import numpy as np

    import nnlayers as nn

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, sizes[0])).astype(np.float32)
    y = (x[:, : sizes[-1]] + rng.normal(size=(rows, sizes[-1]))[:, : sizes[0]]).argmax(axis=1)
    model = nn.mlp(sizes, rng=0)
    trainer = nn.Trainer(
        model,
        nn.SoftmaxCrossEntropy(),
        nn.optim.Adam(model.parameters()),
        metrics=metrics,
        callbacks=callbacks,
        engine=engine,
    )
    start = perf_counter()
    trainer.fit(x, y, epochs=epochs, rng=0)
    return trainer, perf_counter() - start


def compare(*case):
    """Return a filmed trainer, the seconds without a film, its share, and how much longer it is.

    Fits with and without a film take turns; all are medians. The share is measured within a fit,
    and so is less noisy, but lacks what it costs that the engine stops for a frame.
    """
    from nnlayers.training.callbacks import Recorder

    train(*case, [Recorder()])  # Compilation takes no part.
    plain, shares, ratios = [], [], []
    begun = perf_counter()
    while len(ratios) < FEWEST or (len(ratios) < MOST and perf_counter() < begun + SECONDS):
        filmed, seconds = train(*case, [Recorder()])
        plain.append(train(*case, [])[1])
        ratios.append(seconds / plain[-1])
        recorder = Recorder()
        watch = Stopwatch([recorder], METHODS)
        seconds = train(*case, [recorder])[1]
        shares.append(watch.seconds / seconds)
    return filmed, median(plain), median(shares), median(ratios) - 1


def page_size(history):
    """Return the bytes of the page of a history."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        history.to_html(page)
        return page.stat().st_size


def run(options):
    """Measure and report."""
    header = ["network", "engine", "metrics", "epochs", "seconds", "frames", "share"]
    header += ["longer by", "page in kB"]
    report = Report("film", header, options.output)
    lines = [header]
    for sizes, rows, metrics, counts in CASES:
        for epochs in counts[:1] if options.quick else counts:
            for engine in ("numpy", "auto"):
                trainer, seconds, share, more = compare(sizes, rows, metrics, epochs, engine)
                line = ["-".join(map(str, sizes)), trainer.engine, ", ".join(metrics)]
                line += [f"{epochs:,}", f"{seconds:.3g}", str(len(trainer.history.film.epochs))]
                line += [f"{100 * share:.1f} %", f"{100 * more:.1f} %"]
                line.append(f"{page_size(trainer.history) / 1000:.0f}")
                report.add(line)
                lines.append(line)
    report.save(lines)
