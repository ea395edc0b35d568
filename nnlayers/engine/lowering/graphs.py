"""Lower graphs: layers whose values are used by several others, cut into columns and joined."""

from __future__ import annotations

from collections import Counter

import numpy as np

from nnlayers.engine.kernels import arithmetic, copying, embedding
from nnlayers.engine.lowering.builder import ProgramBuilder, UnsupportedError, lower_layer, lowers
from nnlayers.engine.program import Buffer
from nnlayers.graphs import Graph, Input, Node
from nnlayers.layers import Concatenate, Index


@lowers(Graph)
def _graph(build: ProgramBuilder, graph: Graph, x: Buffer) -> Buffer:
    layers = [node.layer for node in graph.nodes if node.layer is not None]
    if not graph.single or len(graph.inputs) != 1:
        raise UnsupportedError("a graph of several inputs or outputs")
    if len(set(map(id, layers))) < len(layers):
        raise UnsupportedError("a layer that several nodes of a graph use")
    (output,) = graph.outputs
    uses = Counter([output, *(parent for node in graph.nodes for parent in node.parents)])
    values: dict[Node, list[Buffer]] = {}
    for node in graph.nodes:
        y = _value(build, node, x, [values[parent].pop() for parent in node.parents])
        values[node] = _views(build, y, uses[node])
    return values[output].pop()


def _value(build: ProgramBuilder, node: Node, x: Buffer, parents: list[Buffer]) -> Buffer:
    """Return the value of a node of a graph with input x."""
    if isinstance(node, Input):
        if node.content is not None:
            raise UnsupportedError("a weight or a constant of a graph")
        return x
    assert node.layer is not None
    if len(parents) != 1 and type(node.layer) is not Concatenate:
        raise UnsupportedError(f"{len(parents)} inputs of {node.layer!r}")
    return lower_layer(build, node.layer, *parents)


def _views(build: ProgramBuilder, y: Buffer, uses: int) -> list[Buffer]:
    """Return y for each of its uses, whose gradients are added."""
    if uses == 1:
        return [y]
    views = [Buffer(y.memory, y.shape, base=y.origin) for _ in range(uses)]
    if y.grad is None:
        return views
    build.open_group()
    for view in views:
        view.grad = build.rows(y.shape)
        add = copying.copy if view is views[0] else arithmetic.accumulate
        build.backward(add, view.grad, y.grad)
    return views


@lowers(Index)
def _index(build: ProgramBuilder, layer: Index, x: Buffer) -> Buffer:
    match layer.key:
        case (slice(start=None, stop=None, step=None), slice() as part) if len(x.shape) == 1:
            columns = np.arange(x.shape[0], dtype=np.int64)[part].copy()
        case _:
            raise UnsupportedError(f"the input of shape {x.shape} of {layer!r}")
    y = build.rows(columns.shape, needs_grad=x.grad is not None)
    build.forward(embedding.numbers, x, columns, y)
    if x.grad is not None:
        build.backward(embedding.numbers_backward, columns, y.grad, x.grad)
    return y


@lowers(Concatenate)
def _concatenate(build: ProgramBuilder, layer: Concatenate, *inputs: Buffer) -> Buffer:
    shapes = [x.shape for x in inputs]
    first = shapes[0]
    if not first or layer.axis not in (-1, len(first)) or {s[:-1] for s in shapes} != {first[:-1]}:
        raise UnsupportedError(f"the inputs of shapes {shapes} of {layer!r}")
    width = sum(shape[-1] for shape in shapes)
    y = build.rows((*first[:-1], width), needs_grad=any(x.grad is not None for x in inputs))
    start = 0
    for x in inputs:
        build.forward(copying.join, x, start, y)
        if x.grad is not None:
            build.backward(copying.cut, y.grad, start, x.grad)
        start += x.shape[-1]
    return y
