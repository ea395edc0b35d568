"""Write the history and the weights for TensorBoard."""

from __future__ import annotations

import io
import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.checks import check_boolean, check_path, optional_library
from nnlayers.training.callbacks.base import Callback

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["TensorBoard"]

_TRAIN, _VALIDATION = "train", "validation"


class TensorBoard(Callback):
    """Write losses, metrics, the learning rate and, if asked, weights for TensorBoard, each epoch.

    ``tensorboard --logdir runs`` shows the runs below a directory. Each has two curves in a picture
    for a loss or a metric, ``train`` and ``validation``, because TensorBoard takes these
    directories within `log_dir` for runs. The steps are epochs, counted from 1.

    A fit that continues, or is resumed, adds its epochs; TensorBoard then leaves out what an
    earlier process had written of these. The files are closed when a fit ends, even if it fails.
    Needs the extra `tensorboard`.

    Parameters
    ----------
    log_dir : str or path-like
        The directory of the run, which is made if it does not exist.
    histograms : bool
        Whether to write a histogram of each parameter too.

    Attributes
    ----------
    path : Path
        The directory of the run.

    Raises
    ------
    ModuleNotFoundError
        If tensorboard is not installed.
    OSError
        In a fit, if a file cannot be written.

    Examples
    --------
    >>> import nnlayers as nn
    >>> board = nn.callbacks.TensorBoard("runs/first", histograms=True)  # doctest: +SKIP
    >>> trainer = nn.Trainer(model, loss, optimizer, callbacks=[board])  # doctest: +SKIP
    """

    def __init__(self, log_dir: str | os.PathLike[str], histograms: bool = False) -> None:
        self.path = check_path("log_dir", log_dir)
        self.histograms = check_boolean("histograms", histograms)
        _library("record_writer")
        self._files: dict[str, _EventFile] = {}

    @property
    def log_dir(self) -> Path:
        """The directory of the run."""
        return self.path

    def on_fit_start(self, trainer: Trainer) -> None:
        """Begin files; a directory without any gets the epochs of earlier fits too."""
        is_new = not (self.path / _TRAIN).exists()
        done = 0 if is_new else len(trainer.history)
        self._files[_TRAIN] = _EventFile(self.path / _TRAIN, done + 1)
        # Epochs that an earlier process has written are left out there, too.
        if (self.path / _VALIDATION).exists():
            self._files[_VALIDATION] = _EventFile(self.path / _VALIDATION, done + 1)
        for epoch in range(done + 1, len(trainer.history) + 1):
            self._write_row(trainer, epoch)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the epoch."""
        epoch = len(trainer.history)
        self._write_row(trainer, epoch)
        file = self._files[_TRAIN]
        file.add_scalar("learning_rate", trainer.optimizer.lr, epoch)
        if self.histograms:
            for name, parameter in trainer.model.named_parameters().items():
                file.add_histogram(f"weights/{name}", parameter.value, epoch)
        for file in self._files.values():
            file.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the files."""
        with ExitStack() as stack:
            for file in self._files.values():
                stack.callback(file.close)
            self._files = {}

    def _write_row(self, trainer: Trainer, epoch: int) -> None:
        for name, value in trainer.history.rows[epoch - 1].items():
            is_training = not name.startswith("val_")
            run = _TRAIN if is_training else _VALIDATION
            if run not in self._files:
                self._files[run] = _EventFile(self.path / run, epoch)
            self._files[run].add_scalar(name.removeprefix("val_"), value, epoch)

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the open files, which a copy has no part in."""
        return vars(self) | {"_files": {}}


class _EventFile:
    """A file of events, which TensorBoard reads while it grows.

    TensorBoard's own writer does the same in a thread, in which an error would go unnoticed.

    Parameters
    ----------
    directory : Path
        The directory.
    step : int
        The first step that follows. TensorBoard leaves out what other files of the directory have
        of this and later steps.
    """

    def __init__(self, directory: Path, step: int) -> None:
        self._protocol = optional_library("tensorboard.compat.proto.event_pb2", "tensorboard")
        self._summaries = optional_library("tensorboard.compat.proto.summary_pb2", "tensorboard")
        self._histograms = optional_library(
            "tensorboard.plugins.histogram.summary_v2", "tensorboard"
        )
        directory.mkdir(parents=True, exist_ok=True)
        # TensorBoard reads the files in the order of their names.
        name = f"events.out.tfevents.{time.time():017.6f}.{socket.gethostname()}.{os.getpid()}"
        file = io.BufferedWriter(io.FileIO(directory / name, "xb"))
        self._writer = _library("record_writer").RecordWriter(file)
        self._add(file_version="brain.Event:2")
        session = self._protocol.SessionLog(status=self._protocol.SessionLog.START)
        self._add(session_log=session, step=step)

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Write a number."""
        # Of the two forms of numbers, this older one is read by all programs.
        entry = self._summaries.Summary.Value(tag=tag, simple_value=value)
        self._add(summary=self._summaries.Summary(value=[entry]), step=step)

    def add_histogram(self, tag: str, values: Any, step: int) -> None:
        """Write the histogram of an array's finite entries."""
        finite = values[np.isfinite(values)]
        self._add(summary=self._histograms.histogram_pb(tag, finite), step=step)

    def flush(self) -> None:
        """Let readers see what was written."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()

    def _add(self, **content: Any) -> None:
        event = self._protocol.Event(wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())


def _library(module: str) -> Any:
    """Return a module of TensorBoard's that writes files."""
    return optional_library(f"tensorboard.summary.writer.{module}", "tensorboard")
