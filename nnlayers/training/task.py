"""Model, loss and metrics of a trainer, and how they are measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_instance
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.training.divergence import QUIET, explain_loss
from nnlayers.training.metrics import (
    EpochMeter,
    Metric,
    Metrics,
    has_sum_reduction,
    measure_output,
)
from nnlayers.training.rows import Indices, Rows

__all__ = ["Task"]


class Task:
    """A model with the loss and the metrics of its output.

    Parameters
    ----------
    model : Layer
        The model.
    loss : Loss
        The loss of its output.
    metrics : iterable of str or callable
        Metrics of its output.

    Attributes
    ----------
    network : Layer
        The object whose ``forward`` takes a batch of :meth:`rows`.
    loss : Loss
        The loss of its output.
    metrics : Metrics
        The metrics of its output.
    """

    def __init__(self, model: Layer, loss: Loss, metrics: Iterable[str | Metric]) -> None:
        check_instance("model", model, Layer)
        check_instance("loss", loss, Loss)
        self.network: Any = model
        self.loss: Any = loss
        self.metrics = Metrics(metrics, loss)

    def rows(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        names: tuple[str, str] = ("X", "y"),
    ) -> Rows:
        """Return a user's data after the checks of :meth:`Rows.for_model`."""
        rows = Rows.for_model(self.network, X, y, sample_weight, names)
        # A mean of losses is finite even where the sum of the weights overflows; a sum is not.
        return rows if has_sum_reduction(self.loss) else rows.with_finite_total_weight()

    def classes(self, rows: Rows) -> Array | None:
        """Return the targets in proportion to which a random split divides the rows, if any."""
        return rows.y if self.loss.targets == "classes" else None

    def meter(self) -> EpochMeter:
        """Return a meter of the loss and the metrics of an epoch."""
        return EpochMeter(self.loss, self.metrics)

    def measure(self, rows: Rows) -> dict[str, float]:
        """Return the loss and the metrics of rows, for which the model predicts."""
        y, weight = rows.targets(rows.indices(slice(None)))
        with np.errstate(**QUIET):
            output = rows.predict(self.network)
        return measure_output(self.loss, self.metrics, output, y, weight)

    def explain(self, x: Any, output: Any, rows: Indices | None) -> str:
        """Return the cause of a loss that is NaN or infinite."""
        return explain_loss(self.network, x, output, rows)
