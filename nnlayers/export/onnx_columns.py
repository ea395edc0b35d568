"""Rules for ONNX of the columns of raw rows: how each encoder and scaler is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers.data.dates import Dates
from nnlayers.data.encoders import Categories, Numbers
from nnlayers.data.scaling import LogScaler, PiecewiseScaler, QuantileScaler, Standardizer
from nnlayers.data.texts import MISSING
from nnlayers.export import gaussian
from nnlayers.export.onnx_activations import log_1_plus
from nnlayers.export.onnx_builder import ML_DOMAIN, OnnxBuilder, polynomial
from nnlayers.export.rules import Rules

__all__ = ["ENCODERS", "SCALERS", "Rule", "dtype_of"]

# The rule of an encoder takes the name of its column, of shape (rows,), and returns float64
# features of shape (rows, width). The rule of a scaler takes numbers that are not missing.
Rule: TypeAlias = Callable[[OnnxBuilder, Any, str], str]
ENCODERS: Rules[Rule] = Rules("ONNX")
SCALERS: Rules[Rule] = Rules("ONNX")

_INT64 = np.dtype(np.int64)
_DAY = 86_400_000_000  # In microseconds.
_NO_DATE = np.iinfo(np.int64).min


def dtype_of(encoder: Any) -> np.dtype[Any]:
    """Return the dtype of a column's input.

    Numbers, those in text too, are float64, NaN where missing. Dates are int64 microseconds since
    1970 in UTC, the smallest int64 where missing, as NumPy's ``datetime64[us]`` holds them.
    Categories are strings, or float64 if the column holds numbers.
    """
    if isinstance(encoder, Dates):
        return _INT64
    is_text = isinstance(encoder, Categories) and encoder.kind != "numeric"
    return np.dtype(object) if is_text else FLOAT64


@ENCODERS.add(Numbers)
def _numbers(b: OnnxBuilder, encoder: Numbers, x: str) -> str:
    missing = b.op("IsNaN", x)
    if encoder.fill is not None:
        x = b.op("Where", missing, b.number(encoder.fill, FLOAT64), x)
    features = SCALERS[type(encoder.scaler)](b, encoder.scaler, x)
    return b.op("Concat", features, _column(b, missing), axis=1) if encoder.indicator else features


@ENCODERS.add(Categories)
def _categories(b: OnnxBuilder, encoder: Categories, x: str) -> str:
    count = len(encoder.values)
    unknown = encoder.codes - 1 if encoder.other and not encoder.ids else -1
    if encoder.kind == "numeric":
        codes = _codes_of_numbers(b, encoder, x, unknown)
    else:
        texts = {str(value): code for code, value in enumerate(encoder.values)}
        missing = count if encoder.missing else unknown
        texts |= {text: missing for text in sorted(MISSING) if text not in texts}
        codes = b.op(
            "LabelEncoder",
            x,
            domain=ML_DOMAIN,
            keys_strings=[*texts],
            values_int64s=[*texts.values()],
            default_int64=unknown,
        )
    codes = b.op("Unsqueeze", codes, b.integers([1]))
    if encoder.ids:
        return b.op("Add", b.cast(codes, FLOAT64), b.number(1, FLOAT64))
    levels = b.array(np.arange(encoder.codes), "levels")
    return b.cast(b.op("Equal", codes, levels), FLOAT64)


def _codes_of_numbers(b: OnnxBuilder, encoder: Categories, x: str, unknown: int) -> str:
    """Return the codes of a column of numbers, whose levels are the numbers as text."""
    # Without any level, one that is never met stands in, because no runtime needs empty tables.
    numbers = np.array([float(value) for value in encoder.values] or [np.nan])
    column = b.op("Unsqueeze", x, b.integers([1]))
    is_level = b.op("Equal", column, b.array(numbers, "levels"))
    # Codes plus one less the code for an unknown number, which adds up to 0 where there is none.
    offsets = np.arange(float(len(numbers)))[:, np.newaxis] - unknown
    sums = b.op("MatMul", b.cast(is_level, FLOAT64), b.array(offsets, "offsets"))
    codes = b.op("Squeeze", b.cast(sums, _INT64), b.integers([1]))
    codes = b.op("Add", codes, b.integer(unknown))
    if encoder.missing:
        codes = b.op("Where", b.op("IsNaN", x), b.integer(len(encoder.values)), codes)
    return codes


@ENCODERS.add(Dates)
def _dates(b: OnnxBuilder, encoder: Dates, x: str) -> str:
    missing = b.op("Equal", x, b.integer(_NO_DATE))
    fill = b.integer(round((encoder.fill or 0.0) * _DAY))
    time = b.op("Where", missing, fill, x)
    hours = b.op("Mod", time, b.integer(_DAY))
    days = b.op("Div", b.op("Sub", time, hours), b.integer(_DAY))
    blocks = []
    for name, standardizer in encoder.parts.items():
        value = _part(b, name, time, hours, days)
        if name in ("elapsed", "year"):
            blocks.append(_standardizer(b, standardizer, value))
            continue
        period = {"month": 12, "weekday": 7, "hour": 24}[name]
        angle = b.op("Mul", value, b.number(2 * np.pi, FLOAT64))
        angle = b.op("Div", angle, b.number(period, FLOAT64))
        # The cosine is a shifted sine, because older runtimes have no cosine of float64.
        for phase in (angle, b.op("Add", angle, b.number(np.pi / 2, FLOAT64))):
            wave = b.op("Sin", phase)
            blocks.append(_column(b, b.op("Where", missing, b.number(0, FLOAT64), wave)))
    if encoder.indicator:
        blocks.append(_column(b, missing))
    return b.op("Concat", *blocks, axis=1)


def _part(b: OnnxBuilder, name: str, time: str, hours: str, days: str) -> str:
    """Return a part of dates as float64, of time and hours in microseconds, and of days."""
    if name == "elapsed":
        return b.op("Div", b.cast(time, FLOAT64), b.number(_DAY, FLOAT64))
    if name == "hour":
        return b.op("Div", b.cast(hours, FLOAT64), b.number(_DAY / 24, FLOAT64))
    if name == "weekday":
        return b.cast(b.op("Mod", b.op("Add", days, b.integer(3)), b.integer(7)), FLOAT64)
    year, month = _year_and_month(b, days)
    return b.cast(year if name == "year" else month, FLOAT64)


def _year_and_month(b: OnnxBuilder, days: str) -> tuple[str, str]:
    """Return the year, and the month from 0, of days since 1970.

    Years are counted from March, so that a leap day is their last: see E. M. Reingold and
    N. Dershowitz, "Calendrical calculations", 2018.
    """

    def op(operator: str, x: str, number: int) -> str:
        return b.op(operator, x, b.integer(number))

    # 719468 days lie between March of year 0 and 1970, and 146097 days are 400 years.
    shifted = op("Add", days, 719_468)
    day = op("Mod", shifted, 146_097)
    era = op("Div", b.op("Sub", shifted, day), 146_097)
    # Leap days that lie before the day are taken out: every 4, not every 100, but every 400 years.
    leaps = b.op("Sub", op("Div", day, 1460), op("Div", day, 36_524))
    leaps = b.op("Add", leaps, op("Div", day, 146_096))
    year = op("Div", b.op("Sub", day, leaps), 365)
    begin = b.op("Sub", b.op("Add", op("Mul", year, 365), op("Div", year, 4)), op("Div", year, 100))
    # The months from March have 30.6 days on average.
    march_month = op("Div", op("Add", op("Mul", b.op("Sub", day, begin), 5), 2), 153)
    month = op("Mod", op("Add", march_month, 2), 12)
    is_next_year = b.cast(op("GreaterOrEqual", march_month, 10), _INT64)
    return b.op("Add", b.op("Add", year, op("Mul", era, 400)), is_next_year), month


@SCALERS.add(Standardizer)
def _standardizer(b: OnnxBuilder, scaler: Standardizer, x: str) -> str:
    centered = b.op("Sub", x, b.number(scaler.mean, FLOAT64))
    return _column(b, b.op("Div", centered, b.number(scaler.scale, FLOAT64)))


@SCALERS.add(LogScaler)
def _log_scaler(b: OnnxBuilder, scaler: LogScaler, x: str) -> str:
    size = b.op("Div", b.op("Abs", x), b.number(scaler.unit, FLOAT64))
    logarithm = b.op("Mul", b.op("Sign", x), log_1_plus(b, FLOAT64, size))
    return _standardizer(b, scaler.standardizer, logarithm)


@SCALERS.add(QuantileScaler)
def _quantile_scaler(b: OnnxBuilder, scaler: QuantileScaler, x: str) -> str:
    unit, quantiles = _in_units(scaler.quantiles)
    steps = np.linspace(0, 1, len(quantiles))
    one, half = b.number(1, FLOAT64), b.number(0.5, FLOAT64)
    x = b.op("Div", x, b.number(unit, FLOAT64))
    below = _interpolation(b, x, quantiles, steps)
    above = b.op("Sub", one, _interpolation(b, b.op("Neg", x), -quantiles[::-1], steps))
    rank = b.op("Mul", b.op("Add", below, above), half)
    rank = b.op("Min", b.op("Max", rank, b.number(1e-3, FLOAT64)), b.number(1 - 1e-3, FLOAT64))
    # The normal deviate, see `gaussian`.
    smaller = b.op("Log", b.op("Min", rank, b.op("Sub", one, rank)))
    t = b.op("Sqrt", b.op("Mul", smaller, b.number(-2, FLOAT64)))
    s = b.op("Sub", t, b.number(gaussian.CENTER, FLOAT64))
    s = b.op("Div", s, b.number(gaussian.HALF_WIDTH, FLOAT64))
    deviate = polynomial(b, FLOAT64, gaussian.quantile_coefficients(), s)
    sign = b.op("Sign", b.op("Sub", rank, half))
    return _column(b, b.op("Mul", sign, deviate))


def _interpolation(b: OnnxBuilder, x: str, points: Any, values: Any) -> str:
    """Return values between points in ascending order, as ``numpy.interp`` does."""
    lengths = np.diff(points)
    slopes = np.divide(np.diff(values), lengths, out=np.zeros(len(lengths)), where=lengths > 0)
    reached = b.op("GreaterOrEqual", _column(b, x, None), b.array(points, "points"))
    count = b.op("ReduceSum", b.cast(reached, _INT64), b.integers([1]), keepdims=0)
    # The first row of each table is for numbers below all points, the last for those beyond.
    tables = [[points[0], *points], [values[0], *values], [0.0, *slopes, 0.0]]
    begin, start, slope = (b.op("Gather", b.array(np.array(t), "table"), count) for t in tables)
    low, high = b.number(points[0], FLOAT64), b.number(points[-1], FLOAT64)
    x = b.op("Min", b.op("Max", x, low), high)
    return b.op("Add", b.op("Mul", slope, b.op("Sub", x, begin)), start)


@SCALERS.add(PiecewiseScaler)
def _piecewise_scaler(b: OnnxBuilder, scaler: PiecewiseScaler, x: str) -> str:
    unit, edges = _in_units(scaler.edges)
    lowest, highest = np.zeros(scaler.width), np.ones(scaler.width)
    lowest[0], highest[-1] = -1, 2
    x = _column(b, b.op("Div", x, b.number(unit, FLOAT64)), None)
    shares = b.op("Sub", x, b.array(edges[:-1], "edges"))
    shares = b.op("Div", shares, b.array(np.diff(edges), "lengths"))
    shares = b.op("Max", shares, b.array(lowest, "lowest"))
    return b.op("Min", shares, b.array(highest, "highest"))


def _in_units(values: Sequence[float]) -> tuple[float, Array]:
    """Return the power of two of the largest value, and the values divided by it.

    The division is exact, and differences do not overflow then.
    """
    largest = np.abs(values).max()
    unit = float(np.ldexp(1.0, np.frexp(largest)[1] - 1)) if largest else 1.0
    return unit, np.array(values) / unit


def _column(b: OnnxBuilder, x: str, dtype: Any = FLOAT64) -> str:
    """Return x of shape (rows,) as a column, (rows, 1), in a dtype."""
    column = b.op("Unsqueeze", x, b.integers([1]))
    return column if dtype is None else b.cast(column, dtype)
