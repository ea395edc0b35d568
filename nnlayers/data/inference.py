"""Look at a table, and draft a config that trains a network on it."""

from __future__ import annotations

import inspect
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnlayers._core.checks import check_instance, unknown_name
from nnlayers._core.display import Grid
from nnlayers.data.compression import plain_suffix
from nnlayers.data.delimited import header_advice
from nnlayers.data.draft import draft_config
from nnlayers.data.files import from_frame, npz, read_rows
from nnlayers.data.problems import DataError, count_of
from nnlayers.data.profiles import ColumnProfile, profile_columns
from nnlayers.data.table import Table
from nnlayers.data.target_profile import TargetProfile, profile_target
from nnlayers.data.targets import rows_with_target

__all__ = ["Inference", "infer"]

# The data sources by the suffixes of their files.
_SOURCES = {".parquet": "parquet", ".feather": "feather", ".arrow": "feather", ".npz": "npz"}
# The arguments of `read_rows` that say how a text file is written.
_OPTIONS = tuple(inspect.signature(read_rows).parameters)[2:]
# A longer list of columns would hold up a notebook.
_MOST_COLUMNS = 200
# The names that columns have without a header.
_NUMBERED = re.compile(r"column \d+")


@dataclass(frozen=True, repr=False)
class Inference:
    """The roles of a table's columns, and a config; :func:`infer` makes it.

    ``str(inference)`` is the text of the config.

    Parameters
    ----------
    text : str
        The config as commented TOML.
    rows : int
        The number of rows that have a target.
    target : TargetProfile
        The target: its task, its distribution in words, and the number of rows without it.
    columns : sequence of ColumnProfile
        The columns: the role of each, and the reason.
    """

    text: str
    rows: int
    target: TargetProfile
    columns: Sequence[ColumnProfile]

    @property
    def config(self) -> dict[str, Any]:
        """The config as tables, which can be changed."""
        return tomllib.loads(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        columns = count_of(len(self.columns), "column")
        return f"Inference({count_of(self.rows, 'row')}, {columns}, target {self.target.name!r})"

    def _repr_html_(self) -> str:
        """Return the roles of the columns for a notebook; those that are left out come last."""
        rows = [
            [column.name, column.role, f"{column.levels:,}", f"{column.missing:,}", column.reason]
            for column in sorted(self.columns, key=lambda column: column.role == "ignored")
        ]
        if len(rows) > _MOST_COLUMNS:
            rows[_MOST_COLUMNS:] = [["..."] * 5]
        grid = Grid(["column", "role", "values", "missing", ""], rows, "llrrl")
        title = f"{count_of(self.rows, 'row')}, target {self.target.name!r}"
        return grid.html(title, self.target.description)


def infer(table: Any, target: str, **options: Any) -> Inference:
    """Draft a config that trains a network on a table, by looking at its columns.

    It finds which columns are numbers, categories or dates and which to leave out (identifiers,
    free text, constants, repetitions of another column, and columns that give the target away),
    and chooses the loss by the target and the sizes of the network by the number of rows.
    ``nnlayers init`` writes the config and prints the columns.

    Parameters
    ----------
    table : path, DataFrame of pandas or polars, or Table
        The rows.
    target : str
        The column to predict; of an .npz archive, the array. ``"column 3"`` and the like are
        columns of a text file without a header.
    **options
        How a text file is written, where that is not found by itself: `separator`, `decimal`,
        `thousands`, `quote`, `comment`, `encoding`, `header` and `missing`, as in
        :func:`read_rows`. The config has them too.

    Returns
    -------
    Inference
        The config, with ``target`` and ``columns`` as they were read. It names the file of the
        rows; for a DataFrame or a Table it has no section ``data``, and
        ``nnlayers.config.prepare(inference.config, name, table=table)`` takes the rows.

    Raises
    ------
    TypeError, ValueError
        If an option is unknown or out of range, or the table is not a text file.
    DataError
        If the table cannot be read, there is no such column, the target cannot be learnt, or no
        column is left to learn from.

    Examples
    --------
    >>> table = Table(
    ...     {"size": [1.0, 2.0, 3.0] * 8, "color": ["red", "blue"] * 12, "kind": ["x"] * 24},
    ...     target=[0, 0, 1, 1] * 6,
    ... )
    >>> inference = infer(table, "target")
    >>> [(column.name, column.role) for column in inference.columns]
    [('size', 'number'), ('color', 'category'), ('kind', 'ignored')]
    >>> inference.columns[2].reason
    'is x in all rows'
    >>> inference.config["loss"]
    {'type': 'SigmoidCrossEntropy'}
    """
    check_instance("target", target, str)
    rows, data = _read(table, target, options)
    profile = profile_target(rows.target_column, target)
    rows = rows_with_target(rows)
    columns = profile_columns(rows, profile)
    if all(column.role == "ignored" for column in columns):
        reasons = ", ".join(f"{column.name!r} {column.reason}" for column in columns[:3])
        raise DataError(f"{rows.origin}: there is no column to learn from: {reasons}")
    text = draft_config(len(rows), profile, columns, data, os.path.basename(rows.origin))
    return Inference(text, len(rows), profile, columns)


def _read(table: Any, target: str, options: dict[str, Any]) -> tuple[Table, dict[str, Any]]:
    """Return a table with its target, and the config's section of its source."""
    for name in options:
        if name not in _OPTIONS:
            raise ValueError(unknown_name("option", name, _OPTIONS))
    is_file = isinstance(table, str | os.PathLike)
    source = _SOURCES.get(plain_suffix(os.fspath(table)), "csv") if is_file else ""
    if options and source != "csv":
        raise ValueError(f"{next(iter(options))} is an option of text files, got another table")
    if is_file:
        path = os.fspath(table)
        data = {"type": source, "path": path, "target": target}
        if source == "npz":
            return npz(path, target=target), data
        if source == "csv" and _NUMBERED.fullmatch(target):
            options = {"header": False} | options
        return _with_target(read_rows(path, **options), target), data | options
    if not isinstance(table, Table):
        return from_frame(table, target), {}
    if table.target is not None and table.target_name == target:
        return table, {}
    return _with_target(table, target), {}


def _with_target(table: Table, target: str) -> Table:
    """Return a table with one of its columns as target."""
    columns = dict(table.columns)
    if target not in columns:
        problem = unknown_name("column", target, columns) + header_advice(columns)
        raise DataError(f"{table.origin}: {problem}")
    labels = columns.pop(target)
    return Table(columns, labels, target, table.origin, table.lines)
