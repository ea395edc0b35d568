"""What looks on at the ends of epochs, and may stop the training."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
import numpy.typing as npt

from nnlayers.numerics import Array
from nnlayers.training.history import History
from nnlayers.training.monitor import Mode, Monitor
from nnlayers.validation import check_integer

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["CSVLogger", "Callback", "EarlyStopping", "LambdaCallback"]


class Callback:
    """Base of all callbacks; each method does nothing until a subclass says otherwise.

    A callback reads ``trainer.history``, whose last row is the epoch that has ended, and may call
    ``trainer.stop()``. One that must go on where it was after a resume has a state.

    Examples
    --------
    >>> class StopAtTarget(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         if trainer.history["loss"][-1] < 0.1:
    ...             trainer.stop()
    """

    def on_fit_start(self, trainer: Trainer) -> None:
        """Do something before the first epoch of a fit."""

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Do something when an epoch, and its row of the history, is complete."""

    def on_fit_end(self, trainer: Trainer) -> None:
        """Do something when a fit ends, in whatever way, even where a start has failed."""

    def state_dict(self) -> dict[str, Array]:
        """Return what to go on from, as arrays by name."""
        return {}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave.

        Raises
        ------
        ValueError
            If an entry is missing or unknown.
        """
        if state:
            names = ", ".join(map(repr, state))
            raise ValueError(f"state does not fit {type(self).__name__}: unknown {names}")


class LambdaCallback(Callback):
    """Call functions of your own, each with the trainer.

    Parameters
    ----------
    on_epoch_end, on_fit_start, on_fit_end : callable, optional
        ``function(trainer)``.

    Examples
    --------
    >>> report = LambdaCallback(lambda trainer: print(trainer.history.rows[-1]))
    """

    def __init__(
        self,
        on_epoch_end: Callable[[Trainer], Any] | None = None,
        on_fit_start: Callable[[Trainer], Any] | None = None,
        on_fit_end: Callable[[Trainer], Any] | None = None,
    ) -> None:
        functions = {
            "on_epoch_end": on_epoch_end,
            "on_fit_start": on_fit_start,
            "on_fit_end": on_fit_end,
        }
        for name, function in functions.items():
            if function is not None:
                if not callable(function):
                    raise TypeError(f"{name} must be a function of the trainer, got {function!r}")
                setattr(self, name, function)


class EarlyStopping(Callback):
    r"""Stop when a value has not become better for some epochs, and go back to the best weights.

    The count of epochs goes on from one fit to the next, and starts anew after a stop.

    Parameters
    ----------
    monitor : str
        The column of the history to watch.
    patience : int
        How many epochs in a row without a better value end the fit, at least 1.
    min_delta : float
        By how much a value must be better to count, at least 0.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` goes by the name, see
        :class:`~nnlayers.training.monitor.Monitor`.
    restore_best : bool
        Whether the model gets the weights of the best epoch at the end of fit, however it ends.

    Attributes
    ----------
    best : float
        The best value so far.
    best_epoch : int
        Its epoch, from 1; 0 before there is one.
    wait : int
        For how many epochs there has been no better one.

    Raises
    ------
    ValueError
        If an argument is out of range; at the end of the first epoch, if there is no such column.

    References
    ----------
    L. Prechelt, "Early stopping - but when?", in: Neural Networks: Tricks of the Trade, Springer
    1998.

    Examples
    --------
    >>> EarlyStopping("val_accuracy", patience=5).mode
    'max'
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        mode: Mode = "auto",
        restore_best: bool = True,
    ) -> None:
        self.patience = check_integer("patience", patience, minimum=1)
        self.restore_best = bool(restore_best)
        self.wait = 0
        self._monitor = Monitor(monitor, mode, min_delta)
        self._weights: dict[str, Array] = {}

    @property
    def monitor(self) -> str:
        """The column that is watched."""
        return self._monitor.column

    @property
    def mode(self) -> str:
        """``"min"`` or ``"max"``."""
        return self._monitor.mode

    @property
    def best(self) -> float:
        """The best value so far."""
        return self._monitor.best

    @property
    def best_epoch(self) -> int:
        """The epoch of the best value."""
        return self._monitor.best_epoch

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Look at the epoch's value."""
        if self._monitor.improved(trainer.history):
            self.wait = 0
            if self.restore_best:
                self._weights = trainer.model.state_dict()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.wait = 0
            trainer.stop()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Give the model its best weights."""
        if self.restore_best and self._weights:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Array]:
        """Return the best value, its epoch and weights, and the wait."""
        weights = {f"weights.{name}": array.copy() for name, array in self._weights.items()}
        return self._monitor.state_dict() | {"wait": np.array(self.wait)} | weights

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        weights: dict[str, Array] = {}
        own: dict[str, Array] = {}
        for name, array in state.items():
            is_weight = name.startswith("weights.")
            (weights if is_weight else own)[name.removeprefix("weights.")] = np.array(array)
        if own.keys() != {"best", "best_epoch", "wait"}:
            raise ValueError(
                "state does not fit EarlyStopping: "
                f"expected 'best', 'best_epoch' and 'wait', got {sorted(own)}"
            )
        self._monitor.load_state_dict(own)
        self.wait = int(own["wait"])
        self._weights = weights


class CSVLogger(Callback):
    """Write the history to a CSV file, one row an epoch, as the epochs end.

    The file is the trainer's history at all times: a fit that continues adds its epochs, a new
    trainer starts the file anew. Each row is on its way to disk before the next epoch.

    Parameters
    ----------
    path : str or path-like
        The file; its directory must exist.

    Raises
    ------
    OSError
        At the start of fit, if the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: TextIO | None = None
        self._columns: tuple[str, ...] = ()

    def on_fit_start(self, trainer: Trainer) -> None:
        """Write the epochs there are."""
        self._write_all(trainer.history)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the epoch, or everything where there are new columns."""
        history = trainer.history
        if self._file is None or history.columns != self._columns:
            self._write_all(history)
        else:
            csv.writer(self._file).writerow([len(history), *history.rows[-1].values()])
            self._file.flush()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Close the file, with the rows that the history has after all."""
        if self._file is not None:
            self._write_all(trainer.history)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write_all(self, history: History) -> None:
        """Put a new file in the place of the old one, which is whole until then."""
        self._close()
        new = self.path.with_name(self.path.name + ".new")
        with new.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["epoch", *history.columns])
            writer.writerows([epoch, *row.values()] for epoch, row in enumerate(history, 1))
        new.replace(self.path)
        self._file = self.path.open("a", encoding="utf-8", newline="")
        self._columns = history.columns
