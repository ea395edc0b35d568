"""Read the cells of text columns: missing values, booleans, and numbers as people write them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_choice
from nnlayers._core.showing import shown
from nnlayers.data.factorizing import factorize
from nnlayers.data.problems import find_missing

__all__ = [
    "BOOLEANS",
    "MISSING",
    "CodedTexts",
    "Levels",
    "NumberFormat",
    "check_text",
    "levels_of",
    "missing_cells",
]

# The ways in which programs write a missing value: those that pandas reads as one, and "?".
MISSING = frozenset(
    [
        *("", "?", "#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "n/a", "None", "none"),
        *("NULL", "Null", "null", "NaN", "nan", "-NaN", "-nan"),
        *("1.#IND", "1.#QNAN", "-1.#IND", "-1.#QNAN"),
    ]
)
BOOLEANS = {
    "true": 1.0,
    "yes": 1.0,
    "t": 1.0,
    "y": 1.0,
    "false": 0.0,
    "no": 0.0,
    "f": 0.0,
    "n": 0.0,
}
_UNIT = "[$€£¥₹₩₽₺₴₪฿₫₦%‰]|USD|EUR|GBP|CHF|JPY|CNY|INR|kr|zł|Kč"
# A column with more different texts than this is judged by these.
_SAMPLE = 1000


class CodedTexts:
    """A column of text as codes, which takes less time and memory than an array of strings.

    ``np.asarray`` returns that array, of ``str``, and None where a text is missing.

    Parameters
    ----------
    texts : sequence of str or None
        The different texts, or None.
    codes : (rows,) ndarray of int
        The index of each row's text; -1 for a missing one.

    Examples
    --------
    >>> column = CodedTexts(["Bonn", "Ulm"], np.array([0, 1, 0, -1]))
    >>> np.asarray(column)
    array(['Bonn', 'Ulm', 'Bonn', None], dtype=object)
    """

    dtype = np.dtype(object)

    def __init__(self, texts: Sequence[str | None], codes: Array) -> None:
        self.texts = texts
        self.codes = codes.astype(np.int32, copy=False)

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Flags of the rows whose text is missing."""
        return np.array([*(text is None for text in self.texts), True])[self.codes]

    def take(self, rows: Array) -> CodedTexts:
        """Return the texts of the rows of these indices."""
        return CodedTexts(self.texts, self.codes.take(rows))

    def __len__(self) -> int:
        return len(self.codes)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        strings = np.array([*self.texts, None], object)[self.codes]
        return strings if dtype is None else strings.astype(dtype, copy=False)


class Levels(NamedTuple):
    """The different texts of a column, None for a missing one, and the index of each row's text."""

    texts: list[str | None]
    indices: npt.NDArray[np.intp]

    @property
    def counts(self) -> npt.NDArray[np.intp]:
        """The number of rows of each text."""
        return np.bincount(self.indices, minlength=len(self.texts))


def levels_of(values: Array | CodedTexts) -> Levels:
    """Return the different texts of a column; numbers as text, a whole one without a point.

    Examples
    --------
    >>> levels_of(np.array(["b", " ", "a", "b"], object))
    Levels(texts=['b', None, 'a'], indices=array([0, 1, 2, 0]))
    >>> levels_of(np.array([2.0, 1.5, np.nan])).texts
    ['1.5', '2', None]
    """
    if values.dtype == object:
        if isinstance(values, CodedTexts):
            codes, indices = factorize(values.codes)
            found = [values.texts[code] if code >= 0 else None for code in codes]
        else:
            found, indices = factorize(values)
        texts = [
            text if text is not None and text.strip() not in MISSING else None for text in found
        ]
    else:
        cells, indices = np.unique(values, return_inverse=True)
        texts = (
            [*map(_number_text, cells.tolist())]
            if cells.dtype.kind != "M"
            else [None if np.isnat(cell) else str(cell) for cell in cells]
        )
    order = {text: index for index, text in enumerate(dict.fromkeys(texts))}
    if len(order) < len(texts):  # There are several ways to write a missing value.
        indices = np.array([order[text] for text in texts], np.intp)[indices]
    return Levels(list(order), indices)


def _number_text(number: float) -> str | None:
    if math.isnan(number):
        return None
    is_whole = float(number).is_integer() and abs(number) < 2**53
    return str(int(number)) if is_whole else repr(number)


def _number_pattern(decimal: str, separators: str) -> re.Pattern[str]:
    """Return the pattern of a number with its sign, its unit and groups of digits."""
    return re.compile(
        rf"(?P<bracket>\()?\s*(?P<sign>[-+−]?)\s*(?P<before>{_UNIT})?\s*(?P<inner_sign>[-+−]?)"
        rf"(?P<digits>\d{{1,3}}(?:(?P<separator>[{separators}])\d{{2,3}})(?:(?P=separator)\d{{2,3}})*"
        rf"(?<=\d{{3}})|\d*)(?:{re.escape(decimal)}(?P<fraction>\d*))?(?P<exponent>[eE][-+]?\d+)?"
        rf"\s*(?P<after>{_UNIT})?\s*(?P<end>\))?",
        re.ASCII,
    )


_PATTERNS = {
    ".": _number_pattern(".", ",'’\u0020\u00a0\u202f"),
    ",": _number_pattern(",", ".'’\u0020\u00a0\u202f"),
}


@dataclass(frozen=True)
class NumberFormat:
    """The notation of the numbers in a text column.

    Parameters
    ----------
    decimal : {".", ",", "boolean"}
        The decimal point; ``"boolean"`` stands for true and false, yes and no, and their initials.
    unit : str
        The currency or percent sign of the numbers, which are read without it: ``12 %`` is 12.

    Examples
    --------
    >>> texts = np.array(["$1,234.50", "$20", "($3)", "?"], object)
    >>> notation = NumberFormat.detect(levels_of(texts))
    >>> notation
    NumberFormat(decimal='.', unit='$')
    >>> [notation.read(text) for text in ["$1,234.50", "(3)", "three"]]
    [1234.5, -3.0, nan]
    """

    decimal: str = "."
    unit: str = ""

    @classmethod
    def detect(cls, levels: Levels) -> Self | None:
        """Return the notation in which most cells are numbers; None if most are not."""
        cells = zip(levels.texts, levels.counts.tolist(), strict=True)
        counts = {text: count for text, count in cells if text is not None}
        if counts and all(text.strip().lower() in BOOLEANS for text in counts):
            return cls("boolean")
        sample = dict(list(counts.items())[:_SAMPLE])
        best: Counter[str] = Counter()
        best_decimal = "."
        for decimal in _PATTERNS:
            units: Counter[str] = Counter()
            for text, count in sample.items():
                if (found := _parse(text, decimal)) is not None:
                    units[found[1]] += count
            if units.total() > best.total():
                best, best_decimal = units, decimal
        if 2 * best.total() <= sum(sample.values()):
            return None
        named = Counter({unit: count for unit, count in best.items() if unit})
        return cls(best_decimal, named.most_common(1)[0][0] if named else "")

    @property
    def pattern(self) -> str:
        """The regular expression of a number; that of a boolean is empty."""
        return "" if self.decimal == "boolean" else _PATTERNS[self.decimal].pattern

    def read(self, text: str) -> float:
        """Return the number in a cell; NaN if there is none, or one of another unit."""
        if self.decimal == "boolean":
            return BOOLEANS.get(text.strip().lower(), math.nan)
        found = _parse(text, self.decimal)
        # A sum of money may stand without its sign; 0.2 beside 20 % may be the same or not.
        is_bare = found is not None and not found[1] and self.unit not in ("%", "‰")
        return found[0] if found is not None and (is_bare or found[1] == self.unit) else math.nan

    def to_dict(self) -> dict[str, str]:
        """Return the fields in JSON's types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the notation of a dictionary that `to_dict` returned."""
        check_choice("decimal", data["decimal"], [*_PATTERNS, "boolean"])
        return cls(data["decimal"], check_text("unit", data["unit"]))


def _parse(text: str, decimal: str) -> tuple[float, str] | None:
    """Return the number in a text and its unit; None if it is not a number."""
    match = _PATTERNS[decimal].fullmatch(text.strip())
    if match is None:
        return None
    part = match.groupdict(default="")
    signs = [sign for sign in (part["sign"], part["inner_sign"], part["bracket"]) if sign]
    units = [unit for unit in (part["before"], part["after"]) if unit]
    has_digits = part["digits"] or part["fraction"]
    if (
        not has_digits
        or max(len(signs), len(units)) > 1
        or bool(part["bracket"]) != bool(part["end"])
    ):
        return None
    digits = part["digits"].replace(part["separator"], "") if part["separator"] else part["digits"]
    number = float(f"{digits or 0}.{part['fraction'] or 0}{part['exponent']}")
    return -number if signs and signs[0] != "+" else number, "".join(units)


def check_text(name: str, value: object) -> str:
    """Return text that UTF-8 can encode, or raise an error; JSON can hold lone surrogates."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {shown(value)}")
    value.encode()
    return value


def missing_cells(values: Array) -> npt.NDArray[np.bool_]:
    """Return where the cells of a column are missing, words such as ``NA`` included.

    Examples
    --------
    >>> missing_cells(np.array(["a", "NA", None], object))
    array([False,  True,  True])
    """
    if values.dtype != object:
        return find_missing(values)
    levels = levels_of(values)
    return np.array([text is None for text in levels.texts], bool)[levels.indices]
