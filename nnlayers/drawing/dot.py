"""Graphs in Graphviz's language: values above each wire, gradients below it."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from nnlayers.drawing.operations import symbol
from nnlayers.drawing.structure import as_graph, is_container
from nnlayers.drawing.values import shortened
from nnlayers.graphs.graph import Graph
from nnlayers.graphs.node import Input, Node
from nnlayers.layer import Layer, Parameter

__all__ = ["to_dot"]

# Each stands out from white and from a dark page at least four times.
_VALUE, _GRADIENT, _LINE = "#00893b", "#d93b3b", "#787878"

_FONT = 'fontname="Helvetica,Arial,sans-serif"'
_HEAD = f"""digraph {{
graph [rankdir=LR, ordering=in, bgcolor=transparent, nodesep=0.2, ranksep=0.25, {_FONT}]
node [style=filled, color="{_LINE}", fontcolor="#202020", margin=0.08, height=0.4, width=0.5]
node [{_FONT}]
edge [color="{_LINE}", arrowsize=0.6]"""

_INPUT = 'shape=ellipse, fillcolor="#cfe3fb"'
_WEIGHT = 'shape=hexagon, fillcolor="#ffe3a3"'
_CONSTANT = 'shape=box, fillcolor="#e2e2e2"'
_OPERATION = 'shape=box, style="filled,rounded", fillcolor="#ffffff"'
_CONTAINER = 'shape=box, peripheries=2, fillcolor="#e9dcf7"'
_CLUSTER = f'style="rounded,dashed"; color="{_LINE}"; fontcolor="{_LINE}"; margin=12;'
_PLAIN = f'shape=plain, style="", fontcolor="{_LINE}"'

# In a label Graphviz has codes of its own such as \N, and it stumbles over lone brackets.
_SPECIAL = str.maketrans({"\\": r"\\", "]": "&#93;"})


def to_dot(layer: Layer, *, expand: bool = False) -> str:
    """Return the drawing of a graph or a container as text for Graphviz's ``dot``.

    Parameters
    ----------
    layer : Layer
        What to draw.
    expand : bool
        Whether graphs and containers within are opened, at every depth, or each is one box.

    Examples
    --------
    >>> import nnlayers as nn
    >>> "n0 -> n2" in to_dot(nn.Graph(nn.Input("x") * 2))
    True
    """
    picture = _Picture(expand)
    numbers = _Numbers(as_graph(layer), known=True)
    picture.add_outputs(numbers, picture.add(numbers))
    return "\n".join([_HEAD, *picture.lines, "}", ""])


class _Numbers:
    """What is written on the wires of a graph, by the places of its nodes; nothing is empty."""

    def __init__(self, graph: Graph, known: bool) -> None:
        count = len(graph.nodes)
        places = {node: place for place, node in enumerate(graph.nodes)}
        self.graph = graph
        self.names = graph.names
        self.parents = [[places[parent] for parent in node.parents] for node in graph.nodes]
        self.outputs = [places[node] for node in graph.outputs]
        self.uses = Counter([*self.outputs, *(place for row in self.parents for place in row)])
        self.values = [_written(graph.value_at(i) if known else None) for i in range(count)]
        self.gradients = [_written(graph.grad_at(i) if known else None) for i in range(count)]
        # A layer that is used several times keeps the numbers of no use.
        used = Counter([id(node.layer) for node in graph.nodes])
        self.known_within = [known and used[id(node.layer)] == 1 for node in graph.nodes]

    def total(self, place: int) -> str:
        """Return the gradient of a node that several wires leave, each with a part of it."""
        return self.gradients[place] if self.uses[place] > 1 else ""

    def sent(self, place: int) -> list[str]:
        """Return the gradients that a node sends to its parents."""
        parents = self.parents[place]
        if not self.gradients[place] or all(self.uses[parent] == 1 for parent in parents):
            return [self.gradients[parent] for parent in parents]
        return [_written(part) for part in self.graph.contributions(self.graph.nodes[place])]


class _Picture:
    """The lines of a drawing."""

    def __init__(self, expand: bool) -> None:
        self.expand = expand
        self.lines: list[str] = []
        self.wires = 0

    def add(self, numbers: _Numbers, prefix: str = "n") -> list[str]:
        """Draw the nodes of a graph and the wires between them.

        Parameters
        ----------
        numbers : _Numbers
            Those of the graph.
        prefix : str
            What the ids of the drawn nodes begin with.

        Returns
        -------
        list of str
            For each node the id of that which its wires leave.
        """
        exits: list[str] = []
        for place, node in enumerate(numbers.graph.nodes):
            name, parents = f"{prefix}{place}", numbers.parents[place]
            label = _label(node, numbers.names[place], numbers.total(place))
            inner = self._opened(node)
            if inner is None:
                self.lines.append(f"{name} [{_style(node)}, label=<{label}>]")
                entries, leaving = [name] * len(parents), name
            else:
                self.lines.append(f"subgraph cluster_{name} {{ {_CLUSTER} label=<{label}>")
                within = _Numbers(inner, numbers.known_within[place])
                leaving = self.add(within, f"{name}_")[within.outputs[0]]
                entries = [f"{name}_{inner.nodes.index(fed)}" for fed in inner.inputs]
                self.lines.append("}")
            exits.append(leaving)
            for parent, entry, gradient in zip(parents, entries, numbers.sent(place), strict=True):
                self._wire(exits[parent], entry, numbers.values[parent], gradient)
        return exits

    def add_outputs(self, numbers: _Numbers, exits: list[str]) -> None:
        """Draw what the graph gives, each with a wire of its own."""
        for index, place in enumerate(numbers.outputs):
            text = f"output {index + 1}" if len(numbers.outputs) > 1 else "output"
            self.lines.append(f"output{index} [{_PLAIN}, label=<{text}>]")
            gradient = "" if numbers.total(place) else numbers.gradients[place]
            self._wire(exits[place], f"output{index}", numbers.values[place], gradient)

    def _opened(self, node: Node) -> Graph | None:
        """Return what is drawn in the place of a node, if it is opened."""
        if not self.expand or node.layer is None or not is_container(node.layer):
            return None
        inner = as_graph(node.layer)
        return inner if len(inner.inputs) == len(node.parents) else None

    def _wire(self, start: str, end: str, value: str, gradient: str) -> None:
        """Draw a wire: through a table of two rows, whose rule is a piece of it, or plain."""
        if not value:
            self.lines.append(f"{start} -> {end}")
            return
        label = f"wire{self.wires}"
        self.wires += 1
        rows = [_coloured(value, _VALUE), _coloured(gradient or " ", _GRADIENT)]
        cells = "<hr/>".join(f"<tr><td>{row}</td></tr>" for row in rows)
        table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1"'
        self.lines.append(f'{label} [{_PLAIN}, label=<{table} color="{_LINE}">{cells}</table>>]')
        self.lines.append(f"{start} -> {label}:w [arrowhead=none]")
        self.lines.append(f"{label}:e -> {end}")


def _style(node: Node) -> str:
    if node.layer is not None:
        return _CONTAINER if is_container(node.layer) else _OPERATION
    given = node.given if isinstance(node, Input) else None
    if given is None:
        return _INPUT
    return _WEIGHT if isinstance(given, Parameter) else _CONSTANT


def _label(node: Node, name: str, total: str) -> str:
    """Return what is written in a node: what it is, its name, and the sum of its gradients."""
    if node.layer is not None:
        title = symbol(node.layer)
    else:
        title = shortened(node.value) if _style(node) == _CONSTANT else name
    lines = [_safe(title)]
    if name != title and (node.layer is not None or node.own_name):
        lines.append(f'<font point-size="10">{_safe(name)}</font>')
    if total:
        lines.append(_coloured(f"Σ {total}", _GRADIENT))
    return "<br/>".join(lines)


def _written(number: Any) -> str:
    """Return a value or a gradient as text; none, as before a run, is empty."""
    return "" if number is None or number.dtype == object else shortened(number)


def _coloured(text: str, colour: str) -> str:
    return f'<font color="{colour}">{text}</font>'


def _safe(text: str) -> str:
    """Return a text for a label, which is a kind of XML and has no control codes."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown, quote=False).translate(_SPECIAL)
