"""Encode raw rows as arrays for a network, and decode its outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array, float_dtype, unmasked
from nnlayers._core.checks import check_boolean, check_choice, check_integer
from nnlayers.data.encoders import MISSING_PROBLEM, Categories, Encoder, Missing
from nnlayers.data.features import encode_columns
from nnlayers.data.mapped import is_mapped, sample, write_rows
from nnlayers.data.problems import DataError
from nnlayers.data.roles import Roles, encoder_from_dict
from nnlayers.data.table import ColumnKind, Table
from nnlayers.data.targets import (
    Classes,
    Target,
    TargetKind,
    Values,
    rows_with_target,
    target_from_dict,
)
from nnlayers.data.texts import check_text, missing_cells

__all__ = ["Preprocessing", "TargetKind"]

_MISSING_TARGET = "is missing: fill it, or set missing_target to 'drop' to leave such rows out"


@dataclass(frozen=True)
class _Fit:
    """The result of `fit`; the order of the columns is that of the features."""

    columns: Mapping[str, Encoder]
    target_name: str
    target_kind: TargetKind
    target: Target


class Preprocessing:
    """Encode columns as features, by the role of each, and targets.

    Numbers are standardised, ``(x - mean) / std`` with the population standard deviation (1 for a
    constant column). Text is read as numbers where most cells are numbers, with thousands
    separators, a currency or a percent sign, and where all are booleans such as ``yes`` and ``no``;
    other text is a category, with one 0/1 feature for each level in ascending order. Dates become
    elapsed time, year, and the cycles of months, weekdays and hours. Lists of column names give a
    column another role.

    Everything is learnt from the training rows. Columns are matched by name, in any order.

    Parameters
    ----------
    ignore : list of str
        Columns to leave out.
    categories : list of str
        Columns of numbers or text that are categories. With the target's name in the list, its
        classes are text as written in the file.
    embed : list of str
        Categories whose feature is the id of their level, for a model that begins with
        :class:`~nnlayers.EntityEmbedding`. Id 0 is that of unknown levels.
    dates : list of str, or dict of str to str
        Columns of text that are dates, in any of the usual formats, which is found, or with the
        format of each, such as ``"%d.%m.%Y"``.
    log : list of str
        Columns of skewed numbers to scale by their logarithm, with the sign.
    quantile : list of str
        Columns of numbers to give a normal distribution, by their quantiles.
    piecewise : list of str
        Columns of numbers to encode by intervals, which lets a network follow steps.
    intervals : int
        The largest number of intervals of a column in `piecewise`.
    min_count : int
        The number of training rows below which a level is rare. Rare levels share the feature or
        the id of unknown ones.
    missing : {"median", "mean", "error"}
        The fill of a missing number or date; a 0/1 feature then says where one was missing, if
        any was in training. For a category, missing is a level of its own. ``"error"`` refuses
        missing values.
    missing_target : {"error", "drop"}
        Whether a row without a target is an error or left out.
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

    def __init__(
        self,
        *,
        ignore: tuple[str, ...] = (),
        categories: tuple[str, ...] = (),
        embed: tuple[str, ...] = (),
        dates: tuple[str, ...] | dict[str, str] = (),
        log: tuple[str, ...] = (),
        quantile: tuple[str, ...] = (),
        piecewise: tuple[str, ...] = (),
        intervals: int = 64,
        min_count: int = 1,
        missing: Missing = "median",
        missing_target: Literal["error", "drop"] = "error",
        standardize: bool = True,
        standardize_target: bool = True,
    ) -> None:
        check_choice("missing", missing, get_args(Missing))
        check_choice("missing_target", missing_target, ["error", "drop"])
        self.roles = Roles(
            ignore=ignore,
            categories=categories,
            embed=embed,
            dates=dates,
            log=log,
            quantile=quantile,
            piecewise=piecewise,
            intervals=check_integer("intervals", intervals, minimum=1),
            min_count=check_integer("min_count", min_count, minimum=1),
            missing=missing,
            standardize=check_boolean("standardize", standardize),
        )
        self.missing_target = missing_target
        self.standardize_target = check_boolean("standardize_target", standardize_target)
        self._fit: _Fit | None = None

    def __repr__(self) -> str:
        defaults = Preprocessing()._settings()
        changed = {
            name: value for name, value in self._settings().items() if value != defaults[name]
        }
        return f"Preprocessing({', '.join(f'{name}={value!r}' for name, value in changed.items())})"

    def fit(self, table: Table, targets: TargetKind) -> Self:
        """Fit the encoding of each column and of the target to training rows.

        Of a file that is larger than memory, columns are fitted to rows drawn evenly from all.

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
            If there are no rows, a value does not fit the role of its column, a list names an
            unknown column, or the target is not of the kind or holds a single class.
        """
        check_choice("targets", targets, get_args(TargetKind))
        if not len(table):
            raise DataError(f"{table.origin}: there are no rows to fit to")
        column = self.labelled(table).target_column
        target: Target
        if targets == "values":
            target = Values.fit(column, standardize=self.standardize_target)
        else:
            target = Classes.fit(column, binary=targets == "binary")
        columns = self.roles.fit(sample(table) if is_mapped(table) else table)
        self._fit = _Fit(columns, table.target_name, targets, target)
        self._check_present(table)
        return self

    def labelled(self, table: Table) -> Table:
        """Return the rows with a target; by ``missing_target``, others are an error or left out.

        Raises
        ------
        DataError
            If the table has no target, a row has none that must have one, or all have none.
        """
        if self.missing_target == "error":
            column = table.target_column
            column.check(~missing_cells(column.values), _MISSING_TARGET)
        return rows_with_target(table)

    def features(self, table: Table, dtype: npt.DTypeLike = np.float32) -> Array:
        """Return the features of rows.

        Of a file that is larger than memory, they are written to a temporary file, and mapped into
        memory.

        A category that did not occur in training is encoded as zeros or as id 0, with one
        ``UserWarning`` for each column, or by the feature of rare levels, if there is one.

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
            If a column is missing, or a value does not fit the role of its column.
        """
        encoders, dtype = self._require_fit().columns, float_dtype(dtype)
        if is_mapped(table):
            return write_rows(table, self.width, dtype, lambda part: self.features(part, dtype))
        encoded = np.empty((len(table), self.width), dtype)
        self._check_present(table)
        encode_columns(encoders, table, encoded)
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
            training, text for values, or a missing one.
        """
        fit, dtype = self._require_fit(), float_dtype(dtype)
        column = table.target_column
        if isinstance(fit.target, Values):
            return fit.target.encode(column, dtype)
        codes = fit.target.encode(column)
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
        target = self._require_fit().target
        array = unmasked(encoded, "encoded targets")
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise DataError(f"encoded targets must be of shape (rows,), got {array.shape}")
        return target.decode(array)

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
        return target.values if isinstance(target, Classes) else ()

    @property
    def columns(self) -> dict[str, ColumnKind]:
        """The kinds of the columns that `features` reads, by name."""
        return {name: encoder.kind for name, encoder in self._require_fit().columns.items()}

    @property
    def encoders(self) -> Mapping[str, Encoder]:
        """The fitted encoder of each column that `features` reads, in the order of the features."""
        return self._require_fit().columns

    @property
    def ids(self) -> dict[int, int]:
        """The number of ids of each feature that holds some, by its index."""
        found, start = {}, 0
        for encoder in self._require_fit().columns.values():
            if isinstance(encoder, Categories) and encoder.ids:
                found[start] = encoder.levels
            start += encoder.width
        return found

    @property
    def target(self) -> Target:
        """The fitted encoding of the target."""
        return self._require_fit().target

    @property
    def target_name(self) -> str:
        """The name of the target."""
        return self._require_fit().target_name

    @property
    def target_kind(self) -> TargetKind:
        """The kind of the target, as passed to `fit`."""
        return self._require_fit().target_kind

    def to_dict(self) -> dict[str, Any]:
        """Return the settings and the fitted state in JSON's types, exact to the last bit."""
        fit = self._require_fit()
        return {
            "settings": {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in self._settings().items()
            },
            # A list, because some JSON writers sort keys and the order of columns matters.
            "columns": [
                {"name": name, **encoder.to_dict()} for name, encoder in fit.columns.items()
            ],
            "target": {"name": fit.target_name, "kind": fit.target_kind, **fit.target.to_dict()},
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
            preprocessing = cls(**data["settings"])
            columns = {
                check_text("name", column["name"]): encoder_from_dict(column)
                for column in data["columns"]
            }
            if not len(columns) == len(data["columns"]) > 0:
                raise ValueError("columns must be at least one, all with different names")
            target = data["target"]
            name = check_text("name", target["name"])
            preprocessing._fit = _Fit(columns, name, target["kind"], target_from_dict(target))
        except KeyError as error:
            raise DataError(f"preprocessing: the entry {error} is missing") from None
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"preprocessing: {error}") from None
        return preprocessing

    def _settings(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {
            **vars(self.roles),
            "missing_target": self.missing_target,
            "standardize_target": self.standardize_target,
        }

    def _require_fit(self) -> _Fit:
        if self._fit is None:
            raise RuntimeError("Preprocessing is not fitted yet: call fit first")
        return self._fit

    def _check_present(self, table: Table) -> None:
        """Raise an error for the first missing value, if they are refused."""
        if self.roles.missing == "error" and not is_mapped(table):
            for name in self._require_fit().columns:
                column = table.column(name)
                column.check(~missing_cells(column.values), MISSING_PROBLEM)
