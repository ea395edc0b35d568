"""The values with which a run of a graph starts: those of its inputs, weights and constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, as_floats, as_reals
from nnlayers.graphs.node import Input, Node, has_float_dtype
from nnlayers.layer import Parameter
from nnlayers.layers.arithmetic import Binary
from nnlayers.layers.operation import is_operation

__all__ = ["Feed", "with_floats"]

_Constants: TypeAlias = list[tuple[int, Any]]


class Feed:
    """Fills the list of a graph's values, whose indices are those of its nodes.

    What has no float dtype (Python numbers, lists of them, integers) takes the dtype of the graph's
    parameters, else of the float arrays beside it, else float64. What layers with passes of their
    own read keeps its integers, which may be ids.

    Attributes
    ----------
    weights : list of (int, Parameter)
        The weights and their indices.
    reads_both : set of int
        The operations that read what such a layer reads too, and so may get integers.
    """

    def __init__(self, nodes: Sequence[Node], inputs: Sequence[Input]) -> None:
        index = {node: i for i, node in enumerate(nodes)}
        operations = [node for node in nodes if node.layer is not None and is_operation(node.layer)]
        layers = [node for node in nodes if node.layer is not None and not is_operation(node.layer)]
        by_layers = {parent for node in layers for parent in node.parents}
        both = {parent for node in operations for parent in node.parents} & by_layers
        given = [node for node in nodes if isinstance(node, Input) and node.given is not None]
        constants = [node for node in given if not isinstance(node.given, Parameter)]
        strong = [node for node in constants if node.has_float_dtype]
        numbers = _numbers_beside_arrays(nodes)

        self._size = len(nodes)
        self._fed = [(index[node], node in by_layers) for node in inputs]
        self.weights = [(index[n], n.given) for n in given if isinstance(n.given, Parameter)]
        self.reads_both = {index[node] for node in operations if not both.isdisjoint(node.parents)}
        # Beside an array a Python number takes the array's dtype, as everywhere in NumPy.
        self._fixed: _Constants = [(index[node], float(node.given)) for node in numbers]
        self._fixed += [(index[node], as_floats(node.given)[()]) for node in strong]
        self._dtypes = [value.dtype for _, value in self._fixed[len(numbers) :]]
        self._loose = [
            (index[node], as_reals(node.given), node in by_layers)
            for node in constants
            if not node.has_float_dtype and node not in numbers
        ]

    def values(
        self, given: Sequence[Any], inputs: Sequence[Input], own_dtype: Callable[[], Any]
    ) -> list[Any]:
        """Return a value for each node, None for those that are still to be computed.

        Parameters
        ----------
        given : sequence of array_like
            What is fed.
        inputs : sequence of Input
            To which node each.
        own_dtype : callable
            Returns the dtype of the graph's parameters, None if it has none.
        """
        values: list[Any] = [None] * self._size
        for i, constant in self._fixed:
            values[i] = constant
        for i, weight in self.weights:
            values[i] = weight.value[()]
        loose: list[tuple[int, Any, bool]] = list(self._loose)
        dtypes = list(self._dtypes)
        for (i, may_be_ids), x, node in zip(self._fed, given, inputs, strict=True):
            if type(x) is np.ndarray and (x.dtype is FLOAT64 or x.dtype is FLOAT32):
                dtypes.append(x.dtype)
                values[i] = x[()]
            elif type(x) is float:
                loose.append((i, x, False))
            else:
                array = as_reals(x, str(node.own_name))
                if has_float_dtype(x, array):
                    array = as_floats(array)
                    dtypes.append(array.dtype)
                    values[i] = array[()]
                else:
                    loose.append((i, array, may_be_ids))
        if loose:
            dtype = own_dtype() or (FLOAT32 if dtypes and FLOAT64 not in dtypes else FLOAT64)
            for i, array, may_be_ids in loose:
                if type(array) is float:
                    values[i] = dtype.type(array)
                elif may_be_ids and array.dtype.kind != "f":
                    values[i] = array[()]
                else:
                    values[i] = array.astype(dtype)[()]
        return values


def with_floats(inputs: Sequence[Any], dtype: np.dtype[Any] | None) -> list[Any]:
    """Return what an operation takes, integers as floats of a dtype, by default float64."""
    return [
        x if type(x) is float or x.dtype.kind == "f" else as_floats(x, dtype)[()] for x in inputs
    ]


def _numbers_beside_arrays(nodes: Sequence[Node]) -> set[Input]:
    """Return the constants that are Python numbers, each use of which is beside an array."""
    numbers: set[Any] = {
        node
        for node in nodes
        if isinstance(node, Input) and isinstance(node.given, bool | int | float)
    }
    beside_arrays: set[Node] = set()
    alone: set[Node] = set()
    for node in nodes:
        fits = isinstance(node.layer, Binary) and not numbers.issuperset(node.parents)
        (beside_arrays if fits else alone).update(node.parents)
    return (numbers & beside_arrays) - alone
