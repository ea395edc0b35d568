"""Training that diverged: the error, and the search for its cause."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.graphs import Graph
from nnlayers.layer import Layer
from nnlayers.layers import Sequential
from nnlayers.losses.checks import rows_where
from nnlayers.optim import Optimizer
from nnlayers.training.gradients import discard_gradients

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = [
    "QUIET",
    "DivergenceError",
    "all_finite",
    "are_weights_finite",
    "check_weights",
    "divergence_error",
    "explain_loss",
    "explain_weights",
    "gradient_error",
]

# A loss that overflows or is undefined raises a DivergenceError that says more than NumPy's
# warnings.
QUIET: dict[str, Any] = {"over": "ignore", "divide": "ignore", "invalid": "ignore"}


class DivergenceError(FloatingPointError):
    """The loss, the gradient or the weights of a training step are NaN or infinite.

    If it is the loss or the gradient, the weights are still those before the step.

    Parameters
    ----------
    cause : str
        Description of what is not finite.
    epoch, step : int
        Epoch and step, both counted from 1; the steps of all epochs together.
    lr : float
        Learning rate, of which the message suggests a lower one.
    clipped : bool
        Whether gradients were clipped already; otherwise the message suggests it.
    """

    def __init__(self, cause: str, epoch: int, step: int, lr: float, clipped: bool) -> None:
        remedies = [f"a lower learning rate (now {lr:g})", "standardised inputs"]
        if not clipped:
            remedies.insert(1, "clip_norm=1.0")
        super().__init__(
            f"training diverged in epoch {epoch}, step {step}: {cause}\n"
            f"What usually helps: {', '.join(remedies)}"
        )
        self.epoch = epoch
        self.step = step


def divergence_error(trainer: Trainer, cause: str, step: int) -> DivergenceError:
    """Return the error for a step of a trainer."""
    epoch, lr = len(trainer.history) + 1, trainer.optimizer.lr
    clipped = trainer.clip_norm is not None or trainer.clip_value is not None
    return DivergenceError(cause, epoch, step, lr, clipped)


def gradient_error(trainer: Trainer) -> DivergenceError:
    """Return the error for a gradient that is not finite, and discard the gradients."""
    cause = _explain_gradient(trainer.model)
    discard_gradients(trainer.model, trainer.optimizer)
    return divergence_error(trainer, cause, trainer.optimizer.steps + 1)


def check_weights(trainer: Trainer) -> None:
    """Raise ``DivergenceError`` if a weight or running statistic is not finite."""
    cause = explain_weights(trainer.model)
    if cause is not None:
        raise divergence_error(trainer, cause, trainer.optimizer.steps)


def are_weights_finite(optimizer: Optimizer) -> bool:
    """Return whether no weight that an optimizer moves is NaN or infinite."""
    return all_finite(run.values for run in optimizer.layout.runs)


def explain_loss(
    model: Layer,
    inputs: Mapping[str, npt.ArrayLike],
    outputs: Iterable[Array],
    rows: npt.NDArray[np.intp] | slice | None,
) -> str:
    """Return the cause of a loss that is NaN or infinite.

    Parameters
    ----------
    model : Layer
        The model; it is not changed.
    inputs : mapping of str to array_like
        The model's inputs of the batch, in their order, by the names that the user knows.
    outputs : iterable of ndarray
        The model's outputs for them.
    rows : array of int, shape (batch,), or slice, optional
        Indices of the batch's rows in the user's data.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Identity())
    >>> x = np.array([[1.0], [np.nan]])
    >>> explain_loss(model, {"x": x}, [x], rows=None)
    'x is not finite in row 1'
    """
    for name, x in inputs.items():
        if not np.isfinite(x).all():
            return f"{name} is not finite in {_nonfinite_rows(np.asarray(x), rows)}"
    cause = explain_weights(model)
    if cause is not None:
        return cause
    if all(np.isfinite(output).all() for output in outputs):
        return "the loss itself is not finite, although the model's output is"
    if isinstance(model, Graph):
        return _explain_node(model)
    (x,) = inputs.values()
    # A copy is run, because forward may draw random numbers and update running statistics.
    for index, layer in _indexed_layers(copy.deepcopy(model)):
        x = layer.forward(x)
        if not np.isfinite(x).all():
            return f"the output of {_layer_name(index, layer)} is not finite"
    return "the model's output is not finite"


def explain_weights(model: Layer) -> str | None:
    """Return the first layer with weights or running statistics that are NaN or infinite, if any.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Affine(1, 2), nn.BatchNorm(2))
    >>> explain_weights(model)
    >>> model[1].running_var[0] = np.nan
    >>> explain_weights(model)
    'the weights of layer 1, BatchNorm(2), are not finite'
    """
    if all_finite(_weights(model)):
        return None
    for index, layer in _indexed_layers(model):
        if not all_finite(_weights(layer)):
            return f"the weights of {_layer_name(index, layer)} are not finite"
    return "the weights of the model itself are not finite"


def all_finite(arrays: Iterable[Array]) -> bool:
    """Return whether no array holds NaN or infinity."""
    # The product of an array with itself is the cheapest way to read every entry. It overflows for
    # large finite entries too, which therefore need a second look.
    return all(math.isfinite(np.vdot(a, a)) or np.isfinite(a).all() for a in arrays)


def _explain_node(graph: Graph) -> str:
    """Return the first node with a value that is NaN or infinite in the last forward pass."""
    for index, name in enumerate(graph.names):
        value = graph.value_at(index)
        if value is not None and not np.isfinite(value).all():
            return f"the node {name!r} of {graph!r} is not finite"
    return f"the output of {graph!r} is not finite"


def _explain_gradient(model: Layer) -> str:
    """Return the first layer of the backward pass with a gradient that is NaN or infinite."""
    for index, layer in reversed(list(_indexed_layers(model))):
        if not all(np.isfinite(parameter.grad).all() for parameter in layer.parameters()):
            return f"the gradient of {_layer_name(index, layer)} is not finite"
    return "the norm of the gradient is not finite"


def _weights(layer: Layer) -> Iterator[Array]:
    """Yield the parameters and running statistics of a layer and its inner layers."""
    for parameter in layer.parameters():
        yield parameter.value
    for inner in layer.named_layers().values():
        for name in inner.state_names:
            yield getattr(inner, name)


def _layer_name(index: str, layer: Layer) -> str:
    """Return a layer's index, unless it is the model itself, and its repr."""
    description = " ".join(repr(layer).split())
    return f"layer {index}, {description}," if index else description


def _indexed_layers(model: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Yield the layers in the order of the forward pass, each with an index such as ``"0.1"``."""
    if not isinstance(model, Sequential):
        yield prefix, model
        return
    for index, layer in enumerate(model):
        yield from _indexed_layers(layer, f"{prefix}.{index}" if prefix else str(index))


def _nonfinite_rows(x: Array, rows: npt.NDArray[np.intp] | slice | None) -> str:
    bad = ~np.isfinite(x)
    if rows is None:
        return rows_where(bad)
    bad_rows = np.zeros((rows.stop if isinstance(rows, slice) else rows.max() + 1), bool)
    bad_rows[rows] = bad.reshape(len(bad), -1).any(axis=1)
    return rows_where(bad_rows)
