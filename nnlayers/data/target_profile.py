"""Find out what a target is: two classes, many, counts or numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.data.encoders import read_numbers
from nnlayers.data.problems import DataError, preview
from nnlayers.data.table import Column
from nnlayers.data.texts import Levels, NumberFormat, missing_cells

__all__ = ["TargetProfile", "Task", "profile_target"]

Task: TypeAlias = Literal["binary", "classes", "counts", "numbers"]

# Whole numbers from 0 or 1 up to this many are classes, unless they are distributed as counts.
_MAX_CLASSES = 20
# Counts begin with a number up to this one; larger ones are ages, years or amounts.
_MAX_LEAST = 5
# The smallest number of rows of a class, one for each part of the split.
_MIN_ROWS = 3


@dataclass(frozen=True)
class TargetProfile:
    """The kind of a target.

    Parameters
    ----------
    name : str
        Its name.
    task : {"binary", "classes", "counts", "numbers"}
        Two classes, more classes, counts (whole numbers of at least 0 that scatter as much as their
        mean), or other numbers.
    description : str
        Its distribution in words.
    missing : int
        The number of rows without it.
    codes : (rows,) ndarray
        The class of each row that has it, as an integer, or its number.
    """

    name: str
    task: Task
    description: str
    missing: int
    codes: Array

    @property
    def is_class(self) -> bool:
        """Whether it is a class."""
        return self.task in ("binary", "classes")


def profile_target(column: Column, name: str) -> TargetProfile:
    """Return the profile of a target.

    Raises
    ------
    DataError
        If it is missing in all rows, constant, a date, different in each row though it is text, or
        has a class of too few rows to split.
    """
    missing = missing_cells(column.values)
    count = int(np.count_nonzero(missing))
    if missing.all():
        raise DataError(
            f"{column.location} is missing in all {len(missing)} rows: fill it, or choose another"
        )
    lines = None if column.lines is None else column.lines[np.flatnonzero(~missing)]
    column = Column(column.values[~missing], column.location, lines)
    if column.kind == "date":
        raise DataError(f"{column.location} holds dates: predict a number or a class instead")
    levels = column.levels
    if len(levels.texts) == 1:
        raise DataError(
            f"{column.location} is {levels.texts[0]!r:.80} in all rows that have it: choose another"
        )
    notation = NumberFormat.detect(levels) if column.kind == "categorical" else None
    if column.kind == "numeric" or (notation is not None and notation.decimal != "boolean"):
        numbers = read_numbers(column, notation)
        task = _task_of_numbers(numbers)
        if notation is not None or task in ("counts", "numbers"):
            task = "counts" if task == "counts" else "numbers"
            return TargetProfile(name, task, _describe_numbers(numbers), count, numbers)
    _check_classes(column, levels)
    task = "binary" if len(levels.texts) == 2 else "classes"
    return TargetProfile(name, task, _describe_classes(levels), count, levels.indices)


def _task_of_numbers(numbers: npt.NDArray[np.float64]) -> Task:
    """Return the task of a numeric target."""
    if (numbers != np.floor(numbers)).any() or np.abs(numbers).max() > 2**53:
        return "numbers"
    values, rows = np.unique(numbers, return_counts=True)
    if len(values) == 2:
        return "binary"
    scatter = numbers.var() / numbers.mean() if numbers.mean() > 0 else 0.0
    could_count = 0 <= values[0] <= _MAX_LEAST and scatter > 0.5 and len(values) < len(numbers) / 4
    is_contiguous = values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1
    if is_contiguous and len(values) <= _MAX_CLASSES and not (could_count and _has_tail(rows)):
        return "classes"
    return "counts" if could_count and scatter < 100 else "numbers"


def _has_tail(rows: npt.NDArray[np.intp]) -> bool:
    """Return whether frequencies of six or more numbers rise to one peak and fall to few rows."""
    peak = int(rows.argmax())
    slack = 3 * np.sqrt(rows) + 1
    rises = (np.diff(rows[: peak + 1]) > -slack[: peak + 1][1:]).all()
    falls = (np.diff(rows[peak:]) < slack[peak:][1:]).all()
    return bool(len(rows) >= 6 and rises and falls and rows[-1] < rows[peak] / 20)


def _check_classes(column: Column, levels: Levels) -> None:
    """Raise an error if classes cannot be learnt or split."""
    counts, rows = levels.counts, len(column.values)
    if len(counts) == rows:
        problem = f"is different in each row: {preview(levels.texts)}: choose another"
        raise DataError(f"{column.location} {problem}")
    if len(counts) > rows / 2:
        problem = f"has {len(counts)} classes in {rows} rows: join some, or choose another"
        raise DataError(f"{column.location} {problem}")
    rare = [levels.texts[index] for index in np.flatnonzero(counts < _MIN_ROWS)]
    if rare:
        raise DataError(
            f"{column.location} has classes of fewer than {_MIN_ROWS} rows, which cannot be split "
            f"into training, validation and test: {preview(rare)}: join them with others, or leave "
            "their rows out"
        )


def _describe_classes(levels: Levels) -> str:
    counts = levels.counts
    order = np.argsort(-counts, kind="stable")
    shares = [
        f"{levels.texts[index]} in {counts[index]:,} rows ({counts[index] / counts.sum():.1%})"
        for index in order[:4]
    ]
    more = len(order) - len(shares)
    noun = "two classes" if len(order) == 2 else f"{len(order)} classes"
    return f"{noun}: {', '.join(shares)}" + (f" and {more} more" if more else "")


def _describe_numbers(numbers: npt.NDArray[np.float64]) -> str:
    low, middle, high = np.quantile(numbers, [0, 0.5, 1])
    return f"{low:.4g} to {high:.4g}, half below {middle:.4g}, mean {numbers.mean():.4g}"
