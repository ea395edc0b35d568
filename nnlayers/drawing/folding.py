"""Folding of long graphs: a run of equal blocks is drawn as its first, its last and one box."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import NamedTuple

from nnlayers.drawing.diagram import DiagramNode

__all__ = ["Fold", "find_fold"]

# A graph of fewer nodes is legible as it is, and so are a few blocks.
_MIN_NODES, _MIN_BLOCKS, _MAX_PERIOD = 25, 4, 60


class Fold(NamedTuple):
    """A run of equal blocks of nodes.

    Attributes
    ----------
    start : int
        The index of the first node of the first block.
    period : int
        The number of nodes of a block.
    blocks : int
        The number of blocks.
    """

    start: int
    period: int
    blocks: int

    @property
    def hidden(self) -> range:
        """The nodes of all blocks but the first and the last."""
        return range(self.start + self.period, self.start + self.period * (self.blocks - 1))


def find_fold(nodes: Sequence[DiagramNode], parents: Sequence[Sequence[int]]) -> Fold | None:
    """Return the run of equal blocks that hides most nodes; None if there is none worth it.

    Blocks are equal if they have the same layers in the same order, of which each gets its inputs
    from the same nodes, counted back from it, or from one node that all blocks share.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(*[layer for _ in range(20) for layer in (nn.Tanh(), nn.Square())])
    >>> diagram = model.diagram()
    >>> find_fold(diagram.nodes, [[], *[[i] for i in range(40)]])
    Fold(start=1, period=2, blocks=20)
    """
    if len(nodes) < _MIN_NODES:
        return None
    kinds = [_kind(node) for node in nodes]
    folds = [_longest(kinds, parents, period) for period in range(1, _MAX_PERIOD + 1)]
    worthwhile = [fold for fold in folds if fold.blocks >= _MIN_BLOCKS]
    best = max(worthwhile, key=lambda fold: (len(fold.hidden), -fold.period), default=None)
    return best if best and len(best.hidden) >= _MIN_NODES // 2 else None


def _kind(node: DiagramNode) -> Hashable:
    return node.kind, type(node.layer)


def _longest(kinds: Sequence[Hashable], parents: Sequence[Sequence[int]], period: int) -> Fold:
    """Return the longest run of blocks of so many nodes."""

    def repeats(i: int) -> bool:
        above, below = parents[i], parents[i + period]
        return (
            kinds[i] == kinds[i + period]
            and len(above) == len(below)
            and all(b in (a, a + period) for a, b in zip(above, below, strict=True))
        )

    breaks = [i for i in range(len(kinds) - period) if not repeats(i)]
    runs = list(pairwise([-1, *breaks, len(kinds) - period]))
    start, end = max(runs, key=lambda run: run[1] - run[0])
    return Fold(start + 1, period, (end - start - 1) // period + 1)
