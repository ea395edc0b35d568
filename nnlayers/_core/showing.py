"""Represent arguments in messages."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

__all__ = ["shown"]


class _Shown(reprlib.Repr):
    """Representation of an argument for a message: one line of bounded length."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 20
        self.maxstring = self.maxlong = 100
        self.maxother = 200

    def repr1(self, x: Any, level: int) -> str:
        """Return the representation of any object, one that cannot represent itself included."""
        if isinstance(x, np.ndarray) and (x.ndim > 1 or x.size > self.maxlist):
            return f"{type(x).__name__} of shape {x.shape} and dtype {x.dtype}"
        try:
            return super().repr1(x, level)
        except Exception:  # Python refuses to write integers of more than 4300 digits, for one.
            return object.__repr__(x)


_SHOWN = _Shown()


def shown(value: object) -> str:
    """Return ``repr(value)`` for a message: in one line of bounded length, whatever it is.

    Examples
    --------
    >>> shown("relu"), shown(np.zeros((2, 3)))
    ("'relu'", 'ndarray of shape (2, 3) and dtype float64')
    >>> len(shown(10**400)), len(shown("x" * 10_000))
    (100, 100)
    """
    return " ".join(_SHOWN.repr(value).split("\n"))
