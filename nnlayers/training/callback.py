"""What a callback is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import check_names

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Callback"]


class Callback:
    """Base of all callbacks; each method does nothing until a subclass says otherwise.

    A callback reads ``trainer.history``, whose last row is the epoch that has ended, and may call
    ``trainer.stop()``. One that must go on where it was after a resume has a state.

    Examples
    --------
    >>> class StopAtTarget(Callback):
    ...     def on_epoch_end(self, trainer):
    ...         if trainer.history.last["loss"] < 0.1:
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
        check_names(self, (), state)
