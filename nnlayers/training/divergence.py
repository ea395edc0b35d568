"""Training that left the finite numbers: the error, and where it came from."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.layer import Layer
from nnlayers.layers import Sequential
from nnlayers.losses.checks import rows_where

__all__ = ["DivergenceError", "gradient_fault", "loss_fault", "weights_fault"]


class DivergenceError(FloatingPointError):
    """The loss, the gradient or the weights of a training step are NaN or infinite.

    Where it is the loss or the gradient, the weights are still those before that step.

    Parameters
    ----------
    fault : str
        What is not finite.
    epoch, step : int
        Where, both counted from 1; the steps of all epochs together.
    remedy : str
        What usually helps.
    """

    def __init__(self, fault: str, epoch: int, step: int, remedy: str) -> None:
        super().__init__(f"training diverged in epoch {epoch}, step {step}: {fault}\n{remedy}")
        self.epoch = epoch
        self.step = step


def loss_fault(
    model: Layer, x: npt.ArrayLike, output: Array, rows: npt.NDArray[np.intp] | slice | None
) -> str:
    """Return words for what made a loss NaN or infinite.

    Parameters
    ----------
    model : Layer
        The model; it is not changed.
    x : array_like
        The batch.
    output : ndarray
        What the model made of it.
    rows : array of int, shape (batch,), or slice, optional
        Where the batch's rows are among those that the user knows.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Identity())
    >>> x = np.array([[1.0], [np.nan]])
    >>> loss_fault(model, x, x, rows=None)
    'x is not finite in row 1'
    """
    x = np.asarray(x)
    if not np.isfinite(x).all():
        return f"x is not finite in {_rows_where_not_finite(x, rows)}"
    fault = weights_fault(model)
    if fault is not None:
        return fault
    if np.isfinite(output).all():
        return "the loss itself is not finite, the model's output is"
    # On a copy, as it stands: forward may draw random numbers and update running statistics.
    for index, layer in _layers(copy.deepcopy(model)):
        x = layer.forward(x)
        if not np.isfinite(x).all():
            return f"the output of {_place(index, layer)} is not finite"
    return "the model's output is not finite"


def gradient_fault(model: Layer) -> str:
    """Return words for where, on the way back, a gradient is first NaN or infinite."""
    for index, layer in reversed(list(_layers(model))):
        if not all(np.isfinite(parameter.grad).all() for parameter in layer.parameters()):
            return f"the gradient of {_place(index, layer)} is not finite"
    return "the norm of the gradient is not finite"


def weights_fault(model: Layer) -> str | None:
    """Return words for the first weights or running statistics that are NaN or infinite, if any.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Affine(1, 2), nn.BatchNorm(2))
    >>> weights_fault(model)
    >>> model[1].running_var[0] = np.nan
    >>> weights_fault(model)
    'the weights of layer 1, BatchNorm(2), are not finite'
    """
    for index, layer in _layers(model):
        within = layer.layers_by_name().values()
        arrays = [parameter.value for parameter in layer.parameters()]
        arrays += [getattr(inner, name) for inner in within for name in inner.state_names]
        if not all(np.isfinite(array).all() for array in arrays):
            return f"the weights of {_place(index, layer)} are not finite"
    return None


def _place(index: str, layer: Layer) -> str:
    """Return words that name a layer: its index, if it is not the model itself, and its repr."""
    description = " ".join(repr(layer).split())
    return f"layer {index}, {description}," if index else description


def _layers(model: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield the layers in order of the forward pass, each with its index such as ``"0.1"``."""
    if not isinstance(model, Sequential):
        yield prefix, model
        return
    for index, layer in enumerate(model):
        yield from _layers(layer, f"{prefix}.{index}" if prefix else str(index))


def _rows_where_not_finite(x: Array, rows: npt.NDArray[np.intp] | slice | None) -> str:
    bad = ~np.isfinite(x)
    if rows is None:
        return rows_where(bad)
    marked = np.zeros((rows.stop if isinstance(rows, slice) else rows.max() + 1), bool)
    marked[rows] = bad.reshape(len(bad), -1).any(axis=1)
    return rows_where(marked)
