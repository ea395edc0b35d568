"""The share of a training that its film takes, measured within it, and the size of the page."""

import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks.checkpoints import Stopwatch
from benchmarks.report import Report

# The sizes of networks, the rows, and the epochs of a short and a longer training.
CASES = [
    ([2, 16, 16, 2], 1_000, (20, 1_500)),
    ([64, 64, 32, 10], 1_797, (10, 300)),
    ([784, 256, 10], 2_000, (2, 20)),
]


def train(sizes, rows, epochs, engine, folder):
    """Return the trainer, the seconds of a fit and of its film, and the bytes of the page."""
    import numpy as np

    import nnlayers as nn

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, sizes[0])).astype(np.float32)
    y = (x[:, : sizes[-1]] + rng.normal(size=(rows, sizes[-1]))[:, : sizes[0]]).argmax(axis=1)
    model = nn.mlp(sizes, rng=0)
    recorder = nn.callbacks.Recorder()
    watch = Stopwatch([recorder], ("on_fit_start", "on_epoch_end", "on_fit_end"))
    optimizer = nn.optim.Adam(model.parameters())
    trainer = nn.Trainer(
        model, nn.SoftmaxCrossEntropy(), optimizer, callbacks=[recorder], engine=engine
    )
    start = perf_counter()
    history = trainer.fit(x, y, epochs=epochs, rng=0)
    seconds = perf_counter() - start
    page = Path(folder, "page.html")
    history.to_html(page)
    return trainer, seconds, watch.seconds, page.stat().st_size


def run(options):
    """Measure and report."""
    header = ["network", "engine", "epochs", "seconds", "frames", "share of the time", "page in kB"]
    report = Report("film", header, options.output)
    lines = [header]
    for sizes, rows, both in CASES:
        for epochs in both[:1] if options.quick else both:
            for engine in ("numpy", "auto"):
                with tempfile.TemporaryDirectory() as folder:
                    train(sizes, rows, 1, engine, folder)  # Compilation takes no part.
                    trainer, total, spent, size = train(sizes, rows, epochs, engine, folder)
                name = "-".join(map(str, sizes))
                line = [name, trainer.engine, f"{epochs:,}", f"{total:.3g}"]
                line += [str(len(trainer.history.film.epochs)), f"{100 * spent / total:.2g} %"]
                line.append(f"{size / 1000:.0f}")
                report.add(line)
                lines.append(line)
    report.save(lines)
