"""Split rows into training, validation and test: at random, by group, by time or as given."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, unmasked
from nnlayers._core.checks import check_instance, check_integer, check_number
from nnlayers._core.showing import shown
from nnlayers._core.sizes import fits_memory
from nnlayers.data.dates import read_dates
from nnlayers.data.factorizing import factorize
from nnlayers.data.problems import DataError, find_missing
from nnlayers.data.table import Column, Table

__all__ = ["Split", "split", "split_table"]

Indices = npt.NDArray[np.intp]
Fractions = npt.NDArray[np.float64]


class Split(NamedTuple):
    """Row indices of the three parts, each in ascending order; every row is in one part."""

    train: Indices
    validation: Indices
    test: Indices


# The names of the parts in a column that gives them, and the numbers of the parts.
_PARTS = {"train": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2}


def split(
    rows: int,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    stratify: npt.ArrayLike | None = None,
    group: npt.ArrayLike | None = None,
    time: npt.ArrayLike | None = None,
    time_format: str | None = None,
    column: npt.ArrayLike | None = None,
) -> Split:
    """Split rows into training, validation and test.

    By default rows are drawn at random. The sizes are the fractions of `rows`, rounded by the
    largest remainder, except that a part with a fraction above 0 has at least one row. With
    `stratify`, each class is split in this way, and the rounding errors of one class are carried
    over to the next. The same arguments give the same split.

    With `group`, whole groups are drawn, so that the sizes are the fractions to within the size of
    a group; with `stratify` besides, among the groups in which a class is the most frequent. With
    `time`, the earliest rows train and the latest test; rows of equal time stay together. With
    `column`, the parts are given.

    Parameters
    ----------
    rows : int
        The number of rows.
    validation, test : float
        Fractions in ``[0, 1)`` with a sum below 1; a part of fraction 0 is empty.
    seed : int
        Seed of the draw, at least 0.
    stratify : (rows,) array_like, optional
        The class of each row, integers or strings.
    group : (rows,) array_like, optional
        The group of each row, such as a patient: rows of one group are in one part.
    time : (rows,) array_like, optional
        The time of each row: numbers, dates, or strings of the form ``2026-03-31`` or
        ``2026-03-31T12:00``.
    time_format : str, optional
        The format of the times in another notation, as :meth:`datetime.datetime.strptime` takes it,
        such as ``"%d.%m.%Y"``.
    column : (rows,) array_like of str, optional
        The part of each row: ``"train"``, ``"validation"`` (or ``"valid"``, ``"val"``, ``"dev"``)
        or ``"test"``. The fractions, `seed` and `stratify` then play no role.

    Returns
    -------
    Split
        Three integer arrays of row indices.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, two of `group`, `time` and `column` are given, or
        `time_format` without `time`.
    DataError
        If there are too few rows, groups or times, or too few of a class, or only one class; or if
        a group, time or part is missing or malformed.
    ModuleNotFoundError
        Without pandas, for a `time_format`.

    References
    ----------
    The largest remainder, or Hamilton's method: M. Balinski and H. P. Young, *Fair
    Representation*, 2nd ed., 2001.

    Examples
    --------
    >>> train, validation, test = split(20, validation=0.25, test=0.1, seed=3)
    >>> len(train), len(validation), len(test)
    (13, 5, 2)
    >>> split(4, validation=0, test=0.5, group=["ann", "bob", "ann", "bob"], seed=1).test
    array([1, 3])
    >>> split(4, validation=0, test=0.25, time=[2024, 2026, 2023, 2025]).test
    array([1])
    """
    rows = check_integer("rows", rows, minimum=0)
    validation = check_number("validation", validation, minimum=0, below=1)
    test = check_number("test", test, minimum=0, below=1)
    if validation + test >= 1:
        raise ValueError(f"validation and test must sum to less than 1, got {validation} + {test}")
    fractions = np.array([1 - (validation + test), validation, test])
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0, maximum=None))
    ways = {"group": group, "time": time, "column": column}
    _check_time_format(time_format, time)
    given = {
        name: _labels(name, value, rows, time_format)
        for name, value in ways.items()
        if value is not None
    }
    if len(given) > 1:
        first, second, *_ = given
        raise ValueError(f"{first} cannot be combined with {second}: give one of them")
    if "column" in given:
        return _split_as_given(given["column"])
    if "time" in given:
        return _split_by_time(given["time"], fractions)
    labels = None if stratify is None else _labels("stratify", stratify, rows)
    if "group" in given:
        return _split_groups(given["group"], labels, fractions, rng)
    with fits_memory(rows=rows):
        return _split_rows(rows, labels, fractions, rng)


def split_table(
    table: Table,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    stratify: npt.ArrayLike | None = None,
    group: str | None = None,
    time: str | None = None,
    time_format: str | None = None,
    column: str | None = None,
) -> Split:
    """Split the rows of a table, by the names of its columns.

    Parameters
    ----------
    table : Table
        The rows.
    validation, test, seed, stratify, time_format
        As in :func:`split`.
    group, time, column : str, optional
        The column that holds what :func:`split` takes by this name.

    Raises
    ------
    TypeError, ValueError, ModuleNotFoundError
        As :func:`split` does.
    DataError
        As :func:`split` does, or if there is no such column; the message names the file, the column
        and the line.

    Examples
    --------
    >>> table = Table({"patient": ["p", "q", "p", "q"], "dose": [1.0, 2.0, 3.0, 4.0]})
    >>> split_table(table, validation=0, test=0.5, group="patient", seed=1).test
    array([1, 3])
    """
    check_instance("table", table, Table)
    names = {"group": group, "time": time, "column": column}
    columns: dict[str, Array] = {}
    _check_time_format(time_format, time)
    for way, name in names.items():
        if name is None:
            continue
        check_instance(way, name, str)
        columns[way] = _check_labels(way, table.column(name), time_format)
    try:
        return split(
            len(table),
            validation=validation,
            test=test,
            seed=seed,
            stratify=stratify,
            group=columns.get("group"),
            time=columns.get("time"),
            column=columns.get("column"),
        )
    except DataError as error:
        raise DataError(f"{table.origin}: {error}") from None


def _check_time_format(time_format: str | None, time: object) -> None:
    if time_format is None:
        return
    if not isinstance(time_format, str):
        given = shown(time_format)
        raise TypeError(f"time_format must be a string, such as '%d.%m.%Y', got {given}")
    if time is None:
        raise ValueError("time_format needs time, the column that it describes")


def _labels(name: str, values: npt.ArrayLike, rows: int, time_format: str | None = None) -> Array:
    """Return one label for each row, of times as numbers or dates, and of parts as numbers."""
    labels = unmasked(values, name)
    if labels.shape != (rows,):
        raise ValueError(f"{name} must have shape ({rows},), got {labels.shape}")
    return labels if name == "stratify" else _check_labels(name, Column(labels, name), time_format)


def _check_labels(way: str, column: Column, time_format: str | None) -> Array:
    problem = f"is a missing value, which cannot be split by {way}"
    column.check(~find_missing(column.values), problem)
    if column.values.dtype.kind not in "biufM":
        column = replace(column, source=column.values.astype(object))
    labels = column.values
    if way == "column":
        valid = np.array([label in _PARTS for label in labels.tolist()], bool)
        column.check(valid, "is none of train, validation and test")
        return labels
    if way == "group":
        return labels
    if time_format is not None and column.kind != "date":
        times = read_dates(column, time_format)
        column.check(~np.isnat(times), problem)
        return times
    return labels if column.kind != "categorical" else _parse_times(column)


def _parse_times(column: Column) -> Array:
    """Return times from strings."""
    times = [_parse_time(label) for label in column.values.tolist()]
    problem = (
        "is not a time: write 2026-03-31, 2026-03-31T12:00 or a number, or set time_format, such "
        "as '%d.%m.%Y'"
    )
    column.check(np.array([time is not None for time in times], bool), problem)
    return np.array(times, "datetime64[us]")


def _parse_time(label: Any) -> datetime.datetime | None:
    try:
        time = datetime.datetime.fromisoformat(label)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is None else time.astimezone(datetime.UTC).replace(tzinfo=None)


def _split_as_given(labels: Array) -> Split:
    numbers = np.array([_PARTS[label] for label in labels.tolist()], np.intp)
    parts = Split(*(np.flatnonzero(numbers == number) for number in range(3)))
    if not len(parts.train):
        raise DataError("no row is in the part 'train'")
    return parts


def _split_by_time(times: Array, fractions: Fractions) -> Split:
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    borders = 1 + np.flatnonzero(ordered[1:] != ordered[:-1])
    used = np.flatnonzero(fractions > 0)
    if len(order) == 0 or len(borders) < len(used) - 1:
        raise DataError(
            f"a split by time into {_names(fractions)} needs {len(used)} different times, "
            f"there are {len(borders) + (len(order) > 0)}"
        )
    ends = np.full(3, len(order))
    for index, part in enumerate(used[:-1]):
        left = len(used) - 2 - index  # The number of borders that later parts need.
        end = _nearest(borders[: len(borders) - left], fractions[: part + 1].sum() * len(order))
        borders = borders[borders > end]
        ends[part : used[index + 1]] = end
    pieces = np.split(order, ends[:2])
    return Split(*map(np.sort, pieces))


def _nearest(borders: Indices, position: float) -> int:
    return int(borders[np.abs(borders - position).argmin()])


def _split_rows(
    rows: int, labels: Array | None, fractions: Fractions, rng: np.random.Generator
) -> Split:
    groups = {"": np.arange(rows)} if labels is None else _classes(labels)
    parts: tuple[list[Indices], ...] = ([], [], [])
    carry = np.zeros(3)
    for name, group in groups.items():
        _check_size(name, len(group), fractions)
        quotas = len(group) * fractions + carry
        sizes = _largest_remainder(quotas)
        carry = quotas - sizes
        ends = np.cumsum(_fill_empty_parts(sizes, fractions))
        for part, piece in zip(parts, np.split(rng.permutation(group), ends[:-1]), strict=True):
            part.append(piece)
    return Split(*(np.sort(np.concatenate(part)) for part in parts))


def _split_groups(
    labels: Array, classes: Array | None, fractions: Fractions, rng: np.random.Generator
) -> Split:
    """Draw whole groups, separately among those of each class."""
    names, group_of = _encode(labels)
    sizes = np.bincount(group_of, minlength=len(names))
    used = np.count_nonzero(fractions)
    if len(names) < used:
        raise DataError(
            f"a split by group into {_names(fractions)} needs {used} groups, there are {len(names)}"
        )
    class_of = np.zeros(len(names), np.intp)
    if classes is not None:
        class_of = _most_frequent_class(group_of, _encode(classes)[1], len(names))
    part_of = np.zeros(len(names), np.intp)
    carry = np.zeros(3)
    for number in np.unique(class_of):
        groups = rng.permutation(np.flatnonzero(class_of == number))
        quotas = sizes[groups].sum() * fractions + carry
        middles = np.cumsum(sizes[groups]) - sizes[groups] / 2
        first = quotas[0]
        second = max(first, first + quotas[1])
        part_of[groups] = (middles >= first).astype(np.intp) + (middles >= second)
        carry = quotas - np.bincount(part_of[groups], sizes[groups], minlength=3)
    while lacking := set(np.flatnonzero(fractions)) - set(part_of):
        largest = np.bincount(part_of, minlength=3).argmax()
        members = np.flatnonzero(part_of == largest)
        part_of[members[sizes[members].argmin()]] = min(lacking)
    return Split(*(np.flatnonzero(part_of[group_of] == number) for number in range(3)))


def _most_frequent_class(group_of: Indices, class_of: Indices, groups: int) -> Indices:
    """Return the most frequent class of each group, the first of equally frequent ones."""
    classes = int(class_of.max(initial=0)) + 1
    pairs, counts = np.unique(group_of * classes + class_of, return_counts=True)
    order = np.lexsort((pairs, -counts, pairs // classes))
    first = order[np.searchsorted(pairs[order] // classes, np.arange(groups))]
    most: Indices = pairs[first] % classes
    return most


def _encode(labels: Array) -> tuple[list[Any], Indices]:
    """Return the different labels in ascending order, and the index of each row's label."""
    found, rows = factorize(labels)
    order = sorted(range(len(found)), key=found.__getitem__)
    ranks = np.empty(len(found), np.intp)
    ranks[order] = np.arange(len(found))
    return [found[index] for index in order], ranks[rows]


def _classes(labels: Array) -> dict[str, Indices]:
    """Return the rows of each class, by its description for messages."""
    names, codes = _encode(labels)
    if len(names) < 2:
        raise DataError(f"a stratified split needs two classes, there are {names}")
    # NumPy sorts integers of at most 16 bits five times as fast.
    order = np.argsort(codes.astype(np.min_scalar_type(len(names))), kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    return dict(zip((f" of class {name!r}" for name in names), groups, strict=True))


def _check_size(name: str, size: int, fractions: Fractions) -> None:
    used = np.count_nonzero(fractions)
    if size < used:
        raise DataError(
            f"a split into {_names(fractions)} needs {used} rows{name}, there are {size}"
        )


def _names(fractions: Fractions) -> str:
    parts = zip(Split._fields, fractions, strict=True)
    return " and ".join(part for part, fraction in parts if fraction)


def _largest_remainder(quotas: Fractions) -> Indices:
    """Round numbers whose sum is an integer to integers with the same sum."""
    sizes = np.floor(quotas).astype(np.intp)
    missing = round(quotas.sum()) - sizes.sum()
    sizes[np.argsort(sizes - quotas, kind="stable")[:missing]] += 1
    return sizes


def _fill_empty_parts(sizes: Indices, fractions: Fractions) -> Indices:
    """Give each part with a fraction above 0 at least one row, taken from the largest part."""
    sizes = sizes.copy()
    while (lacking := (fractions > 0) & (sizes < 1)).any():
        sizes[sizes.argmax()] -= 1
        sizes[lacking.argmax()] += 1
    return sizes
