"""Read CSV and other delimited text files by pandas; errors name the file, the line and the column.

pandas parses a file once, but for columns that are text in some parts of it, or if blanks before
text show only after its first part. It is read again, line by line, only to find the line of an
error, or if the last column has missing values, which may be those of rows that end too early.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import optional_library, unknown_name
from nnlayers.data.compression import is_compressed, open_decompressed
from nnlayers.data.dialect import Dialect, LongCellError, Record, read_records, sniff
from nnlayers.data.frames import series_values
from nnlayers.data.problems import DataError, RowNumbers, find_missing
from nnlayers.data.texts import MISSING, CodedTexts
from nnlayers.data.workers import column_workers

__all__ = ["FileLines", "header_advice", "parse_numbers", "read_delimited"]

# The numbers of bytes that are read at a time, and to see at first how a file is written.
_CHUNK, _FIRST = 1 << 24, 1 << 20
_NO_HEADER = (
    "; if the file has no header, name columns by number, such as 'column 1', in a config with "
    "header = false"
)


class FileLines:
    """The lines of the rows of a file, found only when an error asks for one.

    Parameters
    ----------
    path : str
        The file.
    dialect : Dialect
        Its dialect, with the separator.
    rows : (rows,) ndarray of int
        The numbers of the rows among those of the file, counted from 0.
    """

    def __init__(self, path: str, dialect: Dialect, rows: Array) -> None:
        self._path = path
        self._dialect = dialect
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        """Return the line of one row, or the lines of those that an array or a slice selects."""
        selected = self._rows[row]
        if np.ndim(selected):
            return FileLines(self._path, self._dialect, selected)
        records = read_records(self._path, self._dialect)
        index = int(selected) + self._dialect.header
        record = None
        with suppress(LongCellError):
            record = next(islice(records, index, None), None)
        return RowNumbers.describe(int(selected)) if record is None else record.line


def read_delimited(
    path: str,
    dialect: Dialect,
    *,
    needed: Collection[str] = (),
    text: Collection[str] = (),
    only: Collection[str] | None = None,
) -> tuple[dict[str, Any], FileLines]:
    """Return the columns of a file as a table takes them, and the lines of its rows.

    A column is numeric if all its cells are numbers or missing, or all are ``True`` or ``False``
    or missing; otherwise it is text. Rows without any value are skipped.

    Parameters
    ----------
    path : str
        The file.
    dialect : Dialect
        The way in which it is written.
    needed : collection of str
        Columns that the file must have, besides those below.
    text : collection of str
        Columns whose cells are text, even if they look like numbers or missing values; only a blank
        cell is missing.
    only : collection of str, optional
        The columns to read; by default all.

    Raises
    ------
    DataError
        If the file cannot be read, is empty or has no rows, a row does not have as many cells as
        the header, or the header names a column twice.
    ModuleNotFoundError
        Without pandas.
    """
    pandas = optional_library("pandas", "cli")
    dialect = sniff(path, dialect)
    names = _read_names(path, dialect)
    known = set(names)
    for name in (*needed, *text, *(only or ())):
        if name not in known:
            problem = unknown_name("column", name, names) + header_advice(names)
            raise DataError(f"{path}: {problem}")
    options = _pandas_options(dialect, names, text)
    if dialect.separator != " ":
        # Of a file with other columns, pandas does not notice the cells that a quote after a blank
        # adds to a row.
        options["skipinitialspace"] = _may_have_blanks(path, dialect, whole=only is not None)
    if only is not None:
        options["usecols"] = list(only)
    columns = _parse_columns(pandas, path, dialect, options)
    if not options["skipinitialspace"] and dialect.separator != " " and _have_blanks(columns):
        columns = _parse_columns(pandas, path, dialect, options | {"skipinitialspace": True})
    if names[-1] in columns and _missing(columns[names[-1]]).any():
        _check_widths(path, dialect, len(names), rows=len(columns[names[-1]]))
    # Where some columns are left out, a row may have values in those.
    arrays, lines = _without_blank_rows(path, dialect, columns, complete=only is None)
    if not len(lines):
        raise DataError(f"{path}: there is a header but no row: add some{_NO_HEADER}")
    return arrays, lines


def parse_numbers(cells: Array) -> npt.NDArray[np.float64]:
    """Return the numbers that cells of text hold, NaN for one that is not a number.

    Examples
    --------
    >>> parse_numbers(np.array(["1", "x", None, "2.5"], object))
    array([1. , nan, nan, 2.5])
    """
    pandas = optional_library("pandas", "cli")
    codes, levels = pandas.factorize(cells)
    numbers = pandas.to_numeric(pandas.Series(levels, dtype=object), errors="coerce")
    parsed: npt.NDArray[np.float64] = np.append(numbers.to_numpy(np.float64), np.nan)[codes]
    return parsed


def _read_names(path: str, dialect: Dialect) -> list[str]:
    """Return the names of the columns, from the header unless the dialect has none."""
    first = next(read_records(path, dialect), None)
    if first is None:
        raise DataError(f"{path}: the file is empty")
    if not dialect.header:
        return [f"column {number}" for number in range(1, len(first.cells) + 1)]
    _check_encoding(path, dialect, first, first.cells)
    names = [cell.strip(" ") or f"column {n}" for n, cell in enumerate(first.cells, start=1)]
    if not first.cells[-1].strip():  # There is a separator at the end of each line.
        names.pop()
    seen = set()
    for number, name in enumerate(names, start=1):
        if "\0" in name:
            raise DataError(
                f"{path}: line {first.line}: the name of column {number} holds NUL bytes; if the "
                "file is in UTF-16, set encoding"
            )
        if name in seen:
            raise DataError(
                f"{path}: line {first.line}: the header names column {name!r} twice: rename one"
                f"{header_advice(names)}"
            )
        seen.add(name)
    return names


def header_advice(names: Iterable[str]) -> str:
    """Return advice if a header looks like a row."""
    has_number = any(name.replace(".", "", 1).lstrip("+-").isdecimal() for name in names)
    return _NO_HEADER if has_number else ""


def _pandas_options(dialect: Dialect, names: list[str], text: Collection[str]) -> dict[str, Any]:
    missing, text = [*MISSING, *dialect.missing], set(text)
    return {
        "sep": dialect.separator,
        "decimal": dialect.decimal,
        "thousands": dialect.thousands,
        "quotechar": dialect.quote,
        "comment": dialect.comment,
        "encoding": dialect.encoding,
        "header": 0 if dialect.header else None,
        "names": names,
        "index_col": False,  # Otherwise a longer first row makes the first column an index.
        "skipinitialspace": False,  # pandas takes a third longer if it looks for blanks.
        "keep_default_na": False,
        "na_values": {name: [""] if name in text else missing for name in names}
        if text
        else missing,
        # With a dictionary, even an empty one, pandas joins the parts of a file in one thread.
        "dtype": dict.fromkeys(text, str) or None,
    }


def _parse_columns(
    pandas: Any, path: str, dialect: Dialect, options: Mapping[str, Any]
) -> dict[str, Array | CodedTexts]:
    """Return the columns of a file: numbers, booleans, or text."""
    frame = _parse(pandas, path, dialect, options)
    if not len(frame):
        raise DataError(f"{path}: there is a header but no row: add some{_NO_HEADER}")
    columns, rows = dict(frame.items()), len(frame)
    del frame
    mixed = [name for name, series in columns.items() if _is_mixed(series)]
    if mixed:
        texts = {**options, "usecols": mixed, "dtype": str}
        columns |= dict(_parse(pandas, path, dialect, texts).items())
    names = list(columns)
    with column_workers(rows * len(names)) as run:
        # Each column is freed when it has been converted.
        values = run(lambda name: series_values(columns.pop(name)), names)
        return dict(zip(names, values, strict=True))


def _have_blanks(columns: Mapping[str, Array | CodedTexts]) -> bool:
    """Return whether a cell of text begins with a blank, as each does that a blank spoils.

    A missing value or a quote after a blank is read as text; a number is read as one.
    """
    return any(
        text.startswith(" ")
        for column in columns.values()
        if isinstance(column, CodedTexts)
        for text in column.texts
        if text is not None
    )


def _parse(pandas: Any, path: str, dialect: Dialect, options: Mapping[str, Any]) -> Any:
    """Return the DataFrame of a file."""
    errors = pandas.errors
    names = options["names"]
    with warnings.catch_warnings():
        # Columns that are text in some parts of a file only are read again as text.
        warnings.simplefilter("ignore", errors.DtypeWarning)
        warnings.simplefilter("error", errors.ParserWarning)
        try:
            if is_compressed(path):
                with open_decompressed(path) as file:
                    return pandas.read_csv(file, **options)
            # pandas would fetch a path that looks like a URL; an absolute one does not.
            return pandas.read_csv(os.path.abspath(path), **options)
        except errors.EmptyDataError:
            raise DataError(f"{path}: the file is empty") from None
        except UnicodeError:
            for record in read_records(path, dialect):
                _check_encoding(path, dialect, record, names)
            raise DataError(f"{path}: it is not {dialect.encoding} text: set encoding") from None
        except (errors.ParserError, errors.ParserWarning) as error:
            if not options["skipinitialspace"] and dialect.separator != " ":
                # A quote after a blank has not been seen as one.
                return _parse(pandas, path, dialect, {**options, "skipinitialspace": True})
            _raise_bad_record(path, dialect, names, str(error))


def _check_encoding(path: str, dialect: Dialect, record: Record, names: list[str]) -> None:
    """Raise an error for the first cell with a byte that is not of the encoding, if any."""
    for name, cell in zip(names, record.cells, strict=False):
        escaped = [letter for letter in cell if "\udc80" <= letter <= "\udcff"]
        if escaped:
            shown = cell.replace(escaped[0], "\N{REPLACEMENT CHARACTER}")
            column = "" if cell is name else f"column {name!r}, "  # A header is compared to itself.
            raise DataError(
                f"{path}: {column}line {record.line}: byte 0x{ord(escaped[0]) & 0xFF:02x} in "
                f"{shown!r:.80} is not {dialect.encoding}: set encoding, such as 'latin-1' or "
                "'cp1252'"
            )


def _raise_bad_record(path: str, dialect: Dialect, names: list[str], problem: str) -> NoReturn:
    """Raise an error for the record that pandas refuses."""
    if "EOF inside string" in problem:
        *_, record = read_records(path, dialect)
        name = names[min(len(record.cells), len(names)) - 1]
        raise DataError(
            f"{path}: column {name!r}, line {record.line}: a quote {dialect.quote} is opened and "
            "never closed: close it, or set quote to another character"
        )
    _check_records(path, dialect, len(names))
    problem = problem.removeprefix("Error tokenizing data. C error: ").strip()
    raise DataError(f"{path}: {problem}")


def _check_widths(path: str, dialect: Dialect, width: int, *, rows: int) -> None:
    """Raise an error if a row has fewer cells than there are columns.

    pandas fills such rows with missing values.
    """
    separators, quotes = _count_bytes(path, dialect.separator or ",", dialect.quote)
    if quotes or separators != (width - 1) * (rows + dialect.header):
        with suppress(LongCellError):  # pandas has read it.
            _check_records(path, dialect, width)


def _may_have_blanks(path: str, dialect: Dialect, *, whole: bool) -> bool:
    """Return whether blanks may stand before cells, of the whole file or of its first part.

    False only where that is cheap to see.
    """
    if is_compressed(path) or " ,".encode(dialect.encoding) != b" ,":
        return True
    # A cell begins after these bytes, of which the last ends the mark of UTF-8, or begins the file.
    starts = np.frombuffer(f"\r\n{dialect.separator}".encode() + b"\xbf", np.uint8)
    last = starts[:1]
    for data in _read_bytes(path, _CHUNK if whole else _FIRST):
        blanks = np.flatnonzero(data == ord(" "))
        before = data[blanks - 1]
        if len(blanks) and blanks[0] == 0:
            before[0] = last[0]
        if np.isin(before, starts).any():
            return True
        if not whole:
            break
        last = data[-1:]
    return False


def _count_bytes(path: str, *characters: str) -> list[int]:
    """Return how often ASCII characters occur in a file."""
    counts = [0 for _ in characters]
    for data in _read_bytes(path):
        for index, character in enumerate(characters):
            counts[index] += int(np.count_nonzero(data == ord(character)))
    return counts


def _read_bytes(path: str, size: int = _CHUNK) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield the bytes of a file in parts."""
    with open_decompressed(path) as file:
        while chunk := file.read(size):
            yield np.frombuffer(chunk, np.uint8)


def _check_records(path: str, dialect: Dialect, width: int) -> None:
    """Raise an error for the first record with another number of cells, if any."""
    for line, cells in read_records(path, dialect):
        # A separator at the end of each line adds a blank cell.
        if len(cells) < width or any(cells[width:]):
            expected = f"the header has {width}" if dialect.header else f"the first has {width}"
            advice = (
                "add the missing ones"
                if len(cells) < width
                else f"put quotes around a cell that holds {dialect.separator!r}"
            )
            raise DataError(f"{path}: line {line} has {len(cells)} cells, {expected}: {advice}")


def _is_mixed(series: Any) -> bool:
    """Return whether a column holds objects of several types, other than booleans and NaN."""
    if series.dtype != object:
        return False
    kinds = {type(value) for value in series}
    return not kinds <= {bool, float} or not series.dropna().map(type).eq(bool).all()


def _without_blank_rows(
    path: str, dialect: Dialect, columns: Mapping[str, Array | CodedTexts], *, complete: bool
) -> tuple[dict[str, Array | CodedTexts], FileLines]:
    """Return the columns without rows in which all cells are missing."""
    is_blank = _missing(next(iter(columns.values()))) & complete
    for values in columns.values():
        if not is_blank.any():
            break
        is_blank &= _missing(values)
    rows: npt.NDArray[np.intp] = np.flatnonzero(~is_blank)
    if len(rows) < len(is_blank):
        columns = {name: values.take(rows) for name, values in columns.items()}
    return dict(columns), FileLines(path, dialect, rows)


def _missing(values: Array | CodedTexts) -> npt.NDArray[np.bool_]:
    return values.missing if isinstance(values, CodedTexts) else find_missing(values)
