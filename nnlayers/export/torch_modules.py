"""PyTorch modules for layers and containers that PyTorch has no module of.

They are imported with PyTorch, so that modules of exported models can be copied and saved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = [
    "BatchNormModule",
    "EntityEmbeddingModule",
    "FunctionModule",
    "GaussianNoiseModule",
    "GraphModule",
    "IndexModule",
    "PReLUModule",
    "ResidualModule",
]


class FunctionModule(torch.nn.Module):
    """A function of tensors that has no weights, with fixed further arguments.

    Parameters
    ----------
    function : callable
        A function of this module or of PyTorch.
    *arguments : object
        What it gets after the tensors.
    """

    def __init__(self, function: Callable[..., Tensor], *arguments: Any) -> None:
        super().__init__()
        self.function = function
        self.arguments = arguments

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the function of the inputs."""
        return self.function(*inputs, *self.arguments)

    def extra_repr(self) -> str:
        """Return the function and the arguments."""
        return ", ".join([self.function.__name__, *map(repr, self.arguments)])


class ResidualModule(torch.nn.Sequential):
    """Modules in a row, whose output is added to their input."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x + f(x)."""
        y = super().forward(x)
        return x.to(y.dtype) + y


class BatchNormModule(torch.nn.BatchNorm1d):
    """Batch normalization of the last axis, of inputs with any leading axes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized input."""
        return super().forward(x.reshape(-1, self.num_features)).reshape(x.shape)


class EntityEmbeddingModule(torch.nn.Module):
    """Vectors in place of the ids in some columns, after the other columns."""

    def __init__(self, columns: Sequence[int], vectors: Sequence[torch.nn.Parameter]) -> None:
        super().__init__()
        self.columns = list(columns)
        self.W = torch.nn.ParameterList(vectors)

    def forward(self, x: Tensor) -> Tensor:
        """Return the columns that are not ids, and the vectors."""
        others = [column for column in range(x.shape[-1]) if column not in self.columns]
        ids = [x[..., column].to(torch.int64) for column in self.columns]
        vectors = [vectors[rows] for vectors, rows in zip(self.W, ids, strict=True)]
        return torch.cat([x[..., others], *vectors], dim=-1)

    def extra_repr(self) -> str:
        """Return the columns of ids."""
        return f"columns={self.columns}"


class PReLUModule(torch.nn.PReLU):
    """Parametric rectifier with a slope for each entry of the last axis."""

    def forward(self, x: Tensor) -> Tensor:
        """Return x where it is positive, elsewhere its product with the slopes."""
        if self.num_parameters == 1:
            return super().forward(x)
        rows = x.reshape(-1, self.num_parameters)
        return functional.prelu(rows, self.weight).reshape(x.shape)


class GaussianNoiseModule(torch.nn.Module):
    """Independent normal draws added in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        """Return x with draws of the standard deviation `std` added, in training."""
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        """Return the standard deviation."""
        return f"std={self.std}"


class IndexModule(torch.nn.Module):
    """Entries that an index of NumPy chooses."""

    def __init__(self, key: Any) -> None:
        super().__init__()
        self.key = key
        parts = key if isinstance(key, tuple) else (key,)
        self._goes_back = any(isinstance(p, slice) and (p.step or 1) < 0 for p in parts)
        tensors = [torch.as_tensor(p) if isinstance(p, np.ndarray) else p for p in parts]
        self._key = tuple(tensors)

    def forward(self, x: Tensor) -> Tensor:
        """Return x at the index."""
        if not self._goes_back:
            return x[self._key]
        # PyTorch has no slices with a negative step.
        entries = np.arange(x.numel()).reshape(tuple(x.shape))[self.key]
        return x.reshape(-1)[torch.as_tensor(np.ascontiguousarray(entries))].reshape(entries.shape)

    def extra_repr(self) -> str:
        """Return the index."""
        return repr(self.key)


class GraphModule(torch.nn.Module):
    """A graph of modules.

    Parameters
    ----------
    modules : sequence of Module
        Each once.
    steps : sequence of (int, tuple of int, int)
        For each step the index of the module, of its inputs and of its output among the values.
    inputs, outputs : sequence of int
        The indices of inputs and outputs among the values.
    weights, constants : mapping of int to Parameter or Tensor
        Weights and constants by index.
    untyped : set of int
        The constants that take the dtype of the inputs.
    single : bool
        Whether the one output is returned as it is, not in a tuple.
    """

    def __init__(
        self,
        modules: Sequence[torch.nn.Module],
        steps: Sequence[tuple[int, tuple[int, ...], int]],
        inputs: Sequence[int],
        outputs: Sequence[int],
        weights: dict[int, torch.nn.Parameter],
        constants: dict[int, Tensor],
        untyped: set[int],
        single: bool,
    ) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(modules)
        self.weights = torch.nn.ParameterList(weights.values())
        for index, tensor in constants.items():
            self.register_buffer(f"constant{index}", tensor)
        self.steps, self.inputs, self.outputs = list(steps), list(inputs), list(outputs)
        self.single = single
        self._weight_indices = list(weights)
        self._constant_indices = list(constants)
        self._untyped = set(untyped)

    def forward(self, *inputs: Tensor) -> Any:
        """Return the outputs for inputs in the order of the graph's."""
        values: dict[int, Tensor] = dict(zip(self.inputs, inputs, strict=True))
        values |= dict(zip(self._weight_indices, self.weights, strict=True))
        floats = [x.dtype for x in (*inputs, *self.weights) if x.is_floating_point()]
        dtype = torch.float64 if torch.float64 in floats or not floats else torch.float32
        for index in self._constant_indices:
            constant: Tensor = getattr(self, f"constant{index}")
            values[index] = constant.to(dtype) if index in self._untyped else constant
        for layer, parents, node in self.steps:
            values[node] = self.layers[layer](*promote([values[parent] for parent in parents]))
        results = [values[output] for output in self.outputs]
        return results[0] if self.single else tuple(results)


def promote(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
    """Return floats of different dtypes as float64, which PyTorch does for some functions only."""
    if len({x.dtype for x in inputs if x.is_floating_point()}) < 2:
        return inputs
    return [x.to(torch.float64) if x.is_floating_point() else x for x in inputs]


def cast_inputs(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Return the inputs of a module in the dtype of its weights: a hook for `forward`."""
    dtype = next(module.parameters()).dtype
    return tuple(x.to(dtype) for x in inputs)


def clip(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Return x within the limits; one beyond the largest number of x's dtype is infinite."""
    if low is not None:
        x = torch.clamp(x, min=torch.tensor(low, dtype=x.dtype, device=x.device))
    if high is not None:
        x = torch.clamp(x, max=torch.tensor(high, dtype=x.dtype, device=x.device))
    return x


def add_up(x: Tensor, axis: int | tuple[int, ...] | None, keepdims: bool) -> Tensor:
    """Return the sum along axes; None is all."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    return x if axes == () else x.sum(axes, keepdim=keepdims)


def average(x: Tensor, axis: int | tuple[int, ...] | None, keepdims: bool) -> Tensor:
    """Return the mean along axes; None is all."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    return x if axes == () else x.mean(axes, keepdim=keepdims)


def concatenate(*inputs: Any) -> Tensor:
    """Return the tensors joined along the axis that is the last argument."""
    return torch.cat(inputs[:-1], dim=inputs[-1])


def compare(a: Tensor, b: Tensor, sign: str) -> Tensor:
    """Return 1 where a comparison holds, 0 elsewhere."""
    comparisons = {">": torch.gt, ">=": torch.ge, "<": torch.lt, "<=": torch.le}
    return comparisons[sign](a, b).to(torch.result_type(a, b))


def choose(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return a where the condition is not 0, b elsewhere."""
    return torch.where(condition != 0, a, b)


def reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return each row in another shape."""
    size = x[:1].numel() if len(x) else int(np.prod(x.shape[1:]))
    known = int(np.prod([length for length in shape if length != -1]))
    return x.reshape(len(x), *[size // known if length == -1 else length for length in shape])


def transpose(x: Tensor, axes: tuple[int, ...] | None) -> Tensor:
    """Return x with its axes in another order; None is the reverse."""
    return x.permute(tuple(reversed(range(x.ndim))) if axes is None else axes)
