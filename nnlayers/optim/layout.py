"""Flat vectors of weights, gradients and optimizer state, cut into blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.placement import Placement
from nnlayers.parameter import Parameter

__all__ = ["BLOCK", "Block", "FlatLayout"]

# Entries that are updated at a time, so that the arrays involved stay in the second-level cache.
BLOCK = 32_768


class Block(NamedTuple):
    """Neighbouring entries of the flat vectors, which one call of ``update`` moves.

    Attributes
    ----------
    values, grads : ndarray, shape (n,)
        Weights and their gradients, at most ``BLOCK`` of them.
    state : tuple of ndarray, shape (n,)
        The optimizer's state of these weights.
    skipped : int
        The number of the optimizer's steps that these weights did not take part in.
    """

    values: Array
    grads: Array
    state: tuple[Array, ...]
    skipped: int


@dataclass(frozen=True, slots=True, eq=False)
class FlatLayout:
    """Weights, gradients and state as views of flat vectors, by parameter and by block.

    A layout describes its parameters until one of them is moved, frozen or unfrozen. The optimizer
    then builds another layout and replaces this one in a single assignment, so that an interrupt
    leaves either of them whole.

    Parameters that are neighbours in a flat vector, trainable, and have skipped equally many steps
    form a run. Each run has one vector for each array of state, and is cut into blocks.

    Attributes
    ----------
    placements : list of Placement
        The placement of each parameter, which a step compares with the present one.
    states : list of list of ndarray
        The state of each parameter, in its shape.
    skipped : list of int
        The number of the optimizer's steps that each parameter had skipped at `steps`.
    steps : int
        The number of the optimizer's steps when the layout was built.
    trained : list of Parameter
        The parameters that are not frozen.
    grads : list of ndarray
        The gradient of each run.
    blocks : list of Block
        The blocks of all runs.
    """

    placements: list[Placement]
    states: list[list[Array]]
    skipped: list[int]
    steps: int
    trained: list[Parameter]
    grads: list[Array]
    blocks: list[Block]

    @classmethod
    def of(
        cls, params: list[Parameter], states: list[list[Array]], skipped: list[int], steps: int
    ) -> FlatLayout:
        """Build a layout; the parameters stay where they are until its placements are applied."""
        placements = _flat_placements(params)
        states = [
            [array.astype(placement.value.dtype, copy=False) for array in arrays]
            for arrays, placement in zip(states, placements, strict=True)
        ]
        run_grads: list[Array] = []
        blocks: list[Block] = []
        for run in _runs(placements, skipped):
            values, grads, start = _flat(placements[run[0]])
            stop = start + sum(placements[index].value.size for index in run)
            values, grads = values[start:stop], grads[start:stop]
            run_grads.append(grads)
            blocks += _blocks(values, grads, _join_states(states, run), skipped[run[0]])
        trained = [parameter for parameter in params if parameter.trainable]
        # A step first checks the gradients from front to back. Updating from back to front finds
        # the last of them in the cache, which saves 2 % of a step on 200,000 weights.
        return cls(placements, states, skipped, steps, trained, run_grads, blocks[::-1])

    def skipped_until(self, steps: int) -> list[int]:
        """Return the number of skipped steps of each parameter after `steps` of the optimizer."""
        since = steps - self.steps
        return [
            skipped if placement.trainable else skipped + since
            for skipped, placement in zip(self.skipped, self.placements, strict=True)
        ]


def _blocks(values: Array, grads: Array, state: tuple[Array, ...], skipped: int) -> Iterator[Block]:
    for start in range(0, len(values), BLOCK):
        part = slice(start, start + BLOCK)
        yield Block(values[part], grads[part], tuple(array[part] for array in state), skipped)


def _join_states(states: list[list[Array]], run: list[int]) -> tuple[Array, ...]:
    """Return a run's state in flat vectors, and replace the parameters' arrays by views of them."""
    columns = zip(*(states[index] for index in run), strict=True)
    joined = tuple(np.concatenate([array.ravel() for array in column]) for column in columns)
    start = 0
    for index in run:
        old = states[index]
        stop = start + old[0].size if old else start
        states[index] = [
            flat[start:stop].reshape(array.shape) for array, flat in zip(old, joined, strict=True)
        ]
        start = stop
    return joined


def _flat_placements(params: list[Parameter]) -> list[Placement]:
    """Return a placement in flat vectors for each parameter.

    Parameters that another optimizer has laid out keep their placement. The others get new vectors,
    two for each dtype, which hold copies of their values and gradients.
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


def _runs(placements: list[Placement], skipped: list[int]) -> list[list[int]]:
    """Return the indices of the parameters of each run, in the order of its flat vector."""

    def position(index: int) -> tuple[int, int]:
        values, _, start = _flat(placements[index])
        return id(values), start

    runs: list[list[int]] = []
    expected: tuple[int, int, int] | None = None
    trained = [index for index, placement in enumerate(placements) if placement.trainable]
    for index in sorted(trained, key=position):
        vector, start = position(index)
        if (vector, start, skipped[index]) != expected:
            runs.append([])
        runs[-1].append(index)
        expected = vector, start + placements[index].value.size, skipped[index]
    return runs


def _flat(placement: Placement) -> tuple[Array, Array, int]:
    assert placement.flat is not None
    return placement.flat
