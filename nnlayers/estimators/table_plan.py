"""Sizes of the networks and of their training, by the size of the table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from nnlayers.estimators.table_network import NetworkSize
from nnlayers.estimators.table_training import TrainingSettings

__all__ = ["Plan"]

# Tables with fewer rows than this leave each row out of one network.
_MANY_ROWS = 5000
# The steps after which the networks of tables like California housing no longer improve.
_MOST_STEPS = 6000


@dataclass(frozen=True)
class Plan:
    """Sizes of the networks and of their training.

    Parameters
    ----------
    parts : int
        The number of parts of the rows, of which each network leaves out another.
    networks : int
        The number of networks.
    size : NetworkSize
        The sizes of a network.
    schedule : TrainingSettings
        The settings of its training.
    """

    parts: int
    networks: int
    size: NetworkSize
    schedule: TrainingSettings

    @classmethod
    def for_rows(cls, rows: int, numbers: int, members: int) -> Self:
        """Return the plan for a number of rows, of which some features are numbers."""
        is_small = rows < _MANY_ROWS
        parts = min(rows, 5) if is_small else 10
        networks = parts if is_small else 4
        size = NetworkSize(
            members=-(-members // networks),
            width=128,
            depth=2 if is_small else 3,
            bins=48,
            dim=min(16, max(4, 256 // max(numbers, 1))),
            dropout=0.1 if is_small else 0.0,
        )
        batch_size = min(256, max(32, 2 ** round(math.log2(rows / 256))))
        epoch = max(1, round((rows - rows // parts) / batch_size))
        steps = max(min(40 * epoch, _MOST_STEPS), 5 * epoch)
        schedule = TrainingSettings(steps, batch_size, lr=4e-3, weight_decay=1e-2)
        return cls(parts, networks, size, schedule)
