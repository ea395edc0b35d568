"""The layers, one family a file."""

from nnlayers.layers.activations import Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from nnlayers.layers.affine import Affine
from nnlayers.layers.arithmetic import Sum
from nnlayers.layers.noise import Dropout
from nnlayers.layers.sequential import Sequential, mlp
from nnlayers.layers.shaping import Flatten

__all__ = [
    "Affine",
    "Dropout",
    "Flatten",
    "Identity",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Sum",
    "Tanh",
    "mlp",
]
