"""Implement the commands; each takes the parsed arguments and returns the exit status."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from nnlayers._core.interruption import exit_status, raising_on_signals
from nnlayers._core.streams import is_terminal
from nnlayers.cli.printing import inform, print_columns, printable, say
from nnlayers.config import (
    Comparison,
    ConfigError,
    Experiment,
    Run,
    keep_engine,
    load_run,
    numbered_directories,
    override,
    prepare,
    read,
    write_file,
)
from nnlayers.data import DataError, infer
from nnlayers.data.problems import count_of
from nnlayers.drawing import draw
from nnlayers.layers import Sequential

__all__ = [
    "compare",
    "evaluate",
    "graph",
    "init",
    "predict",
    "replay",
    "resume",
    "summary",
    "train",
]


def init(arguments: Namespace) -> int:
    """Write a config that trains a network on a table, and show the table's columns."""
    output = Path(arguments.output or f"{Path(arguments.data).name.partition('.')[0]}.toml")
    if output.exists():
        raise ConfigError(f"-o: {output} exists already: name another file, or remove it")
    options = _options_of_data(arguments)
    try:
        inference = infer(arguments.data, arguments.target, **options)
    except DataError:  # It names the file.
        raise
    except (TypeError, ValueError) as error:
        raise ConfigError(f"--set: data: {error}") from None
    write_file(output, lambda file: file.write(inference.text.encode()))
    inform(f"{arguments.data}: {inference.rows + inference.target.missing:,} rows", lines=False)
    inform(f"target {inference.target.name}: {inference.target.description}", lines=False)
    print_columns(inference.columns)
    command = shlex.join(["nnlayers", "train", str(output)])
    inform(f"config in {output}; to train: {command}", lines=False)
    return 0


def train(arguments: Namespace) -> int:
    """Train and test the model of a config."""
    config = _config(arguments)
    directory = _directory(arguments)
    if arguments.resume:
        keep_engine(config, directory)
    experiment = prepare(config, arguments.config, arguments.allow)
    run = Run(experiment, directory, numbered=arguments.out is None and not arguments.resume)
    if arguments.resume:
        run.resume()
    return _train(run, arguments.allow)


def resume(arguments: Namespace) -> int:
    """Train a run on from its last epoch, by the config in its directory."""
    directory = Path(arguments.directory)
    source = str(directory / "config.toml")
    config = read(source)
    if not config.get("data"):
        raise ConfigError(
            f"{source}: data: the rows were a program's: resume there, by "
            "Run(prepare(config, name, table=table), directory), its resume() and its train()"
        )
    keep_engine(config, directory)
    if arguments.epochs is not None:
        override(config, [f"training.epochs={arguments.epochs}"], source)
    run = Run(prepare(config, source, arguments.allow), directory)
    run.resume()
    return _train(run, arguments.allow)


def evaluate(arguments: Namespace) -> int:
    """Score a trained model on the test rows of its run, or on the rows of a file."""
    run = load_run(arguments.directory, modules=arguments.allow)
    say(run.score(arguments.data), lines=False)
    return 0


def compare(arguments: Namespace) -> int:
    """Print a table of runs, and draw their curves in one picture."""
    runs = [load_run(directory, modules=arguments.allow) for directory in arguments.directories]
    comparison = Comparison(runs)
    kind = Path(arguments.output).suffix.lstrip(".").lower()
    if kind not in ("pdf", "png", "svg"):
        raise ConfigError(f"-o: a picture is a .png, .svg or .pdf file, got {arguments.output}")
    figure = comparison.plot()
    say(comparison)
    with raising_on_signals():
        write_file(Path(arguments.output), lambda file: figure.savefig(file, format=kind))
    say(f"curves in {arguments.output}", lines=False)
    return 0


def replay(arguments: Namespace) -> int:
    """Write a page that plays the training of a run."""
    output, run = Path(arguments.output), load_run(arguments.directory, modules=arguments.allow)
    if output.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"-o: a page is an .html file, got {output}")
    history, directory = run.history, run.directory
    if not len(history):
        raise ConfigError(f"{directory}: has not trained an epoch yet, there is nothing to replay")
    with raising_on_signals():
        try:
            history.to_html(output, title=directory.resolve().name)
        except OSError as error:
            raise ConfigError(str(error)) from error
    frames = len(history.film.epochs) if history.film is not None else 0
    what = count_of(frames, "recorded epoch") if frames else "no recorded epoch, the curves alone"
    say(f"{output}: {count_of(len(history), 'epoch')}, {what}", lines=False)
    return 0


def predict(arguments: Namespace) -> int:
    """Predict the rows of a file, and write them as CSV."""
    run = load_run(arguments.directory, modules=arguments.allow)
    text = run.predictor.predictions(run.table(arguments.data))
    if arguments.output is None:
        # A terminal would obey escape sequences in labels; a file or a program gets them unchanged.
        print(printable(text, lines=True) if is_terminal(sys.stdout) else text, end="", flush=True)
    else:
        with raising_on_signals():
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
        with raising_on_signals():
            draw(experiment.predictor.model, arguments.output, expand=arguments.expand)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(str(error)) from error
    return 0


def _train(run: Run, modules: Iterable[str]) -> int:
    """Train a run to its last epoch, and say how that went."""
    experiment = run.experiment
    _describe(experiment)
    trainer = experiment.trainer
    why = f" ({trainer.engine_reason})" if trainer.engine_reason else ""
    say(f"engine: {trainer.engine}{why}")
    has_bar = is_terminal(sys.stderr)
    has_line = not (has_bar or run.finished)  # The log ends with that of the last epoch.
    if run.finished:
        inform(f"nothing left to train{_reason(run)}")
    with raising_on_signals():
        try:
            run.train(progress=True if has_bar else "log")
        except KeyboardInterrupt as interrupt:
            progress = f"{len(experiment.trainer.history)} of {experiment.epochs} epochs"
            words = [word for module in modules for word in ("--allow", module)]
            command = shlex.join(["nnlayers", "resume", str(run.directory), *words])
            message = f"nnlayers: interrupted after {progress}; to continue: {command}"
            inform(message, file=sys.stderr)
            return exit_status(interrupt)
        history = experiment.trainer.history
        if not has_line:
            values = ", ".join(f"{name} {value:.4g}" for name, value in history.last.items())
            inform(f"epoch {len(history)} of {max(experiment.epochs, len(history))}: {values}")
        result = run.test()
    inform(f"saved in {run.directory}", lines=False)
    inform(result, lines=False)
    return 0


def _config(arguments: Namespace) -> dict[str, Any]:
    config = read(arguments.config)
    override(config, arguments.assignments, arguments.config)
    return config


def _options_of_data(arguments: Namespace) -> dict[str, Any]:
    """Return how a text file is written, as the keys of ``data`` in a config say."""
    config: dict[str, Any] = {"data": {}}
    override(config, arguments.assignments, "--set")
    others = [name for name in config if name != "data"]
    if others or not isinstance(config["data"], dict):
        raise ConfigError(
            "--set: init takes keys such as data.encoding or data.separator; set "
            f"{', '.join(others) or 'data'} in the config that it writes"
        )
    return config["data"]


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
    features = count_of(predictor.preprocessing.width, "feature")
    inform(f"{origin}: {sizes} rows, {features}, target {target}", lines=False)
    weights = sum(parameter.size for parameter in predictor.model.parameters())
    inform(f"model: {count_of(weights, 'weight')}")


def _reason(run: Run) -> str:
    """Return why no epoch is trained; empty if the run has as many as it shall have."""
    trainer, epochs = run.experiment.trainer, run.experiment.epochs
    last = len(trainer.history)
    if last > epochs:
        return f": this run has {last} epochs already, more than {epochs}"
    if not run.stopped or last == epochs:
        return ""
    return (
        f": a callback such as EarlyStopping ended this run after epoch {last} of {epochs}, "
        "which cannot be undone; for a longer run, start a new one with more patience"
    )
