"""Small neural networks from plain layers, every gradient open to look at.

A layer is two short methods, a network is layers in a row, a loss starts the way back, an
optimizer consumes the gradients:

>>> import numpy as np
>>> import nnlayers as nn
>>> rng = np.random.default_rng(0)
>>> x = rng.normal(size=(200, 2))
>>> y = (x[:, 0] * x[:, 1] > 0).astype(int)
>>> model = nn.mlp([2, 16, 2], rng=0)
>>> loss = nn.SoftmaxCrossEntropy()
>>> optimizer = nn.optim.Adam(model.parameters(), lr=0.05)
>>> for step in range(100):
...     value = loss.forward(model.forward(x), y)
...     _ = model.backward(loss.backward())
...     optimizer.step()
>>> value < 0.1
True
"""

from nnlayers import initializers, optim, testing
from nnlayers.layer import Layer, Parameter
from nnlayers.layers import (
    Add,
    Affine,
    BatchNorm,
    Concatenate,
    Divide,
    Dropout,
    Embedding,
    Exp,
    Flatten,
    Identity,
    LayerNorm,
    Log,
    MatMul,
    Maximum,
    Mean,
    Multiply,
    Negative,
    Power,
    Reciprocal,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Sequential,
    Sigmoid,
    Softmax,
    Softplus,
    Sqrt,
    Square,
    Subtract,
    Sum,
    Tanh,
    mlp,
)
from nnlayers.losses import (
    GaussianNLL,
    Hinge,
    Huber,
    KLDivergence,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
    Poisson,
    Quantile,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
)
from nnlayers.saving import load, save
from nnlayers.training import DivergenceError, History, Trainer, callbacks

__all__ = [
    "Add",
    "Affine",
    "BatchNorm",
    "Concatenate",
    "DivergenceError",
    "Divide",
    "Dropout",
    "Embedding",
    "Exp",
    "Flatten",
    "GaussianNLL",
    "Hinge",
    "History",
    "Huber",
    "Identity",
    "KLDivergence",
    "Layer",
    "LayerNorm",
    "Log",
    "Loss",
    "MatMul",
    "Maximum",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Multiply",
    "Negative",
    "Parameter",
    "Poisson",
    "Power",
    "Quantile",
    "RMSNorm",
    "ReLU",
    "Reciprocal",
    "Reshape",
    "Residual",
    "Sequential",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Sqrt",
    "Square",
    "Subtract",
    "Sum",
    "Tanh",
    "Trainer",
    "callbacks",
    "initializers",
    "load",
    "mlp",
    "optim",
    "save",
    "testing",
]

__version__ = "0.1.0"
