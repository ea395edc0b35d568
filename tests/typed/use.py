"""A user's code as type checkers see it; it is never run."""

from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import nnlayers as nn
from nnlayers.graphs.node import Node

Array = npt.NDArray[Any]

x, w = nn.Input("x"), nn.Input("w", value=nn.Parameter(np.ones(3)))
array = np.ones(3)

# Operators, functions and layers give a node of nodes.
assert_type(1 / (1 + nn.exp(-(w @ x))), Node)
assert_type(array * x, Node)
assert_type(nn.exp(x), Node)
assert_type(nn.softmax(x, axis=0), Node)
assert_type(nn.sum(x, axis=(0, 1), keepdims=True), Node)
assert_type(nn.maximum(x, 0.0), Node)
assert_type(nn.maximum(array, x), Node)
assert_type(nn.minimum(0.0, x), Node)
assert_type(nn.clip(x, 0.0, 1.0), Node)
assert_type(nn.where([True, False, True], x, 0.0), Node)
assert_type(nn.where(w, 1.0, 0.0), Node)
assert_type(nn.abs(x), Node)
assert_type(abs(x), Node)
assert_type(x[:, 0], Node)
assert_type(x.T, Node)
assert_type(x > 0, Node)
assert_type(nn.where(x <= w, x, 0.0), Node)
assert_type(nn.matmul(w, x), Node)
assert_type(nn.concatenate(x, array, axis=0), Node)
assert_type(nn.concatenate(array, x), Node)
assert_type(nn.ReLU()(x), Node)
assert_type(nn.Affine(3, 2)(nn.exp(x)), Node)
assert_type(nn.Add()(array, nn.exp(x)), Node)
assert_type(nn.exp(x).named("e"), Node)

# They give an array of arrays, numbers and lists.
assert_type(nn.exp(array), Array)
assert_type(nn.exp([0.0, 1.0]), Array)
assert_type(nn.power(2, 3.0), Array)
assert_type(nn.maximum(array, [1.0, 2.0, 0.0]), Array)
assert_type(nn.clip([1.0, 2.0], high=1.5), Array)
assert_type(nn.where([True, False, True], array, 0.0), Array)
assert_type(nn.concatenate(array, [1.0]), Array)
assert_type(nn.ReLU()(array), Array)
assert_type(nn.Add()(array, 2.0), Array)

# What a container holds is a layer; isinstance says which, and so a type checker knows its weights.
first = nn.mlp([3, 2])[0]
assert_type(first, nn.Layer)
assert isinstance(first, nn.Affine)
assert_type(first.W, nn.Parameter)
