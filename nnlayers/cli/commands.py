"""Implement the commands; each takes the parsed arguments and returns the exit status."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnlayers.cli.printing import printable, say
from nnlayers.config import (
    ConfigError,
    Experiment,
    Run,
    load_predictor,
    load_test_rows,
    numbered_directories,
    override,
    prepare,
    read,
    report,
    write_file,
)
from nnlayers.data import read_rows
from nnlayers.drawing import draw
from nnlayers.layers import Sequential

__all__ = ["evaluate", "graph", "predict", "summary", "train"]


def train(arguments: Namespace) -> int:
    """Train and test the model of a config."""
    config = _config(arguments)
    directory = _directory(arguments)
    experiment = prepare(config, arguments.config, arguments.allow)
    run = Run(experiment, directory, numbered=arguments.out is None and not arguments.resume)
    if arguments.resume:
        run.resume()
    _describe(experiment)
    if run.finished:
        say(f"nothing left to train{_reason(run)}")
    try:
        with _termination_as_interrupt():
            run.train(progress=sys.stderr.isatty())
    except KeyboardInterrupt:
        progress = f"{len(experiment.trainer.history)} of {experiment.epochs} epochs"
        command = _resume_command(arguments, run)
        say(f"nnlayers: interrupted after {progress}; to continue: {command}", file=sys.stderr)
        return 1
    history = experiment.trainer.history
    values = ", ".join(f"{name} {value:.4g}" for name, value in history.last.items())
    say(f"epoch {len(history)} of {experiment.epochs}: {values}")
    result = run.test()
    say(f"saved in {run.directory}", lines=False)
    say(result)
    return 0


def evaluate(arguments: Namespace) -> int:
    """Score the test rows of a run again."""
    directory = Path(arguments.directory)
    predictor = load_predictor(directory, arguments.allow)
    rows = load_test_rows(directory, predictor, arguments.allow)
    say(report(predictor.score(rows), len(rows)))
    return 0


def predict(arguments: Namespace) -> int:
    """Predict the rows of a file, and write them as CSV."""
    predictor = load_predictor(Path(arguments.directory), arguments.allow)
    text = predictor.predictions(read_rows(arguments.data, predictor.preprocessing.columns))
    if arguments.output is None:
        # A terminal would obey escape sequences in labels; a file or a program gets them unchanged.
        print(printable(text, lines=True) if sys.stdout.isatty() else text, end="", flush=True)
    else:
        write_file(Path(arguments.output), lambda file: file.write(text.encode()))
    return 0


def summary(arguments: Namespace) -> int:
    """Show the layers of a config's model."""
    experiment = prepare(_config(arguments), arguments.config, arguments.allow)
    _describe(experiment)
    model = experiment.predictor.model
    layers = model if isinstance(model, Sequential) else Sequential(model)
    say(layers.summary((experiment.predictor.preprocessing.width,)))
    return 0


def graph(arguments: Namespace) -> int:
    """Draw a config's model."""
    experiment = prepare(_config(arguments), arguments.config, arguments.allow)
    try:
        draw(experiment.predictor.model, arguments.output, expand=arguments.expand)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    return 0


def _config(arguments: Namespace) -> dict[str, Any]:
    config = read(arguments.config)
    override(config, arguments.assignments, arguments.config)
    return config


def _directory(arguments: Namespace) -> Path:
    """Return the run directory; the name of a new numbered one is still without its number."""
    if arguments.out is not None:
        directory = Path(arguments.out)
        if directory.exists() and not arguments.resume:
            raise ConfigError(f"--out: {directory} exists already; to continue it, add --resume")
        return directory
    directory = Path("runs", Path(arguments.config).stem)
    if not arguments.resume:
        return directory
    runs = numbered_directories(directory)
    if not runs:
        raise ConfigError(f"--resume: there is no run {directory}-NNN to continue")
    return runs[max(runs)]


def _describe(experiment: Experiment) -> None:
    parts, predictor = experiment.parts, experiment.predictor
    sizes = ", ".join(f"{len(table)} {name}" for name, table in parts.items())
    classes = len(predictor.preprocessing.classes)
    target = f"{classes} classes" if classes else "a number"
    origin = parts["train"].origin
    features = predictor.preprocessing.width
    say(f"{origin}: {sizes} rows, {features} features, target {target}", lines=False)
    weights = sum(parameter.size for parameter in predictor.model.parameters())
    say(f"model: {weights:,} weights")


def _reason(run: Run) -> str:
    """Return why no epoch is trained although some are left; empty if none is left."""
    trainer, epochs = run.experiment.trainer, run.experiment.epochs
    last = len(trainer.history)
    if not run.stopped or last >= epochs:
        return ""
    return (
        f": a callback such as EarlyStopping ended this run after epoch {last} of {epochs}, "
        "which cannot be undone; for a longer run, start a new one with more patience"
    )


def _resume_command(arguments: Namespace, run: Run) -> str:
    """Return the shell command that resumes a run."""
    words = ["nnlayers", "train", arguments.config]
    words += [word for item in arguments.assignments for word in ("--set", item)]
    words += [word for module in arguments.allow for word in ("--allow", module)]
    return shlex.join([*words, "--out", str(run.directory), "--resume"])


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Treat SIGTERM, which job schedulers send, like Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may set signal handlers.
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
