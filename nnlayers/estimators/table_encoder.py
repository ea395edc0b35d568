"""Encode the rows of a table as numbers, 0/1 flags and ids, by what each column holds."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.data import DataError, Table
from nnlayers.data.dates import Dates, date_formats
from nnlayers.data.encoders import Categories, Encoder, Numbers, read_numbers
from nnlayers.data.features import encode_columns
from nnlayers.data.scaling import QuantileScaler, Standardizer
from nnlayers.data.table import Column
from nnlayers.data.texts import NumberFormat
from nnlayers.data.workers import column_workers

__all__ = ["TableEncoder"]

# Text of at most this many levels gets a flag for each, of more a vector that is learnt.
_MAX_ONE_HOT = 12
# A level with fewer rows than this has too few to learn a vector from.
_MIN_COUNT = 3
# Text of at most this many levels is never an identifier, however few the rows.
_FEW_LEVELS = 10

_NUMBER, _FLAG, _ID = range(3)


class TableEncoder:
    """Encoding of rows as numbers, 0/1 flags and ids, side by side in this order.

    Numbers of more than two values get a normal distribution by their quantiles, whatever their
    distribution was, with a flag for missing ones. Text is a category: a flag for each of a few
    levels, an id for each of many. Text that reads as numbers or dates throughout is taken as such.
    Dates become elapsed time and the cycles of months, weekdays and hours. Text that differs in
    most rows and columns with a single value are left out.

    Attributes
    ----------
    numbers, flags : int
        The numbers of features of these kinds.
    levels : list of int
        The number of ids of each feature that holds some.

    Examples
    --------
    >>> table = Table({"size": [1.0, 2.0, np.nan, 4.0], "color": ["red", "blue", "red", "red"]})
    >>> encoder = TableEncoder()
    >>> encoder.fit_encode(table).round(1)
    array([[-3.1,  0. ,  0. ,  1. ],
           [ 0. ,  0. ,  1. ,  0. ],
           [ 0. ,  1. ,  0. ,  1. ],
           [ 3.1,  0. ,  0. ,  1. ]], dtype=float32)
    >>> encoder.numbers, encoder.flags, encoder.levels
    (1, 3, [])
    >>> encoder.encode(Table({"size": [2.0], "color": ["red"]})).round(1)
    array([[0., 0., 0., 1.]], dtype=float32)
    """

    def fit_encode(self, table: Table, categories: Collection[str] = ()) -> Array:
        """Choose and fit the encoding of each column, and return the features of the rows.

        Parameters
        ----------
        table : Table
            The rows.
        categories : collection of str
            Columns of text that are categories, even if each level reads as a number.

        Returns
        -------
        ndarray, shape (rows, width), float32

        Raises
        ------
        DataError
            If a number is infinite.
        """
        names = list(table.columns)
        with column_workers(len(table) * len(names)) as run:
            found = list(
                run(lambda name: _encoder_of(table.column(name), name in categories), names)
            )
        items = zip(names, found, strict=True)
        self._encoders = {name: item for name, item in items if item is not None}
        kinds = np.array([kind for item in self._encoders.values() for kind in _kinds(item)], int)
        encoded = self._encode_all(table)
        varies = np.ptp(encoded, axis=0) > 0 if len(kinds) else np.zeros(0, bool)
        kept = np.flatnonzero(varies)
        self._order = kept[np.argsort(kinds[kept], kind="stable")]
        self.numbers, self.flags = (int(np.sum(kinds[kept] == kind)) for kind in (_NUMBER, _FLAG))
        levels = np.concatenate(
            [np.full(item.width, getattr(item, "levels", 0)) for item in self._encoders.values()]
            or [np.zeros(0, int)]
        )
        self.levels = [int(levels[index]) for index in self._order if kinds[index] == _ID]
        if not len(kept):
            self.flags = 1  # A network needs an input, even if there is nothing to learn from.
        return self._select(encoded)

    @property
    def width(self) -> int:
        """The number of features."""
        return self.numbers + self.flags + len(self.levels)

    def encode(self, table: Table) -> Array:
        """Return the features of rows, of shape (rows, width) and float32.

        Raises
        ------
        DataError
            If a column is missing, or a value is not of the kind that it had in `fit`.
        """
        return self._select(self._encode_all(table))

    def _select(self, encoded: Array) -> Array:
        """Return the features that vary, in the order of their kinds."""
        kept = encoded.take(self._order, axis=1)
        return kept if kept.shape[1] else np.zeros((len(kept), 1), np.float32)

    def _encode_all(self, table: Table) -> Array:
        width = sum(item.width for item in self._encoders.values())
        encoded = np.empty((len(table), width), np.float32)
        if width:
            encode_columns(self._encoders, table, encoded)
        return encoded


def _encoder_of(column: Column, is_category: bool) -> Encoder | None:
    """Return the fitted encoder of a column; None if there is nothing to learn from it."""
    if column.kind == "date":
        return Dates.fit(column, None, missing="median")
    if column.kind == "numeric":
        return _numbers(column, None)
    levels = column.levels
    texts = [text for text in levels.texts if text is not None]
    if not texts:
        return None
    if not is_category:
        notation = NumberFormat.detect(levels)
        if notation is not None and not any(np.isnan(notation.read(text)) for text in texts):
            return _numbers(column, notation)
        with suppress(ModuleNotFoundError):  # Without pandas, dates in text are categories.
            if formats := date_formats(texts):
                return Dates.fit(column, formats[0], missing="median")
    if len(texts) > max(_FEW_LEVELS, len(levels.indices) / 2):
        return None
    has_ids = len(texts) > _MAX_ONE_HOT
    return Categories.fit(column, min_count=_MIN_COUNT if has_ids else 1, ids=has_ids)


def _numbers(column: Column, notation: NumberFormat | None) -> Numbers:
    values = read_numbers(column, notation)
    ordered = np.sort(values)  # NaN comes last.
    present = ordered[: len(ordered) - np.count_nonzero(np.isnan(ordered))]
    has_missing = len(present) < len(values)
    if not len(present):
        return Numbers(Standardizer(), 0.0, has_missing, notation)
    is_flag = bool(((present == present[0]) | (present == present[-1])).all())
    scaler = Standardizer.fit(values[~np.isnan(values)]) if is_flag else QuantileScaler.fit(present)
    return Numbers(scaler, float(present[(len(present) - 1) // 2]), has_missing, notation)


def _kinds(encoder: Encoder) -> list[int]:
    """Return the kind of each feature of an encoder."""
    if isinstance(encoder, Categories):
        return [_ID if encoder.ids else _FLAG] * encoder.width
    if isinstance(encoder, Numbers):
        first = _FLAG if isinstance(encoder.scaler, Standardizer) else _NUMBER
        return [first] + [_FLAG] * (encoder.width - 1)
    if isinstance(encoder, Dates):
        count = sum(part in ("elapsed", "year") for part in encoder.parts)
        return [_NUMBER] * count + [_FLAG] * (encoder.width - count)
    raise DataError(f"no kind of feature is known of {encoder!r}")
