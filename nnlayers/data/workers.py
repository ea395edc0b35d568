"""Work on the columns of large tables in threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

__all__ = ["Map", "column_workers"]

Map: TypeAlias = Callable[..., Iterator[Any]]

# Below so many rows, a thread is not worth its start.
_FEWEST_ROWS = 100_000


@contextmanager
def column_workers(rows: int) -> Iterator[Map]:
    """Yield a function like ``map``, which for many rows works in a thread on each core.

    NumPy lets other threads run while it works on a column.

    Examples
    --------
    >>> with column_workers(10) as run:
    ...     list(run(abs, [1, -2]))
    [1, 2]
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # The cores that the process may use.
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    if rows < _FEWEST_ROWS or cores == 1:
        yield map
        return
    with ThreadPoolExecutor(cores) as pool:
        yield pool.map
