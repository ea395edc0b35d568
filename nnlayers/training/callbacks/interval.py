"""Intervals of steps, epochs or seconds, such as ``"500 steps"``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from nnlayers._core.showing import shown

__all__ = ["Interval"]

_TEXT = re.compile(r"(\d+(?:\.\d+)?)\s*(steps?|epochs?|s|seconds?|min|minutes?|h|hours?)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Interval:
    """A number of steps, of epochs, or of seconds.

    Examples
    --------
    >>> Interval.parse("every", "500 steps")
    Interval(amount=500, unit='step')
    >>> Interval.parse("every", "1.5 min")
    Interval(amount=90.0, unit='second')
    """

    amount: float
    unit: str

    @classmethod
    def parse(cls, name: str, text: object) -> Interval:
        """Return the interval that a text states.

        Raises
        ------
        TypeError
            If it is not text; `name` is the argument that the message names.
        ValueError
            If it is not a positive number and a unit.
        """
        example = "a number and a unit, such as '1 epoch', '500 steps' or '30 s'"
        if not isinstance(text, str):
            raise TypeError(f"{name} must be {example}, got {shown(text)}")
        match = _TEXT.fullmatch(text.strip())
        amount = float(match[1]) if match else 0.0
        if not match or not 0 < amount < math.inf:
            raise ValueError(f"{name} must be {example}, got {shown(text)}")
        if match[2].startswith(("step", "epoch")):
            if amount != int(amount):
                raise ValueError(f"{name} must be a whole number of {match[2]}, got {shown(text)}")
            return cls(int(amount), match[2].removesuffix("s"))
        return cls(amount * _SECONDS[match[2][0]], "second")
