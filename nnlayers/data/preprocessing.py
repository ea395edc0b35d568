"""Encode raw rows as arrays for a network, and decode its outputs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, float_dtype, unmasked
from nnlayers._core.checks import check_choice
from nnlayers.data.encoders import Categories, Encoder, Standardizer, check_text, encoder_from_dict
from nnlayers.data.table import (
    ColumnKind,
    DataError,
    Table,
    check_finite,
    check_rows,
    find_missing,
    preview,
)

__all__ = ["Preprocessing", "TargetKind"]

TargetKind: TypeAlias = Literal["classes", "binary", "values"]


@dataclass(frozen=True)
class _Fit:
    """The result of `fit`; the order of the columns is that of the features."""

    columns: Mapping[str, Encoder]
    target_name: str
    target_kind: TargetKind
    target: Encoder


class Preprocessing:
    """Standardise numbers, one-hot encode categories and encode targets.

    A numeric column becomes one feature ``(x - mean) / std``, with the population standard
    deviation (1 for a constant column); a categorical column becomes one 0/1 feature for each of
    its values, in ascending order. Means, deviations and values are those of the training rows.
    Columns are matched by name, in any order.

    Parameters
    ----------
    standardize : bool
        Whether to standardise numeric columns.
    standardize_target : bool
        Whether to standardise the target of a regression.

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
        self._fit: _Fit | None = None

    def __repr__(self) -> str:
        return (
            f"Preprocessing(standardize={self.standardize}, "
            f"standardize_target={self.standardize_target})"
        )

    def fit(self, table: Table, targets: TargetKind) -> Self:
        """Fit the encoding of each column and of the target to training rows.

        Parameters
        ----------
        table : Table
            The rows, with their target.
        targets : {"classes", "binary", "values"}
            The kind of the target: ``"classes"`` for integers or strings, ``"binary"`` for exactly
            two of them, encoded for one output with a sigmoid, ``"values"`` for numbers.

        Returns
        -------
        Preprocessing
            The object itself.

        Raises
        ------
        ValueError
            If `targets` is none of the three.
        DataError
            If there are no rows, a value is NaN or infinite, or the target is not of the kind or
            holds a single class.
        """
        check_choice("targets", targets, get_args(TargetKind))
        if not len(table):
            raise DataError(f"{table.origin}: there are no rows to fit to")
        target = self._fit_target(table, targets)
        columns = {name: self._fit_column(table, name) for name in table.columns}
        self._fit = _Fit(columns, table.target_name, targets, target)
        return self

    def features(self, table: Table, dtype: npt.DTypeLike = np.float32) -> Array:
        """Return the features of rows.

        A category that did not occur in training is encoded as zeros, with one ``UserWarning`` for
        each column.

        Parameters
        ----------
        table : Table
            Rows with at least the columns of training; other columns are ignored.
        dtype : float32 or float64
            The dtype of the features.

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
        for name, encoder in self._require_fit().columns.items():
            location, kind, expected = _location(table, name), table.kind(name), _kind(encoder)
            if kind != expected:
                raise DataError(f"{location} is {kind}, in training it was {expected}")
            if isinstance(encoder, Standardizer):
                block = encoder.encode(table.columns[name], encoded.dtype, location)[:, np.newaxis]
            else:
                _check_present(table, name)
                block = _one_hot(encoder, table.columns[name].tolist(), location)
            encoded[:, start : start + encoder.width] = block
            start += encoder.width
        return encoded

    def targets(self, table: Table, dtype: npt.DTypeLike = np.float32) -> Array:
        """Return the targets of rows as losses take them.

        Returns
        -------
        ndarray
            For classes, int64 codes of shape (rows,); for binary targets, 0 and 1, and for values,
            numbers, both of shape (rows, 1) and of `dtype`.

        Raises
        ------
        RuntimeError
            Before `fit`.
        DataError
            If the table has no target, or one that does not fit: a class that did not occur in
            training, text for values, or NaN.
        """
        fit, dtype = self._require_fit(), float_dtype(dtype)
        if isinstance(fit.target, Standardizer):
            values = fit.target.encode(_target_values(table), dtype, _target_location(table))
            return values[:, np.newaxis]
        labels = _class_labels(table)
        codes = fit.target.codes(labels.tolist())
        problem = "is not a class of the training rows"
        check_rows(codes >= 0, labels, _target_location(table), problem)
        return codes if fit.target_kind == "classes" else codes.astype(dtype)[:, np.newaxis]

    def decode(self, encoded: npt.ArrayLike) -> Array:
        """Return the raw targets of encoded ones: the inverse of `targets`.

        Parameters
        ----------
        encoded : (rows,) or (rows, 1) array_like
            For classes and binary targets, codes: ``logits.argmax(axis=1)`` or ``logits > 0`` of
            the outputs of a network. For values, the outputs.

        Returns
        -------
        (rows,) ndarray
            Classes (int64, or objects of ``str``), or float64 values in raw units.

        Raises
        ------
        RuntimeError
            Before `fit`.
        DataError
            If the shape does not fit, or a number is not the code of a class.
        """
        fit = self._require_fit()
        array = unmasked(encoded, "encoded targets")
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError(f"encoded targets must be of shape (rows,), got {array.shape}")
        if isinstance(fit.target, Standardizer):
            return fit.target.decode(array.astype(np.float64))
        classes = fit.target.values
        codes = np.arange(len(classes))
        check_rows(np.isin(array, codes), array, "encoded targets", f"is not in 0..{codes[-1]}")
        names = np.array(classes, dtype=object if isinstance(classes[0], str) else np.int64)
        return names[array.astype(np.intp)]

    @property
    def width(self) -> int:
        """The number of features."""
        return sum(encoder.width for encoder in self._require_fit().columns.values())

    @property
    def outputs(self) -> int:
        """The number of outputs of a network for this target: one for each class, or one."""
        return len(self.classes) if self.target_kind == "classes" else 1

    @property
    def classes(self) -> tuple[int, ...] | tuple[str, ...]:
        """The classes of the target in the order of their codes; empty for a target of values."""
        target = self._require_fit().target
        return target.values if isinstance(target, Categories) else ()

    @property
    def columns(self) -> dict[str, ColumnKind]:
        """The kinds of the columns that `features` reads, by name."""
        return {name: _kind(encoder) for name, encoder in self._require_fit().columns.items()}

    @property
    def target_name(self) -> str:
        """The name of the target."""
        return self._require_fit().target_name

    @property
    def target_kind(self) -> TargetKind:
        """The kind of the target, as passed to `fit`."""
        return self._require_fit().target_kind

    def to_dict(self) -> dict[str, Any]:
        """Return the fitted state in JSON's types, exact to the last bit."""
        fit = self._require_fit()
        return {
            "standardize": self.standardize,
            "standardize_target": self.standardize_target,
            # A list, because some JSON writers sort keys and the order of columns matters.
            "columns": [
                {"name": name, **encoder.to_dict()} for name, encoder in fit.columns.items()
            ],
            "target": {
                "name": fit.target_name,
                "kind": fit.target_kind,
                **fit.target.to_dict(),
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the object of a dictionary that `to_dict` returned.

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
                check_text("name", column["name"]): encoder_from_dict(column)
                for column in data["columns"]
            }
            if not len(columns) == len(data["columns"]) > 0:
                raise ValueError("columns must be at least one, all with different names")
            target, kind = data["target"], data["target"]["kind"]
            check_choice("kind", kind, get_args(TargetKind))
            name = check_text("name", target["name"])
            preprocessing._fit = _Fit(columns, name, kind, encoder_from_dict(target))
        except KeyError as error:
            raise DataError(f"preprocessing: the entry {error} is missing") from None
        except (LookupError, TypeError, ValueError) as error:
            raise DataError(f"preprocessing: {error}") from None
        if (kind == "values") != isinstance(preprocessing._require_fit().target, Standardizer):
            raise DataError(f"preprocessing: the target's entries do not fit its kind {kind!r}")
        return preprocessing

    def _require_fit(self) -> _Fit:
        if self._fit is None:
            raise RuntimeError("Preprocessing is not fitted yet: call fit first")
        return self._fit

    def _fit_column(self, table: Table, name: str) -> Encoder:
        _check_present(table, name)
        if table.kind(name) == "categorical":
            return Categories.fit(table.columns[name].tolist())
        check_finite(table.columns[name], _location(table, name), table.lines)
        return Standardizer.fit(table.columns[name]) if self.standardize else Standardizer()

    def _fit_target(self, table: Table, targets: TargetKind) -> Encoder:
        if targets == "values":
            values = _target_values(table)
            return Standardizer.fit(values) if self.standardize_target else Standardizer()
        classes = Categories.fit(_class_labels(table).tolist())
        if len(classes.values) < 2:
            raise DataError(
                f"{_target_location(table)} holds a single class, {classes.values[0]!r}"
            )
        if targets == "binary" and len(classes.values) > 2:
            raise DataError(
                f"{_target_location(table)} must hold two classes to be binary, "
                f"got {len(classes.values)}: {preview(classes.values)}"
            )
        return classes


def _location(table: Table, name: str) -> str:
    return f"{table.origin}: column {name!r}"


def _check_present(table: Table, name: str) -> None:
    values = table.columns[name]
    problem = "is a missing value"
    check_rows(~find_missing(values), values, _location(table, name), problem, table.lines)


def _target_location(table: Table) -> str:
    return f"{table.origin}: target {table.target_name!r}"


def _kind(encoder: Encoder) -> ColumnKind:
    return "categorical" if isinstance(encoder, Categories) else "numeric"


def _target(table: Table) -> Array:
    if table.target is None:
        raise DataError(f"{_target_location(table)} is missing")
    return table.target


def _target_values(table: Table) -> npt.NDArray[np.float64]:
    """Return a target of finite numbers as float64."""
    target = _target(table)
    if target.dtype == object:
        raise DataError(f"{_target_location(table)} must hold numbers, got text: {preview(target)}")
    check_finite(target, _target_location(table))
    return target.astype(np.float64, copy=False)


def _class_labels(table: Table) -> Array:
    """Return a target of integers or text, with whole floats converted to integers."""
    target = _target(table)
    if target.dtype != np.float64:
        return target
    with np.errstate(invalid="ignore"):
        labels = target.astype(np.int64)
    problem = "is not a class; classes are integers or text"
    check_rows(labels == target, target, _target_location(table), problem)
    return labels


def _one_hot(categories: Categories, texts: list[str], location: str) -> Array:
    codes = categories.codes(texts)
    unseen = [texts[row] for row in np.flatnonzero(codes < 0)]
    if unseen:
        warnings.warn(
            f"{location} has {len(unseen)} rows of a category that training "
            f"did not see, all zeros: {preview(sorted(set(unseen)))}",
            stacklevel=3,
        )
    encoded: Array = codes[:, np.newaxis] == np.arange(categories.width)
    return encoded
