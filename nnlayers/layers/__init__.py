"""The layers, one family a file."""

from nnlayers.layers.activations import Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from nnlayers.layers.affine import Affine
from nnlayers.layers.arithmetic import Add, Divide, MatMul, Maximum, Multiply, Subtract
from nnlayers.layers.elementary import Exp, Log, Negative, Power, Reciprocal, Sqrt, Square
from nnlayers.layers.embedding import Embedding
from nnlayers.layers.noise import Dropout
from nnlayers.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nnlayers.layers.operation import Elementwise, Operation
from nnlayers.layers.reductions import Mean, Sum
from nnlayers.layers.residual import Residual
from nnlayers.layers.sequential import Sequential, mlp
from nnlayers.layers.shaping import Concatenate, Flatten, Reshape

__all__ = [
    "Add",
    "Affine",
    "BatchNorm",
    "Concatenate",
    "Divide",
    "Dropout",
    "Elementwise",
    "Embedding",
    "Exp",
    "Flatten",
    "Identity",
    "LayerNorm",
    "Log",
    "MatMul",
    "Maximum",
    "Mean",
    "Multiply",
    "Negative",
    "Operation",
    "Power",
    "RMSNorm",
    "ReLU",
    "Reciprocal",
    "Reshape",
    "Residual",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Sqrt",
    "Square",
    "Subtract",
    "Sum",
    "Tanh",
    "mlp",
]
