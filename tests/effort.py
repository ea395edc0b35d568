"""The number of cases that a sweep tries: few by default, more with a thorough profile."""

from hypothesis import settings


def cases(quick):
    """Return a number of cases, four times as large with ``--hypothesis-profile=thorough``."""
    return quick * settings().max_examples // 25


def spread(count, quick):
    """Return `cases(quick)` indices spread evenly over a count, the first included."""
    return range(0, count, max(1, count // cases(quick)))
