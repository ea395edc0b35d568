"""Scenes: the boxes of a picture, the wires between them, and the labels on both."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

from nnlayers._core.arrays import Array
from nnlayers.drawing.arrays import format_numbers
from nnlayers.drawing.diagram import Diagram, DiagramNode, inner_diagram, parent_indices
from nnlayers.drawing.folding import Fold, find_fold
from nnlayers.drawing.labels import Label, array_label, sum_label, text_width
from nnlayers.drawing.layout import Layout, lay_out
from nnlayers.drawing.operations import symbol

__all__ = ["BOX", "PAD", "TITLE", "Box", "DiagramNumbers", "Scene", "Wire"]

BOX, TITLE, PAD, _MAX_TEXT = 40.0, 26.0, 6.0, 28


class Box(NamedTuple):
    """A box of a picture: a node, a fold of nodes, or the end of an output's wire.

    Attributes
    ----------
    members : tuple of int
        The nodes that it stands for; none for the end of an output.
    kind : str
        The kind of the node, ``"container"``, ``"fold"`` or ``"end"``.
    title, name : str
        The text in the box, and the one above it.
    total : Label or None
        The sum of the gradients of a node with several wires.
    inner : Scene or None
        The picture within an open container.
    """

    members: tuple[int, ...]
    kind: str
    title: str
    name: str = ""
    total: Label | None = None
    inner: Scene | None = None

    @property
    def size(self) -> tuple[float, float]:
        """The width and height."""
        if self.inner:
            layout = self.inner.layout
            return max(layout.width, text_width(self.title, True) + 24), layout.height + TITLE
        if self.kind == "end":
            return text_width(self.title, True) + 8, BOX
        return max(BOX, text_width(self.title) + 20), BOX

    @property
    def room(self) -> float:
        """The width of the box and of the texts around it."""
        total = self.total.width if self.total else 0.0
        cards = 20.0 if self.kind == "fold" else 0.0
        return max(self.size[0] + cards, text_width(self.name, True), total)


class Wire(NamedTuple):
    """A wire, with the value that flows forward and the gradient that flows back.

    Attributes
    ----------
    start, end : int
        The indices of the boxes.
    source : int
        The node at which it starts.
    targets : list of (int, int)
        The nodes at which it ends, and the positions of the source among their inputs; the index
        of an output's end box, and -1, where the wire leaves the picture.
    value, gradient : Label or None
        The labels above and below it.
    via : int or None
        The place of the labels in the layout, where other wires leave its start, too.
    """

    start: int
    end: int
    source: int
    targets: list[tuple[int, int]]
    value: Label | None
    gradient: Label | None
    via: int | None = None

    @property
    def label_width(self) -> float:
        """The width of the labels."""
        return max([label.width for label in (self.value, self.gradient) if label], default=0.0)


class DiagramNumbers:
    """The values and gradients of a diagram; None where one is not known."""

    def __init__(self, diagram: Diagram, is_known: bool) -> None:
        nodes = diagram.nodes
        index = {node: i for i, node in enumerate(nodes)}
        self.diagram = diagram
        self.names = diagram.names
        self.parents = parent_indices(diagram)
        self.outputs = [index[node] for node in diagram.outputs]
        self.uses = Counter([*self.outputs, *(i for row in self.parents for i in row)])
        indices = range(len(nodes))
        self.values = [_array(diagram.value_at(i) if is_known else None) for i in indices]
        self.gradients = [_array(diagram.grad_at(i) if is_known else None) for i in indices]
        # A layer that is used several times has the numbers of its last use only.
        layers = Counter([id(node.layer) for node in nodes])
        self.is_known_within = [is_known and layers[id(node.layer)] == 1 for node in nodes]

    @cached_property
    def starts(self) -> Mapping[int, Array]:
        """The arguments of backward, by the indices of the outputs."""
        known = any(self.gradients[output] is not None for output in self.outputs)
        return self.diagram.output_grads("draw") if known else {}

    def total(self, index: int) -> Array | None:
        """Return the gradient of a node with several wires, each of which has a part of it."""
        return self.gradients[index] if self.uses[index] > 1 else None

    def sent(self, index: int) -> list[Array | None]:
        """Return the gradients that a node sends to its parents."""
        parents = self.parents[index]
        if self.gradients[index] is None or all(self.uses[parent] == 1 for parent in parents):
            return [self.gradients[parent] for parent in parents]
        return [_array(part) for part in self.diagram.contributions_at(index)]


def _array(number: Any) -> Array | None:
    """Return a value or a gradient; None before a run."""
    return None if number is None or number.dtype == object else number


class Scene:
    """The boxes and wires of a diagram.

    Parameters
    ----------
    numbers : DiagramNumbers
        The numbers of the diagram.
    expand : bool
        Whether to open the containers within, and not to fold equal blocks.
    has_ends : bool
        Whether the outputs' wires lead out of the picture.
    """

    def __init__(
        self, numbers: DiagramNumbers, *, expand: bool = False, has_ends: bool = True
    ) -> None:
        self.numbers, self.expand, self.has_ends = numbers, expand, has_ends
        nodes = numbers.diagram.nodes
        self.fold: Fold | None = None if expand else find_fold(nodes, numbers.parents)
        hidden = self.fold.hidden if self.fold else range(0)
        self.boxes: list[Box] = []
        self.box_of: dict[int, int] = {}
        for index, node in enumerate(nodes):
            if index in hidden and index != hidden[0]:
                self.box_of[index] = self.box_of[hidden[0]]
                continue
            self.box_of[index] = len(self.boxes)
            self.boxes.append(self._fold_box() if index in hidden else self._box(index, node))
        wires = self._inner_wires() + (self._output_wires() if has_ends else [])
        self.wires = self._with_places(wires)
        self.layout = self._lay_out()

    def _box(self, index: int, node: DiagramNode) -> Box:
        """Return the box of one node."""
        numbers = self.numbers
        name, inner = numbers.names[index], None
        diagram = inner_diagram(node.layer)
        if self.expand and diagram is not None and len(diagram.inputs) == len(node.parents):
            within = DiagramNumbers(diagram, numbers.is_known_within[index])
            inner = Scene(within, expand=True, has_ends=False)
        if node.layer is not None:
            title, kind = symbol(node.layer), "operation" if diagram is None else "container"
        else:
            title, kind = format_numbers(node.value) if node.kind == "constant" else name, node.kind
        is_own = bool(node.own_name) and name != title
        total = None if node.kind == "constant" else array_label(numbers.total(index))
        if total:
            total = total._replace(text=f"Σ {total.text}")
        name = _shorten(name) if is_own else ""
        if inner and name:
            title, name = f"{name}: {title}", ""
        return Box((index,), kind, _shorten(title), name, total, inner)

    def _fold_box(self) -> Box:
        """Return the box of the equal blocks."""
        assert self.fold
        hidden, names = self.fold.hidden, self.numbers.names
        name = _shorten(f"{names[hidden[0]]} … {names[hidden[-1]]}")
        return Box(tuple(hidden), "fold", f"{self.fold.blocks - 2} more", name)

    def _inner_wires(self) -> list[Wire]:
        """Return the wires between boxes; each joins those of a box's inputs from one box."""
        targets: defaultdict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
        for index, parents in enumerate(self.numbers.parents):
            end = self.box_of[index]
            for slot, parent in enumerate(parents):
                # Each input of an open container has its own entry.
                entry = slot if self.boxes[end].inner else 0
                if self.box_of[parent] != end:
                    targets[self.box_of[parent], end, entry].append((index, slot))
        sent = [self.numbers.sent(index) for index in range(len(self.numbers.parents))]
        wires = []
        for (start, end, _), uses in targets.items():
            sources = {self.numbers.parents[index][slot] for index, slot in uses}
            gradients = [sent[index][slot] for index, slot in uses]
            known = [gradient for gradient in gradients if gradient is not None]
            # A picture shows gradients only where the chain rule goes on.
            is_constant = self.numbers.diagram.nodes[min(sources)].kind == "constant"
            is_plain = not is_constant and len(sources) == 1 and len(known) == len(gradients)
            # What a folded run sends to a node that all of its blocks share is their sum.
            gradient = sum_label(known) if is_plain else None
            value = array_label(self.numbers.values[min(sources)]) if len(sources) == 1 else None
            wires.append(Wire(start, end, min(sources), uses, value, gradient))
        return wires

    def _output_wires(self) -> list[Wire]:
        wires = []
        outputs = self.numbers.outputs
        for number, index in enumerate(outputs, 1):
            title = f"output {number}" if len(outputs) > 1 else "output"
            end = len(self.boxes)
            self.boxes.append(Box((), "end", title))
            value, gradient = self.numbers.values[index], self.numbers.starts.get(index)
            labels = array_label(value), array_label(gradient)
            wires.append(Wire(self.box_of[index], end, index, [(end, -1)], *labels))
        return wires

    def _with_places(self, wires: list[Wire]) -> list[Wire]:
        """Return the wires, with places for the labels where several wires leave a box."""
        if any(box.inner for box in self.boxes):
            return wires  # A slope from the middle of an open container's column would cross it.
        starts = Counter(wire.start for wire in wires)
        placed = []
        for place, wire in enumerate(wires, len(self.boxes)):
            needs_place = starts[wire.start] > 1 and wire.label_width
            placed.append(wire._replace(via=place) if needs_place else wire)
        return placed

    def _lay_out(self) -> Layout:
        arriving: dict[int, list[Wire]] = {i: [] for i in range(len(self.boxes))}
        for wire in self.wires:
            arriving[wire.end].append(wire)
        parents: dict[int, list[int]] = {}
        labels: dict[tuple[int, int], float] = {}
        sizes = {i: (box.room, box.size[1]) for i, box in enumerate(self.boxes)}
        for end, wires in arriving.items():
            for wire in wires:
                if wire.via is not None:
                    parents[wire.via] = [wire.start]
                    sizes[wire.via] = wire.label_width + 2 * PAD, 0.0
                else:
                    key = wire.start, end
                    labels[key] = max(labels.get(key, 0.0), wire.label_width)
            parents[end] = [wire.start if wire.via is None else wire.via for wire in wires]
        late = {wire.via for wire in self.wires if wire.via is not None}
        first = () if self.has_ends else self.entries()
        return lay_out(parents, sizes, labels, first=first, late=late)

    def entries(self) -> list[int]:
        """Return the boxes of the inputs, in their order."""
        nodes = self.numbers.diagram.nodes
        return [self.box_of[nodes.index(node)] for node in self.numbers.diagram.inputs]


def _shorten(text: str) -> str:
    """Return a name at the length for which a drawing has room."""
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"
