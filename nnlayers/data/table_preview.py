"""The first rows of a table, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.display import Grid
from nnlayers.data.problems import find_missing

if TYPE_CHECKING:
    from nnlayers.data.table import Table

__all__ = ["preview_of"]

_ROWS = 8
_COLUMNS = 12
_MAX_TEXT = 24


def preview_of(table: Table) -> Grid:
    """Return the first rows and columns of a table, with its target and its weights.

    Examples
    --------
    >>> from nnlayers.data import Table
    >>> table = Table({"size": [1.5, None], "shape": ["round", None]}, [1, 0], "sold")
    >>> print(preview_of(table).text())
    size  shape  target sold
     1.5  round            1
       -  -                0
    """
    count = min(len(table), _ROWS)
    names = list(table.columns)
    columns = {_shorten(name): _head(table, name, count) for name in names[:_COLUMNS]}
    if len(names) > _COLUMNS:
        columns["..."] = np.full(count, "...", object)
    if table.target is not None:
        columns[f"target {_shorten(table.target_name)}"] = table.target[:count]
    if table.weights is not None:
        columns["weights"] = table.weights[:count]
    align = "".join("l" if values.dtype.kind == "O" else "r" for values in columns.values())
    cells = [[_text(value, missing) for value, missing in _marked(v)] for v in columns.values()]
    rows = [list(row) for row in zip(*cells, strict=True)]
    if len(table) > count:
        rows.append(["..."] * len(columns))
    return Grid(list(columns), rows, align)


def _head(table: Table, name: str, count: int) -> Array:
    """Return the first values of a column, of which no more than these are read."""
    return table.rows(slice(count)).columns[name]


def _marked(values: Array) -> zip[tuple[Any, Any]]:
    return zip(values, find_missing(values), strict=True)


def _text(value: Any, missing: bool) -> str:
    if missing:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else _shorten(str(value))


def _shorten(text: str) -> str:
    """Return a text in one line of bounded length, without control characters."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[: _MAX_TEXT + 1])
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 3]}..."
