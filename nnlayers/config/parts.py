"""Read the rows that a config names, and divide them into training, validation and test."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from nnlayers.config.builder import Builder, BuildResult
from nnlayers.config.families import SOURCES
from nnlayers.data import Preprocessing, Split, Table, split_table
from nnlayers.losses import Loss

__all__ = ["read_parts"]


def read_parts(
    data_section: Mapping[str, Any],
    split_section: Mapping[str, Any],
    source: str,
    loss: Loss,
    preprocessing: Preprocessing,
    modules: Iterable[str] = (),
    table: Table | None = None,
) -> tuple[BuildResult, BuildResult]:
    """Return the data as a table, and its rows by part; each with its section completed.

    The rows are those with a target, if the preprocessing leaves out others. A column by which they
    are split is no feature, unless the preprocessing names it.

    Parameters
    ----------
    data_section, split_section : mapping
        The two tables of the config.
    source : str
        The file of the config, for messages.
    loss : Loss
        The loss, by whose kind of targets a random split is stratified.
    preprocessing : Preprocessing
        The preprocessing, with the roles of columns.
    modules : iterable of str
        Modules besides nnlayers whose functions the config may name.
    table : Table, optional
        The rows, in place of those that the config names.

    Raises
    ------
    ConfigError
        If the data cannot be read or split.
    """
    roles = preprocessing.roles
    # Cells of categories are text as written in the file, even if they look like numbers.
    text = tuple(dict.fromkeys((*roles.categories, *roles.embed)))
    builder = Builder(source, {"categorical": text}, modules=modules)
    if table is not None and data_section:
        raise builder.error("data", "must be empty where the rows are given as a table")
    data = builder.build(data_section, "data", SOURCES) if table is None else BuildResult(table, {})
    if data.value.target is None:
        raise builder.error("data", f"{data.value.origin}: there is no target")
    # The run directory must not depend on the working directory.
    paths = ("path", "target", "weights") if data.table.get("type") == "npy" else ("path",)
    for key in paths:
        if isinstance(data.table.get(key), str):
            data.table[key] = os.path.abspath(data.table[key])
    table = builder.attempt("data", (), lambda: preprocessing.labelled(data.value))
    stratify = None if loss.targets == "values" else table.target
    supplied = {"table": table, "stratify": stratify}
    rows = builder.construct(split_table, split_section, "split", supplied=supplied)
    by_which = {rows.table.get(way) for way in ("group", "time", "column")}
    features = builder.attempt(
        "split", (), lambda: table.without(by_which - set(roles.named_columns))
    )
    parts = {
        name: features.rows(indices)
        for name, indices in zip(Split._fields, rows.value, strict=True)
    }
    return data, BuildResult(parts, rows.table)
