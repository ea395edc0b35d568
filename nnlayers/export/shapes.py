"""Find the shape and dtype of a model's inputs, and draw small batches of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array
from nnlayers._core.checks import unknown_name
from nnlayers._core.sizes import check_integers, fits_memory
from nnlayers.graphs import Graph, Node
from nnlayers.layer import Layer
from nnlayers.layers import (
    BatchNorm,
    Embedding,
    EntityEmbedding,
    Index,
    LayerNorm,
    PReLU,
    RMSNorm,
    Sequential,
)
from nnlayers.layers.noise import Noise
from nnlayers.layers.operation import Elementwise

__all__ = ["InputShape", "Probe", "contains", "predict_empty", "probe_lengths", "probes_of"]

InputShape: TypeAlias = Sequence[int] | Mapping[str, Sequence[int]] | None

# Layers whose output has the shape of their input.
_SAME_SHAPE = (Elementwise, Noise, PReLU, BatchNorm, LayerNorm, RMSNorm)


# A batch for an index of a row does not become longer than this.
_MOST_ROWS = 10**4
# No more entries than this are made of the axes of an empty batch, by a sum over its rows.
_MOST_ENTRIES = 10**6


class Probe(NamedTuple):
    """Two small batches of an input of a model."""

    name: str
    batches: tuple[Array, Array]


def probe_lengths(model: Layer) -> tuple[int, int]:
    """Return two numbers of rows, at least 2, of which a model's indices find all that they choose.

    Examples
    --------
    >>> probe_lengths(Sequential(Index([0, -5])))
    (5, 6)
    """
    indices = [layer for layer in model.named_layers().values() if isinstance(layer, Index)]
    least = max([2, *map(_rows_of, indices)])
    return least, least + 1


def _rows_of(layer: Index) -> int:
    """Return how many rows an index by integers needs; 0 for another, and for one far out."""
    parts = layer.key if isinstance(layer.key, tuple) else (layer.key,)
    first = np.asarray(next((part for part in parts if part is not None), 0))
    if first.dtype.kind != "i" or not first.size:
        return 0
    rows = max(int(first.max()) + 1, -int(first.min()))
    return rows if rows <= _MOST_ROWS else 0


def probes_of(
    model: Layer, input_shape: InputShape = None, rows: tuple[int, int] = (2, 3)
) -> list[Probe]:
    """Return two batches of random rows for each input of a model, of two numbers of rows.

    Raises
    ------
    TypeError, ValueError
        If a shape of `input_shape` is not one, there is none for an input whose width does not
        follow from the model, or one for an input that does not exist.
    """
    names = _input_names(model, input_shape)
    shapes = _given_shapes(names, input_shape)
    dtypes = [parameter.dtype for parameter in model.parameters()]
    dtype = FLOAT64 if dtypes and FLOAT32 not in dtypes else FLOAT32
    rng = np.random.default_rng(0)
    probes = []
    for index, name in enumerate(names):
        first = _first_layer(model, index)
        shape = shapes.get(name) or _row_shape(first)
        if shape is None:
            raise ValueError(
                f"the shape of a row of input {name!r} does not follow from the model: "
                "pass input_shape=(features,)" + (", or a shape by name" if len(names) > 1 else "")
            )
        sizes = [(count, *shape) for count in rows]
        with fits_memory(input_shape=shape):
            small, large = [_draw(first, rng, size, dtype) for size in sizes]
        probes.append(Probe(name, (small, large)))
    return probes


def _draw(
    first: Layer | None, rng: np.random.Generator, size: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Return random rows for a layer, with 0 for ids."""
    if isinstance(first, Embedding):
        return np.zeros(size, np.int64)
    rows = rng.normal(size=size).astype(dtype)
    if isinstance(first, EntityEmbedding):
        rows[..., [column for column in first.columns if column < size[-1]]] = 0
    return rows


def _input_names(model: Layer, given: InputShape) -> list[str]:
    if isinstance(model, Graph):
        return [str(node.own_name) for node in model.inputs]
    # A layer such as Concatenate does not say how many inputs it takes.
    if isinstance(given, Mapping) and not isinstance(model, Sequential):
        return [*given]
    return ["x"]


def _given_shapes(names: Sequence[str], given: InputShape) -> dict[str, tuple[int, ...]]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        given = dict.fromkeys(names, given)
    shapes = {}
    for name, shape in given.items():
        if name not in names:
            raise ValueError(unknown_name("input", name, names))
        lengths = [shape] if isinstance(shape, int) else shape
        shapes[name] = tuple(check_integers("input_shape", lengths, minimum=1))
    return shapes


def _row_shape(layer: Layer | None) -> tuple[int, ...] | None:
    """Return the shape of a row that a layer says by its arguments."""
    if isinstance(layer, Embedding):
        return (1,)
    width: Any = getattr(layer, "in_features", getattr(layer, "features", None))
    # The single slope of a PReLU is that of rows of any width.
    is_any = isinstance(layer, PReLU) and width == 1
    return (width,) if isinstance(width, int) and not is_any else None


def contains(model: Layer, layer: Layer) -> bool:
    """Return whether a layer is a model, or a part of it."""
    return any(part is layer for part in model.named_layers().values())


def _first_layer(layer: Layer, index: int = 0) -> Layer | None:
    """Return the first layer that states the width of an input of a model, None if none does."""
    if isinstance(layer, Sequential):
        for inner in layer.layers:
            first = _first_layer(inner)
            if first is not None or not isinstance(inner, _SAME_SHAPE):
                return first
        return None
    if isinstance(layer, Graph):
        return _first_of_node(layer, layer.inputs[index])
    to_layers = getattr(layer, "to_layers", None)
    if to_layers is not None and _row_shape(layer) is None:
        inner = to_layers()
        return None if contains(inner, layer) else _first_layer(inner, index)
    is_first = _row_shape(layer) is not None or isinstance(layer, EntityEmbedding)
    return layer if is_first else None


def _first_of_node(graph: Graph, source: Node) -> Layer | None:
    reached: list[Node] = [source]
    for node in graph.nodes:
        for index, parent in enumerate(node.parents):
            if node.layer is not None and parent in reached:
                first = _first_layer(node.layer, index)
                if first is not None:
                    return first
                if isinstance(node.layer, _SAME_SHAPE):
                    reached.append(node)
    return None


def predict_empty(layer: Any, inputs: Sequence[Array | None]) -> Array | None:
    """Return what a layer predicts of batches without rows, which need no memory.

    Returns
    -------
    ndarray or None
        None if an input is not known, the layer refuses them, or the result has entries, as a sum
        over rows has: what follows could be of any size. What is computed of small constants alone
        may have entries.
    """
    arrays = [x for x in inputs if x is not None]
    shapes = [np.shape(x) for x in arrays if not np.size(x)]
    lengths = [math.prod([length for length in shape if length]) for shape in shapes]
    # Without weights, a layer of constants gives at most as many entries as their product has.
    is_constant = not shapes and not (isinstance(layer, Layer) and layer.parameters())
    most = math.prod(map(np.size, arrays)) if is_constant else max(lengths, default=0)
    if len(arrays) < len(inputs) or most > _MOST_ENTRIES:
        return None
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(layer.predict(*arrays))
    except (ArithmeticError, TypeError, ValueError):
        return None
    return y if is_constant or not y.size else None
