"""Full derivatives of layers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, as_floats
from nnlayers._core.checks import check_instance, unknown_name
from nnlayers._core.showing import shown
from nnlayers.graphs.graph import Graph
from nnlayers.layer import Layer

__all__ = ["jacobian"]


def jacobian(
    layer: Layer, x: npt.ArrayLike | tuple[Any, ...] | Mapping[str, Any], wrt: str = "x"
) -> Array:
    r"""Return the derivative of each entry of the output by each entry of an input or weight.

    .. math::

        J_{i_1 \dots i_n j_1 \dots j_m} =
        \frac{\partial y_{i_1 \dots i_n}}{\partial v_{j_1 \dots j_m}}

    It takes one backward pass for each entry of y. Training never forms it, as ``backward`` returns
    its product with d loss / d y. The layer and its gradients do not change.

    Parameters
    ----------
    layer : Layer
        The layer, with one output.
    x : array_like, tuple of array_like, or mapping of str to array_like
        The input; a tuple for several, or a mapping by name for a graph.
    wrt : str
        The variable v: ``"x"`` for a single input; of several, the name for a graph and the number
        for another layer (``"0"``, ``"1"``); or the name of a parameter, such as ``"0.W"``.

    Returns
    -------
    ndarray
        The derivative, of shape ``y.shape + v.shape``.

    Raises
    ------
    TypeError
        If `layer` is not a layer, or has several outputs.
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
    if not isinstance(layer, Layer):
        raise TypeError(f"layer must be a Layer object, got {shown(layer)}")
    check_instance("wrt", wrt, str)
    layer = copy.deepcopy(layer)
    layer.zero_grad()
    inputs = dict(x) if isinstance(x, Mapping) else x if isinstance(x, tuple) else (x,)
    y = layer.forward(**inputs) if isinstance(inputs, dict) else layer.forward(*inputs)
    if isinstance(y, tuple):
        raise TypeError(f"layer must have one output, {layer!r} has {len(y)}")
    y = as_floats(y)
    names, parameters = _input_names(layer, len(inputs)), layer.named_parameters()
    if wrt == "x" and wrt not in parameters and len(names) == 1:
        wrt = names[0]
    if wrt in names:
        variable = inputs[wrt] if isinstance(inputs, dict) else inputs[names.index(wrt)]
    elif wrt in parameters:
        variable = parameters[wrt].value
    else:
        raise ValueError(unknown_name("input or parameter", wrt, [*names, *parameters]))
    rows = np.empty((y.size, *np.shape(variable)), y.dtype)
    for row, entry in enumerate(np.ndindex(y.shape)):
        dout = np.zeros_like(y)
        dout[entry] = 1
        gradients = layer.backward(dout)
        if wrt in names:
            by_input = gradients if isinstance(gradients, tuple) else (gradients,)
            gradient = by_input[names.index(wrt)]
            rows[row] = 0 if gradient is None else gradient
        else:
            rows[row] = parameters[wrt].grad
            layer.zero_grad()
    return rows.reshape(y.shape + rows.shape[1:])


def _input_names(layer: Layer, count: int) -> list[str]:
    # A subclass of Graph may have another forward, with other arguments.
    if isinstance(layer, Graph) and len(layer.inputs) == count:
        return [str(node.own_name) for node in layer.inputs]
    return ["x"] if count == 1 else [str(number) for number in range(count)]
