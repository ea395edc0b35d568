"""Watching one column of the history for its best value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_choice, check_number, unknown_name
from nnlayers.training.history import History

__all__ = ["Mode", "Monitor"]

Mode: TypeAlias = Literal["auto", "min", "max"]


class Monitor:
    """The best value so far of a column of the history.

    Parameters
    ----------
    column : str
        Its name.
    mode : {"auto", "min", "max"}
        Whether small or large values are good. ``"auto"`` goes by the name: large for ``accuracy``
        and what ends in ``_score``, small for what ends in ``loss``, ``_error`` or ``_deviance``,
        which is scikit-learn's convention for the names of metrics.
    min_delta : float
        By how much a value must be better to count, at least 0.

    Raises
    ------
    TypeError
        If `column` is no string.
    ValueError
        If `mode` is ``"auto"`` and the name tells nothing, or an argument is out of range.

    Examples
    --------
    >>> history, monitor = History(), Monitor("loss")
    >>> for loss in [3.0, 2.0, 2.5]:
    ...     history.append({"loss": loss})
    ...     print(monitor.improved(history), monitor.best)
    True 3.0
    True 2.0
    False 2.0
    """

    def __init__(self, column: str, mode: Mode = "auto", min_delta: float = 0.0) -> None:
        if not isinstance(column, str):
            raise TypeError(f"monitor must be the name of a column of the history, got {column!r}")
        check_choice("mode", mode, ["auto", "min", "max"])
        self.column = column
        self.mode = _direction(column) if mode == "auto" else mode
        self.min_delta = check_number("min_delta", min_delta, minimum=0)
        self.best = math.inf if self.mode == "min" else -math.inf
        self.best_epoch = 0

    def latest(self, history: History) -> float:
        """Return the value of the last epoch.

        Raises
        ------
        ValueError
            If the history has no such column.
        """
        if self.column not in history:
            hint = ", and val_ columns with validation" if self.column.startswith("val_") else ""
            raise ValueError(unknown_name("monitor", self.column, history.columns) + hint)
        return history.last[self.column]

    def improved(self, history: History) -> bool:
        """Return whether the last epoch is the best so far; NaN never is.

        Raises
        ------
        ValueError
            If the history has no such column.
        """
        value = self.latest(history)
        gain = self.best - value if self.mode == "min" else value - self.best
        better = gain > self.min_delta
        if better:
            self.best, self.best_epoch = value, len(history)
        return better

    def state_dict(self) -> dict[str, Array]:
        """Return the best value and its epoch."""
        return {"best": np.array(self.best), "best_epoch": np.array(self.best_epoch)}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        best, best_epoch = float(np.asarray(state["best"])), int(np.asarray(state["best_epoch"]))
        self.best, self.best_epoch = best, best_epoch


def _direction(column: str) -> Literal["min", "max"]:
    if column.endswith(("accuracy", "_score")):
        return "max"
    if column.endswith(("loss", "_error", "_deviance")):
        return "min"
    raise ValueError(f"mode must be 'min' or 'max' for monitor {column!r}, got 'auto'")
