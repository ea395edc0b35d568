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
    Affine,
    BatchNorm,
    Dropout,
    Embedding,
    Flatten,
    Identity,
    LayerNorm,
    ReLU,
    RMSNorm,
    Sequential,
    Sigmoid,
    Softmax,
    Softplus,
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
    "Affine",
    "BatchNorm",
    "DivergenceError",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNLL",
    "Hinge",
    "History",
    "Huber",
    "Identity",
    "KLDivergence",
    "Layer",
    "LayerNorm",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Parameter",
    "Poisson",
    "Quantile",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
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
