"""Stop training when a value no longer improves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_integer
from nnlayers._core.state import check_names, read_scalar
from nnlayers.training.callbacks.watching import Mode, Watcher

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["EarlyStopping"]


class EarlyStopping(Watcher):
    r"""Stop when a value has not improved for some epochs, and restore the best weights.

    The count of epochs continues from one fit to the next, and starts again after a stop.

    Parameters
    ----------
    monitor : str
        Column of the history to watch.
    patience : int
        Number of epochs in a row without a better value that end the fit, at least 1.
    min_delta : float
        Amount by which a value must beat the best one to count as better, at least 0.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` decides by the name, see
        :class:`~nnlayers.training.callbacks.watching.Watcher`.
    restore_best : bool
        Whether the model gets the weights of the best epoch at the end of a fit, however it ends.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, counted from 1; 0 before there is one.
    wait : int
        Number of epochs since the best one.

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
        super().__init__(monitor, mode, min_delta)
        self.patience = check_integer("patience", patience, minimum=1)
        self.restore_best = check_boolean("restore_best", restore_best)
        self.wait = 0
        self._weights: dict[str, Array] = {}

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Save the weights of a better epoch, or stop after too many that are not."""
        if self.update(trainer.history):
            self.wait = 0
            if self.restore_best:
                self._weights = trainer.model.state_dict()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.wait = 0
            trainer.stop()

    def on_fit_end(self, trainer: Trainer) -> None:
        """Restore the weights of the best epoch."""
        if self.restore_best and self._weights:
            trainer.model.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Array]:
        """Return the best value, its epoch and weights, and the wait."""
        weights = {f"weights.{name}": array.copy() for name, array in self._weights.items()}
        return super().state_dict() | {"wait": np.array(self.wait)} | weights

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        weights = {
            name.removeprefix("weights."): np.array(array)
            for name, array in state.items()
            if name.startswith("weights.")
        }
        counts = {name: state[name] for name in state if not name.startswith("weights.")}
        check_names(self, ("best", "best_epoch", "wait"), counts)
        wait = read_scalar(counts, "wait", int)
        del counts["wait"]
        super().load_state_dict(counts)
        self.wait, self._weights = wait, weights
