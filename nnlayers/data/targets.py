"""Encode the target: classes as codes, numbers standardised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_choice
from nnlayers.data.encoders import check_levels, read_numbers
from nnlayers.data.factorizing import factorize
from nnlayers.data.problems import DataError, check_finite, check_rows, preview
from nnlayers.data.scaling import Standardizer, scaler_from_dict
from nnlayers.data.table import Column, Table
from nnlayers.data.texts import NumberFormat, missing_cells

__all__ = [
    "Classes",
    "Target",
    "TargetKind",
    "Values",
    "class_labels",
    "rows_with_target",
    "target_from_dict",
]

TargetKind: TypeAlias = Literal["classes", "binary", "values"]


@dataclass(frozen=True)
class Classes:
    """The classes of a target, in ascending order; the code of a class is its index.

    Parameters
    ----------
    values : tuple of int or of str
        The classes, at least two.
    """

    values: tuple[int, ...] | tuple[str, ...]

    @classmethod
    def fit(cls, column: Column, *, binary: bool) -> Self:
        """Collect the classes that occur."""
        values = tuple(sorted(factorize(class_labels(column))[0]))
        if len(values) < 2:
            problem = f"holds a single class, {values[0]!r}: choose another target"
            raise DataError(f"{column.location} {problem}")
        if binary and len(values) > 2:
            raise DataError(
                f"{column.location} must hold two classes to be binary, "
                f"got {len(values)}: {preview(values)}"
            )
        return cls(values)

    def encode(self, column: Column) -> npt.NDArray[np.int64]:
        """Return codes; a class that did not occur is an error."""
        labels = class_labels(column)
        indices: dict[Any, int] = {value: code for code, value in enumerate(self.values)}
        found, rows = factorize(labels)
        codes = np.array([indices.get(label, -1) for label in found], dtype=np.int64)[rows]
        replace(column, source=labels).check(codes >= 0, "is not a class of the training rows")
        return codes

    def decode(self, codes: Array) -> Array:
        """Return the classes of codes."""
        valid = np.isin(codes, np.arange(len(self.values)))
        check_rows(valid, codes, "encoded targets", f"is not in 0..{len(self.values) - 1}")
        is_text = isinstance(self.values[0], str)
        return np.array(self.values, object if is_text else np.int64)[codes.astype(np.intp)]

    def to_dict(self) -> dict[str, Any]:
        """Return the classes in JSON's types."""
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Values:
    """A target of numbers.

    Parameters
    ----------
    standardizer : Standardizer
        The standardisation.
    notation : NumberFormat or None
        The notation of numbers in text.
    """

    standardizer: Standardizer
    notation: NumberFormat | None = None

    @classmethod
    def fit(cls, column: Column, *, standardize: bool) -> Self:
        """Find the notation of text, and compute the mean and the deviation."""
        notation = None
        if column.kind != "numeric":
            notation = NumberFormat.detect(column.levels)
            if notation is None or notation.decimal == "boolean":
                raise DataError(
                    f"{column.location} must hold numbers, got text: {preview(column.values)}"
                )
        numbers = cls(Standardizer(), notation)._numbers(column)
        return cls(Standardizer.fit(numbers) if standardize else Standardizer(), notation)

    def encode(self, column: Column, dtype: npt.DTypeLike) -> Array:
        """Return standardised numbers, of shape (rows, 1)."""
        with np.errstate(over="ignore"):
            encoded = self.standardizer.scaled(self._numbers(column)).astype(dtype)
        location = f"{column.location} standardised as {encoded.dtype}"
        check_finite(encoded[:, 0], location, column.lines)
        return encoded

    def decode(self, encoded: Array) -> Array:
        """Return the raw numbers of standardised ones."""
        return self.standardizer.raw(encoded.astype(np.float64))

    def _numbers(self, column: Column) -> npt.NDArray[np.float64]:
        if column.kind != "numeric" and self.notation is None:
            problem = f"must hold numbers, got text: {preview(column.values)}"
            raise DataError(f"{column.location} {problem}")
        numbers = read_numbers(column, self.notation)
        column.check(~np.isnan(numbers), "is missing")
        return numbers

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        notation = {} if self.notation is None else {"notation": self.notation.to_dict()}
        return self.standardizer.to_dict() | notation


Target = Classes | Values


def target_from_dict(data: Mapping[str, Any]) -> Target:
    """Return the encoding of a dictionary that its `to_dict` returned, with its ``"kind"``.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an entry is missing or out of range.
    """
    kind = data["kind"]
    check_choice("kind", kind, ["classes", "binary", "values"])
    if ("values" in data) == (kind == "values"):
        raise ValueError(f"the target's entries do not fit its kind {kind!r}")
    if "values" in data:
        classes = check_levels(data["values"])
        if not classes:
            raise TypeError("values must be integers or strings, got []")
        return Classes(classes)
    notation = data.get("notation")
    scaler = scaler_from_dict({"mean": data["mean"], "scale": data["scale"]})
    if not isinstance(scaler, Standardizer):
        raise TypeError("the target must be standardised by mean and scale")
    return Values(scaler, None if notation is None else NumberFormat.from_dict(notation))


def class_labels(column: Column) -> Array:
    """Return a target of integers or text, with whole floats converted to integers."""
    if column.values.dtype != np.float64:
        column.check(~missing_cells(column.values), "is missing")
        return column.values
    with np.errstate(invalid="ignore"):
        labels = column.values.astype(np.int64)
    column.check(labels == column.values, "is not a class; classes are integers or text")
    return labels


def rows_with_target(table: Table) -> Table:
    """Return the rows of a table whose target is not missing.

    Raises
    ------
    DataError
        If there is none.
    """
    column = table.target_column
    missing = missing_cells(column.values)
    if not missing.any():
        return table
    if missing.all():
        problem = f"is missing in all {len(table)} rows: fill it, or choose another"
        raise DataError(f"{column.location} {problem}")
    return table.rows(~missing)
