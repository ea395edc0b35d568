"""Layers and example inputs for the tests of the promises that every layer makes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

import nnlayers as nn


class Entry(NamedTuple):
    """Function that makes a layer, and shapes of its inputs, whose first axis is the batch."""

    make: Callable[[], nn.Layer]
    shapes: tuple[tuple[int, ...], ...]
    positive: bool = False

    def draw(self, dtype=np.float64, seed=7):
        """Draw inputs, uniform from 0.5 to 2 if they must be positive, otherwise normal."""
        rng = np.random.default_rng(seed)
        draw = partial(rng.uniform, 0.5, 2.0) if self.positive else partial(rng.normal, 0.0, 1.0)
        return [draw(shape).astype(dtype) for shape in self.shapes]


def shared_weights():
    """Return a graph that uses one layer twice."""
    x, cell = nn.Input("x"), nn.Affine(4, 4, rng=0)
    h = nn.tanh(cell(x))
    return nn.Graph(nn.tanh(cell(h) + h) * 0.5)


def quotient():
    a, b = nn.Input("a"), nn.Input("b")
    return nn.Graph(nn.log(a / b) + nn.square(a - b))


ENTRIES = {
    "Affine": Entry(lambda: nn.Affine(4, 3, bias_init="normal", rng=0), ((5, 4),)),
    "Affine without bias": Entry(lambda: nn.Affine(4, 3, bias=False, rng=0), ((5, 4),)),
    "Affine of three axes": Entry(lambda: nn.Affine(4, 3, rng=0), ((5, 2, 4),)),
    "Identity": Entry(nn.Identity, ((5, 4),)),
    "ReLU": Entry(nn.ReLU, ((5, 4),)),
    "Sigmoid": Entry(nn.Sigmoid, ((5, 4),)),
    "Tanh": Entry(nn.Tanh, ((5, 4),)),
    "Softplus": Entry(lambda: nn.Softplus(beta=2.0), ((5, 4),)),
    "Softsign": Entry(nn.Softsign, ((5, 4),)),
    "HardTanh": Entry(nn.HardTanh, ((5, 4),)),
    "LeakyReLU": Entry(lambda: nn.LeakyReLU(0.1), ((5, 4),)),
    "PReLU": Entry(nn.PReLU, ((5, 4),)),
    "PReLU of columns": Entry(lambda: nn.PReLU(4), ((5, 2, 4),)),
    "ELU": Entry(lambda: nn.ELU(alpha=2.0), ((5, 4),)),
    "SELU": Entry(nn.SELU, ((5, 4),)),
    "GELU": Entry(nn.GELU, ((5, 4),)),
    "GELU by tanh": Entry(lambda: nn.GELU("tanh"), ((5, 4),)),
    "SiLU": Entry(nn.SiLU, ((5, 4),)),
    "Mish": Entry(nn.Mish, ((5, 4),)),
    "Softmax": Entry(nn.Softmax, ((5, 4),)),
    "Softmax of columns": Entry(lambda: nn.Softmax(axis=1), ((5, 4, 3),)),
    "LogSoftmax": Entry(nn.LogSoftmax, ((5, 4),)),
    "LogSoftmax of columns": Entry(lambda: nn.LogSoftmax(axis=1), ((5, 4, 3),)),
    "Sum of all": Entry(nn.Sum, ((5, 4),)),
    "Sum of rows": Entry(lambda: nn.Sum(axis=1, keepdims=True), ((5, 4, 3),)),
    "Dropout": Entry(lambda: nn.Dropout(0.5, rng=0), ((5, 4),)),
    "Dropout of rate 0": Entry(lambda: nn.Dropout(0.0), ((5, 4),)),
    "GaussianNoise": Entry(lambda: nn.GaussianNoise(0.5, rng=0), ((5, 4),)),
    "Flatten": Entry(nn.Flatten, ((5, 4, 3),)),
    "Sequential": Entry(
        lambda: nn.Sequential(nn.Affine(4, 3, rng=0), nn.Tanh(), nn.Affine(3, 2, rng=1)), ((5, 4),)
    ),
    "BatchNorm": Entry(lambda: nn.BatchNorm(4), ((5, 4),)),
    "BatchNorm of three axes": Entry(lambda: nn.BatchNorm(4, momentum=0.3), ((5, 2, 4),)),
    "LayerNorm": Entry(lambda: nn.LayerNorm(4), ((5, 4),)),
    "RMSNorm": Entry(lambda: nn.RMSNorm(4), ((5, 4),)),
    "empty Sequential": Entry(nn.Sequential, ((5, 4),)),
    "mlp": Entry(lambda: nn.mlp([4, 3, 2], dropout=0.3, rng=0), ((5, 4),)),
    "Residual": Entry(
        lambda: nn.Residual(nn.Affine(4, 3, rng=0), nn.Tanh(), nn.Affine(3, 4, rng=1)), ((5, 4),)
    ),
    "Add": Entry(nn.Add, ((5, 4), (5, 4))),
    "Subtract of a column": Entry(nn.Subtract, ((5, 4), (5, 1))),
    "Multiply": Entry(nn.Multiply, ((5, 4), (5, 4))),
    "Divide": Entry(nn.Divide, ((5, 4), (5, 4)), positive=True),
    "Maximum": Entry(nn.Maximum, ((5, 4), (5, 4))),
    "Minimum": Entry(nn.Minimum, ((5, 4), (5, 4))),
    "Compare": Entry(lambda: nn.Compare(">"), ((5, 4), (5, 4))),
    "Compare with a column": Entry(lambda: nn.Compare("<="), ((5, 4), (5, 1))),
    "Where": Entry(nn.Where, ((5, 4), (5, 4), (5, 1))),
    "MatMul of a batch": Entry(nn.MatMul, ((5, 2, 4), (5, 4, 3))),
    "Concatenate": Entry(nn.Concatenate, ((5, 4), (5, 2), (5, 1))),
    "Negative": Entry(nn.Negative, ((5, 4),)),
    "Reciprocal": Entry(nn.Reciprocal, ((5, 4),), positive=True),
    "Square": Entry(nn.Square, ((5, 4),)),
    "Sqrt": Entry(nn.Sqrt, ((5, 4),), positive=True),
    "Power": Entry(lambda: nn.Power(3), ((5, 4),)),
    "Exp": Entry(nn.Exp, ((5, 4),)),
    "Log": Entry(nn.Log, ((5, 4),), positive=True),
    "Abs": Entry(nn.Abs, ((5, 4),)),
    "Clip": Entry(lambda: nn.Clip(-0.5, 0.75), ((5, 4),)),
    "Clip from below": Entry(lambda: nn.Clip(low=-0.5), ((5, 4),)),
    "Clip from above": Entry(lambda: nn.Clip(high=0.5), ((5, 4),)),
    "Sin": Entry(nn.Sin, ((5, 4),)),
    "Cos": Entry(nn.Cos, ((5, 4),)),
    "Index of a column": Entry(lambda: nn.Index((slice(None), -1)), ((5, 4),)),
    "Index of columns": Entry(lambda: nn.Index((..., [2, 0, 2])), ((5, 3, 4),)),
    "Transpose of the last axes": Entry(lambda: nn.Transpose((0, -1, 1)), ((5, 4, 3),)),
    "Mean of rows": Entry(lambda: nn.Mean(axis=-1), ((5, 4),)),
    "Reshape": Entry(lambda: nn.Reshape((2, -1)), ((5, 4),)),
    "PiecewiseLinear": Entry(lambda: nn.PiecewiseLinear(4, 6), ((5, 4),)),
    "EnsembleAffine": Entry(
        lambda: nn.EnsembleAffine(2, 4, 3, r_init="normal", bias_init="normal", rng=0), ((5, 2, 4),)
    ),
    "EnsembleAffine of one input": Entry(
        lambda: nn.EnsembleAffine(2, 4, 3, r_init="normal", s_init="normal", rng=0), ((5, 1, 4),)
    ),
    "GroupedAffine": Entry(
        lambda: nn.GroupedAffine(2, 4, 3, bias_init="normal", rng=0), ((5, 2, 4),)
    ),
    "Graph": Entry(shared_weights, ((5, 4),)),
    "Graph of two inputs": Entry(quotient, ((5, 4), (5, 1)), positive=True),
}
