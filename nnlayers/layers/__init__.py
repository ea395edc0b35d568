"""Layers and containers, one family per file."""

from nnlayers.layers.activations import (
    HardTanh,
    Identity,
    Sigmoid,
    Softplus,
    Softsign,
    Tanh,
)
from nnlayers.layers.affine import Affine
from nnlayers.layers.arithmetic import Add, Divide, MatMul, Multiply, Subtract
from nnlayers.layers.choices import Compare, Maximum, Minimum, Where
from nnlayers.layers.elementary import (
    Abs,
    Clip,
    Cos,
    Exp,
    Log,
    Negative,
    Power,
    Reciprocal,
    Sin,
    Sqrt,
    Square,
)
from nnlayers.layers.embedding import Embedding
from nnlayers.layers.ensemble import EnsembleAffine, GroupedAffine
from nnlayers.layers.entity_embedding import EntityEmbedding
from nnlayers.layers.gated import GELU, Mish, SiLU
from nnlayers.layers.indexing import Index, Transpose
from nnlayers.layers.mlp import mlp
from nnlayers.layers.noise import Dropout, GaussianNoise
from nnlayers.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nnlayers.layers.operation import Elementwise, Operation
from nnlayers.layers.piecewise_linear import PiecewiseLinear
from nnlayers.layers.rectifiers import ELU, SELU, LeakyReLU, PReLU, ReLU
from nnlayers.layers.reductions import Mean, Sum
from nnlayers.layers.residual import Residual
from nnlayers.layers.sequential import Sequential
from nnlayers.layers.shaping import Concatenate, Flatten, Reshape
from nnlayers.layers.softmax import LogSoftmax, Softmax

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
    "Divide",
    "Dropout",
    "Elementwise",
    "Embedding",
    "EnsembleAffine",
    "EntityEmbedding",
    "Exp",
    "Flatten",
    "GaussianNoise",
    "GroupedAffine",
    "HardTanh",
    "Identity",
    "Index",
    "LayerNorm",
    "LeakyReLU",
    "Log",
    "LogSoftmax",
    "MatMul",
    "Maximum",
    "Mean",
    "Minimum",
    "Mish",
    "Multiply",
    "Negative",
    "Operation",
    "PReLU",
    "PiecewiseLinear",
    "Power",
    "RMSNorm",
    "ReLU",
    "Reciprocal",
    "Reshape",
    "Residual",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Square",
    "Subtract",
    "Sum",
    "Tanh",
    "Transpose",
    "Where",
    "mlp",
]
