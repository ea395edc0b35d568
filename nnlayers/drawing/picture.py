"""Pictures of graphs as SVG: values above each wire, gradients below it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from string import Template

from nnlayers.drawing.diagram import Diagram
from nnlayers.drawing.labels import safe_text
from nnlayers.drawing.layout import Point
from nnlayers.drawing.scene import BOX, PAD, TITLE, Box, DiagramNumbers, Scene, Wire

__all__ = ["ARROW", "COLOURS", "STYLE", "Schedule", "style", "to_svg"]

_TURN = 44
# A wire past each of a thousand steps would take most of a page.
_MAX_POINTS = 40

# The colours of files, and the style of files and pages. In a file, text and wires have a contrast
# of 4 with white and with a dark page. Blue and orange are told apart by colour-blind people too.
COLOURS = {
    "ink": "#202020",
    "quiet": "#787878",
    "line": "#787878",
    "value": "#00893b",
    "gradient": "#d93b3b",
    "input": "#cfe3fb",
    "weight": "#ffe3a3",
    "constant": "#e2e2e2",
    "operation": "#ffffff",
    "container": "#e9dcf7",
    "heat3": "#0b58a5",
    "heat2": "#4d94d6",
    "heat1": "#a9cdf0",
    "heat0": "#d4d4d4",
    "heat-1": "#f7c49a",
    "heat-2": "#e8863a",
    "heat-3": "#b34a00",
    "heat4": "#000000",
}
# Those of boxes and of the text in them where a file is seen on a dark page.
DARK_COLOURS = {
    "ink": "#e8ebef",
    "input": "#1f3a57",
    "weight": "#54431a",
    "constant": "#363c44",
    "operation": "#262c34",
    "container": "#41305a",
}
STYLE = Template("""
.graph text { font: 15px Helvetica, Arial, sans-serif; text-anchor: middle; fill: $ink; }
.graph .name, .graph .end, .graph .frame > text { font-size: 13px; fill: $quiet; }
.graph .label text { font: 600 12px Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.graph .above text { fill: $value; }
.graph .below text { fill: $gradient; }
.graph rect { stroke: $line; stroke-width: 1.5; }
.graph .frame > rect { fill: none; stroke-dasharray: 5 4; }
.graph .wire, .graph .trunk { fill: none; stroke: $line; stroke-width: 1.5; }
.graph .wire { marker-end: url(#arrow); }
.graph .open { marker-end: none; }
#arrow { fill: $line; fill: context-stroke; }
""")
_LEAVES = ("input", "weight", "constant")
_FILLS = (*_LEAVES, "operation", "container", "fold")
ARROW = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8"'
    ' markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z"/></marker>'
)


class Schedule:
    """The steps of a page.

    Step 0 shows the given values, then each operation has a forward step; one step starts the
    backward pass, then each operation has a backward step.

    Attributes
    ----------
    start : int
        The step that starts the backward pass.
    forward, backward : dict of int to int
        The steps of the operations, by the indices of their nodes.
    """

    def __init__(self, operations: Sequence[int]) -> None:
        self.start = len(operations) + 1
        self.forward = {node: step for step, node in enumerate(operations, 1)}
        self.backward = {index: 2 * self.start - step for index, step in self.forward.items()}

    def of(self, indices: Iterable[int]) -> list[int]:
        """Return the steps of nodes."""
        known = [index for index in indices if index in self.forward]
        steps = [self.forward[i] for i in known] + [self.backward[i] for i in known]
        return sorted(steps) or [0]


def to_svg(
    diagram: Diagram,
    *,
    expand: bool = False,
    is_file: bool = True,
    schedule: Schedule | None = None,
) -> str:
    """Return the picture of a diagram as an ``<svg>`` element.

    Parameters
    ----------
    diagram : Diagram
        The diagram.
    expand : bool
        Whether to open the containers within, and not to fold a run of equal blocks.
    is_file : bool
        Whether the picture stands alone, and so holds its style and the head of its arrows.
    schedule : Schedule, optional
        The steps of the page that the picture is a part of.

    Examples
    --------
    >>> import nnlayers as nn
    >>> to_svg(nn.Graph(nn.Input("x") * 2))[:40]
    '<svg xmlns="http://www.w3.org/2000/svg" '
    """
    scene = Scene(DiagramNumbers(diagram, is_known=True), expand=expand)
    width, height = (round(length) for length in (scene.layout.width, scene.layout.height))
    names = scene.numbers.names
    outputs = safe_text(", ".join(names[i] for i in scene.numbers.outputs))
    alt = f"The {len(diagram.nodes)} nodes that lead to {outputs}"
    space = ' xmlns="http://www.w3.org/2000/svg"' if is_file else ""
    fit = ' style="max-width: 100%; height: auto"' if is_file else ""
    return "\n".join(
        [
            f'<svg{space} class="graph" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-label="{alt}"{fit}>',
            f"<style>{_style_of_file()}</style>" if is_file else "",
            f"<defs>{ARROW}</defs>" if is_file else "",
            *_Picture(scene, schedule).lines(),
            "</svg>",
        ]
    )


def style(colours: dict[str, str]) -> str:
    """Return the style sheet of a picture in these colours."""
    heats = [f".{name} {{ fill: {colour}; }}" for name, colour in colours.items() if "heat" in name]
    return STYLE.substitute(colours) + "\n".join(_boxes(colours) + heats)


def _style_of_file() -> str:
    """Return the style sheet of a picture that stands alone, on a light or on a dark page."""
    dark = [f".graph text {{ fill: {DARK_COLOURS['ink']}; }}", *_boxes(DARK_COLOURS)]
    lines = [style(COLOURS), "@media (prefers-color-scheme: dark) {", *dark, "}"]
    return "\n".join(lines)


def _boxes(colours: dict[str, str]) -> list[str]:
    return [f".graph .{kind} rect {{ fill: {colours[_fill(kind)]}; }}" for kind in _FILLS]


def _fill(kind: str) -> str:
    return "container" if kind == "fold" else kind


class _Picture:
    """The elements of a scene."""

    def __init__(self, scene: Scene, schedule: Schedule | None) -> None:
        self.scene, self.schedule, self.layout = scene, schedule, scene.layout
        self.points = [self._trimmed(wire) for wire in scene.wires]
        parts = {part for points in self.points for part in pairwise(points)}
        self.leaving = Counter(start for start, _ in parts)

    def lines(self) -> Iterable[str]:
        """Yield wires and boxes, then the labels on top."""
        pairs = list(zip(self.scene.wires, self.points, strict=True))
        yield from (self._trunk(i) for i in range(len(self.scene.boxes)))
        yield f"<g>{''.join([self._wire(*pair) for pair in pairs])}</g>"
        for i, box in enumerate(self.scene.boxes):
            yield from self._frame(i, box) if box.inner else [self._box(i, box)]
        yield from (self._labels(*pair) for pair in pairs)

    def _trimmed(self, wire: Wire) -> list[Point]:
        """Return the points of a wire from box to box instead of centre to centre."""
        *points, (x, y) = self._route(wire)
        start, end = self.scene.boxes[wire.start], self.scene.boxes[wire.end]
        if points[0] == self.layout.nodes[wire.start]:
            x0, y0 = points[0]
            points[0] = x0 + start.room / 2, y0 + self._exit(start)
        if end.inner:
            ((_, slot), *_) = wire.targets
            y += TITLE - end.size[1] / 2 + end.inner.layout.nodes[end.inner.entries()[slot]][1]
        return [*points, (x - end.room / 2, y)]

    def _route(self, wire: Wire) -> list[Point]:
        """Return the points of a wire from centre to centre, level at the place of its labels."""
        if wire.via is None:
            return self.layout.wire(wire.start, wire.end, _MAX_POINTS)
        *before, (x, y) = self.layout.wire(wire.start, wire.via, _MAX_POINTS)
        half = wire.label_width / 2 + PAD
        return [*before, (x - half, y), (x + half, y), self.layout.nodes[wire.end]]

    def _exit(self, box: Box) -> float:
        """Return how far below the centre of a box its wires leave it."""
        if not box.inner:
            return 0.0
        output = box.inner.box_of[box.inner.numbers.outputs[0]]
        height = box.inner.layout.nodes[output][1] + self._exit(box.inner.boxes[output])
        return TITLE - box.size[1] / 2 + height

    def _trunk(self, index: int) -> str:
        """Return the part of a box's long wires that :meth:`_wire` leaves out."""
        trunk = self.layout.trunks[index]
        if len(trunk) + 2 <= _MAX_POINTS:
            return ""
        x, y = self.layout.nodes[index]
        box = self.scene.boxes[index]
        path = _curve([(x + box.room / 2, y), *trunk], x + box.size[0] / 2)
        return f'<path class="trunk" d="{path}"/>'

    def _wire(self, wire: Wire, points: Sequence[Point]) -> str:
        start, end = self.scene.boxes[wire.start], self.scene.boxes[wire.end]
        x, (x0, y0), (x1, y1) = self.layout.nodes[wire.start][0], *points[-2:]
        bend, level = self._level(wire, points)
        # The wire is level beside the texts around both of its boxes, and at its own labels.
        first = x + start.size[0] / 2 if len(points) < _MAX_POINTS else points[0][0]
        path = _curve(points[:-1], first)
        if level == y0:
            path += f"H{bend:.1f}" + _turn(bend, y0, x1, y1)
        else:
            path += _turn(x0, y0, bend, y1)
        path += f"H{x1 + (end.room - end.size[0]) / 2:.1f}"
        return f'<path class="wire{" open" if end.inner else ""}"{self._steps(wire)} d="{path}"/>'

    def _steps(self, wire: Wire) -> str:
        """Return the attributes that say when a wire is active, and from where to where it goes."""
        if not self.schedule:
            return ""
        nodes = [node for node, _ in wire.targets]
        if not self.scene.boxes[wire.end].members:
            steps = [self.schedule.start]
        elif self.scene.numbers.diagram.nodes[wire.source].kind == "constant":
            steps = [self.schedule.forward[node] for node in nodes]  # It gets no gradient.
        else:
            steps = self.schedule.of(nodes)
        ends = f' data-source="{wire.source}" data-targets="{_join(nodes)}"'
        return f' data-steps="{_join(steps)}"{ends}'

    def _level(self, wire: Wire, points: Sequence[Point]) -> tuple[float, float]:
        """Return the x at which a wire turns in its last part, and the y at which it is level.

        There is room for its labels on the side where no other wire runs.
        """
        (x0, y0), (x1, y1) = points[-2:]
        if wire.via is not None:
            return x0, y0
        if self.leaving[x0, y0] == 1:
            return x1 - _TURN, y0
        return x0 + _TURN, y1

    def _box(self, index: int, box: Box) -> str:
        x, y = self.layout.nodes[index]
        width, height = box.size
        if box.kind == "end":
            return _text(x, y + 4, box.title, ' class="end"')
        left, top, radius = x - width / 2, y - height / 2, 6 if box.kind in _LEAVES else BOX / 2
        names = self.scene.numbers.names
        parts = [f"<title>{safe_text(', '.join(names[i] for i in box.members[:9]))}</title>"]
        # A fold is drawn as a stack of cards.
        shifts = (8, 4, 0) if box.kind == "fold" else (0,)
        parts += [_rectangle(left + shift, top + shift, width, height, radius) for shift in shifts]
        parts.append(_text(x, y + 5, box.title, ' class="symbol"'))
        if box.name:
            parts.append(_text(x, top - 6, box.name, ' class="name"'))
        if box.total:
            attributes = f'class="label below"{self._total_steps(box)}'
            parts.append(box.total.svg(x, y + height / 2 + 15, attributes))
        steps = f' data-steps="{_join(self.schedule.of(box.members))}"' if self.schedule else ""
        nodes = f' data-nodes="{_join(box.members)}"' if self.schedule else ""
        return f'<g class="node {box.kind}"{steps}{nodes}>{"".join(parts)}</g>'

    def _total_steps(self, box: Box) -> str:
        """Return the attributes that say from which step on a sum of gradients is known."""
        if not self.schedule:
            return ""
        (index,) = box.members
        children = [i for i, row in enumerate(self.scene.numbers.parents) if index in row]
        step = max((self.schedule.backward[i] for i in children), default=self.schedule.start)
        return f' data-from="{step}" data-array="g{index}" data-before="Σ "'

    def _frame(self, index: int, box: Box) -> Iterable[str]:
        """Yield an open container: a frame around the picture within."""
        assert box.inner
        x, y = self.layout.nodes[index]
        width, height = box.size
        left, top = x - width / 2, y - height / 2
        layout = box.inner.layout
        yield f'<g class="frame">{_rectangle(left, top, width, height, 10)}'
        yield _text(x, top + 18, box.title, "")
        if box.total:
            yield box.total.svg(x, y + height / 2 + 15, 'class="label below"')
        inside = (width - layout.width) / 2
        yield f'<g transform="translate({left + inside:.1f} {top + TITLE:.1f})">'
        yield from _Picture(box.inner, None).lines()
        boxes = box.inner.boxes
        for entry in box.inner.entries():
            inner_x, inner_y = layout.nodes[entry]
            end = inner_x - boxes[entry].size[0] / 2
            yield f'<path class="wire" d="M{-inside:.1f} {inner_y:.1f}H{end:.1f}"/>'
        output = box.inner.box_of[box.inner.numbers.outputs[0]]
        inner_x, inner_y = layout.nodes[output]
        start, y = inner_x + boxes[output].size[0] / 2, inner_y + self._exit(boxes[output])
        yield f'<path class="wire open" d="M{start:.1f} {y:.1f}H{layout.width + inside:.1f}"/>'
        yield "</g></g>"

    def _labels(self, wire: Wire, points: Sequence[Point]) -> str:
        """Return the value above a wire, and the gradient below it."""
        (x0, y0), (x1, _) = points[-2:]
        bend, y = self._level(wire, points)
        if wire.via is not None:
            x0 -= wire.label_width + 2 * PAD
        x = (x0 + bend) / 2 if y == y0 else (bend + x1) / 2
        parts = []
        for label, kind, below in (wire.value, "above", -5), (wire.gradient, "below", 14):
            if label:
                attributes = f'class="label {kind}"{self._label_steps(wire, kind)}'
                parts.append(label.svg(x, y + below, attributes))
        return "".join(parts)

    def _label_steps(self, wire: Wire, kind: str) -> str:
        """Return the attributes that say from which step on a label is known, and its arrays."""
        if not self.schedule:
            return ""
        if kind == "above":
            step, keys = self.schedule.of([wire.source])[0], [f"v{wire.source}"]
        elif not self.scene.boxes[wire.end].members:
            step, keys = self.schedule.start, [f"s{wire.source}"]
        else:
            step = max(self.schedule.backward[node] for node, _ in wire.targets)
            keys = [f"c{node}.{slot}" for node, slot in wire.targets]
        return f' data-from="{step}" data-array="{" ".join(keys)}"'


def _rectangle(x: float, y: float, width: float, height: float, radius: float) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f' rx="{radius:.0f}"/>'
    )


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{safe_text(text)}</text>'


def _join(numbers: Iterable[int]) -> str:
    return " ".join(map(str, numbers))


def _curve(points: Sequence[Point], start: float) -> str:
    """Return a path from x = `start` at the first point's height that is level at each point."""
    path = f"M{start:.1f} {points[0][1]:.1f}H{points[0][0]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(points):
        path += _turn(x0, y0, x1, y1)
    return path


def _turn(x0: float, y0: float, x1: float, y1: float) -> str:
    middle = (x0 + x1) / 2
    return f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
