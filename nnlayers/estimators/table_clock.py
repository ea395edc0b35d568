"""Keep a fit within its time limit."""

from __future__ import annotations

import math
from collections.abc import Collection
from time import perf_counter

import numpy as np

from nnlayers.data import Table
from nnlayers.estimators.table_encoder import TableEncoder

__all__ = ["Clock", "affordable_rows"]

# The share of a time limit that is left for what comes after the last measurement.
_RESERVE = 0.05
# The rows and the most columns that are encoded to see how long it takes.
_ROWS, _COLUMNS = 5000, 10


class Clock:
    """The time that is left to a fit, and the share of its training that is done.

    The share is that of the steps, or of the time if that is more.

    Parameters
    ----------
    start : float
        The time at which the fit started, of :func:`time.perf_counter`.
    limit : float or None
        The seconds from the start until which the fit must end.
    """

    def __init__(self, start: float, limit: float | None) -> None:
        self._begin = start
        self._end = start + (math.inf if limit is None else (1 - _RESERVE) * limit)
        self._is_cancelled = False

    @property
    def is_limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self._end)

    @property
    def left(self) -> float:
        """The seconds that are left, infinite without a limit."""
        return max(self._end - perf_counter(), 0.0)

    def begin(self) -> None:
        """Begin the training."""
        self._begin = perf_counter()

    def progress(self, share: float) -> float:
        """Return how much of the training is done, given the share of steps; 1 is the end."""
        now = perf_counter()
        if self._is_cancelled or now >= self._end:
            return 1.0
        return min(1.0, max(share, (now - self._begin) / (self._end - self._begin)))

    def reserve(self, seconds: float) -> None:
        """Leave so many seconds for what comes after the training."""
        self._end -= seconds

    def extend(self, seconds: float) -> None:
        """Move the end by so many seconds that the limit does not count."""
        self._end += seconds

    def cancel(self) -> None:
        """End the training in all threads."""
        self._is_cancelled = True


def affordable_rows(
    table: Table, categories: Collection[str], seconds: float, rng: np.random.Generator
) -> int:
    """Return about how many rows of a table can be encoded in a time, by encoding a few cells."""
    if len(table) <= 2 * _ROWS or math.isinf(seconds):
        return len(table)
    names = list(table.columns)
    tried = set(names[:: math.ceil(len(names) / _COLUMNS)])
    part = table.without([name for name in names if name not in tried])
    start = perf_counter()
    TableEncoder().fit_encode(part.rows(rng.choice(len(table), _ROWS, replace=False)), categories)
    rate = _ROWS / (perf_counter() - start) * len(tried) / len(names)
    return min(len(table), max(_ROWS, int(seconds * rate)))
