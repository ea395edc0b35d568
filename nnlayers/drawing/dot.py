"""Drawings in Graphviz's language: values above each wire, gradients below it."""

from __future__ import annotations

from html import escape

from nnlayers._core.arrays import Array
from nnlayers.drawing.arrays import format_numbers
from nnlayers.drawing.diagram import Diagram, DiagramNode, as_diagram, inner_diagram
from nnlayers.drawing.operations import symbol
from nnlayers.drawing.scene import DiagramNumbers
from nnlayers.layer import Layer

__all__ = ["to_dot"]

# Each colour has a contrast of at least 4 with white and with a dark page.
_VALUE, _GRADIENT, _LINE = "#00893b", "#d93b3b", "#787878"

_FONT = 'fontname="Helvetica,Arial,sans-serif"'
_HEAD = f"""digraph {{
graph [rankdir=LR, ordering=in, bgcolor=transparent, nodesep=0.2, ranksep=0.25, {_FONT}]
node [style=filled, color="{_LINE}", fontcolor="#202020", margin=0.08, height=0.4, width=0.5]
node [{_FONT}]
edge [color="{_LINE}", arrowsize=0.6]"""

_STYLES = {
    "input": 'shape=ellipse, fillcolor="#cfe3fb"',
    "weight": 'shape=hexagon, fillcolor="#ffe3a3"',
    "constant": 'shape=box, fillcolor="#e2e2e2"',
    "operation": 'shape=box, style="filled,rounded", fillcolor="#ffffff"',
}
_CONTAINER = 'shape=box, peripheries=2, fillcolor="#e9dcf7"'
_CLUSTER = f'style="rounded,dashed"; color="{_LINE}"; fontcolor="{_LINE}"; margin=12;'
_PLAIN = f'shape=plain, style="", fontcolor="{_LINE}"'

# Graphviz replaces codes such as \N in a label, and fails on a closing bracket.
_SPECIAL = str.maketrans({"\\": r"\\", "]": "&#93;"})


def to_dot(layer: Layer, *, expand: bool = False) -> str:
    """Return the drawing of a graph or a container as text for Graphviz's ``dot``.

    Parameters
    ----------
    layer : Layer
        The layer to draw.
    expand : bool
        Whether to open the graphs and containers within, at every depth; else each is one box.

    Examples
    --------
    >>> import nnlayers as nn
    >>> "n0 -> n2" in to_dot(nn.Graph(nn.Input("x") * 2))
    True
    """
    picture = _Picture(expand)
    numbers = DiagramNumbers(as_diagram(layer), is_known=True)
    picture.add_outputs(numbers, picture.add(numbers))
    return "\n".join([_HEAD, *picture.lines, "}", ""])


class _Picture:
    """The lines of a drawing."""

    def __init__(self, expand: bool) -> None:
        self.expand = expand
        self.lines: list[str] = []
        self.wires = 0

    def add(self, numbers: DiagramNumbers, prefix: str = "n") -> list[str]:
        """Draw the nodes of a diagram and the wires between them.

        Parameters
        ----------
        numbers : DiagramNumbers
            The numbers of the diagram.
        prefix : str
            The beginning of the ids of the drawn nodes.

        Returns
        -------
        list of str
            For each node the id at which its wires start.
        """
        exits: list[str] = []
        for index, node in enumerate(numbers.diagram.nodes):
            name, parents = f"{prefix}{index}", numbers.parents[index]
            label = _label(node, numbers.names[index], numbers.total(index))
            diagram = inner_diagram(node.layer)
            inner = diagram if self._opens(diagram, node) else None
            if inner is None:
                style = _STYLES[node.kind] if diagram is None else _CONTAINER
                self.lines.append(f"{name} [{style}, label=<{label}>]")
                entries, leaving = [name] * len(parents), name
            else:
                self.lines.append(f"subgraph cluster_{name} {{ {_CLUSTER} label=<{label}>")
                within = DiagramNumbers(inner, numbers.is_known_within[index])
                leaving = self.add(within, f"{name}_")[within.outputs[0]]
                entries = [f"{name}_{inner.nodes.index(node)}" for node in inner.inputs]
                self.lines.append("}")
            exits.append(leaving)
            for parent, entry, gradient in zip(parents, entries, numbers.sent(index), strict=True):
                self._wire(exits[parent], entry, numbers.values[parent], gradient)
        return exits

    def add_outputs(self, numbers: DiagramNumbers, exits: list[str]) -> None:
        """Draw a wire for each output."""
        for number, index in enumerate(numbers.outputs):
            text = f"output {number + 1}" if len(numbers.outputs) > 1 else "output"
            self.lines.append(f"output{number} [{_PLAIN}, label=<{text}>]")
            gradient = numbers.gradients[index] if numbers.total(index) is None else None
            self._wire(exits[index], f"output{number}", numbers.values[index], gradient)

    def _opens(self, inner: Diagram | None, node: DiagramNode) -> bool:
        """Return whether to draw the diagram within a node instead of one box."""
        fits = inner is not None and len(inner.inputs) == len(node.parents)
        return self.expand and fits

    def _wire(self, start: str, end: str, value: Array | None, gradient: Array | None) -> None:
        """Draw a wire: plain, or through a table of two numbers whose rule is a part of it."""
        if value is None:
            self.lines.append(f"{start} -> {end}")
            return
        label = f"wire{self.wires}"
        self.wires += 1
        below = " " if gradient is None else format_numbers(gradient)
        rows = [_colour(format_numbers(value), _VALUE), _colour(below, _GRADIENT)]
        cells = "<hr/>".join(f"<tr><td>{row}</td></tr>" for row in rows)
        table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1"'
        self.lines.append(f'{label} [{_PLAIN}, label=<{table} color="{_LINE}">{cells}</table>>]')
        self.lines.append(f"{start} -> {label}:w [arrowhead=none]")
        self.lines.append(f"{label}:e -> {end}")


def _label(node: DiagramNode, name: str, total: Array | None) -> str:
    """Return the text of a node: its symbol or value, its name, the sum of its gradients."""
    if node.layer is not None:
        title = symbol(node.layer)
    else:
        title = format_numbers(node.value) if node.kind == "constant" else name
    lines = [_safe(title)]
    if name != title and (node.layer is not None or node.own_name):
        lines.append(f'<font point-size="10">{_safe(name)}</font>')
    if total is not None:
        lines.append(_colour(f"Σ {format_numbers(total)}", _GRADIENT))
    return "<br/>".join(lines)


def _colour(text: str, colour: str) -> str:
    return f'<font color="{colour}">{text}</font>'


def _safe(text: str) -> str:
    """Return a text as part of a label, whose syntax is that of XML without control codes."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown, quote=False).translate(_SPECIAL)
