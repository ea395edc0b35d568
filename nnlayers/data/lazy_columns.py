"""Columns of a table that are converted or read when they are used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.data.texts import CodedTexts

__all__ = ["LazyColumns", "StoredColumns"]


class LazyColumns(Mapping[str, Array], ABC):
    """Columns that were checked before, and are read when they are used."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """The number of rows."""

    @abstractmethod
    def select(self, rows: Array) -> LazyColumns:
        """Return the columns of the rows of these indices."""

    @abstractmethod
    def without(self, names: Collection[str]) -> LazyColumns:
        """Return the columns but those of these names."""

    def source(self, name: str) -> Array | CodedTexts:
        """Return a column; one of text may come as codes."""
        return self[name]


class StoredColumns(LazyColumns):
    """Columns in memory, all rows or those that indices select.

    A column is copied, and numbers are converted to float64, when it is read. The last one is held,
    because it is often read several times in a row.

    Parameters
    ----------
    columns : mapping of str to (rows,) ndarray or CodedTexts
        Numbers of any real dtype, text or dates.
    index : (selected,) ndarray of int, optional
        The selected rows; by default all.
    """

    def __init__(
        self, columns: Mapping[str, Array | CodedTexts], index: Array | None = None
    ) -> None:
        self._columns = columns
        self._index = index
        self._last: tuple[str, Array] | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        index = self._index
        return len(next(iter(self._columns.values()))) if index is None else len(index)

    @property
    def is_selection(self) -> bool:
        """Whether indices select the rows."""
        return self._index is not None

    def select(self, rows: Array) -> StoredColumns:
        """Return the columns of the rows of these indices."""
        return StoredColumns(self._columns, rows if self._index is None else self._index[rows])

    def without(self, names: Collection[str]) -> StoredColumns:
        """Return the columns but those of these names."""
        columns = {name: values for name, values in self._columns.items() if name not in names}
        return StoredColumns(columns, self._index)

    def source(self, name: str) -> Array | CodedTexts:
        """Return a column; one of text may come as codes."""
        values = self._columns[name]
        if isinstance(values, CodedTexts):
            return values if self._index is None else values.take(self._index)
        return self[name]

    def __getitem__(self, name: str) -> Array:
        last = self._last
        if last is None or last[0] != name:
            values = self._columns[name]
            if self._index is not None:
                values = values.take(self._index)
            array = np.asarray(values)
            if array.dtype.kind in "biuf":
                array = array.astype(np.float64, copy=False)
            last = self._last = name, array
        return last[1]

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __repr__(self) -> str:
        return repr(dict(self))
