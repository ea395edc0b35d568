"""Parse the headers of .npy files strictly, without evaluating anything.

NumPy evaluates a header as a Python literal. Here it is matched against what numbers, dates and
text need: a dtype of a known kind, an order and a shape.
"""

from __future__ import annotations

import math
import re
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array

__all__ = ["ArrayHeader", "check_entries", "read_array_header"]

_MAGIC = b"\x93NUMPY"
# The number of bytes that hold the length of the header, by the version of the format. Version 3
# is that of structures whose fields have names beyond Latin-1.
_LENGTHS = {b"\x01\x00": 2, b"\x02\x00": 4}
# NumPy's headers take 128 bytes, and one of 64 axes of 20 digits takes 1,400.
_LONGEST = 2000
_LARGEST_CHARACTER = 0x10FFFF

# The keys may come in any order. Files that Python 2 wrote have an L after the length of an axis.
_ENTRY = re.compile(
    r"""\s*(?P<quote>['"])(?:
        descr(?P=quote)\s*:\s*(?P<mark>['"])(?P<descr>[^'"]{1,40})(?P=mark)
      | fortran_order(?P=quote)\s*:\s*(?P<order>True|False)
      | shape(?P=quote)\s*:\s*\(\s*(?P<shape>(?:\d+L?\s*,\s*)*(?:\d+L?)?)\s*\)
    )\s*(?:,|(?=\}))""",
    re.VERBOSE | re.ASCII,
)
_KEYS = ("descr", "order", "shape")
# Sizes are in bytes, of text in characters; times have a unit.
_DTYPE = re.compile(r"[<>|=]?(?:[biufcSU]\d{1,10}|[mM]8(?:\[\d{0,9}[a-zA-Z]{1,2}\])?)", re.ASCII)


class ArrayHeader(NamedTuple):
    """Header of an .npy file: dtype, shape and order of its array.

    Attributes
    ----------
    shape : tuple of int
        The shape.
    is_fortran : bool
        Whether the entries are in column-major order.
    dtype : numpy.dtype
        A dtype of numbers, booleans, dates, text or bytes.
    """

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[np.generic]

    def check_size(self, stored: int, *, most: int) -> None:
        """Raise ``ValueError`` unless the array takes as many bytes as are stored.

        Entries of some arrays have no bytes, such as those of dtype S0; of those there may be
        `most`.
        """
        count = math.prod(self.shape)
        if count * self.dtype.itemsize != stored or count > max(stored, most):
            raise ValueError(f"shape {self.shape} of {self.dtype} is not that of {stored} bytes")

    def array(self, content: npt.NDArray[np.uint8]) -> Array:
        """Return bytes as the array, without a copy.

        Raises
        ------
        ValueError
            If its text or its booleans are of no meaning.
        """
        if not len(content):
            return np.zeros(self.shape, self.dtype)
        check_entries(content, self.dtype)
        return content.view(self.dtype).reshape(self.shape, order="F" if self.is_fortran else "C")


def read_array_header(file: IO[bytes]) -> ArrayHeader:
    """Read the header of an .npy file, up to the bytes of its array.

    Raises
    ------
    ValueError
        If it is not the header of an array of numbers, booleans, dates, text or bytes.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 3), np.float32))
    >>> _ = file.seek(0)
    >>> read_array_header(file)
    ArrayHeader(shape=(2, 3), is_fortran=False, dtype=dtype('float32'))
    """
    start = file.read(len(_MAGIC) + 2)
    magic, version = start[: len(_MAGIC)], start[len(_MAGIC) :]
    if magic != _MAGIC or len(version) < 2:
        raise ValueError("it does not begin as an .npy file does")
    if version not in _LENGTHS:
        raise ValueError(f"its format version {version[0]}.{version[1]} is not known")
    length = int.from_bytes(file.read(_LENGTHS[version]), "little")
    if length > _LONGEST:
        raise ValueError(f"its header has {length} bytes, more than {_LONGEST}")
    text = file.read(length).decode("latin-1")
    if len(text) < length:
        raise ValueError("its header is cut short")
    return _parse(text)


def check_entries(content: npt.NDArray[np.uint8], dtype: np.dtype[np.generic]) -> None:
    """Raise ``ValueError`` if bytes hold a boolean or a character that there is not.

    NumPy takes any bytes for either, and later computes nonsense or fails.
    """
    if dtype.kind == "b" and content.max(initial=0) > 1:
        raise ValueError("it holds booleans that are neither 0 nor 1")
    if dtype.kind == "U" and content.size:
        characters = content.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if characters.max() > _LARGEST_CHARACTER:
            raise ValueError("it holds characters beyond those of Unicode")


def _parse(text: str) -> ArrayHeader:
    """Return the header of the text of a dictionary of three entries."""
    found: dict[str, str] = {}
    position = 1 if text.startswith("{") else len(text)
    while match := _ENTRY.match(text, position):
        position = match.end()
        entry = {name: match[name] for name in _KEYS if match[name] is not None}
        if entry.keys() & found.keys():
            raise ValueError("its header has an entry twice")
        found |= entry
    if len(found) < len(_KEYS) or text[position:].strip(" \t\r\n") != "}":
        raise ValueError("its header is not that of an array")
    lengths = [part.strip(" \tL") for part in found["shape"].split(",")]
    if len(lengths) == 1 and lengths[0]:
        raise ValueError("its shape is not a tuple")
    shape = tuple(int(length) for length in lengths if length)
    return ArrayHeader(shape, found["order"] == "True", _dtype(found["descr"]))


def _dtype(name: str) -> np.dtype[np.generic]:
    if name.strip("|") == "O":
        raise ValueError("it holds Python objects, not numbers, dates or text")
    if not _DTYPE.fullmatch(name):
        raise ValueError(f"it holds dtype {name!r}, not numbers, dates or text")
    try:
        return np.dtype(name)
    except TypeError:
        raise ValueError(f"it holds dtype {name!r}, which there is not") from None
