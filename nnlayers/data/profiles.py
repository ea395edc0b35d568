"""Find out the role of each column of a table, with the reason."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.data.dates import date_formats, likeliest_format, read_dates
from nnlayers.data.encoders import read_numbers
from nnlayers.data.relations import equal_columns, explained_share
from nnlayers.data.scaling import Standardizer
from nnlayers.data.table import Column, Table
from nnlayers.data.target_profile import TargetProfile
from nnlayers.data.texts import Levels, NumberFormat

__all__ = ["ColumnProfile", "Role", "profile_columns"]

Role: TypeAlias = Literal["number", "boolean", "category", "embedded", "date", "ignored"]

# Text of more levels than this is embedded.
_MAX_ONE_HOT = 50
# Text of at most this many levels is never an identifier, however few the rows.
_FEW_LEVELS = 10
# Words of which free text has at least as many on average.
_WORDS = 3
# Where at least this share of the cells are numbers or dates, another one is a slip, and an error.
_MOST = 0.9
# A column with more different texts than this is judged by these.
_SAMPLE = 1000
# The shares of errors and of variance that a column explains alone if it gives the target away.
_GIVEN_CLASSES, _GIVEN_NUMBERS = 0.99, 0.999
# The skewness of an exponential distribution.
_SKEWNESS = 2.0
# Dates such as 20260331, which are numbers too.
_DAY = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_IDENTIFIER = re.compile(r"(^|_|\b)(id|ids|uuid|guid|key|index|idx|row|nr|no|number)(_|\b|$)", re.I)


@dataclass(frozen=True)
class ColumnProfile:
    """The role of a column.

    Parameters
    ----------
    name : str
        Its name.
    role : {"number", "boolean", "category", "embedded", "date", "ignored"}
        What it becomes: a number, a 0/1 number, features of 0 and 1 for its levels, a learnt vector
        for each level, the parts of a date, or nothing.
    reason : str
        What it looks like, or why it is left out.
    levels : int
        The number of its different values.
    missing : int
        The number of rows without a value.
    notation : str
        The format of a date in text.
    is_skewed : bool
        Whether it holds numbers of at least 0 with a long tail of large ones.
    """

    name: str
    role: Role
    reason: str
    levels: int
    missing: int
    notation: str = ""
    is_skewed: bool = False


@dataclass(frozen=True)
class _Found:
    """A profile, and what relations to other columns are found from."""

    profile: ColumnProfile
    codes: npt.NDArray[np.intp]
    numbers: Array | None = None


def profile_columns(table: Table, target: TargetProfile) -> list[ColumnProfile]:
    """Return the profile of each column, for rows that all have a target.

    Raises
    ------
    DataError
        If almost all cells of a column are numbers or dates and one is not, or one is infinite.
    """
    found = {name: _profile(table.column(name), name) for name in table.columns}
    used = {name: item for name, item in found.items() if item.profile.role != "ignored"}
    numbers = {name: item.numbers for name, item in used.items() if item.numbers is not None}
    same = equal_columns({name: item.codes for name, item in used.items()}, numbers)
    reasons = {name: f"says the same as {other}" for name, other in same.items()}
    threshold = _GIVEN_CLASSES if target.is_class else _GIVEN_NUMBERS
    for name, item in used.items():
        share = explained_share(item.codes, target, item.numbers)
        if share >= threshold:
            reasons[name] = f"gives {target.name} away: alone it tells {_percent(share)} of it"
    if reasons.keys() >= used.keys():  # A network needs a column, and says the truth of it.
        reasons = {
            name: why for name, why in reasons.items() if name in same and same[name] in used
        }
    return [
        replace(item.profile, role="ignored", reason=reasons[name])
        if name in reasons
        else item.profile
        for name, item in found.items()
    ]


def _percent(share: float) -> str:
    return "all" if share >= 0.99995 else f"{share:.2%}"


def _profile(column: Column, name: str) -> _Found:
    """Return the role of a column by its own values."""
    levels = column.levels
    has_missing = None in levels.texts
    missing = int(levels.counts[levels.texts.index(None)]) if has_missing else 0
    count = len(levels.texts) - has_missing
    blank = ColumnProfile(name, "ignored", "", count, missing)
    if count == 0:
        return _Found(replace(blank, reason="has no value in any row"), levels.indices)
    if count == 1 and not missing:
        return _Found(replace(blank, reason=f"is {levels.texts[0]} in all rows"), levels.indices)
    if column.kind == "date":
        return _date(column, blank, levels, "")
    if all(text is None or _DAY.fullmatch(text) for text in levels.texts):
        return _date(column, blank, levels, "%Y%m%d")
    if column.kind == "numeric":
        return _numbers(column, blank, levels, None)
    notation = NumberFormat.detect(levels)
    if notation is not None and not _are_codes(levels, notation):
        return _numbers(column, blank, levels, notation)
    if notation is None and (formats := date_formats(levels.texts)):
        return _date(column, blank, levels, *formats)
    if notation is None and _could_be_dates(levels):
        form, share = likeliest_format(levels.texts)
        if share >= _MOST:  # An error names the row that is not a date.
            return _date(column, blank, levels, form)
    return _text(blank, levels)


def _are_codes(levels: Levels, notation: NumberFormat) -> bool:
    """Return whether so many cells are not numbers that those that are look like codes."""
    first = [index for index, text in enumerate(levels.texts[:_SAMPLE]) if text is not None]
    odd = [index for index in first if math.isnan(notation.read(levels.texts[index] or ""))]
    share = levels.counts[odd].sum() / levels.counts[first].sum()
    return bool(len(odd) > _FEW_LEVELS and share > 1 - _MOST)


def _could_be_dates(levels: Levels) -> bool:
    """Return whether most of the first texts have the digits of a date."""
    first = [text for text in levels.texts[:_SAMPLE] if text is not None]
    digits = sum(sum(map(str.isdecimal, text)) >= 3 for text in first)
    return digits >= _MOST * len(first)


def _date(column: Column, blank: ColumnProfile, levels: Levels, *formats: str) -> _Found:
    dates = read_dates(column, formats[0])
    days = dates[~np.isnat(dates)].astype("datetime64[D]")
    reason = f"{days.min()} to {days.max()}"
    if len(formats) > 1:
        reason += f", read as {formats[0]}, though {formats[1]} fits too"
    profile = replace(blank, role="date", reason=reason, notation=formats[0])
    return _Found(profile, levels.indices)


def _numbers(
    column: Column, blank: ColumnProfile, levels: Levels, notation: NumberFormat | None
) -> _Found:
    numbers = read_numbers(column, notation)
    present = numbers[~np.isnan(numbers)]
    if blank.levels == len(present) and _is_identifier(blank.name, present):
        profile = replace(blank, reason="is a whole number that differs in each row: an identifier")
        return _Found(profile, levels.indices, numbers)
    if blank.levels <= 2:
        texts = [text for text in levels.texts if text is not None]
        profile = replace(blank, role="boolean", reason=f"{' or '.join(sorted(texts))}")
        return _Found(profile, levels.indices, numbers)
    reason = f"{present.min():.6g} to {present.max():.6g}"
    if notation is not None and notation.unit:
        reason += f" {notation.unit}"
    if notation is not None and notation.decimal == ",":
        reason += ", with decimal commas"
    profile = replace(blank, role="number", reason=reason, is_skewed=_is_skewed(present))
    return _Found(profile, levels.indices, numbers)


def _is_skewed(numbers: npt.NDArray[np.float64]) -> bool:
    """Return whether numbers of at least 0 have a skewness above 2."""
    z = Standardizer.fit(numbers).scaled(numbers)
    return bool(numbers.min() >= 0 and np.power(z, 3).mean() > _SKEWNESS)


def _is_identifier(name: str, numbers: npt.NDArray[np.float64]) -> bool:
    """Return whether different numbers count the rows, or are whole and named as an identifier."""
    if len(numbers) <= _FEW_LEVELS or (numbers != np.floor(numbers)).any():
        return False
    is_range = numbers.max() - numbers.min() == len(numbers) - 1
    return bool(is_range or _IDENTIFIER.search(name))


def _text(blank: ColumnProfile, levels: Levels) -> _Found:
    rows = len(levels.indices) - blank.missing
    texts = [text for text in levels.texts if text is not None]
    if blank.levels > max(_FEW_LEVELS, rows / 2):
        words = np.mean([len(text.split()) for text in texts[:1000]])
        noun = "free text" if words >= _WORDS else "an identifier"
        reason = f"{blank.levels:,} different values in {rows:,} rows: {noun}"
        return _Found(replace(blank, reason=reason), levels.indices)
    counts = levels.counts
    order = sorted(range(len(levels.texts)), key=lambda index: -counts[index])
    common = [text for index in order if (text := levels.texts[index]) is not None][:3]
    reason = ", ".join(common) + (", ..." if blank.levels > len(common) else "")
    role: Role = "embedded" if blank.levels > _MAX_ONE_HOT else "category"
    return _Found(replace(blank, role=role, reason=reason), levels.indices)
