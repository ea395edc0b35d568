"""The drawing of a page: SVG whose parts are marked with the steps that they belong to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise

from nnlayers.drawing.layout import Point, lay_out
from nnlayers.drawing.trace import Trace

__all__ = ["Schedule", "to_svg"]

_BOX, _TURN, _LETTER, _SMALL_LETTER, _MAX_TEXT = 40, 44, 9.0, 7.4, 28
# A wire past each of a thousand steps would take most of the page.
_MAX_POINTS = 40
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    ' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>'
)


class Schedule:
    """The steps of the page.

    Step 0 shows the given values, then each operation has a forward step; one step starts the
    backward pass, then each operation has a backward step.

    Attributes
    ----------
    start : int
        The step that starts the backward pass.
    forward, backward : dict of int to int
        The steps of the operations, by the indices of their nodes.
    """

    def __init__(self, passes: Trace) -> None:
        visits = passes.visits
        self.start = len(visits) + 1
        self.forward = {visit.node: step for step, visit in enumerate(visits, 1)}
        self.backward = {index: 2 * self.start - step for index, step in self.forward.items()}

    def of(self, index: int) -> list[int]:
        """Return the steps of a node."""
        return [self.forward[index], self.backward[index]] if index in self.forward else [0]


def to_svg(passes: Trace, schedule: Schedule) -> str:
    """Return the drawing as an ``<svg>`` element."""
    return _Picture(passes, schedule).svg()


class _Picture:
    """Nodes by their indices, and after them the ends of the outputs' wires."""

    def __init__(self, passes: Trace, schedule: Schedule) -> None:
        self.nodes, self.passes, self.schedule = passes.nodes, passes, schedule
        self.ends = dict(enumerate(passes.starts, len(passes.nodes)))
        self.parents = dict(enumerate(passes.parents))
        self.parents |= {end: [output] for end, output in self.ends.items()}
        symbols = {visit.node: visit.description.symbol for visit in passes.visits}
        self.symbols = [_shorten(symbols.get(i) or label) for i, label in enumerate(passes.labels)]
        self.widths = {
            i: max(_BOX, _LETTER * len(symbol) + 20) for i, symbol in enumerate(self.symbols)
        } | dict.fromkeys(self.ends, 0)
        self.above = {
            (parent, i): _shorten(passes.values[parent])
            for i, parents in self.parents.items()
            for parent in parents
        }
        self.below, self.totals = self._gradients()
        lengths = {w: max(len(text), len(self.below.get(w, ""))) for w, text in self.above.items()}
        labels = {wire: _SMALL_LETTER * length for wire, length in lengths.items()}
        self.rooms = self.widths | {
            i: max(self.widths[i], _SMALL_LETTER * len(total))
            for i, (_, total) in self.totals.items()
        }
        self.layout = lay_out(self.parents, self.rooms, labels)
        self.wires = {wire: self._trimmed(wire) for wire in self.above}
        parts = {part for points in self.wires.values() for part in pairwise(points)}
        self.leaving = Counter(start for start, _ in parts)

    def _gradients(self) -> tuple[dict[tuple[int, int], str], dict[int, tuple[int, str]]]:
        """Return the gradients of the wires, and the sums of nodes with several and their steps."""
        parts: dict[tuple[int, int], list[str]] = {}
        totals = {}
        for visit in self.passes.visits:
            for contribution in visit.contributions:
                parts.setdefault((contribution.parent, visit.node), []).append(contribution.value)
                if contribution.is_last and contribution.earlier:
                    step = self.schedule.backward[visit.node]
                    totals[contribution.parent] = step, f"Σ {_shorten(contribution.total)}"
        below = {wire: _shorten(" + ".join(values)) for wire, values in parts.items()}
        starts = self.passes.starts
        below |= {(output, end): _shorten(starts[output]) for end, output in self.ends.items()}
        return below, totals

    def _trimmed(self, wire: tuple[int, int]) -> list[Point]:
        """Return the points of a wire from node to node instead of centre to centre."""
        *points, (x, y) = self.layout.wire(*wire, _MAX_POINTS)
        if points[0] == self.layout.nodes[wire[0]]:
            points[0] = points[0][0] + self.rooms[wire[0]] / 2, points[0][1]
        return [*points, (x - self.rooms[wire[1]] / 2, y)]

    def svg(self) -> str:
        """Return the element: wires and nodes, with the numbers of the wires on top."""
        width, height = round(self.layout.width), round(self.layout.height)
        outputs = escape(", ".join(self.passes.labels[i] for i in self.passes.starts))
        return "\n".join(
            [
                f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img"'
                f' aria-label="The {len(self.nodes)} nodes that lead to {outputs}">',
                _ARROW,
                *[self._trunk(i) for i in range(len(self.nodes))],
                f"<g>{''.join([self._wire(wire) for wire in self.above])}</g>",
                *[self._node(i) for i in range(len(self.nodes))],
                *[self._numbers(wire) for wire in self.above],
                "</svg>",
            ]
        )

    def _trunk(self, index: int) -> str:
        """Return the part of a node's long wires that :meth:`_wire` leaves out."""
        trunk = self.layout.trunks[index]
        if len(trunk) + 2 <= _MAX_POINTS:
            return ""
        x, y = self.layout.nodes[index]
        path = _curve([(x + self.rooms[index] / 2, y), *trunk], x + self.widths[index] / 2)
        return f'<path class="trunk" d="{path}"/>'

    def _wire(self, wire: tuple[int, int]) -> str:
        start, end = wire
        steps = [self.schedule.start] if end in self.ends else self.schedule.of(end)
        if wire not in self.below:  # A constant gets no gradient.
            steps = steps[:1]
        points = self.wires[wire]
        x, (x0, y0), (x1, y1) = self.layout.nodes[start][0], *points[-2:]
        bend, level = self._level(wire)
        # The wire is level beside the sums below both of its nodes, and at its own numbers.
        first = x + self.widths[start] / 2 if len(points) < _MAX_POINTS else points[0][0]
        path = _curve(points[:-1], first)
        if level == y0:
            path += f"H{bend:.1f}" + _turn(bend, y0, x1, y1)
        elif level == y1:
            path += _turn(x0, y0, bend, y1)
        else:
            path += _turn(x0, y0, x1, y1)
        path += f"H{x1 + (self.rooms[end] - self.widths[end]) / 2:.1f}"
        return f'<path class="wire" data-steps="{_join_steps(steps)}" d="{path}"/>'

    def _level(self, wire: tuple[int, int]) -> tuple[float, float]:
        """Return the x at which a wire turns in its last part, and the y at which it is level.

        There is room for its numbers on the side where no other wire runs.
        """
        (x0, y0), (x1, y1) = self.wires[wire][-2:]
        if self.leaving[x0, y0] == 1:
            return x1 - _TURN, y0
        if len(set(self.parents[wire[1]])) == 1:
            return x0 + _TURN, y1
        return (x0 + x1) / 2, (y0 + y1) / 2

    def _node(self, index: int) -> str:
        node, label = self.nodes[index], self.passes.labels[index]
        x, y = self.layout.nodes[index]
        width = self.widths[index]
        parts = [
            f"<title>{escape(label)}</title>",
            f'<rect x="{x - width / 2:.1f}" y="{y - _BOX / 2:.1f}" width="{width:.1f}"'
            f' height="{_BOX}" rx="{_BOX // 2 if node.layer else 6}"/>',
            _text(x, y + 5, self.symbols[index], 'class="symbol"'),
        ]
        if node.layer is not None and node.own_name:
            parts.append(_text(x, y - _BOX / 2 - 6, _shorten(label), 'class="name"'))
        if index in self.totals:
            step, total = self.totals[index]
            attributes = f'class="below" data-from="{step}"'
            parts.append(_text(x, y + _BOX / 2 + 15, total, attributes))
        steps = _join_steps(self.schedule.of(index))
        return f'<g class="node {node.kind}" data-steps="{steps}">{"".join(parts)}</g>'

    def _numbers(self, wire: tuple[int, int]) -> str:
        """Return the value above a wire, and the gradient below it."""
        (x0, y0), (x1, y1) = self.wires[wire][-2:]
        bend, y = self._level(wire)
        x = (x0 + bend) / 2 if y == y0 else (bend + x1) / 2 if y == y1 else bend
        start, end = wire
        step = self.schedule.of(start)[0]
        parts = [_text(x, y - 5, self.above[wire], f'class="above" data-from="{step}"')]
        if wire in self.below:
            backward, back = self.schedule.backward, self.schedule.start
            step = back if end in self.ends else backward[end]
            parts.append(_text(x, y + 14, self.below[wire], f'class="below" data-from="{step}"'))
        return "".join(parts)


def _shorten(text: str) -> str:
    """Return a text at the length for which the drawing has room."""
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {attributes}>{escape(text)}</text>'


def _join_steps(steps: Iterable[int]) -> str:
    return " ".join(map(str, steps))


def _curve(points: Sequence[Point], start: float) -> str:
    """Return a path from x = `start` at the first point's height that is level at each point."""
    path = f"M{start:.1f} {points[0][1]:.1f}H{points[0][0]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        path += _turn(x0, y0, x1, y1)
    return path


def _turn(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (x0 + x1) / 2
    return f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
