"""Print text of any origin to a terminal without its control characters."""

from __future__ import annotations

import sys
from typing import TextIO

__all__ = ["printable", "say"]


def printable(text: str, *, lines: bool = False) -> str:
    r"""Return text with control characters, which a terminal would obey, written as escapes.

    Parameters
    ----------
    text : str
        Text of any origin.
    lines : bool
        Whether to keep line breaks.

    Examples
    --------
    >>> print(printable("a\x1b[31mb\nc ü"))
    a\x1b[31mb\nc ü
    """
    if lines:
        return "\n".join(map(printable, text.split("\n")))
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def say(text: object, *, file: TextIO | None = None, lines: bool = True) -> None:
    """Print text without control characters; what the stream cannot encode is escaped too."""
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = printable(str(text), lines=lines)
    print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
