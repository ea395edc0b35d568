"""Tables and descriptions of objects, as text for terminals and as HTML for notebooks."""

from __future__ import annotations

import reprlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from nnlayers._core.constructors import constructor_arguments
from nnlayers._core.showing import shown

__all__ = ["Described", "Grid", "describe_html", "describe_text", "html_of_object"]

# A longer cell would push the others off the screen.
_MAX_CELL = 120
# Notebooks are light or dark, and ignore style sheets in what they do not trust: elements have
# styles of their own, with the colours of the page around them and lines of a neutral grey.
_TABLE = (
    "border-collapse:collapse;color:inherit;background:transparent;margin:.4em 0;"
    "font-variant-numeric:tabular-nums"
)
_TITLE = "caption-side:top;text-align:left;color:inherit;padding:.2em .6em"
_CELL = "padding:.2em .6em;text-align:"
_LINE = ";border-bottom:1px solid rgba(128,128,128,.6)"
_SIDES = {"l": "left", "r": "right"}


@dataclass(frozen=True)
class Grid:
    """A table of texts.

    Parameters
    ----------
    header : sequence of str
        The title of each column; none for a table without titles.
    rows : sequence of sequences of str
        The cells.
    align : str
        The alignment of each column, a letter for each: ``l`` for left, ``r`` for right.

    Examples
    --------
    >>> grid = Grid(["name", "size"], [["a<b", "1"], ["c", "12"]], "lr")
    >>> print(grid.text())
    name  size
    a<b      1
    c       12
    >>> "a&lt;b" in grid.html(), "a<b" in grid.html()
    (True, False)
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str

    def text(self) -> str:
        """Return the table in columns of equal width."""
        lines = [self.header, *self.rows] if self.header else list(self.rows)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        pads = [str.rjust if side == "r" else str.ljust for side in self.align]
        return "\n".join(
            "  ".join(
                pad(cell, width) for pad, cell, width in zip(pads, line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def html(self, title: str = "", note: str = "", strong: Collection[int] = ()) -> str:
        """Return the table as HTML that suits light and dark pages.

        Parameters
        ----------
        title, note : str
            A line in bold, and one below it, above the table.
        strong : collection of int
            The rows in bold.
        """
        parts = []
        if title or note:
            lines = [f"<strong>{_cell(title)}</strong>"] if title else []
            lines += [_cell(note)] if note else []
            parts.append(f'<caption style="{_TITLE}">{"<br>".join(lines)}</caption>')
        if self.header:
            parts.append(f"<thead>{self._row(self.header, 'th', _LINE)}</thead>")
        rows = [
            self._row(row, "td", ";font-weight:bold" if index in strong else "")
            for index, row in enumerate(self.rows)
        ]
        parts.append(f"<tbody>{''.join(rows)}</tbody>")
        return (
            f'<div style="overflow-x:auto"><table style="{_TABLE}">{"".join(parts)}</table></div>'
        )

    def _row(self, cells: Sequence[str], tag: str, style: str) -> str:
        inner = (
            f'<{tag} style="{_CELL}{_SIDES[side]}{style}">{_cell(cell)}</{tag}>'
            for side, cell in zip(self.align, cells, strict=True)
        )
        return f"<tr>{''.join(inner)}</tr>"


class Described:
    """Base class of objects that show themselves by what they are made of, an entry in a line."""

    def _entries(self) -> dict[str, str]:
        """Return the entries: texts by name."""
        return {}

    @reprlib.recursive_repr()
    def __repr__(self) -> str:
        return describe_text(type(self).__name__, self._entries())

    def _repr_html_(self) -> str:
        return describe_html(type(self).__name__, self._entries())


def describe_text(name: str, entries: Mapping[str, str]) -> str:
    """Return the description of an object as text, with an entry on each line.

    Examples
    --------
    >>> print(describe_text("Trainer", {"loss": "Huber()", "epochs": "3"}))
    Trainer(
      loss: Huber()
      epochs: 3
    )
    """
    lines = [f"  {entry}: {_one_line(text)}\n" for entry, text in entries.items()]
    return f"{name}(\n{''.join(lines)})"


def describe_html(name: str, entries: Mapping[str, str], note: str = "") -> str:
    """Return the description of an object as HTML, with an entry in each row."""
    return Grid([], list(entries.items()), "ll").html(name, note)


def html_of_object(item: object) -> str:
    """Return an object's class, what it is for, and its constructor's arguments, as HTML.

    Examples
    --------
    >>> from nnlayers import Huber
    >>> html = html_of_object(Huber(delta=2.0))
    >>> "Huber" in html, ">delta</td>" in html, ">2.0</td>" in html
    (True, True, True)
    """
    arguments = {
        parameter.name: shown(value)
        for parameter, value in constructor_arguments(item)
        if value is not parameter.empty
    }
    return describe_html(type(item).__name__, arguments, _purpose(type(item)))


def _purpose(kind: type[Any]) -> str:
    """Return the first line of a class's own docstring, without its markup."""
    lines = (kind.__doc__ or "").strip().splitlines()
    return lines[0].replace("``", "") if lines else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    """Return a text for HTML: in one line of bounded length, without any markup."""
    line = _one_line(text)
    return escape(line if len(line) <= _MAX_CELL else f"{line[: _MAX_CELL - 3]}...")
