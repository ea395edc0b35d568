"""Convert the columns of pandas and polars DataFrames to arrays."""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.showing import shown
from nnlayers.data.problems import DataError
from nnlayers.data.texts import CodedTexts

__all__ = ["frame_columns", "series_values"]


def frame_columns(frame: Any, origin: str) -> dict[str, Any]:
    """Return the columns of a pandas or polars DataFrame as a table takes them.

    Raises
    ------
    TypeError
        If it is no DataFrame.
    DataError
        If two columns have one name.
    """
    if not (hasattr(frame, "iloc") and hasattr(frame, "columns")) and not _is_polars(frame):
        raise TypeError(f"frame must be a DataFrame of pandas or polars, got {shown(frame)}")
    names = [str(name) for name in frame.columns]
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"{origin}: {count} columns have the name {name!r}")
    return {
        name: series_values(frame[column])
        for name, column in zip(names, frame.columns, strict=True)
    }


def series_values(series: Any) -> Array | CodedTexts:
    """Return the values of a column: numbers, dates or text, None where it is missing."""
    if not hasattr(series, "array"):  # Polars, whose text already comes as strings and None.
        values = series.to_numpy()
        return values if values.dtype.kind != "O" else np.array(series.to_list(), object)
    dtype = series.dtype
    if dtype.kind in "biuf":
        is_plain = isinstance(dtype, np.dtype)
        return np.asarray(series if is_plain else series.to_numpy(np.float64, na_value=np.nan))
    if dtype.kind == "M":
        utc = series if getattr(dtype, "tz", None) is None else series.dt.tz_convert("UTC")
        return np.asarray(utc.dt.tz_localize(None).to_numpy())
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        return np.asarray(series.to_numpy(object))
    codes, levels = series.factorize()
    return CodedTexts([*map(str, levels)], codes)


def _is_polars(frame: Any) -> bool:
    polars = sys.modules.get("polars")  # There is no DataFrame of it where it was not imported.
    return polars is not None and isinstance(frame, polars.DataFrame)
