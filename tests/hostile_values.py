"""Values that no argument expects, for the tests of what public names do with them."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np


class Subclass(np.ndarray):
    """Array of another class."""


def read_only(values):
    array = np.array(values)
    array.flags.writeable = False
    return array


def list_of_itself():
    values = []
    values.append(values)
    return values


HOSTILE = {
    "no value": None,
    "true": True,
    "NumPy's true": np.True_,
    "a negative number": -1,
    "a large float": 1e12,
    "a size beyond memory": 2**60,
    "2**63": 2**63,
    "2**70": 2**70,
    "-2**70": -(2**70),
    "an integer beyond all floats": 10**400,
    "an integer too long to write": 10**5000,
    "NaN": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "a complex number": 1 + 2j,
    "NumPy's complex number": np.complex128(1 + 2j),
    "a long double": np.longdouble("1e4000"),
    "a decimal number": Decimal("0.5"),
    "a decimal NaN": Decimal("sNaN"),
    "a fraction": Fraction(1, 3),
    "a date": np.datetime64("2026-01-01"),
    "a duration": np.timedelta64(3, "s"),
    "text": "nonsense",
    "empty text": "",
    "a long text": "x" * 100_000,
    "two lines": "a\nb",
    "a null character": "a\0b",
    "a lone surrogate": "\udc80",
    "bytes": b"abc",
    "bytes to write to": bytearray(b"a"),
    "an array of no axes": np.array(2.0),
    "a complex array of no axes": np.array(1j),
    "a structured array": np.zeros(2, [("a", float), ("b", int)]),
    "a big-endian array": np.array([1.0, 2.0], ">f8"),
    "an array of half precision": np.array([1, 2], np.float16),
    "a read-only array": read_only([1.0, 2.0]),
    "an array of a subclass": np.array([1.0, 2.0]).view(Subclass),
    "a masked array": np.ma.masked_array([1.0, 2.0], [False, True]),
    "a masked entry": np.ma.masked,
    "an array of objects": np.array([None, 1], object),
    "an array of text": np.array(["a", "b"]),
    "an array of three axes": np.zeros((2, 2, 6)),
    "an empty list": [],
    "a ragged list": [[1, 2], [3]],
    "a matrix": np.ones((8, 2)).view(np.matrix),
    "a list that contains itself": list_of_itself(),
    "a list of booleans": [True],
    "a list of None": [None],
    "a list of a size beyond memory": [3, 2**60],
    "a dictionary": {"a": 1},
    "a dictionary of integers": {1: 2},
    "a set": {1, 2},
    "an object": object(),
    "a class": int,
    "a function": len,
    "a module": math,
    "the ellipsis": ...,
}
