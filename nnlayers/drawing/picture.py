"""The drawing of a page: SVG whose parts know in which steps they show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from nnlayers.drawing.layout import Point, lay_out
from nnlayers.drawing.trace import Trace, kind
from nnlayers.graphs.graph import Graph
from nnlayers.graphs.node import Node

__all__ = ["Schedule", "to_svg"]

_BOX, _TURN, _LETTER, _SMALL_LETTER, _LONGEST = 40, 44, 9.0, 7.4, 28
_MOST_POINTS = 40  # of a wire; one to each of a thousand steps would be long
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    ' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)


class Schedule:
    """In which step of the page what happens.

    Step 0 shows what is given, then each operation has one forward; one starts the way back, then
    each operation has one backward.

    Attributes
    ----------
    start : int
        Where the way back starts.
    forward, backward : dict of Node to int
        The steps of the operations.
    """

    def __init__(self, passes: Trace) -> None:
        visits = passes.visits
        self.start = len(visits) + 1
        self.forward = {visit.node: step for step, visit in enumerate(visits, 1)}
        self.backward = {node: 2 * self.start - step for node, step in self.forward.items()}

    def of(self, node: Node) -> list[int]:
        """Return the steps of a node."""
        if node.layer is None:
            return [0]
        return [self.forward[node], self.backward[node]]


def to_svg(graph: Graph, passes: Trace, schedule: Schedule) -> str:
    """Return the drawing as an ``<svg>`` element."""
    return _Picture(graph, passes, schedule).svg()


class _Picture:
    """Nodes by their places in the graph; after them the ends of the outputs' wires."""

    def __init__(self, graph: Graph, passes: Trace, schedule: Schedule) -> None:
        self.nodes, self.passes, self.schedule = graph.nodes, passes, schedule
        self.places = {node: place for place, node in enumerate(graph.nodes)}
        self.ends = dict(enumerate(passes.starts, len(graph.nodes)))
        self.parents = {
            p: [self.places[q] for q in node.parents] for node, p in self.places.items()
        }
        self.parents |= {end: [self.places[node]] for end, node in self.ends.items()}
        symbols = {visit.node: visit.description.symbol for visit in passes.visits}
        self.symbols = [_cut(symbols.get(node) or passes.labels[node]) for node in graph.nodes]
        self.widths = {
            place: max(_BOX, _LETTER * len(symbol) + 20)
            for place, symbol in enumerate(self.symbols)
        } | dict.fromkeys(self.ends, 0)
        values = passes.given | {visit.node: visit.value for visit in passes.visits}
        self.above = {
            (parent, place): _cut(values[self.nodes[parent]])
            for place, parents in self.parents.items()
            for parent in parents
        }
        self.below, self.totals = self._gradients()
        lengths = {w: max(len(text), len(self.below.get(w, ""))) for w, text in self.above.items()}
        labels = {wire: _SMALL_LETTER * length for wire, length in lengths.items()}
        self.rooms = self.widths | {
            self.places[node]: max(self.widths[self.places[node]], _SMALL_LETTER * len(total))
            for node, (_, total) in self.totals.items()
        }
        self.layout = lay_out(self.parents, self.rooms, labels)
        self.wires = {wire: self._trimmed(wire) for wire in self.above}
        parts = {part for points in self.wires.values() for part in pairwise(points)}
        self.leaving = Counter(start for start, _ in parts)

    def _gradients(self) -> tuple[dict[tuple[int, int], str], dict[Node, tuple[int, str]]]:
        """Return what comes back along each wire, and the steps and sums where several meet."""
        parts: dict[tuple[int, int], list[str]] = {}
        totals = {}
        for visit in self.passes.visits:
            for sent in visit.sent:
                wire = self.places[sent.parent], self.places[visit.node]
                parts.setdefault(wire, []).append(sent.value)
                if sent.is_last and sent.earlier:
                    totals[sent.parent] = (
                        self.schedule.backward[visit.node],
                        f"Σ {_cut(sent.total)}",
                    )
        below = {wire: _cut(" + ".join(values)) for wire, values in parts.items()}
        starts = self.passes.starts
        below |= {(self.places[node], end): _cut(starts[node]) for end, node in self.ends.items()}
        return below, totals

    def _trimmed(self, wire: tuple[int, int]) -> list[Point]:
        """Return the points of a wire from node to node instead of centre to centre."""
        *points, (x, y) = self.layout.wire(*wire, _MOST_POINTS)
        if points[0] == self.layout.nodes[wire[0]]:
            points[0] = points[0][0] + self.rooms[wire[0]] / 2, points[0][1]
        return [*points, (x - self.rooms[wire[1]] / 2, y)]

    def svg(self) -> str:
        """Return the element: wires, nodes, and over them the numbers on the wires."""
        width, height = round(self.layout.width), round(self.layout.height)
        outputs = escape(", ".join(self.passes.labels[node] for node in self.passes.starts))
        return "\n".join(
            [
                f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
                f' aria-label="The {len(self.nodes)} nodes that lead to {outputs}">',
                _ARROW,
                *[self._trunk(place) for place in self.places.values()],
                f"<g>{''.join([self._wire(wire) for wire in self.above])}</g>",
                *[self._node(node, place) for node, place in self.places.items()],
                *[self._numbers(wire) for wire in self.above],
                "</svg>",
            ]
        )

    def _trunk(self, place: int) -> str:
        """Return what the drawn ends of long wires leave out."""
        trunk = self.layout.trunks[place]
        if len(trunk) + 2 <= _MOST_POINTS:
            return ""
        x, y = self.layout.nodes[place]
        path = _curve([(x + self.rooms[place] / 2, y), *trunk], x + self.widths[place] / 2)
        return f'<path class="trunk" d="{path}"/>'

    def _wire(self, wire: tuple[int, int]) -> str:
        start, end = wire
        steps = [self.schedule.start] if end in self.ends else self.schedule.of(self.nodes[end])
        if wire not in self.below:  # nothing comes back
            steps = steps[:1]
        points = self.wires[wire]
        x, (x0, y0), (x1, y1) = self.layout.nodes[start][0], *points[-2:]
        bend, level = self._level(wire)
        # Level over the sums below the nodes at both ends, and over its own numbers.
        first = x + self.widths[start] / 2 if len(points) < _MOST_POINTS else points[0][0]
        path = _curve(points[:-1], first)
        if level == y0:
            path += f"H{bend:.1f}" + _turn(bend, y0, x1, y1)
        elif level == y1:
            path += _turn(x0, y0, bend, y1)
        else:
            path += _turn(x0, y0, x1, y1)
        path += f"H{x1 + (self.rooms[end] - self.widths[end]) / 2:.1f}"
        return f'<path class="wire" data-steps="{_joined(steps)}" d="{path}"/>'

    def _level(self, wire: tuple[int, int]) -> tuple[float, float]:
        """Return where a wire turns in its last part, and how far down it is level.

        There is room for its numbers on the side on which it is alone.
        """
        (x0, y0), (x1, y1) = self.wires[wire][-2:]
        if self.leaving[x0, y0] == 1:
            return x1 - _TURN, y0
        if len(set(self.parents[wire[1]])) == 1:
            return x0 + _TURN, y1
        return (x0 + x1) / 2, (y0 + y1) / 2

    def _node(self, node: Node, place: int) -> str:
        x, y = self.layout.nodes[place]
        width = self.widths[place]
        parts = [
            f"<title>{escape(self.passes.labels[node])}</title>",
            f'<rect x="{x - width / 2:.1f}" y="{y - _BOX / 2:.1f}" width="{width:.1f}"'
            f' height="{_BOX}" rx="{_BOX // 2 if node.layer else 6}"/>',
            _text(x, y + 5, self.symbols[place], 'class="symbol"'),
        ]
        if node.layer is not None and node.own_name:
            parts.append(_text(x, y - _BOX / 2 - 6, _cut(self.passes.labels[node]), 'class="name"'))
        if node in self.totals:
            step, total = self.totals[node]
            attributes = f'class="below" data-from="{step}"'
            parts.append(_text(x, y + _BOX / 2 + 15, total, attributes))
        steps = _joined(self.schedule.of(node))
        return f'<g class="node {kind(node)}" data-steps="{steps}">{"".join(parts)}</g>'

    def _numbers(self, wire: tuple[int, int]) -> str:
        """Return the value above a wire, and the gradient below it."""
        (x0, y0), (x1, y1) = self.wires[wire][-2:]
        bend, y = self._level(wire)
        x = (x0 + bend) / 2 if y == y0 else (bend + x1) / 2 if y == y1 else bend
        start, end = wire
        step = self.schedule.of(self.nodes[start])[0]
        parts = [_text(x, y - 5, self.above[wire], f'class="above" data-from="{step}"')]
        if wire in self.below:
            backward, back = self.schedule.backward, self.schedule.start
            step = back if end in self.ends else backward[self.nodes[end]]
            parts.append(_text(x, y + 14, self.below[wire], f'class="below" data-from="{step}"'))
        return "".join(parts)


def _cut(text: str) -> str:
    """Return a text in the length that the drawing has room for."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'


def _joined(steps: Iterable[int]) -> str:
    return " ".join(map(str, steps))


def _curve(points: Sequence[Point], start: float) -> str:
    """Return a path from `start`, as high as the first point, that is level at each point."""
    path = f"M{start:.1f} {points[0][1]:.1f}H{points[0][0]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        path += _turn(x0, y0, x1, y1)
    return path


def _turn(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (x0 + x1) / 2
    return f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
