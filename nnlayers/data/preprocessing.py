"""From raw rows to the arrays that a network takes, and from its outputs back."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import float_dtype, unmasked
from nnlayers._core.checks import check_choice
from nnlayers.data.encoders import Categories, Encoder, Standardizer, check_text, restored
from nnlayers.data.table import (
    Array,
    ColumnKind,
    DataError,
    Table,
    check_finite,
    check_rows,
    shown,
)

__all__ = ["Preprocessing", "TargetKind"]

TargetKind: TypeAlias = Literal["classes", "binary", "values"]


@dataclass(frozen=True)
class _Learnt:
    """All that training rows taught; the columns' order is the features' order."""

    columns: Mapping[str, Encoder]
    target_name: str
    target_kind: TargetKind
    target: Encoder


class Preprocessing:
    """Standardised numbers, one-hot categories and encoded targets, learnt on training rows.

    A numeric column becomes one feature ``(x - mean) / std``, with the population's standard
    deviation (1 for a constant column); a categorical column becomes one 0/1 feature for each of
    its values in training, in ascending order. Columns are found by name, whatever their order.

    Parameters
    ----------
    standardize : bool
        Whether to standardise numeric columns.
    standardize_target : bool
        Whether to standardise a target of values.

    Examples
    --------
    >>> table = Table({"size": [1.0, 3.0], "color": ["red", "blue"]}, target=["yes", "no"])
    >>> preprocessing = Preprocessing().fit(table, "binary")
    >>> preprocessing.features(table)
    array([[-1.,  0.,  1.],
           [ 1.,  1.,  0.]], dtype=float32)
    >>> preprocessing.targets(table)
    array([[1.],
           [0.]], dtype=float32)
    >>> preprocessing.decode([1, 0])
    array(['yes', 'no'], dtype=object)
    """

    def __init__(self, *, standardize: bool = True, standardize_target: bool = True) -> None:
        self.standardize = standardize
        self.standardize_target = standardize_target
        self._state: _Learnt | None = None

    def __repr__(self) -> str:
        return (
            f"Preprocessing(standardize={self.standardize}, "
            f"standardize_target={self.standardize_target})"
        )

    def fit(self, table: Table, targets: TargetKind) -> Self:
        """Learn from training rows.

        Parameters
        ----------
        table : Table
            The rows, with their target.
        targets : {"classes", "binary", "values"}
            What the target holds: classes (integers or strings), exactly two of them for one
            output with a sigmoid, or numbers.

        Returns
        -------
        Preprocessing
            Itself.

        Raises
        ------
        ValueError
            If `targets` is none of the three.
        DataError
            If there are no rows, a value is NaN or infinite, or the target is not what `targets`
            says or holds a single class.
        """
        check_choice("targets", targets, get_args(TargetKind))
        if not len(table):
            raise DataError(f"{table.origin}: there are no rows to learn from")
        target = self._learn_target(table, targets)
        columns = {name: self._learn_column(table, name) for name in table.columns}
        self._state = _Learnt(columns, table.target_name, targets, target)
        return self

    def features(self, table: Table, dtype: npt.DTypeLike = np.float32) -> Array:
        """Return the rows' features.

        A category that training did not see is all zeros, with one ``UserWarning`` a column.

        Parameters
        ----------
        table : Table
            Rows with at least the columns of training; others are ignored.
        dtype : float32 or float64

        Returns
        -------
        (rows, width) ndarray of `dtype`

        Raises
        ------
        RuntimeError
            Before `fit`.
        DataError
            If a column is missing or of another kind, or a value is not finite.
        """
        encoded = np.empty((len(table), self.width), float_dtype(dtype))
        start = 0
        for name, encoder in self._learnt.columns.items():
            place, kind, learnt = _place(table, name), table.kind(name), _kind(encoder)
            if kind != learnt:
                raise DataError(f"{place} is {kind}, in training it was {learnt}")
            if isinstance(encoder, Standardizer):
                block = encoder.encode(table.columns[name], encoded.dtype, place)[:, np.newaxis]
            else:
                block = _one_hot(encoder, table.columns[name].tolist(), place)
            encoded[:, start : start + encoder.width] = block
            start += encoder.width
        return encoded

    def targets(self, table: Table, dtype: npt.DTypeLike = np.float32) -> Array:
        """Return the rows' targets as losses take them.

        Returns
        -------
        ndarray
            For classes int64 codes (rows,); for binary 0 and 1, for values numbers, both
            (rows, 1) of `dtype`.

        Raises
        ------
        RuntimeError
            Before `fit`.
        DataError
            If the table has no target, or one that does not fit: a class that training did not
            see, text for values, NaN.
        """
        learnt, dtype = self._learnt, float_dtype(dtype)
        if isinstance(learnt.target, Standardizer):
            values = learnt.target.encode(_target_values(table), dtype, _target_place(table))
            return values[:, np.newaxis]
        labels = _class_labels(table)
        codes = learnt.target.codes(labels.tolist())
        problem = "is none of the classes of the training rows"
        check_rows(codes >= 0, labels, _target_place(table), problem)
        return codes if learnt.target_kind == "classes" else codes.astype(dtype)[:, np.newaxis]

    def decode(self, encoded: npt.ArrayLike) -> Array:
        """Return what a user reads for encoded targets: the inverse of `targets`.

        Parameters
        ----------
        encoded : (rows,) or (rows, 1) array_like
            For classes and binary, codes: ``logits.argmax(axis=1)`` or ``logits > 0`` of a
            network's outputs. For values, the network's outputs.

        Returns
        -------
        (rows,) ndarray
            Class names (int64, or objects of ``str``), or float64 values in raw units.

        Raises
        ------
        RuntimeError
            Before `fit`.
        DataError
            If the shape does not fit, or a number is not a class's code.
        """
        learnt = self._learnt
        array = unmasked(encoded, "encoded targets")
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError(f"encoded targets must be of shape (rows,), got {array.shape}")
        if isinstance(learnt.target, Standardizer):
            return learnt.target.decode(array.astype(np.float64))
        classes = learnt.target.values
        codes = np.arange(len(classes))
        check_rows(np.isin(array, codes), array, "encoded targets", f"is not in 0..{codes[-1]}")
        names = np.array(classes, dtype=object if isinstance(classes[0], str) else np.int64)
        return names[array.astype(np.intp)]

    @property
    def width(self) -> int:
        """The number of features."""
        return sum(encoder.width for encoder in self._learnt.columns.values())

    @property
    def outputs(self) -> int:
        """The number of outputs of a network for this target: one for each class, else one."""
        return len(self.classes) if self.target_kind == "classes" else 1

    @property
    def classes(self) -> tuple[int, ...] | tuple[str, ...]:
        """The target's classes in the order of their codes, none for a target of values."""
        target = self._learnt.target
        return target.values if isinstance(target, Categories) else ()

    @property
    def columns(self) -> dict[str, ColumnKind]:
        """The columns that `features` reads, and their kinds."""
        return {name: _kind(encoder) for name, encoder in self._learnt.columns.items()}

    @property
    def target_name(self) -> str:
        """The target's name."""
        return self._learnt.target_name

    @property
    def target_kind(self) -> TargetKind:
        """What the target holds, as `fit` was told."""
        return self._learnt.target_kind

    def to_dict(self) -> dict[str, Any]:
        """Return all that was learnt in JSON's types, exact to the last bit."""
        learnt = self._learnt
        return {
            "standardize": self.standardize,
            "standardize_target": self.standardize_target,
            # A list: some writers of JSON sort an object's keys, and the order counts.
            "columns": [
                {"name": name, **encoder.to_dict()} for name, encoder in learnt.columns.items()
            ],
            "target": {
                "name": learnt.target_name,
                "kind": learnt.target_kind,
                **learnt.target.to_dict(),
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the object that `to_dict` described.

        Raises
        ------
        DataError
            If an entry is missing or malformed; the message names it.
        """
        try:
            preprocessing = cls(
                standardize=data["standardize"], standardize_target=data["standardize_target"]
            )
            columns = {
                check_text("name", column["name"]): restored(column) for column in data["columns"]
            }
            if not len(columns) == len(data["columns"]) > 0:
                raise ValueError("columns must be at least one, each of another name")
            target, kind = data["target"], data["target"]["kind"]
            check_choice("kind", kind, get_args(TargetKind))
            name = check_text("name", target["name"])
            preprocessing._state = _Learnt(columns, name, kind, restored(target))
        except KeyError as error:
            raise DataError(f"preprocessing: the entry {error} is missing") from None
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"preprocessing: {error}") from None
        if (kind == "values") != isinstance(preprocessing._learnt.target, Standardizer):
            raise DataError(f"preprocessing: the target's entries do not fit its kind {kind!r}")
        return preprocessing

    @property
    def _learnt(self) -> _Learnt:
        if self._state is None:
            raise RuntimeError("Preprocessing has learnt nothing yet: call fit first")
        return self._state

    def _learn_column(self, table: Table, name: str) -> Encoder:
        if table.kind(name) == "categorical":
            return Categories.fit(table.columns[name].tolist())
        check_finite(table.columns[name], _place(table, name))
        return Standardizer.fit(table.columns[name]) if self.standardize else Standardizer()

    def _learn_target(self, table: Table, targets: TargetKind) -> Encoder:
        if targets == "values":
            values = _target_values(table)
            return Standardizer.fit(values) if self.standardize_target else Standardizer()
        classes = Categories.fit(_class_labels(table).tolist())
        if len(classes.values) < 2:
            raise DataError(f"{_target_place(table)} holds a single class, {classes.values[0]!r}")
        if targets == "binary" and len(classes.values) > 2:
            raise DataError(
                f"{_target_place(table)} must hold two classes to be binary, "
                f"got {len(classes.values)}: {shown(classes.values)}"
            )
        return classes


def _place(table: Table, name: str) -> str:
    return f"{table.origin}: column {name!r}"


def _target_place(table: Table) -> str:
    return f"{table.origin}: target {table.target_name!r}"


def _kind(encoder: Encoder) -> ColumnKind:
    return "categorical" if isinstance(encoder, Categories) else "numeric"


def _target(table: Table) -> Array:
    if table.target is None:
        raise DataError(f"{_target_place(table)} is missing")
    return table.target


def _target_values(table: Table) -> npt.NDArray[np.float64]:
    """Return a target of finite numbers as float64."""
    target = _target(table)
    if target.dtype == object:
        raise DataError(f"{_target_place(table)} must hold numbers, got text: {shown(target)}")
    check_finite(target, _target_place(table))
    return target.astype(np.float64, copy=False)


def _class_labels(table: Table) -> Array:
    """Return a target of integers or text; floats that are integers count as integers."""
    target = _target(table)
    if target.dtype != np.float64:
        return target
    with np.errstate(invalid="ignore"):
        labels = target.astype(np.int64)
    problem = "is not a class; classes are integers or text"
    check_rows(labels == target, target, _target_place(table), problem)
    return labels


def _one_hot(categories: Categories, texts: list[str], place: str) -> Array:
    codes = categories.codes(texts)
    unseen = [texts[row] for row in np.flatnonzero(codes < 0)]
    if unseen:
        warnings.warn(
            f"{place} has {len(unseen)} rows of a category that training "
            f"did not see, all zeros: {shown(sorted(set(unseen)))}",
            stacklevel=3,
        )
    encoded: Array = codes[:, np.newaxis] == np.arange(categories.width)
    return encoded
