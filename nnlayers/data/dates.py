"""Encode dates as elapsed time, year, and the cycles of months, weekdays and hours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_choice, check_number, optional_library
from nnlayers.data.encoders import KINDS, check_missing
from nnlayers.data.problems import DataError
from nnlayers.data.scaling import Standardizer
from nnlayers.data.table import Column, ColumnKind
from nnlayers.data.texts import check_text

__all__ = ["ISO_8601", "Dates", "date_formats", "likeliest_format", "read_dates"]

ISO_8601 = "ISO8601"

_DAYS = (
    *(
        "%Y/%m/%d",
        "%Y.%m.%d",
        "%m/%d/%Y",
        "%d/%m/%Y",
        "%d.%m.%Y",
        "%m-%d-%Y",
        "%d-%m-%Y",
        "%m/%d/%y",
    ),
    *(
        "%d/%m/%y",
        "%d.%m.%y",
        "%d %b %Y",
        "%d-%b-%Y",
        "%d-%b-%y",
        "%b %d, %Y",
        "%b %d %Y",
        "%d %B %Y",
    ),
    *("%B %d, %Y", "%B %d %Y", "%a %d %b %Y", "%a, %d %b %Y", "%Y%m%d"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
# Text that could be a date has at least these: a digit, and a year of two or four.
_LIKELY = re.compile(r"(?=.*\d.*\d)[\w\s:/.,+-]{6,40}")
_SAMPLE = 200
_MOST_YEARS = 250_000

# The parts of a date, with the period of those that are cycles.
_PERIODS = {"elapsed": 0, "year": 0, "month": 12, "weekday": 7, "hour": 24}
_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class Dates:
    """Numbers and cycles of dates.

    Parameters
    ----------
    parts : mapping of str to Standardizer
        The parts that differed in training. ``"elapsed"``, in days since 1970, and ``"year"`` are
        one standardised feature each; ``"month"``, ``"weekday"`` and ``"hour"`` (with its minutes)
        are two, the sine and the cosine of their angle, and use no standardisation.
    fill : float or None
        The elapsed days for a missing date; with None, it is an error.
    indicator : bool
        Whether there is one more feature, 1 where a date is missing and otherwise 0.
    notation : str
        The format of text, as :meth:`datetime.datetime.strptime` takes it, or ``"ISO8601"``.
    kind : {"categorical", "numeric", "date"}
        The kind of the column in training.

    Examples
    --------
    >>> column = Column(np.array(["2026-01-01", "2026-07-02"], "datetime64[D]"), "column 'd'")
    >>> dates = Dates.fit(column, ISO_8601, missing="median")
    >>> list(dates.parts)
    ['elapsed', 'month']
    >>> dates.encode(column).round(2)
    array([[-1.,  0.,  1.],
           [ 1.,  0., -1.]])
    """

    parts: Mapping[str, Standardizer]
    fill: float | None = None
    indicator: bool = False
    notation: str = ISO_8601
    kind: ColumnKind = "date"

    @classmethod
    def fit(cls, column: Column, notation: str | None, *, missing: str) -> Self:
        """Find the format of text and the parts that differ, and compute the standardisation.

        Parameters
        ----------
        column : Column
            The training rows.
        notation : str or None
            The format of text; None for the first one known that fits all rows.
        missing : {"median", "mean", "error"}
            The fill of a missing date.

        Raises
        ------
        DataError
            If a value is not a date in the format, or no format fits.
        """
        if notation is None:
            notation = _find_format(column)
        dates = read_dates(column, notation)
        present = dates[~np.isnat(dates)]
        values = _part_values(present)
        parts = {
            name: Standardizer.fit(numbers)
            for name, numbers in values.items()
            if len(numbers) and numbers.min() < numbers.max()
        }
        average = np.median if missing == "median" else np.mean
        fill = float(average(values["elapsed"])) if len(present) else 0.0
        has_missing = len(present) < len(dates)
        return cls(parts, None if missing == "error" else fill, has_missing, notation, column.kind)

    @property
    def width(self) -> int:
        """The number of features."""
        return sum(2 if _PERIODS[name] else 1 for name in self.parts) + self.indicator

    def encode(self, column: Column) -> Array:
        """Return the features; those of a missing date's cycles are 0."""
        dates = read_dates(column, self.notation)
        missing = np.isnat(dates)
        check_missing(column, missing, self.fill, self.indicator)
        filled = np.where(missing, _from_days(self.fill or 0.0), dates)
        values = _part_values(filled)
        blocks = []
        for name, standardizer in self.parts.items():
            if not _PERIODS[name]:
                blocks.append(standardizer.scaled(values[name]))
                continue
            angle = 2 * np.pi * values[name] / _PERIODS[name]
            cycle = np.stack([np.sin(angle), np.cos(angle)], axis=1)
            cycle[missing] = 0
            blocks.append(cycle)
        if self.indicator:
            blocks.append(missing[:, np.newaxis])
        return np.concatenate(blocks, axis=1) if blocks else np.empty((len(dates), 0))

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        return {
            "type": "dates",
            "parts": {name: item.to_dict() for name, item in self.parts.items()},
            "fill": self.fill,
            "indicator": self.indicator,
            "notation": self.notation,
            "kind": self.kind,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the encoder of a dictionary that `to_dict` returned."""
        parts = {}
        for name, item in dict(data["parts"]).items():
            check_choice("parts", name, _PERIODS)
            mean = check_number("mean", item["mean"])
            parts[name] = Standardizer(mean, check_number("scale", item["scale"], above=0))
        check_choice("kind", data["kind"], KINDS)
        fill = data["fill"]
        return cls(
            {name: parts[name] for name in _PERIODS if name in parts},
            None if fill is None else check_number("fill", fill, minimum=-1e8, maximum=1e8),
            check_boolean("indicator", data["indicator"]),
            check_text("notation", data["notation"]),
            data["kind"],
        )


def read_dates(column: Column, notation: str) -> npt.NDArray[np.datetime64]:
    """Return the dates of a column, NaT where they are missing.

    Raises
    ------
    DataError
        If a value is not a date in the format.
    ModuleNotFoundError
        Without pandas, for text.
    """
    if column.kind == "date":
        # In coarser units a date may be beyond the range of microseconds.
        years = column.values.astype("datetime64[Y]").astype(np.int64)
        column.check(np.isnat(column.values) | (np.abs(years) < _MOST_YEARS), "is out of range")
        return column.values.astype("datetime64[us]")
    texts, indices = column.levels
    parsed = _parse(texts, notation)
    invalid = np.array([text is not None for text in texts], bool) & np.isnat(parsed)
    if invalid.any():
        problem = f"is not a date of the format {notation}: correct it, or leave it blank"
        column.check(~invalid[indices], problem)
    return np.asarray(parsed[indices])


def date_formats(texts: Sequence[str | None]) -> list[str]:
    """Return the known formats in which all texts are dates, the likeliest first.

    Examples
    --------
    >>> date_formats(["01/02/2026", "11/02/2026", None])
    ['%m/%d/%Y', '%d/%m/%Y']
    >>> date_formats(["Ulm"])
    []
    """
    present = [text for text in texts if text is not None]
    if not present or not all(_LIKELY.fullmatch(text.strip()) for text in present[:_SAMPLE]):
        return []
    return [
        notation
        for notation in _known_formats()
        if not any(np.isnat(_parse(part, notation)).any() for part in (present[:_SAMPLE], present))
    ]


def _find_format(column: Column) -> str:
    """Return the likeliest format of a column's dates."""
    if column.kind == "date":
        return ISO_8601
    texts = [text for text in column.levels.texts if text is not None]
    formats = date_formats(texts) if texts else [ISO_8601]
    if formats:
        return formats[0]
    notation, share = likeliest_format(texts)
    if share:
        read_dates(column, notation)  # It shows which row is not a date.
    raise DataError(
        f"{column.location} has dates of no known format, such as {texts[0]!r:.80}: give theirs, "
        "as dates = {NAME = '%d.%m.%Y'}"
    )


def likeliest_format(texts: Sequence[str | None]) -> tuple[str, float]:
    """Return the known format in which most of the first texts are dates, and their share.

    Examples
    --------
    >>> likeliest_format(["2026-01-31", "2026-02-30", "2026-03-31", None])
    ('ISO8601', 0.6666666666666666)
    >>> likeliest_format(["Ulm"])
    ('', 0.0)
    """
    sample = [text for text in texts if text is not None][:_SAMPLE]
    best, most = "", 0
    for notation in _known_formats() if sample else ():
        count = int(np.count_nonzero(~np.isnat(_parse(sample, notation))))
        if count > most:
            best, most = notation, count
    return best, most / max(len(sample), 1)


def _known_formats() -> Iterator[str]:
    yield ISO_8601
    yield from (day + time for time, day in product(_TIMES, _DAYS))


def _parse(texts: Sequence[str | None], notation: str) -> npt.NDArray[np.datetime64]:
    """Return dates in UTC; NaT for a text that is not one in the format."""
    pandas = optional_library("pandas", "cli")
    try:
        parsed = pandas.to_datetime(
            pandas.Series(texts, dtype=object).str.strip(),
            format=notation,
            errors="coerce",
            utc=True,
        )
    except ValueError as error:  # The format itself is not one.
        raise DataError(f"{notation!r} is not a format of dates: {error}") from None
    return np.asarray(parsed.dt.tz_localize(None).to_numpy(), "datetime64[us]")


def _part_values(dates: npt.NDArray[np.datetime64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the numbers of each part of dates that are not missing."""
    days = dates.astype("datetime64[D]")
    hours = (dates - days) / np.timedelta64(1, "h")
    return {
        "elapsed": (dates - np.datetime64(0, "us")) / _DAY,
        "year": dates.astype("datetime64[Y]").astype(np.int64) + 1970.0,
        "month": dates.astype("datetime64[M]").astype(np.int64) % 12 + 0.0,
        # The first of January 1970 was a Thursday; Monday is 0.
        "weekday": (days.astype(np.int64) + 3) % 7 + 0.0,
        "hour": hours.astype(np.float64),
    }


def _from_days(days: float) -> np.datetime64:
    return np.datetime64(round(days * 86_400_000_000), "us")
