"""Sizes of the networks and of their training, by the size of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from nnlayers.estimators.table_network import NetworkSize
from nnlayers.estimators.table_training import TrainingSettings

__all__ = ["Plan"]

# Tables with fewer rows than this leave each row out of one network.
_MANY_ROWS = 5000


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
        networks = parts if is_small else 2
        dim = min(16, max(4, 256 // max(numbers, 1)))
        size = NetworkSize(
            members=-(-members // networks),
            width=128 if is_small else 256,
            depth=2,
            bins=48,
            dim=dim,
            dropout=0.1,
        )
        batch_size = max(16, min(256, rows // 16))
        trained = rows - rows // parts
        steps = 40 * max(1, round(trained / batch_size))
        schedule = TrainingSettings(steps, batch_size, lr=2e-3, weight_decay=1e-2)
        return cls(parts, networks, size, schedule)
