"""Layouts of graphs in columns from left to right, so that every wire goes forward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple, TypeAlias

__all__ = ["Layout", "Point", "lay_out"]

# A node, or the dummy vertex (node, column) at which the wires from a node pass a column.
Vertex: TypeAlias = int | tuple[int, int]
Point: TypeAlias = tuple[float, float]

_GAP, _WIRE_ROW, _SPACE, _MARGIN, _EDGE, _SWEEPS = 52.0, 46.0, 28.0, 24.0, 4.0, 12


class Layout(NamedTuple):
    """The coordinates of the nodes and wires of a picture.

    Attributes
    ----------
    width, height : float
        The size of the picture.
    nodes : dict of int to (float, float)
        The centres of the nodes.
    trunks : dict of int to list of (float, float)
        The points at which the wires from a node pass the columns after it. Wires to several nodes
        share these points.
    lengths : dict of (int, int) to int
        The number of these points on the wire from one node to another.
    """

    width: float
    height: float
    nodes: dict[int, Point]
    trunks: dict[int, list[Point]]
    lengths: dict[tuple[int, int], int]

    def wire(self, parent: int, node: int, most: int) -> list[Point]:
        """Return the last points of a wire, from centre to centre, at most so many."""
        between = self.lengths[parent, node]
        points = self.trunks[parent][max(0, between + 1 - most) : between]
        start = [self.nodes[parent]] if between + 2 <= most else []
        return [*start, *points, self.nodes[node]]


def lay_out(
    parents: Mapping[int, Sequence[int]],
    sizes: Mapping[int, Point],
    labels: Mapping[tuple[int, int], float],
    first: Iterable[int] = (),
    late: Collection[int] = (),
) -> Layout:
    """Place each node to the right of its parents, with few crossings of the wires.

    Parameters
    ----------
    parents : mapping of int to sequence of int
        The parents of each node; the nodes come after their parents.
    sizes : mapping of int to (float, float)
        The widths and heights of the nodes; the width is also that of the text around them.
    labels : mapping of (int, int) to float
        The widths of the numbers on the wire from one node to another.
    first : iterable of int
        Nodes without parents that stand in the first column; others stand before their first use.
    late : collection of int
        Nodes with parents that stand before their first use, too.

    References
    ----------
    K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system
    structures", IEEE Transactions on Systems, Man, and Cybernetics 11, 1981.

    Examples
    --------
    >>> layout = lay_out({0: [], 1: [], 2: [0, 1]}, dict.fromkeys(range(3), (40, 40)), {})
    >>> layout.nodes[0][0] == layout.nodes[1][0] < layout.nodes[2][0]
    True
    """
    column = _columns(parents, late) | dict.fromkeys(first, 0)
    ends = dict(column)
    for node, above in parents.items():
        for parent in above:
            ends[parent] = max(ends[parent], column[node])
    trunks = {
        node: [(node, passed) for passed in range(column[node] + 1, end)]
        for node, end in ends.items()
    }
    wires = {(parent, node): None for node, above in parents.items() for parent in above}
    columns, left, right = _neighbours(wires, column, trunks)
    for sweep in range(_SWEEPS):
        _sort(columns, left if sweep % 2 == 0 else right, backwards=sweep % 2 == 1)
    halves = {node: height / 2 for node, (_, height) in sizes.items()}
    heights = _heights(columns, left, right, halves)
    centres, width = _centres(columns, column, sizes, labels)

    def point(vertex: Vertex) -> Point:
        return centres[vertex[1] if isinstance(vertex, tuple) else column[vertex]], heights[vertex]

    return Layout(
        width,
        max(y + _half(vertex, halves) for vertex, y in heights.items()) + _EDGE,
        {node: point(node) for node in parents},
        {node: [point(vertex) for vertex in trunk] for node, trunk in trunks.items()},
        {wire: column[wire[1]] - column[wire[0]] - 1 for wire in wires},
    )


def _columns(parents: Mapping[int, Sequence[int]], late: Collection[int]) -> dict[int, int]:
    """Return the column of each node: after its parents, or just before its first use."""
    column: dict[int, int] = {}
    first_use: dict[int, int] = {}
    for node, above in parents.items():
        column[node] = 1 + max([column[parent] for parent in above], default=-1)
        for parent in above:
            first_use[parent] = min(first_use.get(parent, column[node]), column[node])
    return {
        node: column[node] if above and node not in late else first_use.get(node, 1) - 1
        for node, above in parents.items()
    }


def _neighbours(
    wires: Iterable[tuple[int, int]],
    column: Mapping[int, int],
    trunks: Mapping[int, Sequence[tuple[int, int]]],
) -> tuple[list[list[Vertex]], dict[Vertex, list[Vertex]], dict[Vertex, list[Vertex]]]:
    """Return the vertices in each column, and the left and right neighbours of each vertex."""
    columns: list[list[Vertex]] = [[] for _ in range(max(column.values()) + 1)]
    pairs: list[tuple[Vertex, Vertex]] = []
    for node, trunk in trunks.items():
        columns[column[node]].append(node)
        for vertex in trunk:
            columns[vertex[1]].append(vertex)
        pairs += pairwise([node, *trunk])
    for parent, node in wires:
        passed = column[node] - column[parent] - 1
        pairs.append((trunks[parent][passed - 1] if passed else parent, node))
    left: defaultdict[Vertex, list[Vertex]] = defaultdict(list)
    right: defaultdict[Vertex, list[Vertex]] = defaultdict(list)
    for a, b in pairs:
        left[b].append(a)
        right[a].append(b)
    return columns, left, right


def _sort(
    columns: list[list[Vertex]], neighbours: Mapping[Vertex, Sequence[Vertex]], backwards: bool
) -> None:
    """Sort each column by the mean rank of the neighbours in the column before it."""
    rank: dict[Vertex, float] = {}
    for vertices in reversed(columns) if backwards else columns:
        own = {vertex: float(i) for i, vertex in enumerate(vertices)}
        for vertex in vertices:
            near = neighbours.get(vertex)
            if near:
                own[vertex] = fmean([rank[other] for other in near])
        vertices.sort(key=own.__getitem__)
        rank.update({vertex: i / len(vertices) for i, vertex in enumerate(vertices)})


def _heights(
    columns: Sequence[Sequence[Vertex]],
    left: Mapping[Vertex, Sequence[Vertex]],
    right: Mapping[Vertex, Sequence[Vertex]],
    halves: Mapping[int, float],
) -> dict[Vertex, float]:
    """Return the y coordinate of each vertex: near its neighbours, and apart from the next."""
    heights: dict[Vertex, float] = {vertex: 0.0 for vertices in columns for vertex in vertices}
    for sweep in range(_SWEEPS):
        for vertices in reversed(columns) if sweep % 2 else columns:
            ideal = []
            for vertex in vertices:
                near = [*left.get(vertex, ()), *right.get(vertex, ())]
                ideal.append(fmean([heights[other] for other in near]) if near else 0.0)
            heights.update(zip(vertices, _spread(vertices, ideal, halves), strict=True))
    top = min(height - _half(vertex, halves) for vertex, height in heights.items()) - _EDGE
    return {vertex: height - top for vertex, height in heights.items()}


def _half(vertex: Vertex, halves: Mapping[int, float]) -> float:
    """Return half of the height that a vertex needs."""
    return _WIRE_ROW / 2 if isinstance(vertex, tuple) else halves[vertex] + _GAP / 2


def _spread(
    vertices: Sequence[Vertex], ideal: Sequence[float], halves: Mapping[int, float]
) -> Iterable[float]:
    """Return heights close to the ideal ones, in order and apart."""
    heights: list[float] = []
    for i, (vertex, height) in enumerate(zip(vertices, ideal, strict=True)):
        if i:
            apart = _half(vertices[i - 1], halves) + _half(vertex, halves)
            height = max(height, heights[-1] + apart)
        heights.append(height)
    shift = fmean(ideal) - fmean(heights)
    return [height + shift for height in heights]


def _centres(
    columns: Sequence[Sequence[Vertex]],
    column: Mapping[int, int],
    sizes: Mapping[int, Point],
    labels: Mapping[tuple[int, int], float],
) -> tuple[list[float], float]:
    """Return the x coordinate of each column, with room for the labels before it, and the width."""
    room = [0.0] * len(columns)
    for (_, node), width in labels.items():
        room[column[node]] = max(room[column[node]], width)
    centres: list[float] = []
    end = _MARGIN
    for vertices, gap in zip(columns, room, strict=True):
        half = max(
            [sizes[vertex][0] / 2 for vertex in vertices if isinstance(vertex, int)], default=0.0
        )
        end += (gap + 2 * _SPACE if centres else 0.0) + half
        centres.append(end)
        end += half
    return centres, end + _MARGIN
