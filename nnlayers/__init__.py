"""Small neural networks from plain layers, with every gradient open to inspection.

A layer is two short methods, a network is layers in a row, a loss starts the backward pass, an
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

import importlib as _importlib
import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

from nnlayers._core import interruption as _interruption

# A signal may arrive while the imports below run, which take most of the time of a short command.
if _interruption.is_command_line():
    _interruption.exit_on_signals()

from nnlayers import initializers, optim, testing
from nnlayers._core.foreign_names import missing_attribute as _missing_attribute
from nnlayers._core.formula import Formula
from nnlayers.graphs.functions import (
    abs,
    clip,
    concatenate,
    cos,
    exp,
    log,
    log_softmax,
    matmul,
    maximum,
    mean,
    minimum,
    power,
    reciprocal,
    relu,
    reshape,
    sigmoid,
    sin,
    softmax,
    softplus,
    sqrt,
    square,
    sum,
    tanh,
    where,
)
from nnlayers.graphs.graph import Graph
from nnlayers.graphs.jacobian import jacobian
from nnlayers.graphs.node import Input
from nnlayers.layer import Layer, Parameter
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Add,
    Affine,
    BatchNorm,
    Clip,
    Compare,
    Concatenate,
    Cos,
    Divide,
    Dropout,
    Embedding,
    EnsembleAffine,
    EntityEmbedding,
    Exp,
    Flatten,
    GaussianNoise,
    GroupedAffine,
    HardTanh,
    Identity,
    Index,
    LayerNorm,
    LeakyReLU,
    Log,
    LogSoftmax,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Mish,
    Multiply,
    Negative,
    PiecewiseLinear,
    Power,
    PReLU,
    Reciprocal,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Sequential,
    Sigmoid,
    SiLU,
    Sin,
    Softmax,
    Softplus,
    Softsign,
    Sqrt,
    Square,
    Subtract,
    Sum,
    Tanh,
    Transpose,
    Where,
    mlp,
)
from nnlayers.losses import (
    EnsembleLoss,
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
from nnlayers.training import DivergenceError, Ensemble, History, Trainer, callbacks

if _TYPE_CHECKING:
    from nnlayers import drawing, export
    from nnlayers.config import load_run

__all__ = [
    "ELU",
    "GELU",
    "SELU",
    "Abs",
    "Add",
    "Affine",
    "BatchNorm",
    "Clip",
    "Compare",
    "Concatenate",
    "Cos",
    "DivergenceError",
    "Divide",
    "Dropout",
    "Embedding",
    "Ensemble",
    "EnsembleAffine",
    "EnsembleLoss",
    "EntityEmbedding",
    "Exp",
    "Flatten",
    "Formula",
    "GaussianNLL",
    "GaussianNoise",
    "Graph",
    "GroupedAffine",
    "HardTanh",
    "Hinge",
    "History",
    "Huber",
    "Identity",
    "Index",
    "Input",
    "KLDivergence",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Log",
    "LogSoftmax",
    "Loss",
    "MatMul",
    "Maximum",
    "Mean",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Minimum",
    "Mish",
    "Multiply",
    "Negative",
    "PReLU",
    "Parameter",
    "PiecewiseLinear",
    "Poisson",
    "Power",
    "Quantile",
    "RMSNorm",
    "ReLU",
    "Reciprocal",
    "Reshape",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SigmoidCrossEntropy",
    "Sin",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "Subtract",
    "Sum",
    "Tanh",
    "Trainer",
    "Transpose",
    "Where",
    "abs",
    "callbacks",
    "clip",
    "concatenate",
    "cos",
    "drawing",
    "exp",
    "export",
    "initializers",
    "jacobian",
    "load",
    "load_run",
    "log",
    "log_softmax",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "mlp",
    "optim",
    "power",
    "reciprocal",
    "relu",
    "reshape",
    "save",
    "sigmoid",
    "sin",
    "softmax",
    "softplus",
    "sqrt",
    "square",
    "sum",
    "tanh",
    "testing",
    "where",
]

__version__ = "0.1.0"

# Type checkers must not see this function: to them, every misspelt name would then exist.
if not _TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import rooms on first use; translate names of other libraries in the error."""
        if name in ("drawing", "export"):
            return _importlib.import_module(f"nnlayers.{name}")
        if name == "load_run":
            return _importlib.import_module("nnlayers.config").load_run
        modules = {
            "optim": optim,
            "optim.schedules": optim.schedules,
            "callbacks": callbacks,
            "initializers": initializers,
        }
        message = _missing_attribute(name, modules)
        raise AttributeError(message, name=name, obj=_sys.modules[__name__])
