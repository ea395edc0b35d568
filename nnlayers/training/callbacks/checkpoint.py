"""Keep all that a fit continues from, and the best model."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer, check_path
from nnlayers._core.files import sync_directory
from nnlayers._core.locking import DirectoryLock
from nnlayers._core.state import check_names
from nnlayers.saving import save
from nnlayers.training.callbacks.base import Callback
from nnlayers.training.callbacks.interval import Interval
from nnlayers.training.callbacks.watching import Mode, Watcher
from nnlayers.training.checkpoint_files import (
    has_entry,
    list_checkpoints,
    remove_leftovers,
    write_checkpoint,
)

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Checkpoint"]


class Checkpoint(Callback):
    """Keep all that a fit continues from, and the best model, in a directory.

    A fit that was killed is resumed by the same program with ``fit(..., resume=path)``, and ends
    with the same weights and the same history, to the last bit, as if it had not been killed, see
    :doc:`/guide/training`. A checkpoint holds the weights, the state of the optimizer, of callbacks
    and of all random generators, the history, and the place in the epoch. It is on the disk, under
    its name, before an older one goes. The end of a fit has one, whatever `every` is.

    The best model is in ``best.nn``, which :func:`nnlayers.load` opens.

    Parameters
    ----------
    path : str or path-like
        The directory, which is made if its parent exists.
    every : str
        How often: a number of epochs (``"1 epoch"``), of steps (``"500 steps"``), or a time
        (``"30 s"``, ``"5 min"``), which may be within an epoch too. The compiled engine stops for
        it after the right step; after a time, at the end of a call of about a tenth of a second.
    keep : int
        How many checkpoints to keep, the newest ones, at least 1. From 2 on, there is one to fall
        back to when the newest is damaged.
    monitor : str, optional
        Column of the history that tells the best epoch: ``"auto"`` is ``val_loss``, or ``loss``
        without validation. With None, no model is saved.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` decides by the name, see
        :class:`~nnlayers.training.callbacks.watching.Watcher`.
    min_delta : float
        Amount by which a value must beat the best one to count as better, at least 0.

    Attributes
    ----------
    path : Path
        The directory.
    best_path : Path
        The file of the best model.
    best : float or None
        Best value so far; None without `monitor`.
    best_epoch : int or None
        Epoch of the best value, counted from 1; 0 before there is one.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of range; at the end of the first epoch, if there
        is no such column or the model cannot be saved.
    FileExistsError
        Before the first epoch, if the directory holds checkpoints of another fit.
    OSError
        Before the first epoch, if the directory cannot be made or another process trains with it;
        later, if a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import nnlayers as nn
    >>> def train(epochs, directory, resume=None):
    ...     model = nn.mlp([1, 8, 1], dropout=0.1, rng=0)
    ...     optimizer = nn.optim.Adam(model.parameters())
    ...     keep = Checkpoint(directory, every="2 steps")
    ...     trainer = nn.Trainer(model, nn.MeanSquaredError(), optimizer, callbacks=[keep])
    ...     x = [[1.0], [2.0], [3.0], [4.0]]
    ...     return trainer.fit(x, x, epochs=epochs, batch_size=1, rng=0, resume=resume)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     whole = train(6, f"{name}/whole")
    ...     _ = train(3, f"{name}/parts")
    ...     train(6, f"{name}/parts", resume=f"{name}/parts") == whole
    ...     nn.load(f"{name}/parts/best.nn").predict([[1.0]]).shape
    True
    (1, 1)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: str = "1 epoch",
        keep: int = 3,
        monitor: str | None = "auto",
        mode: Mode = "auto",
        min_delta: float = 0.0,
    ) -> None:
        self.path = check_path("path", path)
        self.every = every
        self._interval = Interval.parse("every", every)
        self.keep = check_integer("keep", keep, minimum=1)
        self.monitor, self.mode, self.min_delta = monitor, mode, min_delta
        self._is_automatic = isinstance(monitor, str) and monitor == "auto"
        column = "val_loss" if self._is_automatic else monitor
        self._watcher = None if column is None else Watcher(column, mode, min_delta)
        self._lock: DirectoryLock | None = None
        self._is_restored = self._has_started = False
        self._epochs = 0
        self._written = 0.0

    @property
    def best_path(self) -> Path:
        """The file of the best model."""
        return self.path / "best.nn"

    @property
    def best(self) -> float | None:
        """Best value so far; None without a watched column."""
        return None if self._watcher is None else self._watcher.best

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the best value; None without a watched column."""
        return None if self._watcher is None else self._watcher.best_epoch

    def on_fit_start(self, trainer: Trainer) -> None:
        """Make the directory and lock it; remove what a process that was killed has left in it."""
        self.path.mkdir(exist_ok=True)
        sync_directory(self.path.parent)
        lock = DirectoryLock(self.path)
        if not lock.acquire():
            raise BlockingIOError(f"{self.path}: another fit writes its checkpoints here")
        self._lock = lock
        if not self._is_continued(trainer):
            raise FileExistsError(
                f"{self.path}: holds checkpoints of another fit; to continue it, pass "
                f"resume={str(self.path)!r} to fit, otherwise choose another path"
            )
        remove_leftovers(self.path, after=trainer.optimizer.steps)
        self._is_restored, self._has_started = False, True
        self._epochs, self._written = len(trainer.history), time.perf_counter()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Save the model of the best epoch so far."""
        watcher = self._watcher
        if watcher is None:
            return
        if self._is_automatic and watcher.monitor not in trainer.history:
            watcher.monitor = "loss"
        if watcher.update(trainer.history):
            save(trainer.model, self.best_path)

    def on_pause(self, trainer: Trainer) -> None:
        """Write a checkpoint if one is due."""
        epochs = len(trainer.history)
        has_ended_epoch, self._epochs = epochs != self._epochs, epochs
        is_over = trainer.is_stopping or not trainer.epochs_left
        if (has_ended_epoch and is_over) or self._is_due(trainer, has_ended_epoch):
            write_checkpoint(self.path, trainer.optimizer.steps, trainer.snapshot(), keep=self.keep)
            self._written = time.perf_counter()

    def steps_to_pause(self, trainer: Trainer) -> int | None:
        """Return the number of steps to the next checkpoint, if it is due by steps."""
        if self._interval.unit != "step":
            return None
        every = int(self._interval.amount)
        return every - trainer.optimizer.steps % every

    def on_fit_end(self, trainer: Trainer) -> None:
        """Unlock the directory."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def state_dict(self) -> dict[str, Array]:
        """Return the best value and its epoch if a column is watched."""
        return {} if self._watcher is None else self._watcher.state_dict()

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        check_names(self, self.state_dict(), state)
        if self._watcher is not None:
            self._watcher.load_state_dict(state)
        self._is_restored = True

    def _is_continued(self, trainer: Trainer) -> bool:
        """Return whether all checkpoints in the directory are those of this fit."""
        existing = list(list_checkpoints(self.path).values())
        if self._has_started or not existing:
            return True
        settings = trainer.snapshot()["fit.settings"] if self._is_restored else None
        return settings is not None and any(
            has_entry(p, "fit.settings", settings) for p in existing
        )

    def _is_due(self, trainer: Trainer, has_ended_epoch: bool) -> bool:
        """Return whether the interval has passed."""
        amount, unit = self._interval.amount, self._interval.unit
        if unit == "second":
            return time.perf_counter() - self._written >= amount
        if unit == "step":
            return trainer.optimizer.steps % amount == 0
        return has_ended_epoch and len(trainer.history) % amount == 0
