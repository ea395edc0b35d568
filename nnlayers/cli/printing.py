"""Print text of any origin to a terminal without its control characters."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TextIO

from nnlayers._core.checks import optional_library
from nnlayers._core.streams import is_terminal
from nnlayers.data import ColumnProfile

__all__ = ["discard", "inform", "print_columns", "printable", "say"]

# A longer table would scroll its title out of sight.
MOST_COLUMNS = 200


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
    """Print text without control characters; what the stream cannot encode is escaped too.

    Raises
    ------
    OSError
        If the stream is a pipe without a reader, or a full disk.
    """
    stream = sys.stdout if file is None else file
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = printable(str(text), lines=lines)
    print(shown.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)


def inform(text: object, *, file: TextIO | None = None, lines: bool = True) -> None:
    """Print text as :func:`say` does, unless that is impossible.

    It is for messages beside the result, which must not end a run whose reader has gone.
    """
    try:
        say(text, file=file, lines=lines)
    except OSError:
        discard(sys.stdout if file is None else file)


def discard(stream: TextIO) -> None:
    """Send what is left in a stream, and all that follows, nowhere."""
    # Otherwise Python would try to write the rest once more when the process ends, and fail.
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def print_columns(columns: Iterable[ColumnProfile]) -> None:
    """Print the role of each column of a table; those that are left out come last."""
    console_type = optional_library("rich.console", "cli").Console
    table = optional_library("rich.table", "cli").Table(box=None, pad_edge=False)
    for title in ("column", "role"):
        table.add_column(title, overflow="fold")
    for title in ("values", "missing"):
        table.add_column(title, justify="right")
    table.add_column("", overflow="fold")
    ordered = sorted(columns, key=lambda column: column.role == "ignored")
    for column in ordered[:MOST_COLUMNS]:
        numbers = (f"{column.levels:,}", f"{column.missing:,}")
        cells = map(printable, (column.name, column.role, *numbers, column.reason))
        table.add_row(*cells, style="dim" if column.role == "ignored" else None)
    # Lines are wrapped on a terminal only.
    width = None if is_terminal(sys.stdout) else 1_000
    with (console := console_type(markup=False, highlight=False, width=width)).capture() as capture:
        console.print(table)
    text = "\n".join(line.rstrip() for line in capture.get().rstrip().splitlines())
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    if len(ordered) > MOST_COLUMNS:
        say(f"... and {len(ordered) - MOST_COLUMNS:,} more columns")
