"""Look at where output goes: the standard streams, which may be closed, or a notebook."""

from __future__ import annotations

import sys
from typing import Any, TextIO

__all__ = ["is_terminal", "notebook_display"]


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream is a terminal.

    A standard stream is None in a process that was started with it closed.

    Examples
    --------
    >>> is_terminal(None)
    False
    """
    return stream is not None and stream.isatty()


def notebook_display() -> Any | None:
    """Return IPython's function ``display`` in a notebook; None elsewhere.

    Examples
    --------
    >>> notebook_display() is None
    True
    """
    # A notebook has imported IPython; elsewhere that would take a second.
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    # IPython in a terminal has no kernel.
    return None if getattr(shell, "kernel", None) is None else ipython.display.display
