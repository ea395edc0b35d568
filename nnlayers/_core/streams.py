"""Look at the standard streams, which may be closed."""

from __future__ import annotations

from typing import TextIO

__all__ = ["is_terminal"]


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal.

    A standard stream is None in a process that was started with it closed.

    Examples
    --------
    >>> is_terminal(None)
    False
    """
    return stream is not None and stream.isatty()
