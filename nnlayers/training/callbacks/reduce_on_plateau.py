"""Reduce the learning rate when a value no longer improves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import check_names, read_scalar
from nnlayers.optim.plateau import PlateauRule, check_unscheduled
from nnlayers.training.callbacks.watching import Mode, Watcher

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["ReduceOnPlateau"]


class ReduceOnPlateau(Watcher):
    r"""Multiply the learning rate by a factor once a value no longer improves.

    .. math:: \eta \leftarrow \max(\gamma \eta, \eta_\text{min})

    after more than `patience` epochs in a row without improvement.

    Parameters
    ----------
    monitor : str
        Column of the history to watch.
    factor : float
        :math:`\gamma`, above 0 and below 1.
    patience : int
        Number of epochs without improvement to allow before a reduction, at least 0.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` decides by the name, see
        :class:`~nnlayers.training.callbacks.watching.Watcher`.
    threshold : float
        Share of the best value by which a value must beat it to count as better, at least 0.
    cooldown : int
        Number of epochs after a reduction that are not counted, at least 0.
    min_lr : float
        Smallest learning rate :math:`\eta_\text{min}`, at least 0.
    eps : float
        Reductions that are not larger than this are skipped.

    Attributes
    ----------
    best : float
        Best value so far.
    best_epoch : int
        Epoch of the best value, counted from 1; 0 before there is one.

    Raises
    ------
    ValueError
        If an argument is out of range; at the start of a fit, if the optimizer's learning rate is a
        schedule; at the end of the first epoch, if there is no such column.

    References
    ----------
    PyTorch's ``ReduceLROnPlateau`` has the same definition. For a loop without a trainer, use
    :class:`nnlayers.optim.schedules.ReduceOnPlateau`.

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
        super().__init__(monitor, mode)
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.cooldown, self.min_lr, self.eps = cooldown, min_lr, eps
        self._rule = PlateauRule(
            mode=self.mode,
            factor=factor,
            patience=patience,
            threshold=threshold,
            cooldown=cooldown,
            min_lr=min_lr,
            eps=eps,
        )

    def is_better(self, value: float) -> bool:
        """Return whether `value` beats the best one by more than the threshold."""
        return self._rule.improves(value, self.best)

    def on_fit_start(self, trainer: Trainer) -> None:
        """Raise ``ValueError`` if the learning rate is a schedule."""
        check_unscheduled(trainer.optimizer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Reduce the learning rate if the value has not improved for too long."""
        improved = self.update(trainer.history)
        trainer.optimizer.lr = self._rule.next_lr(trainer.optimizer.lr, improved)

    def state_dict(self) -> dict[str, Array]:
        """Return the best value, its epoch, and the counts of epochs."""
        rule = self._rule
        counts = {"waited": np.array(rule.waited), "cooling": np.array(rule.cooling)}
        return super().state_dict() | counts

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        check_names(self, self.state_dict(), state)
        waited, cooling = (read_scalar(state, name, int) for name in ("waited", "cooling"))
        super().load_state_dict({name: state[name] for name in ("best", "best_epoch")})
        self._rule.waited, self._rule.cooling = waited, cooling
