"""Write numbers, text and arrays in C99, so that a compiler reads back every bit of them."""

from __future__ import annotations

import math
import re
import string

import numpy as np

from nnlayers._core.arrays import FLOAT32, Array
from nnlayers._core.showing import shown

__all__ = ["array_text", "c_type", "check_identifier", "comment_text", "literal", "string_literal"]

# A C99 compiler need not take a longer string.
_LONGEST_STRING = 4095
_PER_LINE = 8
# The characters that need no escape. A question mark may begin a trigraph.
_PLAIN = frozenset(string.ascii_letters + string.digits + " !#$%&()*+,-./:;<=>@[]^_`{|}~")


def check_identifier(name: object) -> str:
    """Return a name with which those of functions in C can begin, or raise an error.

    Examples
    --------
    >>> check_identifier("2nd")
    Traceback (most recent call last):
    ValueError: name must be a word of C, letters, digits and _, such as 'model', got '2nd'
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {shown(name)}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(
            f"name must be a word of C, letters, digits and _, such as 'model', got {name[:80]!r}"
        )
    return name


def c_type(dtype: np.dtype[np.generic]) -> str:
    """Return C's type of floating-point numbers of a dtype."""
    return "float" if dtype == FLOAT32 else "double"


def literal(value: float, dtype: np.dtype[np.generic]) -> str:
    """Return a number, rounded to the dtype, as a hexadecimal constant.

    Examples
    --------
    >>> literal(0.1, np.dtype(np.float32)), literal(-2, np.dtype(np.float64))
    ('0x1.99999ap-4f', '-0x1p+1')
    >>> literal(1e39, np.dtype(np.float32))
    'INFINITY'
    """
    suffix = "f" if dtype == FLOAT32 else ""
    with np.errstate(over="ignore"):
        number = float(dtype.type(value))
    text = _shorten(number.hex())
    return f"{text}{suffix}" if math.isfinite(number) else _special(text)


def array_text(array: Array) -> str:
    """Return the entries of an array in C order as an initializer, to the last bit.

    Examples
    --------
    >>> print(array_text(np.array([[0.1, -1.0], [np.inf, 0.0]], np.float32)))
    {
        0x1.99999ap-4, -0x1p+0, INFINITY, 0x0p+0
    }
    """
    numbers = array.reshape(-1).tolist()
    if array.dtype.kind == "f":
        # The last seven digits of a float32 are zeros. To look for others takes as long as the
        # conversion, which a large model does not need.
        texts = list(map(float.hex, numbers))
        if array.dtype == FLOAT32:
            texts = ",".join(texts).replace("0000000p", "p").split(",") if texts else []
        if len(texts) <= 10_000:
            texts = list(map(_shorten, texts))
        if not np.isfinite(array).all():
            texts = list(map(_special, texts))
    else:
        texts = list(map(str, numbers))
    lines = (texts[start : start + _PER_LINE] for start in range(0, len(texts), _PER_LINE))
    body = ",\n    ".join(map(", ".join, lines))
    return f"{{\n    {body}\n}}"


def string_literal(text: str) -> str:
    r"""Return text, in UTF-8, as a constant that a compiler cannot take for anything else.

    A text of more than 4,095 bytes, which a C99 compiler need not take, is a list of characters.

    Examples
    --------
    >>> print(string_literal('say "x"?\n'))
    "say \042x\042\077\012"
    """
    characters = [
        chr(byte) if chr(byte) in _PLAIN else f"\\{byte:03o}"
        for byte in text.encode("utf-8", "surrogatepass")
    ]
    if len(characters) <= _LONGEST_STRING:
        return f'"{"".join(characters)}"'
    return "{" + "".join(f"'{character}'," for character in characters) + "0}"


def comment_text(text: str) -> str:
    """Return text for a comment, in which only harmless characters remain.

    Examples
    --------
    >>> comment_text("a */ b ??/")
    'a __ b ___'
    """
    return re.sub(r"[^A-Za-z0-9 _.,:;=()\[\]+'-]+", lambda match: "_" * len(match[0]), text)


def _shorten(text: str) -> str:
    return re.sub(r"\.?0+p", "p", text) if "." in text else text


def _special(text: str) -> str:
    return text.replace("inf", "INFINITY").replace("nan", "NAN")
