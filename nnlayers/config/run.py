"""Train in a run directory, which holds all that resuming, evaluating and predicting need."""

from __future__ import annotations

import json
import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.toml_text import toml_text
from nnlayers.config.checks import FILE_WRITERS
from nnlayers.config.document import ConfigError, differences, dumps, read
from nnlayers.config.experiment import Experiment
from nnlayers.config.pictures import can_draw, draw_calibration, draw_confusion, draw_numbers
from nnlayers.config.run_files import (
    BASELINE,
    CALIBRATION,
    CHECKPOINT,
    CONFIG,
    CONFUSION,
    CURVES,
    METRICS,
    MODEL,
    NUMBERS,
    PREPROCESSING,
    TEST,
    TEST_FILES,
    TIMING,
    make_directory,
    read_arrays,
    read_history,
    read_seconds,
    write_arrays,
    write_file,
    write_text,
)
from nnlayers.saving import save
from nnlayers.training import Trainer
from nnlayers.training.callbacks import Callback, CSVLogger
from nnlayers.training.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Run", "keep_engine"]

# The engine of a run whose config does not name one, because it is from before there were several.
BEFORE_ENGINES = "numpy"


class Run:
    """An experiment and the directory that holds its results.

    The directory holds the completed ``config.toml``, ``preprocessing.json`` and
    ``baseline.json``; from each epoch on ``checkpoint.npz`` and a row in ``metrics.csv``; when
    training ends, for whatever reason, ``model.nn``, which :func:`nnlayers.load` opens,
    ``curves.png`` and ``timing.json``; and after the test ``test.json``, with ``confusion.png`` and
    ``calibration.png`` for classes, or ``predicted.png`` for numbers. Each file is whole or absent.
    Without matplotlib there are no pictures.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    directory : Path
        The directory. It is created when training starts, and must not exist then.
    numbered : bool
        Whether to append the next free number to the directory's name, as in ``digits-001``.

    Attributes
    ----------
    stopped : bool
        Whether a callback has ended the training before its last epoch.
    """

    def __init__(self, experiment: Experiment, directory: Path, *, numbered: bool = False) -> None:
        self.experiment = experiment
        self.directory = directory
        self.stopped = False
        self._numbered = numbered
        self._has_created_directory = self._is_resumed = False
        callbacks = experiment.trainer.callbacks
        self._file_writers = [item for item in callbacks if isinstance(item, FILE_WRITERS)]
        callbacks[:] = [_Rewind(self), *callbacks, _Record(self)]
        self._checkpoint = self._state()
        self._earlier_seconds = 0.0
        self._started = time.perf_counter()

    @property
    def finished(self) -> bool:
        """Return whether no epoch is left to train."""
        return self.stopped or len(self.experiment.trainer.history) >= self.experiment.epochs

    def resume(self) -> None:
        """Continue from the checkpoint in the directory.

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
        except ConfigError:  # It names its own file.
            raise
        except Exception as error:  # A stranger's file may hold anything.
            raise ConfigError(f"{path}: not a checkpoint of this run: {error}") from None
        self._earlier_seconds = read_seconds(self.directory) or 0.0
        self._is_resumed = True

    def train(self, *, progress: bool = False) -> None:
        """Train to the last epoch, and save the model.

        However training ends, the directory holds the epochs that were completed. Only a config
        that is refused in the first epoch leaves nothing.

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
        self._started = time.perf_counter()
        try:
            if self.finished:
                for callback in trainer.callbacks:
                    callback.on_fit_end(trainer)
            else:
                self.experiment.fit(progress=progress)
                self.stopped = not self.finished
        except (ConfigError, OSError):
            if self._has_created_directory and not len(trainer.history):
                shutil.rmtree(self.directory)
                self._has_created_directory = False
            raise
        finally:
            if self._has_created_directory or self._is_resumed:
                self._write_end()

    def test(self) -> str:
        """Score the test rows, save the result, and return the line that states it."""
        table = self.experiment.parts["test"]
        if not len(table):
            return "no test rows (split.test is 0)"
        scores = self.experiment.score(table)
        write_text(
            self.directory / TEST, json.dumps(scores.to_dict(), indent=2, allow_nan=False) + "\n"
        )
        if can_draw():
            self._draw(scores.predictions)
        return str(scores)

    def open_directory(self) -> None:
        """Make the directory, unless the run is resumed, and let callbacks write within it."""
        if not self._is_resumed:
            self.directory = make_directory(self.directory, numbered=self._numbered)
            self._has_created_directory = True
        for callback in self._file_writers:
            callback.path = self.directory / callback.path
            callback.path.parent.mkdir(parents=True, exist_ok=True)
        self._file_writers = []  # A second fit must not prepend the directory again.

    def write_start(self) -> None:
        """Write the files that are known before the first epoch."""
        for name in TEST_FILES:
            (self.directory / name).unlink(missing_ok=True)
        write_text(self.directory / CONFIG, dumps(self.experiment.config))
        fitted = self.experiment.predictor.preprocessing.to_dict()
        write_text(self.directory / PREPROCESSING, json.dumps(fitted, indent=2) + "\n")
        baseline = json.dumps(self.experiment.baseline.to_dict())
        write_text(self.directory / BASELINE, baseline + "\n")
        self.write_checkpoint()

    def write_checkpoint(self) -> None:
        """Write the state of the training as it is now."""
        state = self._state()
        write_arrays(self.directory / CHECKPOINT, state)
        self._checkpoint = state

    def rewind(self) -> None:
        """Set the trainer to the last checkpoint, which undoes an epoch that was interrupted."""
        trainer = self.experiment.trainer
        run_names = {"epochs", "rng", "stopped"}
        state = {k: array for k, array in self._checkpoint.items() if k not in run_names}
        epochs = int(self._checkpoint["epochs"])
        columns = trainer.history.state_dict() if epochs else {}
        trainer.load_state_dict(
            state | {f"history.{name}": column[:epochs] for name, column in columns.items()}
        )

    def _state(self) -> dict[str, Array]:
        """Return the state without the history, which grows and is in the file of metrics."""
        trainer = self.experiment.trainer
        rng_state = json.dumps(self.experiment.rng.bit_generator.state)
        run_state = {"rng": rng_state, "stopped": self.stopped, "epochs": len(trainer.history)}
        return trainer.state_dict(history=False) | {k: np.array(v) for k, v in run_state.items()}

    def _write_end(self) -> None:
        """Write the files of a run that has ended."""
        trainer = self.experiment.trainer
        # An interrupt may have come after the file was written and before the attribute was set,
        # so the checkpoint is written again from the attribute.
        self._checkpoint["stopped"] = np.array(self.stopped)
        write_arrays(self.directory / CHECKPOINT, self._checkpoint)
        seconds = self._earlier_seconds + time.perf_counter() - self._started
        timing = {"epochs": len(trainer.history), "seconds": round(seconds, 3)}
        write_text(self.directory / TIMING, json.dumps(timing) + "\n")
        path = self.directory / MODEL
        try:
            save(trainer.model, path)
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from None
        if len(trainer.history) and can_draw():
            self._save_picture(CURVES, trainer.history.plot())

    def _draw(self, predictions: Predictions) -> None:
        """Draw the predictions for the test rows."""
        preprocessing = self.experiment.predictor.preprocessing
        if not preprocessing.classes:
            self._save_picture(NUMBERS, draw_numbers(predictions, preprocessing.target_name))
            return
        self._save_picture(CONFUSION, draw_confusion(predictions, preprocessing.classes))
        if predictions.has_log_odds:
            self._save_picture(CALIBRATION, draw_calibration(predictions, preprocessing.classes))

    def _save_picture(self, name: str, figure: Figure) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A font may lack characters of the labels.
            write_file(self.directory / name, lambda file: figure.savefig(file, format="png"))

    def _check_same_config(self) -> None:
        stored = read(self.directory / CONFIG)
        if isinstance(stored.get("training"), dict):
            stored["training"]["epochs"] = self.experiment.epochs
            stored["training"].setdefault("engine", BEFORE_ENGINES)
        for path, (old, new) in differences(stored, self.experiment.config):
            was, now = ("not set" if value is None else toml_text(value) for value in (old, new))
            raise ConfigError(
                f"{self.experiment.source}: {path}: is {now}, but {was} in the run "
                f"{self.directory}; to resume, only training.epochs may differ"
                f"{'' if old is None else f', so add --set {path}={was}'}"
            )


def keep_engine(config: dict[str, Any], directory: Path) -> None:
    """Let a config that leaves the engine open go on with the engine of a run."""
    training = config.get("training")
    if not (isinstance(training, dict) and training.get("engine", "auto") == "auto"):
        return
    if (directory / CONFIG).is_file():
        stored = read(directory / CONFIG).get("training")
        if isinstance(stored, dict):
            training["engine"] = stored.get("engine", BEFORE_ENGINES)


class _Rewind(Callback):
    """The first callback: makes the directory, and undoes an interrupted epoch at the end."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_fit_start(self, trainer: Trainer) -> None:
        self.run.open_directory()

    def on_fit_end(self, trainer: Trainer) -> None:
        self.run.rewind()


class _Record(Callback):
    """The last callback: writes an epoch's metrics and checkpoint after all others have run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.logger: CSVLogger | None = None

    def on_fit_start(self, trainer: Trainer) -> None:
        self.run.write_start()
        self.logger = CSVLogger(self.run.directory / METRICS)
        self.logger.on_fit_start(trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        if self.logger is not None:
            self.logger.on_epoch_end(trainer)
        self.run.write_checkpoint()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.logger is not None:
            self.logger.on_fit_end(trainer)
