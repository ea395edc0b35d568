"""Lay parameters side by side in flat vectors, and cut these into blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.placement import Placement
from nnlayers.parameter import Parameter

__all__ = ["BLOCK", "FlatLayout"]

# Entries that are updated at a time, so that the arrays involved stay in the second-level cache.
BLOCK = 32_768


@dataclass(frozen=True, slots=True, eq=False)
class FlatLayout:
    """Where an optimizer finds weights, gradients and state: built aside, then put in place whole.

    Parameters that another optimizer has laid out stay where they are. Neighbours in a flat vector
    that are trained and have done equally many steps form a run, which is updated as one.

    Attributes
    ----------
    placements : list of Placement
        Those of all parameters; a step compares them with the present ones.
    states : list of list of ndarray
        The state of each parameter, of its shape. That of trained ones is part of a run's vectors.
    missed : list of int
        How many of the optimizer's steps each parameter had not done when it was laid out.
    steps : int
        The optimizer's steps until then.
    trained : list of Parameter
        Those that are not frozen.
    grads : list of ndarray
        The gradient of each run.
    blocks : list of (ndarray, ndarray, tuple of ndarray, int)
        Weights, gradients and state of each block, and how many steps its parameters have missed.
    """

    placements: list[Placement]
    states: list[list[Array]]
    missed: list[int]
    steps: int
    trained: list[Parameter] = field(default_factory=list)
    grads: list[Array] = field(default_factory=list)
    blocks: list[tuple[Array, Array, tuple[Array, ...], int]] = field(default_factory=list)

    @classmethod
    def of(
        cls, params: list[Parameter], states: list[list[Array]], missed: list[int], steps: int
    ) -> FlatLayout:
        """Return the layout of parameters, whose placements are to be put in place with it."""
        placements = _flat_placements(params)
        states = [
            [array.astype(placement.value.dtype, copy=False) for array in arrays]
            for arrays, placement in zip(states, placements, strict=True)
        ]
        layout = cls(placements, states, missed, steps)
        layout.trained.extend(parameter for parameter in params if parameter.trainable)
        for run in _runs(placements, missed):
            layout._add_run(run)
        return layout

    def missed_by(self, steps: int) -> list[int]:
        """Return how many of the optimizer's steps up to now each parameter has not done."""
        frozen_for = steps - self.steps
        return [
            missed if placement.trainable else missed + frozen_for
            for missed, placement in zip(self.missed, self.placements, strict=True)
        ]

    def _add_run(self, run: list[int]) -> None:
        """Give a run of neighbours, by their indices, its state and its blocks."""
        values, grads, start = _flat(self.placements[run[0]])
        sizes = [self.placements[index].value.size for index in run]
        length = sum(sizes)
        states = tuple(np.empty(length, values.dtype) for _ in self.states[run[0]])
        first = 0
        for index, size in zip(run, sizes, strict=True):
            shape = self.placements[index].value.shape
            views = [state[first : first + size].reshape(shape) for state in states]
            for view, old in zip(views, self.states[index], strict=True):
                view[...] = old
            self.states[index] = views
            first += size
        self.grads.append(grads[start : start + length])
        for first in range(0, length, BLOCK):
            last = min(first + BLOCK, length)
            flat = slice(start + first, start + last)
            block_states = tuple(state[first:last] for state in states)
            self.blocks.append((values[flat], grads[flat], block_states, self.missed[run[0]]))


def _flat_placements(params: list[Parameter]) -> list[Placement]:
    """Return placements in flat vectors; new ones, one vector for each dtype, where there are none.

    The new vectors hold copies of values and gradients; the parameters are as they were.
    """
    placements = [parameter.placement for parameter in params]
    unplaced = [index for index, placement in enumerate(placements) if placement.flat is None]
    for dtype in {params[index].dtype for index in unplaced}:
        members = [index for index in unplaced if params[index].dtype == dtype]
        size = sum(params[index].size for index in members)
        values, grads = np.empty(size, dtype), np.zeros(size, dtype)
        start = 0
        for index in members:
            placements[index] = params[index].copy_into(values, grads, start)
            start += params[index].size
    return placements


def _runs(placements: Sequence[Placement], missed: list[int]) -> list[list[int]]:
    """Return the indices of trained parameters, those of each run in the order of its vector."""
    trained = [index for index, placement in enumerate(placements) if placement.trainable]
    trained.sort(key=lambda index: (id(_flat(placements[index])[0]), _flat(placements[index])[2]))
    runs: list[list[int]] = []
    end: tuple[int, int, int] | None = None
    for index in trained:
        values, _, start = _flat(placements[index])
        if (id(values), start, missed[index]) != end:
            runs.append([])
        runs[-1].append(index)
        end = id(values), start + placements[index].value.size, missed[index]
    return runs


def _flat(placement: Placement) -> tuple[Array, Array, int]:
    assert placement.flat is not None
    return placement.flat
