"""Diagrams, the protocol of everything that can be drawn: a list of nodes and their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from nnlayers._core.arrays import Array
from nnlayers._core.naming import default_names
from nnlayers.layer import Layer

__all__ = [
    "Diagram",
    "DiagramNode",
    "HasDiagram",
    "LayerDiagram",
    "as_diagram",
    "inner_diagram",
    "parent_indices",
]


class DiagramNode(Protocol):
    """A node of a diagram: a value that enters it, or a layer applied to other nodes."""

    @property
    def layer(self) -> Layer | None:
        """The layer; None for a value that enters the diagram."""

    @property
    def parents(self) -> Sequence[DiagramNode]:
        """The nodes that the layer is applied to."""

    @property
    def own_name(self) -> str | None:
        """The name that the user gave to the node."""

    @property
    def kind(self) -> str:
        """One of ``"operation"``, ``"input"``, ``"weight"`` and ``"constant"``."""

    @property
    def value(self) -> Any:
        """The value; a drawing asks for that of a constant."""


class Diagram(Protocol):
    """Nodes, each after its parents, with the numbers of the last forward and backward pass."""

    @property
    def nodes(self) -> Sequence[DiagramNode]:
        """All nodes."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the nodes."""

    @property
    def inputs(self) -> Sequence[DiagramNode]:
        """The nodes that get the inputs, in their order."""

    @property
    def outputs(self) -> Sequence[DiagramNode]:
        """The nodes that are the outputs."""

    def value_at(self, index: int) -> Array | None:
        """Return the value of ``nodes[index]``, None before a forward pass."""

    def grad_at(self, index: int) -> Array | None:
        """Return the gradient of ``nodes[index]``, None before a backward pass."""

    def contributions_at(self, index: int, dout: Array | None = None) -> Sequence[Array]:
        """Return the gradients that ``nodes[index]`` sends to its parents.

        With `dout`, those that it would send for another incoming gradient.
        """

    def weight_gradients_at(self, index: int) -> Mapping[str, Array]:
        """Return what ``nodes[index]`` added to the gradients of its layer's parameters, by name.

        It is empty for a layer without parameters, and for one whose results are random.
        """

    def output_grads(self, caller: str) -> Mapping[int, Array]:
        """Return the gradients that ``backward`` was called with, by the indices of the outputs.

        Raises
        ------
        RuntimeError
            If there was no backward pass; the message names `caller`.
        """


@runtime_checkable
class HasDiagram(Protocol):
    """A container that can list the layers within."""

    def diagram(self) -> Diagram | None:
        """Return the layers as nodes; None where the layer does something else with them."""


class _Node:
    """A node without values."""

    own_name: str | None = None
    value = None

    def __init__(self, layer: Layer | None, parents: Sequence[_Node]) -> None:
        self.layer = layer
        self.parents = parents
        self.kind = "input" if layer is None else "operation"


class LayerDiagram:
    """The diagram of a layer with one input that saves no values between its inner layers.

    Parameters
    ----------
    owner : Layer
        The layer that is drawn, for error messages.

    Examples
    --------
    >>> import nnlayers as nn
    >>> diagram = LayerDiagram(nn.Tanh())
    >>> node = diagram.apply(nn.Tanh(), diagram.outputs[0])
    >>> diagram.names
    ['x', 'tanh']
    """

    def __init__(self, owner: Layer) -> None:
        x = _Node(None, ())
        x.own_name = "x"
        self.owner = owner
        self.nodes = [x]
        self.inputs = [x]
        self.outputs = [x]

    def apply(self, layer: Layer, *parents: _Node) -> _Node:
        """Add the node of a layer applied to other nodes, which becomes the output; return it."""
        node = _Node(layer, parents)
        self.nodes.append(node)
        self.outputs = [node]
        return node

    @property
    def names(self) -> list[str]:
        """The names of the nodes, as a graph names them."""
        return default_names(self.nodes)

    def value_at(self, index: int) -> None:
        """Return None, as there are no values."""

    def grad_at(self, index: int) -> None:
        """Return None, as there are no gradients."""

    def contributions_at(self, index: int, dout: Array | None = None) -> tuple[Array, ...]:
        """Return nothing, as there are no gradients."""
        return ()

    def weight_gradients_at(self, index: int) -> dict[str, Array]:
        """Return nothing, as there are no gradients."""
        return {}

    def output_grads(self, caller: str) -> dict[int, Array]:
        """Raise the error that says how to get values."""
        raise RuntimeError(
            f"{type(self.owner).__name__} saves no values between its layers: "
            "convert it with nnlayers.graphs.as_graph(...), and run and explain that graph"
        )


def inner_diagram(layer: Layer | None) -> Diagram | None:
    """Return the diagram within a container; None for a layer that is drawn as one box."""
    return layer.diagram() if isinstance(layer, HasDiagram) else None


def as_diagram(layer: Layer) -> Diagram:
    """Return the diagram of a layer; a single box if it is not a container."""
    diagram = inner_diagram(layer)
    if diagram is not None:
        return diagram
    box = LayerDiagram(layer)
    box.apply(layer, box.nodes[0])
    return box


def parent_indices(diagram: Diagram) -> list[list[int]]:
    """Return the indices of the parents of each node."""
    index = {node: i for i, node in enumerate(diagram.nodes)}
    return [[index[parent] for parent in node.parents] for node in diagram.nodes]
