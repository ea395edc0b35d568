"""Write the preprocessing of a run's columns in C: a row of raw values to features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np

from nnlayers._core.arrays import FLOAT64
from nnlayers.data import Preprocessing
from nnlayers.data.dates import Dates
from nnlayers.data.encoders import Categories, Encoder, Numbers
from nnlayers.data.scaling import (
    LogScaler,
    PiecewiseScaler,
    QuantileScaler,
    Standardizer,
)
from nnlayers.export.c_builder import CBuilder, Place
from nnlayers.export.c_text import c_type, literal

__all__ = ["add_features", "describe_column"]

# A function that returns the lines that write the features of one column from its raw value t.
EncoderRule: TypeAlias = Callable[[CBuilder, Encoder, Place, int], list[str]]

# Beyond these limits, 270,000 years, a day might not be an integer of 32 bits.
_DAY = """
/* Return a date, in days since 1970, as a whole number of days. */
static int NAME(double t)
{
    return t != t ? 0 : (int)floor(t < -1e8 ? -1e8 : t > 1e8 ? 1e8 : t);
}
"""

# 400 years have 146,097 days. A year that begins in March ends with the day of a leap year.
_FROM_MARCH = """
    const int shifted = day + 719468;
    const int era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const int of_era = shifted - era * 146097;
    const int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int of_year = of_era - (365 * year + year / 4 - year / 100);
    const int march = (5 * of_year + 2) / 153; /* the month, counted from March */
"""

_YEAR = f"""
/* Return the year of a day that is counted from 1970. */
static int NAME(int day)
{{{_FROM_MARCH}    return year + era * 400 + (march >= 10);
}}
"""

_MONTH = f"""
/* Return the month, from 0, of a day that is counted from 1970. */
static int NAME(int day)
{{{_FROM_MARCH}    return (march + 2) % 12;
}}
"""

_DEVIATE = """
/* Return the normal deviate of a number's rank among quantiles. */
static double NAME(float x, const float *q, int n)
{
    int low = 0, high = n;
    if (x != x)
        return x;
    while (low < high) { /* the number of quantiles below x */
        const int middle = (low + high) / 2;
        if (q[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    int last = low - 1; /* the last quantile that is not above x */
    while (last + 1 < n && q[last + 1] <= x)
        last++;
    const double t = x;
    const double below = last < 0 ? 0 : last == n - 1 ? n - 1
        : last + (t - q[last]) / ((double)q[last + 1] - q[last]);
    const double above = low == n ? n - 1 : low == 0 ? 0
        : low - (q[low] - t) / ((double)q[low] - q[low - 1]);
    double rank = (below + above) / (2 * (n - 1));
    rank = rank < 1e-3 ? 1e-3 : rank > 1 - 1e-3 ? 1 - 1e-3 : rank;
    /* A start that is right to two digits, and three of Newton's steps. */
    const double p = rank < 0.5 ? rank : 1 - rank, s = sqrt(-2 * log(p));
    double z = (2.515517 + s * (0.802853 + s * 0.010328))
        / (1 + s * (1.432788 + s * (0.189269 + s * 0.001308))) - s;
    for (int i = 0; i < 3; i++)
        z -= (0.5 * erfc(-z * SQRT_HALF) - p) * SQRT_TWO_PI * exp(z * z / 2);
    return rank < 0.5 ? z : -z;
}
""".replace("SQRT_HALF", literal(np.sqrt(0.5), FLOAT64)).replace(
    "SQRT_TWO_PI", literal(np.sqrt(2 * np.pi), FLOAT64)
)

_PIECES = """
/* Write the shares of the intervals between edges that lie below a number. */
static void NAME(double x, const double *edges, T *y, int n)
{
    for (int i = 0; i < n; i++) {
        const double share = (x - edges[i]) / (edges[i + 1] - edges[i]);
        const double low = i == 0 ? -1 : 0, high = i == n - 1 ? 2 : 1;
        y[i] = (T)(share < low ? low : share > high ? high : share);
    }
}
"""

_CODE = """
/* Return the code of a category, `missing` for NaN, -1 for one that does not exist. */
static int NAME(float x, int count, int missing)
{
    return x != x ? missing : x >= 0 && x < count ? (int)x : -1;
}
"""


def describe_column(name: str, encoder: Encoder) -> str:
    """Return what a column takes, for the comment of the file."""
    if isinstance(encoder, Categories):
        return f"{name}, the code of a category, NAN if missing"
    if isinstance(encoder, Dates):
        return f"{name}, a date in days since 1970, NAN if missing"
    return f"{name}, a number, NAN if missing"


def add_features(
    builder: CBuilder, preprocessing: Preprocessing, x: Place, dtype: np.dtype[np.generic]
) -> Place:
    """Return the place of the features of a row of raw values.

    Raises
    ------
    ValueError
        If there is no rule for the encoding of a column.
    """
    y = builder.scratch((preprocessing.width,), dtype)
    lines: list[str] = []
    column = feature = 0
    for is_plain, group in groupby(preprocessing.encoders.items(), lambda item: _is_plain(item[1])):
        columns = list(group)
        if is_plain:
            numbers = [encoder for _, encoder in columns if isinstance(encoder, Numbers)]
            lines += _standardized(builder, numbers, x, y, column, feature)
            column, feature = column + len(columns), feature + len(columns)
            continue
        for name, encoder in columns:
            lines += ["{", f"    const double t = {x.entry(str(column))};"]
            lines += [f"    {line}" for line in _encoded(builder, name, encoder, y, feature)]
            lines.append("}")
            column, feature = column + 1, feature + encoder.width
    builder.add(lines, [x], [y])
    return y


def _is_plain(encoder: Encoder) -> bool:
    """Return whether a column is a number that is only standardised."""
    return (
        isinstance(encoder, Numbers)
        and isinstance(encoder.scaler, Standardizer)
        and not encoder.indicator
    )


def _standardized(
    builder: CBuilder, encoders: Sequence[Numbers], x: Place, y: Place, column: int, feature: int
) -> list[str]:
    """Return the lines that standardise adjacent columns."""
    scalers = [encoder.scaler for encoder in encoders]
    pairs = [(s.mean, s.scale) for s in scalers if isinstance(s, Standardizer)]
    means, scales = (builder.constant(np.array(numbers)) for numbers in zip(*pairs, strict=True))
    source = x.entry("i", *([str(column)] if column else []))
    target = y.entry("i", *([str(feature)] if feature else []))
    fills = [np.nan if encoder.fill is None else encoder.fill for encoder in encoders]
    value = "t"
    if not np.isnan(fills).all():
        value = f"(t != t ? {builder.constant(np.array(fills)).entry('i')} : t)"
    expression = f"({value} - {means.entry('i')}) / {scales.entry('i')}"
    return [
        f"for (int i = 0; i < {len(pairs)}; i++) {{",
        f"    const double t = {source};",
        f"    {target} = ({c_type(y.dtype)})({expression});",
        "}",
    ]


def _encoded(builder: CBuilder, name: str, encoder: Encoder, y: Place, start: int) -> list[str]:
    """Return the lines that write the features of one column from its raw value t."""
    if isinstance(encoder, Numbers):
        return _numbers(builder, encoder, y, start)
    if isinstance(encoder, Categories):
        return _categories(builder, encoder, y, start)
    if isinstance(encoder, Dates):
        return _dates(builder, encoder, y, start)
    raise ValueError(f"column {name!r} cannot be written as C: there is no rule for {encoder!r}")


def _numbers(builder: CBuilder, encoder: Numbers, y: Place, start: int) -> list[str]:
    lines = [_filled(encoder.fill)]
    scaler, kind = encoder.scaler, c_type(y.dtype)
    if isinstance(scaler, PiecewiseScaler):
        edges = builder.constant(np.array(scaler.edges)).name
        name = builder.helper("pieces", y.dtype, _PIECES)
        lines.append(f"{name}(v, {edges}, {y.pointer(str(start))}, {scaler.width});")
    elif isinstance(scaler, QuantileScaler):
        # A number of many rows is one of the quantiles, and must be that as a float too.
        largest = np.finfo(np.float32).max
        rounded = np.clip(scaler.quantiles, -largest, largest).astype(np.float32)
        quantiles = builder.constant(rounded)
        name = builder.helper("deviate", FLOAT64, _DEVIATE)
        lines.append(
            f"{y.entry(str(start))} = ({kind}){name}((float)v, {quantiles.name}, {quantiles.size});"
        )
    else:
        value = "v"
        if isinstance(scaler, LogScaler):
            unit = literal(scaler.unit, FLOAT64)
            lines.append(f"const double u = copysign(log1p(fabs(v) / {unit}), v);")
            value, scaler = "u", scaler.standardizer
        lines.append(f"{y.entry(str(start))} = ({kind})({_scaled(value, scaler)});")
    if encoder.indicator:
        lines.append(f"{y.entry(str(start + encoder.scaler.width))} = t != t;")
    return lines


def _categories(builder: CBuilder, encoder: Categories, y: Place, start: int) -> list[str]:
    name = builder.helper("code", FLOAT64, _CODE)
    # A missing value is a level after those that have a text.
    count = len(encoder.values)
    missing = count if encoder.missing else -1
    lines = [f"const int code = {name}((float)t, {count}, {missing});"]
    if encoder.ids:
        return [*lines, f"{y.entry(str(start))} = ({c_type(y.dtype)})(code + 1);"]
    unknown = [f" : {encoder.codes - 1}"] if encoder.other else []
    chosen = f"(code >= 0 ? code{unknown[0]})" if unknown else "code"
    offset = [str(start)] if start else []
    return [
        *lines,
        f"for (int i = 0; i < {encoder.width}; i++)",
        f"    {y.entry('i', *offset)} = i == {chosen};",
    ]


def _dates(builder: CBuilder, encoder: Dates, y: Place, start: int) -> list[str]:
    lines = [_filled(encoder.fill)]
    kind, day = c_type(y.dtype), builder.helper("day", FLOAT64, _DAY)
    values = {
        "elapsed": "v",
        "year": f"{builder.helper('year', FLOAT64, _YEAR)}({day}(v))",
        "month": _cycle(f"{builder.helper('month', FLOAT64, _MONTH)}({day}(v))", 12),
        # The first of January 1970 was a Thursday; Monday is 0.
        "weekday": _cycle(f"(({day}(v) + 3) % 7 + 7) % 7", 7),
        "hour": _cycle("24 * (v - floor(v))", 24),
    }
    for part, scaler in encoder.parts.items():
        if part in ("elapsed", "year"):
            lines.append(f"{y.entry(str(start))} = ({kind})({_scaled(values[part], scaler)});")
            start += 1
            continue
        for function in ("sin", "cos"):
            text = f"t != t ? 0 : {function}({values[part]})"
            lines.append(f"{y.entry(str(start))} = ({kind})({text});")
            start += 1
    if encoder.indicator:
        lines.append(f"{y.entry(str(start))} = t != t;")
    return lines


def _filled(fill: float | None) -> str:
    """Return the definition of v, which is t with the fill in place of NaN."""
    text = "t" if fill is None else f"t != t ? {literal(fill, FLOAT64)} : t"
    return f"const double v = {text};"


def _scaled(value: str, scaler: Standardizer) -> str:
    mean, scale = literal(scaler.mean, FLOAT64), literal(scaler.scale, FLOAT64)
    return f"({value} - {mean}) / {scale}"


def _cycle(value: str, period: int) -> str:
    return f"{literal(2 * np.pi, FLOAT64)} * ({value}) / {period}"
