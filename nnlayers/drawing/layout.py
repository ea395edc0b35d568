"""Layouts of graphs in columns from left to right, so that every wire goes forward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple, TypeAlias

__all__ = ["Layout", "Point", "lay_out"]

# A node, or the point (node, column) at which the wires from a node pass a column.
Place: TypeAlias = int | tuple[int, int]
Point: TypeAlias = tuple[float, float]

_ROW, _WIRE_ROW, _SPACE, _MARGIN, _SWEEPS = 92.0, 46.0, 28.0, 24.0, 12


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
    widths: Mapping[int, float],
    labels: Mapping[tuple[int, int], float],
) -> Layout:
    """Place each node to the right of its parents, with few crossings of the wires.

    Parameters
    ----------
    parents : mapping of int to sequence of int
        The parents of each node; the nodes come after their parents.
    widths : mapping of int to float
        The widths of the nodes and of the text below them.
    labels : mapping of (int, int) to float
        The widths of the numbers on the wire from one node to another.

    References
    ----------
    K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system
    structures", IEEE Transactions on Systems, Man, and Cybernetics 11, 1981.

    Examples
    --------
    >>> layout = lay_out({0: [], 1: [], 2: [0, 1]}, {0: 40, 1: 40, 2: 40}, {})
    >>> layout.nodes[0][0] == layout.nodes[1][0] < layout.nodes[2][0]
    True
    """
    column = _columns(parents)
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
    heights = _heights(columns, left, right)
    centres, width = _centres(columns, column, widths, labels)

    def point(place: Place) -> Point:
        return centres[place[1] if isinstance(place, tuple) else column[place]], heights[place]

    return Layout(
        width,
        max(heights.values()) + _ROW / 2 + _MARGIN,
        {node: point(node) for node in parents},
        {node: [point(place) for place in trunk] for node, trunk in trunks.items()},
        {wire: column[wire[1]] - column[wire[0]] - 1 for wire in wires},
    )


def _columns(parents: Mapping[int, Sequence[int]]) -> dict[int, int]:
    """Return the column of each node: after its parents, or just before its first use."""
    column: dict[int, int] = {}
    first_use: dict[int, int] = {}
    for node, above in parents.items():
        column[node] = 1 + max([column[parent] for parent in above], default=-1)
        for parent in above:
            first_use[parent] = min(first_use.get(parent, column[node]), column[node])
    return {node: column[node] if parents[node] else first_use.get(node, 1) - 1 for node in parents}


def _neighbours(
    wires: Iterable[tuple[int, int]],
    column: Mapping[int, int],
    trunks: Mapping[int, Sequence[tuple[int, int]]],
) -> tuple[list[list[Place]], dict[Place, list[Place]], dict[Place, list[Place]]]:
    """Return the places in each column, and the left and right neighbours of each place."""
    columns: list[list[Place]] = [[] for _ in range(max(column.values()) + 1)]
    pairs: list[tuple[Place, Place]] = []
    for node, trunk in trunks.items():
        columns[column[node]].append(node)
        for place in trunk:
            columns[place[1]].append(place)
        pairs += pairwise([node, *trunk])
    for parent, node in wires:
        passed = column[node] - column[parent] - 1
        pairs.append((trunks[parent][passed - 1] if passed else parent, node))
    left: defaultdict[Place, list[Place]] = defaultdict(list)
    right: defaultdict[Place, list[Place]] = defaultdict(list)
    for a, b in pairs:
        left[b].append(a)
        right[a].append(b)
    return columns, left, right


def _sort(
    columns: list[list[Place]], neighbours: Mapping[Place, Sequence[Place]], backwards: bool
) -> None:
    """Sort each column by the mean rank of the neighbours in the column before it."""
    rank: dict[Place, float] = {}
    for places in reversed(columns) if backwards else columns:
        own = {place: float(i) for i, place in enumerate(places)}
        for place in places:
            near = neighbours.get(place)
            if near:
                own[place] = fmean([rank[other] for other in near])
        places.sort(key=own.__getitem__)
        rank.update({place: i / len(places) for i, place in enumerate(places)})


def _heights(
    columns: Sequence[Sequence[Place]],
    left: Mapping[Place, Sequence[Place]],
    right: Mapping[Place, Sequence[Place]],
) -> dict[Place, float]:
    """Return the y coordinate of each place: near its neighbours, and apart from the next."""
    heights: dict[Place, float] = {place: 0.0 for places in columns for place in places}
    for sweep in range(_SWEEPS):
        for places in reversed(columns) if sweep % 2 else columns:
            wanted = []
            for place in places:
                near = [*left.get(place, ()), *right.get(place, ())]
                wanted.append(fmean([heights[other] for other in near]) if near else 0.0)
            heights.update(zip(places, _spread(places, wanted), strict=True))
    top = min(heights.values())
    return {place: height - top + _ROW / 2 + _MARGIN for place, height in heights.items()}


def _spread(places: Sequence[Place], wanted: Sequence[float]) -> Iterable[float]:
    """Return heights close to the wanted ones, in order and apart."""
    heights: list[float] = []
    for i, (place, height) in enumerate(zip(places, wanted, strict=True)):
        if i:
            wires_only = isinstance(place, tuple) and isinstance(places[i - 1], tuple)
            height = max(height, heights[-1] + (_WIRE_ROW if wires_only else _ROW))
        heights.append(height)
    shift = fmean(wanted) - fmean(heights)
    return [height + shift for height in heights]


def _centres(
    columns: Sequence[Sequence[Place]],
    column: Mapping[int, int],
    widths: Mapping[int, float],
    labels: Mapping[tuple[int, int], float],
) -> tuple[list[float], float]:
    """Return the x coordinate of each column, with room for the labels before it, and the width."""
    room = [0.0] * len(columns)
    for (_, node), width in labels.items():
        room[column[node]] = max(room[column[node]], width)
    centres: list[float] = []
    end = _MARGIN
    for places, gap in zip(columns, room, strict=True):
        half = max([widths[place] / 2 for place in places if isinstance(place, int)], default=0.0)
        end += (gap + 2 * _SPACE if centres else 0.0) + half
        centres.append(end)
        end += half
    return centres, end + _MARGIN
