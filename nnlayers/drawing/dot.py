"""Drawings by Graphviz: values above each wire, gradients below it."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

from nnlayers._core.checks import optional_library
from nnlayers._core.files import write_file
from nnlayers.drawing.diagram import (
    Diagram,
    DiagramNode,
    as_diagram,
    inner_diagram,
    parent_indices,
)
from nnlayers.drawing.formulas import format_numbers
from nnlayers.drawing.operations import symbol
from nnlayers.layer import Layer

__all__ = ["draw", "mime_bundle", "render", "to_dot"]

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


_FORMATS = ("svg", "png", "pdf", "dot")
# Graphviz takes a second or two to lay out this many nodes; more would hold up a notebook.
_MAX_NODES = 300
_NO_PROGRAM = (
    "Graphviz's program dot is not installed: 'apt install graphviz' (Debian), "
    "'brew install graphviz' (macOS) or 'conda install graphviz' (Windows)"
)


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
    numbers = _Numbers(as_diagram(layer), is_known=True)
    picture.add_outputs(numbers, picture.add(numbers))
    return "\n".join([_HEAD, *picture.lines, "}", ""])


class _Numbers:
    """The numbers on the wires of a diagram as text, by the indices of the nodes.

    A number that is not known is an empty text.
    """

    def __init__(self, diagram: Diagram, is_known: bool) -> None:
        nodes = diagram.nodes
        index = {node: i for i, node in enumerate(nodes)}
        self.diagram = diagram
        self.names = diagram.names
        self.parents = parent_indices(diagram)
        self.outputs = [index[node] for node in diagram.outputs]
        self.uses = Counter([*self.outputs, *(i for row in self.parents for i in row)])
        indices = range(len(nodes))
        self.values = [_number_text(diagram.value_at(i) if is_known else None) for i in indices]
        self.gradients = [_number_text(diagram.grad_at(i) if is_known else None) for i in indices]
        # A layer that is used several times has the numbers of its last use only.
        uses = Counter([id(node.layer) for node in nodes])
        self.is_known_within = [is_known and uses[id(node.layer)] == 1 for node in nodes]

    def total(self, index: int) -> str:
        """Return the gradient of a node with several wires, each of which has a part of it."""
        return self.gradients[index] if self.uses[index] > 1 else ""

    def sent(self, index: int) -> list[str]:
        """Return the gradients that a node sends to its parents."""
        parents = self.parents[index]
        if not self.gradients[index] or all(self.uses[parent] == 1 for parent in parents):
            return [self.gradients[parent] for parent in parents]
        return [_number_text(part) for part in self.diagram.contributions_at(index)]


class _Picture:
    """The lines of a drawing."""

    def __init__(self, expand: bool) -> None:
        self.expand = expand
        self.lines: list[str] = []
        self.wires = 0

    def add(self, numbers: _Numbers, prefix: str = "n") -> list[str]:
        """Draw the nodes of a diagram and the wires between them.

        Parameters
        ----------
        numbers : _Numbers
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
                within = _Numbers(inner, numbers.is_known_within[index])
                leaving = self.add(within, f"{name}_")[within.outputs[0]]
                entries = [f"{name}_{inner.nodes.index(node)}" for node in inner.inputs]
                self.lines.append("}")
            exits.append(leaving)
            for parent, entry, gradient in zip(parents, entries, numbers.sent(index), strict=True):
                self._wire(exits[parent], entry, numbers.values[parent], gradient)
        return exits

    def add_outputs(self, numbers: _Numbers, exits: list[str]) -> None:
        """Draw a wire for each output."""
        for number, index in enumerate(numbers.outputs):
            text = f"output {number + 1}" if len(numbers.outputs) > 1 else "output"
            self.lines.append(f"output{number} [{_PLAIN}, label=<{text}>]")
            gradient = "" if numbers.total(index) else numbers.gradients[index]
            self._wire(exits[index], f"output{number}", numbers.values[index], gradient)

    def _opens(self, inner: Diagram | None, node: DiagramNode) -> bool:
        """Return whether to draw the diagram within a node instead of one box."""
        fits = inner is not None and len(inner.inputs) == len(node.parents)
        return self.expand and fits

    def _wire(self, start: str, end: str, value: str, gradient: str) -> None:
        """Draw a wire: plain, or through a table of two numbers whose rule is a part of it."""
        if not value:
            self.lines.append(f"{start} -> {end}")
            return
        label = f"wire{self.wires}"
        self.wires += 1
        rows = [_colour(value, _VALUE), _colour(gradient or " ", _GRADIENT)]
        cells = "<hr/>".join(f"<tr><td>{row}</td></tr>" for row in rows)
        table = '<table border="0" cellborder="0" cellspacing="0" cellpadding="1"'
        self.lines.append(f'{label} [{_PLAIN}, label=<{table} color="{_LINE}">{cells}</table>>]')
        self.lines.append(f"{start} -> {label}:w [arrowhead=none]")
        self.lines.append(f"{label}:e -> {end}")


def _label(node: DiagramNode, name: str, total: str) -> str:
    """Return the text of a node: its symbol or value, its name, the sum of its gradients."""
    if node.layer is not None:
        title = symbol(node.layer)
    else:
        title = format_numbers(node.value) if node.kind == "constant" else name
    lines = [_safe(title)]
    if name != title and (node.layer is not None or node.own_name):
        lines.append(f'<font point-size="10">{_safe(name)}</font>')
    if total:
        lines.append(_colour(f"Σ {total}", _GRADIENT))
    return "<br/>".join(lines)


def _number_text(number: Any) -> str:
    """Return a value or a gradient as text, which is empty before a run."""
    return "" if number is None or number.dtype == object else format_numbers(number)


def _colour(text: str, colour: str) -> str:
    return f'<font color="{colour}">{text}</font>'


def _safe(text: str) -> str:
    """Return a text as part of a label, whose syntax is that of XML without control codes."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return escape(shown, quote=False).translate(_SPECIAL)


def draw(layer: Layer, path: str | os.PathLike[str], *, expand: bool = False) -> None:
    """Write the drawing of a graph or a container to a file.

    Parameters
    ----------
    layer : Layer
        The layer to draw.
    path : path
        The file to write. Its suffix is the format: ``.svg``, ``.png``, ``.pdf``, or ``.dot``,
        which is Graphviz's own language and needs no library.
    expand : bool
        Whether to open the graphs and containers within, at every depth; else each is one box.

    Raises
    ------
    ValueError
        If the suffix is another.
    ModuleNotFoundError, RuntimeError
        If the library, or Graphviz's program, is missing.
    OSError
        If the file cannot be written.
    """
    suffix = Path(path).suffix[1:].lower()
    if suffix not in _FORMATS:
        raise ValueError(f"path must end in .svg, .png, .pdf or .dot, got {os.fspath(path)!r}")
    text = to_dot(layer, expand=expand)
    content = text.encode() if suffix == "dot" else render(text, suffix)
    write_file(path, lambda file: file.write(content))


def mime_bundle(layer: Layer) -> dict[str, str]:
    """Return the drawing and the text for a notebook; the text alone for a large graph.

    Examples
    --------
    >>> import nnlayers as nn
    >>> mime_bundle(nn.Graph(nn.exp(nn.Input("x"))))["text/plain"]
    'Graph(x -> exp, 2 nodes)'
    """
    bundle = {"text/plain": repr(layer)}
    if len(as_diagram(layer).nodes) <= _MAX_NODES:
        with suppress(ModuleNotFoundError, RuntimeError):
            bundle["image/svg+xml"] = render(to_dot(layer), "svg").decode()
    return bundle


def render(text: str, suffix: str) -> bytes:
    """Return the picture of a text in Graphviz's language.

    Raises
    ------
    ModuleNotFoundError, RuntimeError
        If the library, or Graphviz's program, is missing or fails.
    """
    graphviz = optional_library("graphviz", "graph")
    try:
        picture: bytes = graphviz.Source(text).pipe(format=suffix, quiet=True)
    except graphviz.ExecutableNotFound as error:
        raise RuntimeError(_NO_PROGRAM) from error
    except (OSError, subprocess.CalledProcessError) as error:
        reason = " ".join(str(error).split())
        raise RuntimeError(f"Graphviz's program dot failed: {reason}") from error
    return picture
