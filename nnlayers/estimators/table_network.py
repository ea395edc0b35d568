"""Networks of members that share their weights, for rows of numbers, flags and ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.data.scaling import PiecewiseScaler
from nnlayers.data.workers import column_workers
from nnlayers.graphs import Graph, Input, Node
from nnlayers.graphs.functions import concatenate
from nnlayers.layers import (
    Affine,
    Dropout,
    EnsembleAffine,
    EntityEmbedding,
    GroupedAffine,
    PiecewiseLinear,
    ReLU,
    Reshape,
    Sequential,
)

__all__ = ["NetworkSize", "bin_edges", "build_network"]

# So many rows place the edges of 96 bins within a fraction of a bin.
_MOST_ROWS = 20_000


@dataclass(frozen=True)
class NetworkSize:
    """Sizes of a network.

    Parameters
    ----------
    members : int
        The number of networks that share the weights.
    width, depth : int
        The number of features of a hidden layer, and the number of hidden layers.
    bins, dim : int
        The number of bins of a number's encoding, and the length of the vector made of it.
    vector_lr_scale : float
        The factor of the learning rate of the layer that makes these vectors. A small one leaves
        them close to the straight lines that they start with.
    dropout : float
        The share of features that are dropped after a hidden layer.
    """

    members: int
    width: int
    depth: int
    bins: int
    dim: int
    vector_lr_scale: float
    dropout: float


def bin_edges(numbers: Array, most_bins: int, rng: np.random.Generator) -> Array:
    """Return edges of bins that hold about as many rows each, for the numbers of training rows.

    Parameters
    ----------
    numbers : (rows, numbers) ndarray
        The numbers. Of very many rows a part is drawn.
    most_bins : int
        The largest number of bins.
    rng : numpy.random.Generator
        The source of all draws.

    Returns
    -------
    ndarray, shape (numbers, bins + 1), float32
        The edges in ascending order; of numbers with fewer bins, the last one is repeated.
    """
    if len(numbers) > _MOST_ROWS:
        numbers = numbers[np.sort(rng.choice(len(numbers), _MOST_ROWS, replace=False))]
    columns = np.ascontiguousarray(numbers.T)
    with column_workers(columns.size) as run:
        scalers = run(lambda x: PiecewiseScaler.fit(x.astype(np.float64), most_bins), columns)
        edges = [np.array(scaler.edges, np.float32) for scaler in scalers]
    length = max(map(len, edges), default=2)
    padded = [np.pad(column, (0, length - len(column)), mode="edge") for column in edges]
    return np.array(padded, np.float32).reshape(len(edges), length)


def build_network(
    edges: Array,
    flags: int,
    levels: list[int],
    outputs: int,
    size: NetworkSize,
    rng: np.random.Generator,
) -> Sequential:
    r"""Return a network of members that share their weights, of output (rows, members, outputs).

    Each number x gets a piecewise-linear encoding and from it a vector, which starts as a straight
    line :math:`wx + b`. Flags stay as they are, ids are looked up. The first layer multiplies the
    vector of each feature by a random factor of each member; the layers behind it are those of all
    members, the last one has weights for each.

    Parameters
    ----------
    edges : (numbers, bins + 1) ndarray
        The edges of the bins of each number; the numbers come first in a row.
    flags : int
        The number of features between the numbers and the ids.
    levels : list of int
        The number of ids of each of the last features.
    outputs : int
        The number of outputs of a member.
    size : NetworkSize
        The sizes.
    rng : numpy.random.Generator
        The source of all draws.

    References
    ----------
    Y. Gorishniy, A. Kotelnikov and A. Babenko, "TabM: advancing tabular deep learning with
    parameter-efficient ensembling", ICLR 2025.
    """
    inputs, lengths = _embed(edges, flags, levels, size, rng)
    first = EnsembleAffine(size.members, sum(lengths), size.width, rng=rng)
    # A factor for each feature, and not for each entry of its vector, makes members differ more.
    first.r.value[...] = np.repeat(rng.normal(size=(size.members, len(lengths))), lengths, axis=1)
    hidden = []
    for _ in range(size.depth - 1):
        hidden += [Affine(size.width, size.width, rng=rng), ReLU(), Dropout(size.dropout, rng=rng)]
    head = GroupedAffine(size.members, size.width, outputs, weight_init="lecun_normal", rng=rng)
    start = [inputs, Reshape((1, sum(lengths))), first, ReLU(), Dropout(size.dropout, rng=rng)]
    return Sequential(*start, *hidden, head)


def _embed(
    edges: Array, flags: int, levels: list[int], size: NetworkSize, rng: np.random.Generator
) -> tuple[Graph, list[int]]:
    """Return the layer that turns each feature into a vector, and the lengths of the vectors."""
    x = Input("x")
    numbers = len(edges)
    parts: list[Node] = []
    lengths: list[int] = []
    if numbers:
        encoding = PiecewiseLinear(numbers, edges.shape[1] - 1)
        encoding.edges.value[...] = edges
        codes: Node = encoding(x[:, :numbers])
        vectors: Node = _lines(encoding, size.dim, rng).scale_lr(size.vector_lr_scale)(codes)
        parts.append(Reshape((numbers * size.dim,))(vectors))
        lengths += [size.dim] * numbers
    if flags:
        parts.append(x[:, numbers : numbers + flags])
        lengths += [1] * flags
    if levels:
        embedding = EntityEmbedding(range(len(levels)), levels, rng=rng)
        parts.append(embedding(x[:, numbers + flags :]))
        lengths += [parameter.shape[1] for parameter in embedding.W]
    first, *others = parts
    joined = concatenate(first, *others) if others else first
    return Graph(joined), lengths


def _lines(encoding: PiecewiseLinear, dim: int, rng: np.random.Generator) -> GroupedAffine:
    """Return a layer from codes to vectors that starts with a straight line for each entry."""
    edges = encoding.edges.value
    layer = GroupedAffine(encoding.features, encoding.bins, dim, rng=rng)
    slopes = rng.normal(size=(encoding.features, 1, dim))
    # The sum of the codes, each times the width of its bin, is x minus the first edge.
    layer.W.value[...] = np.diff(edges)[:, :, np.newaxis] * slopes
    offsets = rng.normal(size=(encoding.features, dim))
    layer.b.value[...] = edges[:, :1] * slopes[:, 0] + offsets
    return layer
