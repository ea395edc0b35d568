"""Describe how a delimited text file is written, find its separator, and read it line by line."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import IO, NamedTuple

from nnlayers._core.checks import check_strings
from nnlayers._core.showing import shown
from nnlayers.data.compression import open_decompressed
from nnlayers.data.problems import DataError

__all__ = ["Dialect", "LongCellError", "Record", "read_records", "sniff"]

# The separators that are found by themselves, and the number of lines that must agree on one.
_SEPARATORS = (",", ";", "\t", "|")
_SNIFFED_LINES = 50
# The marks with which text in UTF-16 or UTF-32 begins; one of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Dialect:
    """The way in which a delimited text file is written.

    Parameters
    ----------
    separator : str, optional
        The character between two cells. By default ``,``, ``;``, a tab or ``|``, if only one of
        them divides all of the first lines alike.
    decimal : str
        The decimal point.
    thousands : str, optional
        The character that groups the digits of a number.
    quote : str
        The character around a cell that holds the separator or a line break; doubled within.
    comment : str, optional
        The character that begins a comment, which ends with the line.
    encoding : str
        The encoding, as Python names it. A file that begins with the mark of UTF-16 or UTF-32 is
        read as that.
    header : bool
        Whether the first line names the columns. Without it, they are ``column 1``,
        ``column 2``, ...
    missing : tuple of str
        Cells that are missing values, besides blank ones, ``?``, ``NA``, ``null`` and the like.

    Raises
    ------
    TypeError, ValueError
        If one is not a character, two are the same, or there is no such encoding.

    Examples
    --------
    >>> Dialect(separator=";", decimal=";")
    Traceback (most recent call last):
    ValueError: decimal must differ from separator, both are ';'
    """

    separator: str | None = None
    decimal: str = "."
    thousands: str | None = None
    quote: str = '"'
    comment: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        roles: dict[str, str] = {}
        for name in ("separator", "decimal", "thousands", "quote", "comment"):
            character = getattr(self, name)
            if character is None and name not in ("decimal", "quote"):
                continue
            if not isinstance(character, str):
                raise TypeError(f"{name} must be a string, got {shown(character)}")
            # pandas takes single bytes.
            if len(character) != 1 or not character.isascii() or character in "\r\n\0":
                raise ValueError(
                    f"{name} must be one ASCII character, not a line break, got {shown(character)}"
                )
            if character in roles:
                raise ValueError(
                    f"{name} must differ from {roles[character]}, both are {character!r}"
                )
            roles[character] = name
        try:
            "".encode(self.encoding)  # Refuses those that are not for text, as hex.
        except (LookupError, TypeError, ValueError):
            raise ValueError(
                f"encoding must be one of Python's, such as 'latin-1', got {shown(self.encoding)}"
            ) from None
        check_strings("missing", self.missing, "cells")


class Record(NamedTuple):
    """The cells of one row of a file, and the line on which it begins, counted from 1."""

    line: int
    cells: list[str]


class LongCellError(DataError):
    """A cell that is longer than Python's csv module reads, often because its quote stays open."""


def sniff(path: str, dialect: Dialect) -> Dialect:
    """Return the dialect with the encoding and the separator of a file, where they were open.

    Raises
    ------
    DataError
        If the file cannot be read or is empty, or two separators divide its lines alike.
    """
    with open_decompressed(path) as file:
        start = file.read(4)
    if dialect.encoding == "utf-8":
        marks = (encoding for mark, encoding in _MARKS if start.startswith(mark))
        dialect = replace(dialect, encoding=next(marks, "utf-8"))
    if dialect.separator is not None:
        return dialect
    with _open_text(path, dialect) as text:
        lines = list(islice(_Lines(text, dialect), _SNIFFED_LINES))
    widths = {separator: _widths(lines, separator, dialect) for separator in _SEPARATORS}
    taken = (dialect.decimal, dialect.thousands, dialect.comment, dialect.quote)
    known = {key: value for key, value in widths.items() if key not in taken and max(value) > 1}
    alike = {separator: width for separator, width in known.items() if len(width) == 1}
    if len(alike) > 1:
        found = " and ".join(f"{max(width)} cells by {key!r}" for key, width in alike.items())
        raise DataError(f"{path}: each line has {found}: set separator to one of them")
    if alike or not known:
        return replace(dialect, separator=next(iter(alike), ","))
    # A line of another width is an error, which names that line.
    return replace(dialect, separator=max(known, key=lambda key: _first_width(lines, key, dialect)))


def read_records(path: str, dialect: Dialect) -> Iterator[Record]:
    """Yield the records of a file as Python's csv module reads them, without blank lines.

    A byte that the encoding does not know becomes a lone surrogate.

    Raises
    ------
    DataError
        If the file cannot be read, or a cell is too long (:class:`LongCellError`).
    """
    with _open_text(path, dialect) as text:
        lines = _Lines(text, dialect)
        try:
            for cells in _reader(lines, dialect.separator or ",", dialect):
                line, lines.start = lines.start, 0
                if len(cells) > 1 or "".join(cells).strip():
                    yield Record(line, cells)
        except csv.Error:
            limit = csv.field_size_limit()
            raise LongCellError(
                f"{path}: line {lines.start}: a quote is opened here and not closed "
                f"within {limit:,} characters"
            ) from None


class _Lines:
    """Iterate over the lines of a text, without comments.

    Attributes
    ----------
    start : int
        The number of the first line of the current record, counted from 1; to be set to 0 when the
        record is complete.
    """

    def __init__(self, text: Iterable[str], dialect: Dialect) -> None:
        self.start = 0
        self._numbered = enumerate(text, start=1)
        self._comment = dialect.comment
        self._quote = dialect.quote

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        for number, line in self._numbered:
            if self._comment and self._comment in line:
                line = _cut_comment(line, self._comment, self._quote)
                if self.start == 0 and not line:
                    continue
            self.start = self.start or number
            return line
        raise StopIteration


def _cut_comment(line: str, comment: str, quote: str) -> str:
    """Return a line up to a comment that is not within quotes."""
    start = -1
    while (start := line.find(comment, start + 1)) >= 0:
        if line.count(quote, 0, start) % 2 == 0:
            return line[:start]
    return line


@contextmanager
def _open_text(path: str, dialect: Dialect) -> Iterator[IO[str]]:
    encoding = "utf-8-sig" if codecs.lookup(dialect.encoding).name == "utf-8" else dialect.encoding
    with (
        open_decompressed(path) as file,
        io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="") as text,
    ):
        try:
            yield text
        except UnicodeError:  # No byte of UTF-16 and UTF-32 stands for itself.
            raise DataError(f"{path}: it is not {dialect.encoding} text: set encoding") from None


def _reader(lines: Iterable[str], separator: str, dialect: Dialect) -> Iterator[list[str]]:
    return csv.reader(
        lines, delimiter=separator, quotechar=dialect.quote, skipinitialspace=separator != " "
    )


def _widths(lines: list[str], separator: str, dialect: Dialect) -> set[int]:
    """Return the numbers of cells of lines that are not blank."""
    # The last line may be within a cell of several.
    records = _reader(lines, separator, dialect)
    try:
        return {len(cells) for cells in records if "".join(cells).strip()} or {0}
    except csv.Error:  # A cell is too long for this module; pandas reads it.
        return {_first_width(lines, separator, dialect)}


def _first_width(lines: list[str], separator: str, dialect: Dialect) -> int:
    try:
        return len(next(_reader(lines, separator, dialect)))
    except csv.Error:
        return 0
