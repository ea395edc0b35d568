"""Encode the values of one column as features: scaled numbers, and levels one-hot or as ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_boolean, check_choice, check_number
from nnlayers.data.problems import count_of, preview
from nnlayers.data.scaling import Scaler, scaler_from_dict
from nnlayers.data.table import Column, ColumnKind
from nnlayers.data.texts import Levels, NumberFormat, check_text

__all__ = [
    "MISSING_PROBLEM",
    "Categories",
    "Encoder",
    "Missing",
    "Numbers",
    "check_levels",
    "check_missing",
    "read_numbers",
]

Missing: TypeAlias = Literal["median", "mean", "error"]

KINDS = ("numeric", "categorical", "date")


class Encoder(Protocol):
    """The encoding of one column, learnt from the training rows."""

    @property
    def kind(self) -> ColumnKind:
        """The kind of the column in training, in which readers read it."""

    @property
    def width(self) -> int:
        """The number of features."""

    def encode(self, column: Column) -> Array:
        """Return the features, of shape (rows, width).

        Raises
        ------
        DataError
            If a value is not of the kind that the column had in training.
        """

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""


@dataclass(frozen=True)
class Numbers:
    """Scaled numbers, with a fill and an indicator where they are missing.

    Parameters
    ----------
    scaler : Scaler
        The scaling.
    fill : float or None
        The number for a missing one; with None, it is an error.
    indicator : bool
        Whether there is one more feature, 1 where a number is missing and otherwise 0.
    notation : NumberFormat or None
        The notation of a text column; None for a column of numbers.
    """

    scaler: Scaler
    fill: float | None = None
    indicator: bool = False
    notation: NumberFormat | None = None

    @property
    def kind(self) -> ColumnKind:
        """The kind of the column in training."""
        return "numeric" if self.notation is None else "categorical"

    @property
    def width(self) -> int:
        """The number of features."""
        return self.scaler.width + self.indicator

    def encode(self, column: Column) -> Array:
        """Return the scaled numbers, and the indicator."""
        values = read_numbers(column, self.notation)
        missing = np.isnan(values)
        if missing.any():
            check_missing(column, missing, self.fill, self.indicator)
            values = np.where(missing, self.fill or 0.0, values)
        features = self.scaler.scaled(values)
        if not self.indicator:
            return features
        return np.concatenate([features, missing[:, np.newaxis]], axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        notation = {} if self.notation is None else {"notation": self.notation.to_dict()}
        fill = {"fill": self.fill, "indicator": self.indicator}
        return {"type": "numbers", **self.scaler.to_dict(), **fill, **notation}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the encoder of a dictionary that `to_dict` returned."""
        fill, notation = data.get("fill"), data.get("notation")
        return cls(
            scaler_from_dict(data),
            None if fill is None else check_number("fill", fill),
            check_boolean("indicator", data.get("indicator", False)),
            None if notation is None else NumberFormat.from_dict(notation),
        )


def check_missing(
    column: Column, missing: npt.NDArray[np.bool_], fill: float | None, indicator: bool
) -> None:
    """Refuse missing values without a fill; warn of them if none were in training."""
    if fill is None:
        column.check(~missing, MISSING_PROBLEM)
    elif missing.any() and not indicator:
        column.remark({"": int(np.count_nonzero(missing))}, _describe_missing)


def _describe_missing(counts: Counter[str]) -> str:
    missing = count_of(counts.total(), "missing value")
    return f"has {missing}, in training it had none: each counts as average"


MISSING_PROBLEM = "is missing: fill it, or set missing to 'median' or 'mean'"


def read_numbers(column: Column, notation: NumberFormat | None) -> npt.NDArray[np.float64]:
    """Return the numbers of a column, NaN where they are missing.

    Raises
    ------
    DataError
        If a value is infinite or not a number in the notation.
    """
    if column.kind == "date":
        column.check(np.zeros(len(column.values), bool), "is a date; list the column in dates")
        return np.zeros(0)
    if column.kind == "numeric":
        values = column.values
        if not np.isfinite(values).all():
            column.check(~np.isinf(values), "is infinite: replace it, or leave it blank")
        return np.asarray(values, np.float64)
    texts, indices = column.levels
    if notation is None:
        notation = NumberFormat()
    numbers = np.array([np.nan if text is None else notation.read(text) for text in texts])
    invalid = np.array([text is not None for text in texts], bool) & ~np.isfinite(numbers)
    if invalid.any():
        unit = f" in {notation.unit}" if notation.unit else ""
        noun = "true or false" if notation.decimal == "boolean" else f"a number{unit}"
        advice = "correct it, or list the column in categories if it holds text"
        column.check(~invalid[indices], f"is not {noun}: {advice}")
    return numbers[indices]


@dataclass(frozen=True)
class Categories:
    """The levels of a categorical column, as 0/1 features or as ids for an embedding.

    Parameters
    ----------
    values : tuple of int or of str
        The levels, in ascending order; the code of a level is its index.
    kind : {"categorical", "numeric", "date"}
        The kind of the column in training.
    missing : bool
        Whether a missing value is a level, after the others.
    other : bool
        Whether unknown levels have a code, the last one, which rare levels of the training rows
        share. Otherwise all their features are 0.
    ids : bool
        Whether there is one feature, the id: 0 for unknown and rare levels, otherwise the code
        plus 1.

    Examples
    --------
    >>> column = Column(np.array(["b", "a", "b", None], object), "column 'c'")
    >>> Categories.fit(column).encode(column).astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """

    values: tuple[int, ...] | tuple[str, ...]
    kind: ColumnKind = "categorical"
    missing: bool = False
    other: bool = False
    ids: bool = False

    @classmethod
    def fit(cls, column: Column, *, min_count: int = 1, ids: bool = False) -> Self:
        """Collect the levels that at least `min_count` rows have."""
        return cls.of(column.levels, column.kind, min_count=min_count, ids=ids)

    @classmethod
    def of(cls, levels: Levels, kind: ColumnKind, *, min_count: int = 1, ids: bool = False) -> Self:
        """Choose from the levels of a column those that at least `min_count` rows have."""
        counts = dict(zip(levels.texts, levels.counts.tolist(), strict=True))
        has_missing = counts.pop(None, 0) > 0
        frequent = sorted(text for text, count in counts.items() if text and count >= min_count)
        has_other = len(frequent) < len(counts)
        return cls(tuple(frequent), kind, has_missing, has_other, ids)

    @property
    def codes(self) -> int:
        """The number of codes."""
        return len(self.values) + self.missing + self.other

    @property
    def levels(self) -> int:
        """The number of ids."""
        return 1 + len(self.values) + self.missing

    @property
    def width(self) -> int:
        """The number of features."""
        return 1 if self.ids else self.codes

    def encode(self, column: Column) -> Array:
        """Return 0/1 features or ids; warn of unknown levels."""
        levels = column.levels
        indices: dict[Any, int] = {value: code for code, value in enumerate(self.values)}
        if self.missing:
            indices[None] = len(self.values)
        codes = np.array([indices.get(text, -1) for text in levels.texts], np.intp)
        self._remark_unknown(column, levels, codes)
        if self.ids:
            return (codes[levels.indices] + 1.0)[:, np.newaxis]
        if self.other:
            codes[codes < 0] = self.codes - 1
        # One feature after another in memory, as its caller wants them, takes half of the time.
        rows = codes.astype(np.int32)[levels.indices]
        return np.asarray(rows == np.arange(self.codes, dtype=np.int32)[:, np.newaxis]).T

    def _remark_unknown(self, column: Column, levels: Levels, codes: Array) -> None:
        """Warn of levels that training did not see; rare ones have their own code."""
        if self.other or (codes >= 0).all():
            return
        unknown = np.flatnonzero(codes < 0)
        counts = levels.counts[unknown].tolist()
        texts = [levels.texts[index] or "a missing value" for index in unknown]
        column.remark(dict(zip(texts, counts, strict=True)), self._describe_unknown)

    def _describe_unknown(self, counts: Counter[str]) -> str:
        return (
            f"has {count_of(counts.total(), 'row')} of a category that training did not see, "
            f"{'id 0' if self.ids else 'all zeros'}: {preview(sorted(counts))}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields in JSON's types."""
        flags = {"missing": self.missing, "other": self.other, "ids": self.ids}
        return {"type": "categories", "values": list(self.values), "kind": self.kind, **flags}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the encoder of a dictionary that `to_dict` returned."""
        values, kind = data["values"], data.get("kind", "categorical")
        check_choice("kind", kind, KINDS)
        flags = {
            name: check_boolean(name, data.get(name, False)) for name in ("missing", "other", "ids")
        }
        if not values and not any(flags.values()):
            raise ValueError("values must be at least one, got []")
        return cls(check_levels(values), kind, **flags)


def check_levels(values: Any) -> tuple[int, ...] | tuple[str, ...]:
    """Return different strings or different 64-bit integers as a tuple."""
    kinds = {type(value) for value in values} if isinstance(values, list) else {object}
    if kinds not in ({int}, {str}, set()):
        raise TypeError(f"values must be integers or strings, got {values!r:.200}")
    if len(set(values)) < len(values):
        raise ValueError(f"values must differ, got {preview(values)}")
    for value in values:
        if isinstance(value, str):
            check_text("values", value)
        elif not -(2**63) <= value < 2**63:
            raise ValueError(f"values must fit 64-bit integers, got {value}")
    return tuple(values)
