"""Write what a run has beside its model in Python: columns, classes and units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnlayers.data import Preprocessing
from nnlayers.data.dates import Dates
from nnlayers.data.encoders import Categories, Encoder, Numbers
from nnlayers.data.targets import Values
from nnlayers.export import numpy_columns as columns
from nnlayers.export.program import RunParts
from nnlayers.export.python_builder import PythonBuilder, literal, quoted

__all__ = ["add_run"]

# The functions that encode a column, by the class of its encoder.
_ENCODERS: dict[type, Callable[..., Any]] = {
    Categories: columns.encode_categories,
    Dates: columns.encode_dates,
    Numbers: columns.encode_numbers,
}


def add_run(builder: PythonBuilder, run: RunParts, dtype: np.dtype[Any]) -> list[str]:
    """Return the functions of a module that take raw rows, and the names of columns and classes.

    They use a function ``outputs`` that takes features.

    Raises
    ------
    ValueError
        If there is no rule for the encoding of a column.
    """
    names = literal(list(run.preprocessing.encoders))
    parts = [f"COLUMNS = {names}", *_classes(run.preprocessing)]
    parts.append(_predict(run))
    if run.probabilities is not None:
        parts.append(_PREDICT_PROBA)
    parts.append(_features(builder, run.preprocessing, dtype.name))
    return parts


def _classes(preprocessing: Preprocessing) -> list[str]:
    if not preprocessing.classes:
        return []
    classes = list(preprocessing.classes)
    dtype = "object" if isinstance(classes[0], str) else "np.int64"
    return [f"CLASSES = np.array({literal(classes)}, dtype={dtype})"]


def _predict(run: RunParts) -> str:
    target = run.preprocessing.target
    if isinstance(target, Values):
        mean, scale = target.standardizer.mean, target.standardizer.scale
        result = f"y.reshape(len(y)).astype(np.float64) * {scale!r} + {mean!r}"
    elif run.probabilities is None and run.preprocessing.target_kind == "binary":
        result = "CLASSES[(y.reshape(len(y)) > 0).astype(int)]"
    else:
        result = "CLASSES[y.argmax(axis=1)]"
    return _PREDICT.replace("RESULT", result)


def _features(builder: PythonBuilder, preprocessing: Preprocessing, dtype: str) -> str:
    read = builder.use(columns.read_column)
    lines = []
    for index, (name, encoder) in enumerate(preprocessing.encoders.items()):
        function = _ENCODERS.get(type(encoder))
        if function is None:
            raise ValueError(
                f"column {name!r} cannot be written as Python: there is no rule for {encoder!r}"
            )
        shown = quoted(name)
        cells = f"{read}(rows, {shown}, {index}, len(COLUMNS))"
        table = literal(_table(encoder), 8)
        lines.append(
            f"    blocks[{shown}] = {builder.use(function)}(\n        {cells},\n"
            f"        {shown},\n        {table},\n    )"
        )
    join = builder.use(columns.join_features)
    # The lines come last, because the name of a column may hold any word.
    body = _FEATURES.replace("JOIN", f"{join}(blocks, {quoted(dtype)})")
    return body.replace("LINES", "\n".join(lines))


def _table(encoder: Encoder) -> dict[str, Any]:
    """Return what the functions of `numpy_columns` need of an encoder."""
    table = {key: value for key, value in encoder.to_dict().items() if key != "type"}
    if isinstance(encoder, Numbers) and encoder.notation is not None:
        del table["notation"]
        notation = encoder.notation
        table["pattern"], table["sign"] = notation.pattern or "boolean", notation.unit
    return table


_PREDICT = '''def predict(rows: Any) -> Array:
    """Return the prediction for each raw row: a class, or a value in the units of the data.

    Rows are a data frame, a dictionary of columns, a list of dictionaries, or an array with the
    columns of COLUMNS in their order.
    """
    y = outputs(features(rows))
    return np.asarray(RESULT)'''

_PREDICT_PROBA = '''def predict_proba(rows: Any) -> Array:
    """Return the probability of each class in CLASSES for each raw row, see `predict`."""
    return outputs(features(rows))'''

_FEATURES = '''def features(rows: Any) -> Array:
    """Return the features of raw rows, as the model takes them."""
    blocks = {}
LINES
    return JOIN'''
