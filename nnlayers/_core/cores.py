"""The processor's cores."""

from __future__ import annotations

import os

__all__ = ["count_cores"]


def count_cores() -> int:
    """Return the number of cores that this process may use.

    Examples
    --------
    >>> count_cores() >= 1
    True
    """
    has_affinity = hasattr(os, "sched_getaffinity")  # Only on Linux.
    return len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
