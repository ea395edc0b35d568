"""Save the model as epochs end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_path
from nnlayers._core.state import check_names
from nnlayers.saving import save
from nnlayers.training.callbacks.base import Callback
from nnlayers.training.callbacks.watching import Mode, Watcher

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Checkpoint"]


class Checkpoint(Callback):
    """Save the model to a file as epochs end, with :func:`nnlayers.save`.

    An existing file stays intact until the new one is complete and replaces it.

    Parameters
    ----------
    path : str or path-like
        The file; its directory must exist. ``{epoch}`` is replaced by the number of the epoch,
        counted from 1, as in ``"epoch-{epoch:03d}.nn"``.
    monitor : str, optional
        Column of the history to watch: only epochs with the best value so far are saved. Without
        it, every epoch is.
    mode : {"auto", "min", "max"}
        Whether small or large values are good; ``"auto"`` decides by the name, see
        :class:`~nnlayers.training.callbacks.watching.Watcher`.
    min_delta : float
        Amount by which a value must beat the best one to count as better, at least 0.

    Attributes
    ----------
    best : float or None
        Best value so far; None without `monitor`.
    best_epoch : int or None
        Epoch of the best value, counted from 1; 0 before there is one.

    Raises
    ------
    ValueError
        If an argument is out of range; at the end of the first epoch, if there is no such column or
        the model cannot be saved.
    OSError
        Before the first epoch, if the directory does not exist; later, if the file cannot be
        written.

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
      0: Affine(1, 1, weight_init='glorot_uniform')
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
        self._watcher = None if monitor is None else Watcher(monitor, mode, min_delta)
        self._path_of(epoch=1)

    @property
    def best(self) -> float | None:
        """Best value so far; None without a watched column."""
        return None if self._watcher is None else self._watcher.best

    @property
    def best_epoch(self) -> int | None:
        """Epoch of the best value; None without a watched column."""
        return None if self._watcher is None else self._watcher.best_epoch

    def on_fit_start(self, trainer: Trainer) -> None:
        """Raise ``OSError`` if the directory does not exist."""
        self._path_of(epoch=1).parent.stat()

    def on_epoch_end(self, trainer: Trainer) -> None:
        """Save the model if no column is watched, or if its value has improved."""
        if self._watcher is None or self._watcher.update(trainer.history):
            save(trainer.model, self._path_of(epoch=len(trainer.history)))

    def state_dict(self) -> dict[str, Array]:
        """Return the best value and its epoch if a column is watched."""
        return {} if self._watcher is None else self._watcher.state_dict()

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        check_names(self, self.state_dict(), state)
        if self._watcher is not None:
            self._watcher.load_state_dict(state)

    def _path_of(self, epoch: int) -> Path:
        try:
            return Path(str(self.path).format(epoch=epoch))
        except (LookupError, ValueError):
            raise ValueError(
                f"path must have no braces but those of {{epoch}}, got {str(self.path)!r}"
            ) from None
