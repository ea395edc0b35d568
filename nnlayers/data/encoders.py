"""Encode the values of one column: numbers by their mean and scale, categories by codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_number
from nnlayers.data.table import check_finite, preview

__all__ = ["Categories", "Encoder", "Standardizer", "check_text", "encoder_from_dict"]


@dataclass(frozen=True)
class Standardizer:
    """Standardise numbers to mean 0 and standard deviation 1: ``(x - mean) / scale``.

    Parameters
    ----------
    mean, scale : float
        `scale` must be above 0; the defaults change nothing.

    Examples
    --------
    >>> Standardizer.fit(np.array([1.0, 3.0]))
    Standardizer(mean=2.0, scale=1.0)
    """

    mean: float = 0.0
    scale: float = 1.0
    width: ClassVar[int] = 1

    @classmethod
    def fit(cls, values: npt.NDArray[np.float64]) -> Self:
        """Compute the mean and the population standard deviation (1 for a constant) of values."""
        if values.min() == values.max():
            return cls(mean=float(values[0]))
        # Division by a power of two is exact, and keeps squares from overflow and underflow.
        unit = np.ldexp(1.0, np.frexp(np.abs(values).max())[1] - 1)
        units = values / unit
        return cls(float(unit * units.mean()), float(unit * units.std()) or 1.0)

    def encode(self, values: Array, dtype: npt.DTypeLike, location: str) -> Array:
        """Return standardised values; one that is or becomes NaN or infinite is an error."""
        check_finite(values, location)
        with np.errstate(over="ignore"):
            encoded = ((values - self.mean) / self.scale).astype(dtype)
        check_finite(encoded, f"{location} standardised as {encoded.dtype}")
        return encoded

    def decode(self, values: Array) -> Array:
        """Return the raw values of standardised ones."""
        return values * self.scale + self.mean

    def to_dict(self) -> dict[str, Any]:
        """Return the two numbers in JSON's types."""
        return {"mean": self.mean, "scale": self.scale}


@dataclass(frozen=True)
class Categories:
    """The different values of a column, in ascending order; the code of a value is its index.

    Parameters
    ----------
    values : tuple of int or of str
        The values.

    Examples
    --------
    >>> categories = Categories.fit(["b", "a", "b"])
    >>> categories.values
    ('a', 'b')
    >>> categories.codes(["b", "c"])
    array([ 1, -1])
    """

    values: tuple[int, ...] | tuple[str, ...]

    @classmethod
    def fit(cls, values: Sequence[Any]) -> Self:
        """Collect the values that occur."""
        return cls(tuple(sorted(set(values))))

    @property
    def width(self) -> int:
        """The number of values."""
        return len(self.values)

    def codes(self, values: Sequence[Any]) -> npt.NDArray[np.int64]:
        """Return the code of each value, -1 for an unknown one."""
        indices = {value: code for code, value in enumerate(self.values)}
        return np.array([indices.get(value, -1) for value in values], dtype=np.int64)

    def to_dict(self) -> dict[str, Any]:
        """Return the values in JSON's types."""
        return {"values": list(self.values)}


Encoder = Standardizer | Categories


def encoder_from_dict(data: Mapping[str, Any]) -> Encoder:
    """Return the encoder of a dictionary that its `to_dict` returned.

    Raises
    ------
    KeyError, TypeError, ValueError
        If an entry is missing or out of range.
    """
    if "values" not in data:
        mean = check_number("mean", data["mean"])
        return Standardizer(mean, check_number("scale", data["scale"], above=0))
    values = data["values"]
    if not isinstance(values, list) or {type(value) for value in values} not in ({int}, {str}):
        raise TypeError(f"values must be integers or strings, got {values!r:.200}")
    if len(set(values)) < len(values):
        raise ValueError(f"values must differ, got {preview(values)}")
    for value in values:
        check_text("values", value) if isinstance(value, str) else _check_int64(value)
    return Categories(tuple(values))


def check_text(name: str, value: object) -> str:
    """Return text that UTF-8 can encode, or raise an error; JSON can hold lone surrogates."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    value.encode()
    return value


def _check_int64(value: int) -> None:
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"values must fit 64-bit integers, got {value}")
