"""The full derivative of a layer, entry by entry."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers.layer import Layer
from nnlayers.layers.graph import Graph
from nnlayers.numerics import Array
from nnlayers.validation import unknown_name

__all__ = ["jacobian"]


def jacobian(
    layer: Layer, x: npt.ArrayLike | tuple[Any, ...] | Mapping[str, Any], wrt: str = "x"
) -> Array:
    r"""Return the derivative of all entries of the output by all entries of an input or weight.

    .. math::

        J_{i_1 \dots i_n j_1 \dots j_m} =
        \frac{\partial y_{i_1 \dots i_n}}{\partial v_{j_1 \dots j_m}}

    One backward pass gives one row of it, :math:`e_i^T J`, so that all of it costs as many as the
    output has entries. Training never needs it: ``backward`` contracts it with d loss / d y and
    does not form it. The layer and its gradients stay as they are.

    Parameters
    ----------
    layer : Layer
        The function, with one output.
    x : array_like, tuple of array_like, or mapping of str to array_like
        Its input; a tuple of several, or, for a graph, a mapping by name.
    wrt : str
        ``"x"`` for the only input, else the name of a graph's input, or the number of another
        layer's (``"0"``, ``"1"``); or a parameter's name, such as ``"0.W"``.

    Returns
    -------
    ndarray, shape ``y.shape + v.shape``
        v is what `wrt` names.

    Raises
    ------
    ValueError
        If there is no input or parameter of that name.

    Examples
    --------
    >>> import nnlayers as nn
    >>> layer = nn.Affine(2, 2, weight_init="ones", dtype="float64")
    >>> jacobian(layer, [1.0, 2.0])
    array([[1., 1.],
           [1., 1.]])
    >>> jacobian(layer, [1.0, 2.0], wrt="W").shape
    (2, 2, 2)
    """
    layer = copy.deepcopy(layer)
    layer.zero_grad()
    inputs = dict(x) if isinstance(x, Mapping) else x if isinstance(x, tuple) else (x,)
    y = np.asarray(layer.forward(**inputs) if isinstance(inputs, dict) else layer.forward(*inputs))
    names = _input_names(layer, len(inputs))
    parameters = layer.named_parameters()
    number: int | None = None
    if wrt in names or (wrt == "x" and len(names) == 1):
        number = 0 if len(names) == 1 else names.index(wrt)
        variable = np.asarray(inputs[names[number]] if isinstance(inputs, dict) else inputs[number])
    elif wrt in parameters:
        variable = parameters[wrt].value
    else:
        raise ValueError(unknown_name("input or parameter", wrt, [*names, *parameters]))
    rows = np.empty((y.size, *variable.shape), y.dtype)
    for row, dout in zip(rows, np.eye(y.size, dtype=y.dtype), strict=True):
        gradients = layer.backward(dout.reshape(y.shape))
        if number is None:
            row[...] = parameters[wrt].grad
            layer.zero_grad()
        else:
            row[...] = gradients[number] if isinstance(gradients, tuple) else gradients
    return rows.reshape(y.shape + variable.shape)


def _input_names(layer: Layer, count: int) -> list[str]:
    if isinstance(layer, Graph):
        return [str(node.name) for node in layer.inputs]
    return ["x"] if count == 1 else [str(number) for number in range(count)]
