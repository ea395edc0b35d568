"""Work on the columns of large tables in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

from nnlayers._core.cores import count_cores

__all__ = ["Map", "column_workers"]

Map: TypeAlias = Callable[..., Iterator[Any]]

# Below so many cells, which take some hundredths of a second, a thread is not worth its start.
_FEWEST_CELLS = 1_000_000


@contextmanager
def column_workers(cells: int) -> Iterator[Map]:
    """Yield a function like ``map``, which for many cells works in a thread on each core.

    NumPy lets other threads run while it works on a column.

    Examples
    --------
    >>> with column_workers(10) as run:
    ...     list(run(abs, [1, -2]))
    [1, 2]
    """
    cores = count_cores()
    if cells < _FEWEST_CELLS or cores == 1:
        yield map
        return
    with ThreadPoolExecutor(cores) as pool:
        yield pool.map
