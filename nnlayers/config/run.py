"""Train in a run directory, which holds all that resuming, evaluating and predicting need."""

from __future__ import annotations

import json
import shlex
import shutil
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.display import Described
from nnlayers._core.fingerprint import data_fingerprint
from nnlayers._core.locking import DirectoryLock
from nnlayers._core.toml_text import toml_text
from nnlayers.config.checkpoint_clock import CheckpointClock
from nnlayers.config.checkpoints import read_checkpoint, split_run_state, write_checkpoint
from nnlayers.config.checks import FILE_WRITERS
from nnlayers.config.document import ConfigError, differences, dumps, read
from nnlayers.config.experiment import Experiment
from nnlayers.config.filming import RunFilm
from nnlayers.config.fingerprint import HistoryFingerprint, settings_fingerprint
from nnlayers.config.run_entries import entries_of_experiment
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
    lock_directory,
    publish_directory,
    read_history,
    read_sealed_json,
    read_seconds,
    remove_temporary_files,
    start_directory,
    write_file,
    write_sealed_json,
    write_text,
)
from nnlayers.saving import save
from nnlayers.training import Trainer
from nnlayers.training.callbacks import Callback, CSVLogger
from nnlayers.training.callbacks.progress import Progress
from nnlayers.training.pictures import can_draw, draw_calibration, draw_confusion, draw_numbers
from nnlayers.training.predictions import Predictions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Run", "keep_engine"]

# The engine of a run whose config does not name one, because it is from before there were several.
BEFORE_ENGINES = "numpy"

# The settings of a run that may differ when it is resumed.
_FREE_SETTINGS = ("epochs", "checkpoint_every", "engine", "record")


class Run(Described):
    """An experiment and the directory that holds its results.

    The directory holds from its start the completed ``config.toml``, ``preprocessing.json``,
    ``baseline.json``, ``model.nn``, which :func:`nnlayers.load` opens, and ``checkpoint.npz``; as
    epochs end, a new checkpoint, with the one before in ``checkpoint-previous.npz``, and the rows
    of ``metrics.csv`` up to it; when training ends, for whatever reason, the trained ``model.nn``,
    ``curves.png`` and ``timing.json``; and after the test ``test.json``, with ``confusion.png`` and
    ``calibration.png`` for classes, or ``predicted.png`` for numbers. Without matplotlib there are
    no pictures. Each file is whole or absent, and on the disk before the next is written, so that a
    process that is killed and a power loss cost the epochs since the last checkpoint and nothing
    else. What a recorder has seen of the network is in ``film.npz`` up to the last checkpoint.

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
        self._lock: DirectoryLock | None = None
        self._clock = CheckpointClock(experiment.config["training"]["checkpoint_every"])
        callbacks = experiment.trainer.callbacks
        self._file_writers = [item for item in callbacks if isinstance(item, FILE_WRITERS)]
        self._film = RunFilm(experiment)
        callbacks[:] = [_Rewind(self), *callbacks, *self._film.callbacks, _Record(self)]
        arrays = [array for part in experiment.arrays.values() for array in part]
        self._fingerprints = {
            "data": np.array(data_fingerprint(arrays)),
            "settings": np.array(settings_fingerprint(experiment.config)),
        }
        self._history = HistoryFingerprint()
        self._checkpoint = self._state()
        self._earlier_seconds = 0.0
        self._started = time.perf_counter()

    def _entries(self) -> dict[str, str]:
        return {"directory": str(self.directory), **entries_of_experiment(self.experiment)}

    @property
    def finished(self) -> bool:
        """Return whether no epoch is left to train."""
        return self.stopped or len(self.experiment.trainer.history) >= self.experiment.epochs

    def resume(self) -> None:
        """Continue from the checkpoint in the directory, which is locked from now on.

        If the newest checkpoint is damaged, a warning says so, and the one before is used.

        Raises
        ------
        ConfigError
            If there is no run, another process is training it, its config differs in more than the
            number of epochs, the time of checkpoints, the engine and the recording, its data
            differ, or a file is damaged.
        """
        self._check_same_config()
        lock = lock_directory(self.directory)
        try:
            self._read_state()
        except BaseException:
            lock.release()
            raise
        self._lock = lock
        self._earlier_seconds = read_seconds(self.directory) or 0.0
        self._is_resumed = True

    def train(self, *, progress: Progress = False) -> None:
        """Train to the last epoch, and save the model.

        However training ends, the directory holds the epochs up to the last checkpoint. Only a
        config that is refused in the first epoch leaves nothing.

        Raises
        ------
        ConfigError
            If the directory cannot be made or written, or the trainer refuses an argument.
        DivergenceError
            If training diverges.
        KeyboardInterrupt
            If it is interrupted.
        OSError
            If a file cannot be written, as on a full disk.
        """
        trainer = self.experiment.trainer
        self._started = time.perf_counter()
        try:
            if self.finished:
                for callback in trainer.callbacks:
                    callback.on_fit_end(trainer)
            else:
                self.experiment.fit(progress=progress)
        except (ConfigError, OSError):
            if self._has_created_directory and not len(trainer.history):
                shutil.rmtree(self.directory)
                self._has_created_directory = False
            raise
        finally:
            try:
                if self._has_created_directory or self._is_resumed:
                    self._write_end()
            finally:
                if self._lock is not None:
                    self._lock.release()

    def test(self) -> str:
        """Score the test rows, save the result, and return the line that states it."""
        table = self.experiment.parts["test"]
        if not len(table):
            return "no test rows (split.test is 0)"
        scores = self.experiment.score(table)
        write_sealed_json(self.directory / TEST, scores.to_dict())
        if can_draw():
            self._draw(scores.predictions)
        return str(scores)

    def open_directory(self) -> None:
        """Make the directory, or go on in that of a resumed run, and let callbacks write in it."""
        if self._is_resumed:
            for name in TEST_FILES:
                (self.directory / name).unlink(missing_ok=True)
            write_text(self.directory / CONFIG, dumps(self.experiment.config))
            # The data are the same, so a file that is damaged or missing is made whole.
            write_sealed_json(self.directory / BASELINE, self.experiment.baseline.to_dict())
        else:
            self._make_directory()
        for callback in self._file_writers:
            callback.path = self.directory / callback.path
            callback.path.parent.mkdir(parents=True, exist_ok=True)
        self._file_writers = []  # A second fit must not prepend the directory again.

    def begin_checkpoint(self) -> bool:
        """Return whether the epoch that ends now needs a checkpoint, and if so begin it.

        The last one does. From now on its time counts, that of the file of metrics included.
        """
        trainer = self.experiment.trainer
        epoch = len(trainer.history)
        is_last = trainer.is_stopping or epoch >= self.experiment.epochs
        if not (is_last or self._clock.is_due(epoch)):
            return False
        self._clock.start(epoch)
        return True

    def write_checkpoint(self) -> None:
        """Write the state of the training as it is now."""
        trainer = self.experiment.trainer
        epoch = len(trainer.history)
        self.stopped = trainer.is_stopping and epoch < self.experiment.epochs
        state = self._state()
        # A film that is ahead of the checkpoint is cut; one that is behind would lack its end.
        self._film.write(self.directory)
        write_checkpoint(self.directory, state)
        self._checkpoint = state
        self._clock.end()

    def rewind(self) -> None:
        """Set the trainer to the last checkpoint, which undoes what came after it."""
        trainer = self.experiment.trainer
        run, state = split_run_state(self._checkpoint)
        epochs = int(run["epochs"])
        self.stopped = bool(run["stopped"])
        columns = trainer.history.state_dict() if epochs else {}
        self._film.cut(epochs)
        trainer.load_state_dict(
            state | {f"history.{name}": column[:epochs] for name, column in columns.items()}
        )

    def _make_directory(self) -> None:
        """Make the directory with all that a resumed run needs; no process sees it incomplete."""
        directory, self._lock = start_directory(self.directory)
        try:
            write_text(directory / CONFIG, dumps(self.experiment.config))
            write_sealed_json(directory / PREPROCESSING, self._fitted_preprocessing())
            write_sealed_json(directory / BASELINE, self.experiment.baseline.to_dict())
            save(self.experiment.trainer.model, directory / MODEL)
            self._checkpoint = self._state()
            self._clock.start(epoch=0)
            write_checkpoint(directory, self._checkpoint)
            self._clock.end()
            self.directory = publish_directory(directory, self.directory, numbered=self._numbered)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        self._has_created_directory = True

    def _read_state(self) -> None:
        """Set trainer and generator to the last checkpoint in the directory."""
        remove_temporary_files(self.directory)
        path = self.directory / PREPROCESSING
        if read_sealed_json(path) != self._fitted_preprocessing():
            raise ConfigError(f"{path}: does not fit the data, which gives another preprocessing")
        self._checkpoint = read_checkpoint(self.directory, repair=True)
        try:
            self._continue(split_run_state(self._checkpoint)[0])
        except ConfigError:  # It names its own file.
            raise
        except Exception as error:  # A stranger's file may hold anything.
            path = self.directory / CHECKPOINT
            raise ConfigError(f"{path}: not a checkpoint of this run: {error}") from None

    def _continue(self, run_state: dict[str, Array]) -> None:
        """Set trainer and generator to the checkpoint that was read."""
        if str(run_state["data"]) != str(self._fingerprints["data"]):
            raise ConfigError(
                f"{self.experiment.source}: data: the rows are not those of the run "
                f"{self.directory}; to resume, they must be the same"
            )
        if str(run_state["settings"]) != str(self._fingerprints["settings"]):
            raise ConfigError(f"{self.directory / CONFIG}: is damaged or was edited")
        columns = read_history(self.directory / METRICS, run_state)
        self.experiment.trainer.history.load_state_dict(columns)
        self.rewind()
        self._film.read(self.directory, int(run_state["epochs"]))
        self.experiment.rng.bit_generator.state = json.loads(str(run_state["rng"]))

    def _state(self) -> dict[str, Array]:
        """Return the state without the history, which grows and is in the file of metrics."""
        trainer = self.experiment.trainer
        rng_state = json.dumps(self.experiment.rng.bit_generator.state)
        run_state = {
            "rng": rng_state,
            "stopped": self.stopped,
            "epochs": len(trainer.history),
            "ended": False,
            "metrics": self._history.update(trainer.history),
            **self._fingerprints,
        }
        return trainer.state_dict(history=False) | {k: np.array(v) for k, v in run_state.items()}

    def _fitted_preprocessing(self) -> dict[str, Any]:
        """Return the fitted preprocessing as it comes back from its file."""
        fitted = self.experiment.predictor.preprocessing.to_dict()
        table: dict[str, Any] = json.loads(json.dumps(fitted))
        return table

    def _write_end(self) -> None:
        """Write the files of a run that has ended."""
        trainer = self.experiment.trainer
        seconds = self._earlier_seconds + time.perf_counter() - self._started
        timing = {"epochs": len(trainer.history), "seconds": round(seconds, 3)}
        write_sealed_json(self.directory / TIMING, timing)
        path = self.directory / MODEL
        save(trainer.model, path)
        # From now on the model's file counts, which may hold the weights of an earlier epoch. Both
        # checkpoints say so, because each can stand in for the other.
        self._checkpoint["ended"] = np.array(True)
        # A callback may have changed earlier rows, which were written again at the end.
        self._checkpoint["metrics"] = np.array(HistoryFingerprint().update(trainer.history))
        for _ in range(2):
            write_checkpoint(self.directory, self._checkpoint)
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
            for name in _FREE_SETTINGS:
                stored["training"][name] = self.experiment.config["training"][name]
        for path, (old, new) in differences(stored, self.experiment.config):
            was, now = ("not set" if value is None else toml_text(value) for value in (old, new))
            # A shell must take it for one word, whatever a stranger's config holds.
            advice = "" if old is None else f", so add --set {shlex.quote(f'{path}={was}')}"
            raise ConfigError(
                f"{self.experiment.source}: {path}: is {now}, but {was} in the run "
                f"{self.directory}; to resume, only training.epochs, training.checkpoint_every, "
                f"training.engine and training.record may differ{advice}"
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
    """The last callback: writes metrics and checkpoints after all others have run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.logger: CSVLogger | None = None

    def on_fit_start(self, trainer: Trainer) -> None:
        self.logger = CSVLogger(self.run.directory / METRICS, sync=True)
        self.logger.on_fit_start(trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        if self.run.begin_checkpoint():
            if self.logger is not None:
                self.logger.on_epoch_end(trainer)
            self.run.write_checkpoint()

    def on_fit_end(self, trainer: Trainer) -> None:
        if self.logger is not None:
            self.logger.on_fit_end(trainer)
