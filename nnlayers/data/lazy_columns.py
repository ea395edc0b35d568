"""Columns of a table that are read when they are used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping

from nnlayers._core.arrays import Array

__all__ = ["LazyColumns", "Selection"]


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


class Selection(LazyColumns):
    """Columns of the rows that indices select, each copied when it is read.

    The last one is held, because it is often read several times in a row.
    """

    def __init__(self, columns: Mapping[str, Array], index: Array) -> None:
        self._columns = columns
        self._index = index
        self._last: tuple[str, Array] | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self._index)

    def select(self, rows: Array) -> Selection:
        """Return the columns of the rows of these indices."""
        return Selection(self._columns, self._index[rows])

    def without(self, names: Collection[str]) -> Selection:
        """Return the columns but those of these names."""
        columns = {name: values for name, values in self._columns.items() if name not in names}
        return Selection(columns, self._index)

    def __getitem__(self, name: str) -> Array:
        last = self._last
        if last is None or last[0] != name:
            last = self._last = name, self._columns[name].take(self._index)
        return last[1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)
