"""Encodings of raw columns in NumPy alone, which exported Python modules hold as they stand here.

They may use each other and the constants of this file, NumPy and the standard library.
"""

from __future__ import annotations

import datetime
import re
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers.data import texts
from nnlayers.export.gaussian import CENTER, HALF_WIDTH, quantile_coefficients

__all__ = [
    "as_cells",
    "check_column",
    "encode_categories",
    "encode_dates",
    "encode_numbers",
    "fill_gaps",
    "is_missing",
    "join_features",
    "level_of",
    "normal_quantile",
    "parse_number",
    "read_column",
    "read_date",
    "read_dates",
    "read_numbers",
    "scale",
]

Array = npt.NDArray[Any]

MISSING = frozenset([*texts.MISSING, "NaT"])
BOOLEANS = texts.BOOLEANS
QUANTILE = quantile_coefficients()
QUANTILE_CENTER = float(CENTER)
QUANTILE_WIDTH = float(HALF_WIDTH)
# The period of the parts of a date that are cycles.
PERIODS = {"month": 12, "weekday": 7, "hour": 24}


def read_column(rows: Any, name: str, index: int, count: int) -> Array:
    """Return the column of a name in raw rows, or of an index where they have no names.

    Rows are a data frame, a dictionary of columns, a list of dictionaries, or an array of `count`
    columns.

    Examples
    --------
    >>> read_column([{"a": 1, "b": "x"}, {"a": 2}], "b", 1, 2)
    array(['x', None], dtype=object)
    >>> read_column(np.array([[1.0, 2.0], [3.0, 4.0]]), "b", 1, 2)
    array([2., 4.])
    """
    if hasattr(rows, "keys") or hasattr(rows, "columns"):
        names = {str(key): key for key in getattr(rows, "columns", rows)}
        if name not in names:
            raise ValueError(f"column {name!r} is missing")
        return as_cells(rows[names[name]], name)
    if len(rows) and isinstance(rows[0], dict):
        if not any(name in row for row in rows):
            raise ValueError(f"column {name!r} is missing")
        return as_cells([row.get(name) for row in rows], name)
    if not isinstance(rows, np.ndarray):
        rows = np.array([list(row) for row in rows], dtype=object)
    table = rows.reshape(len(rows), -1) if len(rows) else rows.reshape(0, count)
    if table.shape[1] != count:
        raise ValueError(f"expected {count} columns, got {table.shape[1]}")
    return as_cells(table[:, index], name)


def as_cells(values: Any, name: str) -> Array:
    """Return a column as an array, a list as one of objects.

    Examples
    --------
    >>> as_cells([1, "x"], "a")
    array([1, 'x'], dtype=object)
    """
    cells = np.asarray(values, dtype=object if isinstance(values, list | tuple) else None)
    if cells.ndim != 1:
        raise ValueError(f"column {name!r} must be one-dimensional, got shape {cells.shape}")
    # NumPy's own text, which polars gives too, holds no numbers that a text may become.
    return cells.astype(object) if cells.dtype.kind in "UT" else cells


def check_column(valid: Array, cells: Array, name: str, problem: str) -> None:
    """Raise an error for the first cell of a column that is not valid.

    Examples
    --------
    >>> check_column(np.array([True, False]), np.array([1, 2]), "a", "is odd")
    Traceback (most recent call last):
    ValueError: column 'a', row 1 (counted from 0): 2 is odd
    """
    if not valid.all():
        row = int(np.argmin(valid))
        cell = cells[row].item() if cells.dtype.kind in "biuf" else cells[row]
        raise ValueError(f"column {name!r}, row {row} (counted from 0): {cell!r} {problem}")


def is_missing(cell: object) -> bool:
    """Return whether a cell is a missing value.

    Examples
    --------
    >>> [is_missing(cell) for cell in (None, float("nan"), " ", "NA", "x", 0)]
    [True, True, True, True, False, False]
    """
    # A number is one only if it is NaN, and comparing is faster than writing it out.
    return cell != cell if isinstance(cell, float) else str(cell).strip() in MISSING


def parse_number(text: str, pattern: str, unit: str) -> float:
    """Return the number in a text, NaN if there is none or one of another unit.

    Examples
    --------
    >>> parse_number(" 1.5 ", "", ""), parse_number("True", "", ""), parse_number("x", "", "")
    (1.5, 1.0, nan)
    """
    if pattern == "boolean":
        return BOOLEANS.get(text.strip().lower(), np.nan)
    if not pattern:
        # A text file holds booleans in words, too.
        known = {"true": 1.0, "false": 0.0}.get(text.strip().lower())
        try:
            return float(text) if known is None else known
        except ValueError:
            return np.nan
    match = re.fullmatch(pattern, text.strip(), re.ASCII)
    if match is None:
        return np.nan
    part = match.groupdict(default="")
    signs = [part[key] for key in ("sign", "inner_sign", "bracket") if part[key]]
    units = [part[key] for key in ("before", "after") if part[key]]
    has_digits = part["digits"] or part["fraction"]
    is_closed = bool(part["bracket"]) == bool(part["end"])
    if not has_digits or max(len(signs), len(units)) > 1 or not is_closed:
        return np.nan
    if units != [unit] and (units or unit in ("%", "\u2030")):
        return np.nan
    digits = part["digits"].replace(part["separator"] or " ", "")
    number = float(f"{digits or 0}.{part['fraction'] or 0}{part['exponent']}")
    return -number if signs and signs[0] != "+" else number


def read_numbers(cells: Array, name: str, pattern: str, unit: str) -> Array:
    """Return the numbers of a column, NaN where they are missing.

    Examples
    --------
    >>> read_numbers(np.array([1, "2", None], object), "a", "", "")
    array([ 1.,  2., nan])
    """
    if cells.dtype.kind not in "biuf":
        missing = np.array([is_missing(cell) for cell in cells], bool)
        cells = np.where(missing, np.nan, cells)
        kinds = (bool, int, float, np.number, np.bool_)
        numbers = np.array(
            [
                cell if isinstance(cell, kinds) else parse_number(str(cell), pattern, unit)
                for cell in cells
            ],
            np.float64,
        )
        check_column(np.isfinite(numbers) | missing, cells, name, "is not a number")
        return numbers
    numbers = cells.astype(np.float64)
    check_column(~np.isinf(numbers), cells, name, "is infinite")
    return numbers


def fill_gaps(values: Array, missing: Array, fill: float | None, name: str) -> Array:
    """Return the numbers of a column with a fill for missing ones.

    Examples
    --------
    >>> fill_gaps(np.array([1.0, np.nan]), np.array([False, True]), None, "a")
    Traceback (most recent call last):
    ValueError: column 'a', row 1 (counted from 0): nan is missing
    """
    if fill is None:
        check_column(~missing, values, name, "is missing")
        return values
    return np.where(missing, fill, values)


def normal_quantile(p: Array) -> Array:
    """Return the number below which a normal draw is with a probability from 0.001 to 0.999.

    Examples
    --------
    >>> normal_quantile(np.array([0.001, 0.5, 0.9])).round(6) + 0
    array([-3.090232,  0.      ,  1.281552])
    """
    s = (np.sqrt(-2 * np.log(np.minimum(p, 1 - p))) - QUANTILE_CENTER) / QUANTILE_WIDTH
    z = np.zeros_like(s)
    for coefficient in reversed(QUANTILE):
        z = z * s + coefficient
    return np.asarray(np.where(p > 0.5, z, -z))


def scale(values: Array, encoder: dict[str, Any]) -> Array:
    """Return scaled numbers, of shape (rows, features).

    Examples
    --------
    >>> scale(np.array([3.0]), {"mean": 1.0, "scale": 4.0})
    array([[0.5]])
    >>> scale(np.array([0.5, 5.5]), {"edges": [0.0, 1.0, 10.0]})
    array([[0.5, 0. ],
           [1. , 0.5]])
    """
    if "edges" in encoder:
        edges = np.array(encoder["edges"])
        low, high = np.zeros(len(edges) - 1), np.ones(len(edges) - 1)
        low[0], high[-1] = -1, 2
        shares = (values[:, np.newaxis] - edges[:-1]) / np.diff(edges)
        return np.asarray(np.clip(shares, low, high))
    if "quantiles" in encoder:
        quantiles = np.array(encoder["quantiles"])
        steps = np.linspace(0, 1, len(quantiles))
        below = np.interp(values, quantiles, steps)
        above = 1 - np.interp(-values, -quantiles[::-1], steps)
        return normal_quantile(np.clip((below + above) / 2, 1e-3, 1 - 1e-3))[:, np.newaxis]
    if "unit" in encoder:
        values = np.sign(values) * np.log1p(np.abs(values) / encoder["unit"])
    return np.asarray(((values - encoder["mean"]) / encoder["scale"])[:, np.newaxis])


def encode_numbers(cells: Array, name: str, encoder: dict[str, Any]) -> Array:
    """Return the features of a column of numbers.

    Examples
    --------
    >>> encoder = {"mean": 1.0, "scale": 2.0, "fill": 3.0, "indicator": True}
    >>> encode_numbers(np.array([2.0, np.nan]), "a", encoder)
    array([[0.5, 0. ],
           [1. , 1. ]])
    """
    values = read_numbers(cells, name, encoder.get("pattern", ""), encoder.get("sign", ""))
    missing = np.isnan(values)
    features = scale(fill_gaps(values, missing, encoder["fill"], name), encoder)
    return np.column_stack([features, missing]) if encoder["indicator"] else features


def level_of(cell: Any, is_numeric: bool) -> str | None:
    """Return the text of a category, None for a missing one.

    Examples
    --------
    >>> [level_of(cell, False) for cell in (1, 2.0, 2.5, True, "x", None)]
    ['1', '2', '2.5', 'True', 'x', None]
    """
    if is_missing(cell):
        return None
    if is_numeric and isinstance(cell, str):
        cell = float(cell)
    if isinstance(cell, int | float | np.number) and not isinstance(cell, bool):
        number = float(cell)
        is_whole = number.is_integer() and abs(number) < 2**53
        return str(int(number)) if is_whole else repr(number)
    return str(cell)


def encode_categories(cells: Array, name: str, encoder: dict[str, Any]) -> Array:
    """Return the 0/1 features of a column of categories, or ids.

    Examples
    --------
    >>> encoder = {"values": ["x", "y"], "missing": False, "other": True, "ids": False}
    >>> encode_categories(np.array(["y", "z"], object), "a", encoder | {"kind": "categorical"})
    array([[False,  True, False],
           [False, False,  True]])
    """
    known: dict[str | None, int] = {
        str(value): code for code, value in enumerate(encoder["values"])
    }
    if encoder["missing"]:
        known[None] = len(known)
    levels = [level_of(cell, encoder["kind"] == "numeric") for cell in cells]
    codes = np.array([known.get(level, -1) for level in levels], np.intp)
    unknown = np.count_nonzero(codes < 0)
    if unknown and not encoder["other"]:
        rows = f"{unknown} row{'' if unknown == 1 else 's'}"
        problem = f"has {rows} of a category that training did not see"
        warnings.warn(f"column {name!r} {problem}", stacklevel=4)
    if encoder["ids"]:
        return (codes + 1)[:, np.newaxis]
    width = len(known) + encoder["other"]
    if encoder["other"]:
        codes[codes < 0] = width - 1
    return np.asarray(codes[:, np.newaxis] == np.arange(width))


def read_date(cell: Any, notation: str) -> Any:
    """Return the date in a cell, in UTC; None if it is not one.

    Examples
    --------
    >>> read_date("31.3.2026", "%d.%m.%Y"), read_date("soon", "ISO8601")
    (np.datetime64('2026-03-31T00:00:00.000000'), None)
    """
    if is_missing(cell):
        return np.datetime64("NaT", "us")
    if isinstance(cell, str):
        try:
            text = cell.strip()
            cell = (
                datetime.datetime.fromisoformat(text)
                if notation == "ISO8601"
                else datetime.datetime.strptime(text, notation)
            )
        except ValueError:
            return None
    if isinstance(cell, datetime.datetime) and cell.tzinfo is not None:
        cell = cell.astimezone(datetime.UTC).replace(tzinfo=None)
    is_date = isinstance(cell, datetime.date | np.datetime64)
    return np.asarray(cell, "datetime64[us]")[()] if is_date else None


def read_dates(cells: Array, name: str, notation: str) -> Array:
    """Return the dates of a column, NaT where they are missing.

    Examples
    --------
    >>> read_dates(np.array(["2026-03-31", None], object), "a", "ISO8601")
    array(['2026-03-31T00:00:00.000000',                        'NaT'],
          dtype='datetime64[us]')
    """
    if cells.dtype.kind == "M":
        return cells.astype("datetime64[us]")
    dates = [read_date(cell, notation) for cell in cells]
    problem = f"is not a date of the format {notation}"
    check_column(np.array([date is not None for date in dates], bool), cells, name, problem)
    return np.array(dates, "datetime64[us]")


def encode_dates(cells: Array, name: str, encoder: dict[str, Any]) -> Array:
    """Return the features of a column of dates.

    Examples
    --------
    >>> parts = {"year": {"mean": 2000.0, "scale": 10.0}, "month": {"mean": 0.0, "scale": 1.0}}
    >>> encoder = {"parts": parts, "fill": None, "indicator": False, "notation": "ISO8601"}
    >>> encode_dates(np.array(["2025-04-01"], object), "a", encoder).round(3)
    array([[2.5, 1. , 0. ]])
    """
    dates = read_dates(cells, name, encoder["notation"])
    missing = np.isnat(dates)
    elapsed = (dates - np.datetime64(0, "us")) / np.timedelta64(1, "D")
    elapsed = fill_gaps(elapsed, missing, encoder["fill"], name)
    fill = np.datetime64(round((encoder["fill"] or 0.0) * 86_400_000_000), "us")
    dates = np.where(missing, fill, dates)
    days = dates.astype("datetime64[D]")
    values = {
        "elapsed": (dates - np.datetime64(0, "us")) / np.timedelta64(1, "D"),
        "year": dates.astype("datetime64[Y]").astype(np.int64) + 1970.0,
        "month": dates.astype("datetime64[M]").astype(np.int64) % 12,
        "weekday": (days.astype(np.int64) + 3) % 7,
        "hour": (dates - days) / np.timedelta64(1, "h"),
    }
    blocks = []
    for part, scaler in encoder["parts"].items():
        if part not in PERIODS:
            blocks.append(scale(values[part], scaler))
            continue
        angle = 2 * np.pi * values[part] / PERIODS[part]
        cycle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        cycle[missing] = 0
        blocks.append(cycle)
    if encoder["indicator"]:
        blocks.append(missing[:, np.newaxis])
    return np.concatenate(blocks, axis=1) if blocks else np.empty((len(dates), 0))


def join_features(blocks: dict[str, Array], dtype: str) -> Array:
    """Return the features of all columns side by side.

    Examples
    --------
    >>> join_features({"a": np.array([[1e300]])}, "float32")
    Traceback (most recent call last):
    ValueError: column 'a' is out of range when it is scaled as float32
    """
    with np.errstate(over="ignore"):
        features = {name: block.astype(dtype) for name, block in blocks.items()}
    for name, block in features.items():
        if not np.isfinite(block).all():
            raise ValueError(f"column {name!r} is out of range when it is scaled as {dtype}")
    return np.concatenate(list(features.values()), axis=1)
