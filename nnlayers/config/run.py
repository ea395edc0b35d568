"""A run and its directory: all that it takes to go on, to evaluate and to predict."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library
from nnlayers.config.document import ConfigError, differences, dumps, read, shown
from nnlayers.config.experiment import Experiment
from nnlayers.config.places import (
    CHECKPOINT,
    CONFIG,
    CURVES,
    METRICS,
    MODEL,
    PREPROCESSING,
    TEST,
    place,
)
from nnlayers.config.predictor import Predictor, report
from nnlayers.config.sections import build_loss, build_model, read_parts, read_sections
from nnlayers.config.storage import (
    read_arrays,
    read_history,
    read_json,
    write_arrays,
    write_file,
    write_text,
)
from nnlayers.data import DataError, Preprocessing, Table
from nnlayers.training import Trainer
from nnlayers.training.callbacks import Callback, CSVLogger

__all__ = ["Run", "load_predictor", "load_test_rows", "numbered"]


class Run:
    """An experiment and the directory that keeps it.

    The directory holds the completed ``config.toml`` and ``preprocessing.json``, from each epoch
    on ``checkpoint.npz`` and a row in ``metrics.csv``, and when training ends, however it does,
    ``model.npz`` and ``curves.png``; then ``test.json``. Each file is whole or not there.

    Parameters
    ----------
    experiment : Experiment
        What to run.
    directory : Path
        The directory; made when training starts, and refused then if it exists.
    fresh_number : bool
        Whether the directory's name gets a number that is not taken, as in ``digits-001``.

    Attributes
    ----------
    stopped : bool
        Whether a callback has ended the training before its last epoch.
    """

    def __init__(
        self, experiment: Experiment, directory: Path, *, fresh_number: bool = False
    ) -> None:
        optional_library("matplotlib.figure", "cli")  # for the curves: better now than at the end
        self.experiment = experiment
        self.directory = directory
        self.stopped = False
        self._fresh_number = fresh_number
        self._made = self._resumed = False
        callbacks = experiment.trainer.callbacks
        self._own_callbacks = list(callbacks)
        callbacks[:] = [_Rewind(self), *callbacks, _Keep(self)]
        self._checkpoint = self._state()

    @property
    def finished(self) -> bool:
        """Whether no epoch is left to train."""
        return self.stopped or len(self.experiment.trainer.history) >= self.experiment.epochs

    def resume(self) -> None:
        """Go on from the directory's checkpoint.

        Raises
        ------
        ConfigError
            If there is no run, its config differs in more than the number of epochs, or a file is
            damaged.
        """
        self._check_same_config()
        path = self.directory / CHECKPOINT
        self._checkpoint = read_arrays(path)
        try:
            self.stopped = bool(self._checkpoint["stopped"])
            epochs = int(self._checkpoint["epochs"])
            columns = read_history(self.directory / METRICS, epochs)
            self.experiment.trainer.history.load_state_dict(columns)
            self.rewind()
            self.experiment.rng.bit_generator.state = json.loads(str(self._checkpoint["rng"]))
        except ConfigError:  # which names its file
            raise
        except Exception as error:  # a file of a stranger may hold anything
            raise ConfigError(f"{path}: not a checkpoint of this run: {error}") from None
        self._resumed = True

    def train(self, *, progress: bool = False) -> None:
        """Train up to the last epoch, and keep the model.

        However training ends, the directory holds the epochs so far; only a config that the first
        epoch refuses leaves nothing.

        Raises
        ------
        ConfigError
            If the directory cannot be made or written, or the trainer refuses an argument.
        DivergenceError
            If training diverges.
        KeyboardInterrupt
            If it is interrupted.
        """
        trainer = self.experiment.trainer
        try:
            if self.finished:
                for callback in trainer.callbacks:
                    callback.on_fit_end(trainer)
            else:
                self.experiment.fit(progress=progress)
                self.stopped = not self.finished
        except (ConfigError, OSError):
            if self._made and not len(trainer.history):
                shutil.rmtree(self.directory)
                self._made = False
            raise
        finally:
            if self._made or self._resumed:
                self._save()

    def test(self) -> str:
        """Measure the test rows, keep the result, and return the line that states it."""
        table = self.experiment.parts["test"]
        if not len(table):
            return "no test rows (split.test is 0)"
        scores = self.experiment.predictor.score(table)
        text = json.dumps({"rows": len(table)} | scores, indent=2)
        write_text(self.directory / TEST, text + "\n")
        return report(scores, len(table))

    def open(self) -> None:
        """Make the directory, and let the config's callbacks write there."""
        if not self._resumed:
            self.directory = _make_directory(self.directory, self._fresh_number)
            self._made = True
        place(self._own_callbacks, self.directory)
        self._own_callbacks = []  # once: the paths are now those within the directory

    def start(self) -> None:
        """Write all that is known before the first epoch."""
        (self.directory / TEST).unlink(missing_ok=True)
        write_text(self.directory / CONFIG, dumps(self.experiment.config))
        learnt = self.experiment.predictor.preprocessing.to_dict()
        write_text(self.directory / PREPROCESSING, json.dumps(learnt, indent=2) + "\n")
        self.keep()

    def keep(self) -> None:
        """Write the checkpoint of this moment."""
        state = self._state()
        write_arrays(self.directory / CHECKPOINT, state)
        self._checkpoint = state

    def rewind(self) -> None:
        """Set the trainer to the last checkpoint, without what an interrupted epoch has done."""
        trainer = self.experiment.trainer
        own = {"epochs", "rng", "stopped"}
        state = {name: array for name, array in self._checkpoint.items() if name not in own}
        epochs = int(self._checkpoint["epochs"])
        columns = trainer.history.state_dict() if epochs else {}
        trainer.load_state_dict(
            state | {f"history.{name}": column[:epochs] for name, column in columns.items()}
        )

    def _state(self) -> dict[str, Array]:
        """Return all but the history, which grows: that is in the metrics' file, row by row."""
        trainer = self.experiment.trainer
        rng_state = json.dumps(self.experiment.rng.bit_generator.state)
        own = {"rng": rng_state, "stopped": self.stopped, "epochs": len(trainer.history)}
        return trainer.state_dict(history=False) | {k: np.array(v) for k, v in own.items()}

    def _save(self) -> None:
        """Write what a run that has ended leaves."""
        trainer = self.experiment.trainer
        # Again, for an interrupt may have come when the file was there and not yet the attribute.
        self._checkpoint["stopped"] = np.array(self.stopped)
        write_arrays(self.directory / CHECKPOINT, self._checkpoint)
        write_arrays(self.directory / MODEL, trainer.model.state_dict())
        if len(trainer.history):
            figure = trainer.history.plot()
            write_file(self.directory / CURVES, lambda file: figure.savefig(file, format="png"))

    def _check_same_config(self) -> None:
        stored = read(self.directory / CONFIG)
        if isinstance(stored.get("training"), dict):
            stored["training"]["epochs"] = self.experiment.epochs
        for path, old, new in differences(stored, self.experiment.config):
            was, now = ("not set" if value is None else shown(value) for value in (old, new))
            raise ConfigError(
                f"{self.experiment.source}: {path}: is {now}, but {was} in the run "
                f"{self.directory}; to resume, only training.epochs may differ"
                f"{'' if old is None else f', so add --set {path}={was}'}"
            )


class _Rewind(Callback):
    """Comes first: make the directory, and at the end of a fit undo an epoch that was cut short."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_fit_start(self, trainer: Trainer) -> None:
        self.run.open()

    def on_fit_end(self, trainer: Trainer) -> None:
        self.run.rewind()


class _Keep(Callback):
    """Comes last, when the other callbacks have done with an epoch: keep it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.logger: CSVLogger | None = None

    def on_fit_start(self, trainer: Trainer) -> None:
        self.run.start()
        self.logger = CSVLogger(self.run.directory / METRICS)
        self.logger.on_fit_start(trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        if self.logger is not None:
            self.logger.on_epoch_end(trainer)
        self.run.keep()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.logger is not None:
            self.logger.on_fit_end(trainer)


def load_predictor(directory: Path, modules: Iterable[str] = ()) -> Predictor:
    """Return the trained model of a run directory.

    Parameters
    ----------
    directory : Path
        The run directory.
    modules : iterable of str
        Modules beside nnlayers that its config may name, as in :func:`prepare`.

    Raises
    ------
    ConfigError
        If there is no run, or a file of it is missing or damaged.
    """
    path = directory / CONFIG
    sections = read_sections(read(path), str(path))
    path = directory / PREPROCESSING
    try:
        preprocessing = Preprocessing.from_dict(read_json(path))
    except DataError as error:
        raise ConfigError(f"{path}: {error}") from None
    source = str(directory / CONFIG)
    rng = np.random.default_rng(0)
    model = build_model(sections, source, preprocessing, rng, modules).value
    path = directory / MODEL
    weights = read_arrays(path)
    try:
        model.load_state_dict(weights)
    except Exception as error:  # a file of a stranger may hold anything
        raise ConfigError(f"{path}: {error}") from None
    loss = build_loss(sections, source, modules).value
    return Predictor(model, loss, preprocessing, sections.dtype)


def load_test_rows(directory: Path, predictor: Predictor, modules: Iterable[str] = ()) -> Table:
    """Return the test rows of a run's data.

    Raises
    ------
    ConfigError
        If the data cannot be read, or no row was held back.
    """
    source = str(directory / CONFIG)
    sections = read_sections(read(source), source)
    test: Table = read_parts(sections, source, predictor.loss, modules)[1].value["test"]
    if not len(test):
        raise ConfigError(f"{source}: split.test: is 0, there are no test rows")
    return test


def numbered(path: Path) -> dict[int, Path]:
    """Return the directories that are `path` with a number, as in ``digits-001``, by it."""
    pattern = re.compile(re.escape(path.name) + r"-(\d+)")
    found = path.parent.iterdir() if path.parent.is_dir() else ()
    matches = {entry: pattern.fullmatch(entry.name) for entry in found}
    return {int(match[1]): entry for entry, match in matches.items() if match}


def _make_directory(path: Path, fresh_number: bool) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not fresh_number:
            path.mkdir()
            return path
        while True:
            number = max(numbered(path), default=0) + 1
            try:
                directory = path.with_name(f"{path.name}-{number:03d}")
                directory.mkdir()
            except FileExistsError:  # another run was faster
                continue
            return directory
    except OSError as error:
        raise ConfigError(f"{path}: cannot make this directory: {error.strerror}") from None
