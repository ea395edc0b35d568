"""Callbacks that watch one column of the history."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_integer, check_path
from nnlayers._core.state import check_names
from nnlayers.layer import Parameter
from nnlayers.optim import SGD, Optimizer, schedules
from nnlayers.saving import save
from nnlayers.training.callback import Callback
from nnlayers.training.monitor import Mode, Monitor

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Checkpoint", "EarlyStopping", "ReduceOnPlateau"]


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
        self.restore_best = check_boolean("restore_best", restore_best)
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
        check_names(self, ("best", "best_epoch", "wait"), own)
        wait = int(own["wait"])
        self._monitor.load_state_dict(own)
        self.wait = wait
        self._weights = weights


class Checkpoint(Callback):
    """Write the model to a file as epochs end, with :func:`nnlayers.save`.

    The file that is there stays whole until the new one takes its place.

    Parameters
    ----------
    path : str or path-like
        The file; its directory must exist. In ``"epoch-{epoch:03d}.nn"`` the number of the epoch,
        from 1, takes the place of the braces.
    monitor : str, optional
        The column of the history to watch: only an epoch with the best value so far is written.
        Without it, every epoch is.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` goes by the name, see
        :class:`~nnlayers.training.monitor.Monitor`.
    min_delta : float
        By how much a value must be better to count, at least 0.

    Attributes
    ----------
    best : float or None
        The best value so far, if one is watched.
    best_epoch : int or None
        Its epoch, from 1; 0 before there is one.

    Raises
    ------
    ValueError
        If an argument is out of range; at the end of the first epoch, if there is no such column or
        the model cannot be saved.
    OSError
        If the directory is missing, before the first epoch, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import nnlayers as nn
    >>> model = nn.mlp([1, 1], rng=0)
    >>> optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     best = Checkpoint(f"{directory}/best.nn", monitor="val_loss")
    ...     trainer = nn.Trainer(model, nn.MeanSquaredError(), optimizer, callbacks=[best])
    ...     _ = trainer.fit([[1.0], [2.0]], [[2.0], [4.0]], epochs=9, validation=0.5, rng=0)
    ...     nn.load(best.path)
    Sequential(
      0: Affine(1, 1)
    )
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str | None = None,
        mode: Mode = "auto",
        min_delta: float = 0.0,
    ) -> None:
        self.path = check_path("path", path)
        self._monitor = None if monitor is None else Monitor(monitor, mode, min_delta)
        self._path_of(1)

    @property
    def best(self) -> float | None:
        """The best value so far, if one is watched."""
        return None if self._monitor is None else self._monitor.best

    @property
    def best_epoch(self) -> int | None:
        """The epoch of the best value."""
        return None if self._monitor is None else self._monitor.best_epoch

    def on_fit_start(self, trainer: Trainer) -> None:
        """Look whether there is a directory to write to."""
        self._path_of(1).parent.stat()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Write the model, if the epoch is to be kept."""
        if self._monitor is None or self._monitor.improved(trainer.history):
            save(trainer.model, self._path_of(len(trainer.history)))

    def state_dict(self) -> dict[str, Array]:
        """Return the best value and its epoch, if one is watched."""
        return {} if self._monitor is None else self._monitor.state_dict()

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        check_names(self, self.state_dict(), state)
        if self._monitor is not None:
            self._monitor.load_state_dict(state)

    def _path_of(self, epoch: int) -> Path:
        try:
            return Path(str(self.path).format(epoch=epoch))
        except (LookupError, ValueError):
            raise ValueError(
                f"path must have no braces but those of {{epoch}}, got {str(self.path)!r}"
            ) from None


class ReduceOnPlateau(Callback):
    r"""Multiply the learning rate by a factor once a value no longer improves.

    .. math:: \eta \leftarrow \max(\gamma \eta, \eta_\text{min})

    after more than `patience` epochs in a row without improvement.

    Parameters
    ----------
    monitor : str
        The column of the history to watch.
    factor : float
        :math:`\gamma`, above 0 and below 1.
    patience : int
        How many epochs without improvement pass before a reduction, at least 0.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` goes by the name, see
        :class:`~nnlayers.training.monitor.Monitor`.
    threshold : float
        An improvement is one by more than this share of the best value, at least 0.
    cooldown : int
        The number of epochs after a reduction in which none is counted, at least 0.
    min_lr : float
        The smallest learning rate :math:`\eta_\text{min}`, at least 0.
    eps : float
        A reduction by no more than this is not made.

    Attributes
    ----------
    best : float
        The best value so far.

    Raises
    ------
    ValueError
        If an argument is out of range; at the start of fit, if the optimizer's learning rate is a
        schedule; at the end of the first epoch, if there is no such column.

    References
    ----------
    PyTorch's ``ReduceLROnPlateau`` has the same definition;
    :class:`nnlayers.optim.schedules.ReduceOnPlateau` is the one for a loop of your own.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Affine(1, 1, weight_init="zeros")
    >>> optimizer = nn.optim.SGD(model.parameters(), lr=1e-9)  # too small to get anywhere
    >>> plateau = ReduceOnPlateau("loss", factor=0.5, patience=1, eps=0.0)
    >>> trainer = nn.Trainer(model, nn.MeanSquaredError(), optimizer, callbacks=[plateau])
    >>> _ = trainer.fit([[1.0]], [[1.0]], epochs=3)
    >>> optimizer.lr
    5e-10
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: Mode = "auto",
        threshold: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self._monitor = Monitor(monitor, mode)
        self._options: dict[str, Any] = {
            "mode": self._monitor.mode,
            "factor": factor,
            "patience": patience,
            "threshold": threshold,
            "cooldown": cooldown,
            "min_lr": min_lr,
            "eps": eps,
        }
        # One of no consequence checks the options and keeps the state until fit brings its own.
        self._plateau = self._plateau_of(SGD([Parameter(0.0)], lr=0.0))

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
        return self._plateau.best

    def on_fit_start(self, trainer: Trainer) -> None:
        """Take hold of the trainer's optimizer."""
        plateau = self._plateau_of(trainer.optimizer)
        plateau.load_state_dict(self._plateau.state_dict())
        self._plateau = plateau

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Take note of the epoch's value, and reduce the learning rate if it is time."""
        self._plateau.step(self._monitor.latest(trainer.history))

    def state_dict(self) -> dict[str, Array]:
        """Return the best value and the counts of epochs."""
        return self._plateau.state_dict()

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        check_names(self, self._plateau.state_dict(), state)
        self._plateau.load_state_dict(state)

    def _plateau_of(self, optimizer: Optimizer) -> schedules.ReduceOnPlateau:
        return schedules.ReduceOnPlateau(optimizer, **self._options)
