"""Base class of callbacks that watch a column of the history for its best value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_choice, check_number, unknown_name
from nnlayers._core.showing import shown
from nnlayers._core.state import check_names, read_scalar
from nnlayers.training.callbacks.base import Callback
from nnlayers.training.history import History
from nnlayers.training.measures import is_larger_better

__all__ = ["Mode", "Watcher"]

Mode: TypeAlias = Literal["auto", "min", "max"]


class Watcher(Callback):
    """Base class of callbacks that watch a column of the history for its best value.

    A subclass calls :meth:`update` once an epoch.

    Parameters
    ----------
    monitor : str
        Name of the column.
    mode : {"auto", "min", "max"}
        Whether small or large values are good. ``"auto"`` decides by the name: as it is for the
        metrics that :class:`~nnlayers.training.Trainer` knows by name, such as ``roc_auc``; large
        for other names that end in ``accuracy`` or ``_score``, small for those that end in
        ``loss``, ``_error`` or ``_deviance``, which is scikit-learn's convention.
    min_delta : float
        Amount by which a value must beat the best one to count as better, at least 0.

    Attributes
    ----------
    monitor : str
        Name of the column.
    mode : {"min", "max"}
        Whether small or large values are good.
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, counted from 1; 0 before there is one.

    Raises
    ------
    TypeError
        If `monitor` is not a string.
    ValueError
        If `mode` is ``"auto"`` and the name does not decide it, or an argument is out of range.

    Examples
    --------
    >>> history, watcher = History(), Watcher("loss")
    >>> for loss in [3.0, 2.0, 2.5]:
    ...     history.append({"loss": loss})
    ...     print(watcher.update(history), watcher.best)
    True 3.0
    True 2.0
    False 2.0
    """

    def __init__(self, monitor: str, mode: Mode = "auto", min_delta: float = 0.0) -> None:
        if not isinstance(monitor, str):
            raise TypeError(
                f"monitor must be the name of a column of the history, got {shown(monitor)}"
            )
        check_choice("mode", mode, ["auto", "min", "max"])
        self.monitor = monitor
        self.mode = _mode_by_name(monitor) if mode == "auto" else mode
        self.min_delta = check_number("min_delta", min_delta, minimum=0)
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch = 0

    def update(self, history: History) -> bool:
        """Compare the last epoch with the best so far; return whether it is better.

        Raises
        ------
        ValueError
            If the history has no such column.
        """
        if self.monitor not in history:
            hint = ", and val_ columns with validation" if self.monitor.startswith("val_") else ""
            raise ValueError(unknown_name("monitor", self.monitor, history.columns) + hint)
        value = history.last[self.monitor]
        if not self.is_better(value):
            return False
        self.best, self.best_epoch = value, len(history)
        return True

    def is_better(self, value: float) -> bool:
        """Return whether `value` beats the best one by more than ``min_delta``; NaN never does."""
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta

    def state_dict(self) -> dict[str, Array]:
        """Return the best value and its epoch."""
        return {"best": np.array(self.best), "best_epoch": np.array(self.best_epoch)}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing, unknown or not a number; then nothing has changed.
        """
        check_names(self, ("best", "best_epoch"), state)
        best = read_scalar(state, "best", float)
        best_epoch = read_scalar(state, "best_epoch", int)
        self.best, self.best_epoch = best, best_epoch


def _mode_by_name(column: str) -> Literal["min", "max"]:
    larger = is_larger_better(column)
    if larger is None:
        raise ValueError(f"mode must be 'min' or 'max' for monitor {shown(column)}, got 'auto'")
    return "max" if larger else "min"
