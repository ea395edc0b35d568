"""Sizes of the networks and of their training, by the size of the table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

from nnlayers.estimators.table_network import NetworkSize
from nnlayers.estimators.table_training import TrainingSettings

__all__ = ["Costs", "Plan"]

# Tables with fewer rows than this leave each row out of one network.
_MANY_ROWS = 5000
# The steps after which the networks of tables like California housing no longer improve.
_MOST_STEPS = 9000
# In a short time, fewer networks see their rows this often, and the rows that they leave out are
# predicted in this share of the time, unless there are too few of them to tell which weights are
# best.
_FEWEST_EPOCHS, _SHARE, _FEWEST_HELD_OUT = 8, 0.05, 500


@dataclass(frozen=True)
class Costs:
    """Seconds of one step of a network, and of predicting and measuring one row."""

    step: float
    row: float


@dataclass(frozen=True)
class Plan:
    """Sizes of the networks and of their training.

    Parameters
    ----------
    parts : int
        The number of parts of the rows, of which each network leaves out another.
    networks : int
        The number of networks.
    sizes : tuple of NetworkSize
        The sizes of the networks, which take turns. They differ in the learning rate of vectors:
        some tables ask for vectors that stay close to lines, others for vectors that bend, and the
        mean of both kinds of networks is about as good as the better one.
    schedule : TrainingSettings
        The settings of its training.
    """

    parts: int
    networks: int
    sizes: tuple[NetworkSize, ...]
    schedule: TrainingSettings

    @classmethod
    def for_rows(cls, rows: int, numbers: int, members: int, is_regression: bool) -> Self:
        """Return the plan for a number of rows, of which some features are numbers."""
        is_small = rows < _MANY_ROWS
        parts = min(rows, 5) if is_small else 10
        networks = parts if is_small else 4
        sizes = tuple(
            NetworkSize(
                members=-(-members // networks),
                width=128,
                depth=2 if is_small else 3,
                bins=48 if is_small else 96,
                dim=min(16, max(4, 256 // max(numbers, 1))),
                vector_lr_scale=lr_scale,
                dropout=0.1 if is_small and not is_regression else 0.0,
            )
            for lr_scale in ((0.2, 1.0) if is_small and is_regression else (1.0,))
        )
        batch_size = min(256, max(32, 2 ** round(math.log2(rows / 256))))
        epoch = max(1, round((rows - rows // parts) / batch_size))
        steps = max(min(40 * epoch, _MOST_STEPS), 5 * epoch)
        schedule = TrainingSettings(steps, batch_size, lr=4e-3, weight_decay=1e-2)
        return cls(parts, networks, sizes, schedule)

    def within(self, seconds: float, rows: int, costs: Costs, threads: int) -> Self:
        """Return the plan of fewer networks that leave out fewer rows, for a short time."""
        epoch = rows / self.schedule.batch_size
        epochs = seconds * min(threads, self.networks) / (costs.step * epoch)
        networks = max(1, min(self.networks, int(epochs / _FEWEST_EPOCHS)))
        held_out = _SHARE * seconds / (costs.row * math.ceil(networks / threads))
        parts = math.ceil(rows / max(held_out, _FEWEST_HELD_OUT))
        return replace(self, networks=networks, parts=max(self.parts, parts))

    def size_of(self, network: int) -> NetworkSize:
        """Return the sizes of the network of an index."""
        return self.sizes[network % len(self.sizes)]
