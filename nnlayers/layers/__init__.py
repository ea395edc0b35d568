"""The layers, one family a file."""

from nnlayers.layers.activations import Identity, ReLU, Sigmoid, Softmax, Softplus, Tanh
from nnlayers.layers.affine import Affine
from nnlayers.layers.arithmetic import Sum
from nnlayers.layers.embedding import Embedding
from nnlayers.layers.noise import Dropout
from nnlayers.layers.normalization import BatchNorm, LayerNorm, RMSNorm
from nnlayers.layers.sequential import Sequential, mlp
from nnlayers.layers.shaping import Flatten

__all__ = [
    "Affine",
    "BatchNorm",
    "Dropout",
    "Embedding",
    "Flatten",
    "Identity",
    "LayerNorm",
    "RMSNorm",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Sum",
    "Tanh",
    "mlp",
]
