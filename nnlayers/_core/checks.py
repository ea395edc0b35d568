"""Validate arguments, with error messages that name them."""

from __future__ import annotations

import difflib
import importlib
import math
import operator
import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeGuard, TypeVar

import numpy as np

from nnlayers._core.showing import shown

__all__ = [
    "MOST_NAMES",
    "Absent",
    "as_generator",
    "check_boolean",
    "check_choice",
    "check_instance",
    "check_integer",
    "check_number",
    "check_path",
    "check_strings",
    "is_iterable",
    "look_up",
    "optional_library",
    "unknown_name",
]

T = TypeVar("T")

# A message shows at most this many names, because a file of images has a column for each pixel.
MOST_NAMES = 50


_LONGEST_PATH = 2**15  # characters, on any system


class Absent:
    """Attribute that other libraries have: using it raises an error that says what to use instead.

    Examples
    --------
    >>> class Lamp:
    ...     power = Absent("call switch()")
    >>> Lamp().power = 1
    Traceback (most recent call last):
    AttributeError: Lamp has no attribute 'power': call switch()
    >>> hasattr(Lamp(), "power")
    False
    """

    def __init__(self, hint: str) -> None:
        self.hint = hint

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self._refuse(instance)

    def __set__(self, instance: object, value: object) -> NoReturn:
        self._refuse(instance)

    def _refuse(self, instance: object) -> NoReturn:
        raise AttributeError(
            f"{type(instance).__name__} has no attribute {self.name!r}: {self.hint}"
        )


def unknown_name(
    kind: str, name: object, known: Iterable[str], elsewhere: Mapping[str, str] | None = None
) -> str:
    """Return an error message for an unknown name, with the nearest known one.

    `elsewhere` maps names of other libraries to known ones.

    Examples
    --------
    >>> unknown_name("layer", "Afine", ["ReLU", "Affine"])
    "unknown layer 'Afine', did you mean 'Affine'? Known: Affine, ReLU"
    >>> unknown_name("key", "learning_rate", ["eps", "lr"], {"learning_rate": "lr"})
    "unknown key 'learning_rate', did you mean 'lr'? Known: eps, lr"
    """
    names = sorted(known)
    folded = {known_name.lower(): known_name for known_name in names}
    nearest = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.5)
    nearest = [folded[key] for key in nearest]
    if (meant := (elsewhere or {}).get(str(name))) in names:
        nearest = [str(meant)]
    hint = f", did you mean {nearest[0]!r}?" if nearest else "."
    if len(names) > MOST_NAMES:
        names[MOST_NAMES:] = ["..."]
    return f"unknown {kind} {shown(name)}{hint} Known: {', '.join(names) or 'none'}"


def look_up(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Return the entry of a table, or raise ``ValueError`` with the nearest name.

    Examples
    --------
    >>> look_up("norm", "bach", {"batch": 1})
    Traceback (most recent call last):
    ValueError: unknown norm 'bach', did you mean 'batch'? Known: batch
    """
    if name not in table:
        raise ValueError(unknown_name(kind, name, table))
    return table[name]


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Raise ``ValueError`` unless `value` is one of the strings in `choices`."""
    choices = list(choices)
    if not (isinstance(value, str) and value in choices):
        expected = " or ".join(map(repr, choices))
        raise ValueError(f"{name} must be {expected}, got {shown(value)}")


def check_instance(name: str, value: object, kind: type) -> None:
    """Raise ``TypeError`` unless `value` is an instance of `kind`.

    Examples
    --------
    >>> check_instance("path", 3, Path)
    Traceback (most recent call last):
    TypeError: path must be a Path, got 3
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {shown(value)}")


def check_boolean(name: str, value: object) -> bool:
    """Return `value` as a ``bool``, or raise ``TypeError`` if it is not True or False.

    Examples
    --------
    >>> check_boolean("shuffle", "no")
    Traceback (most recent call last):
    TypeError: shuffle must be True or False, got 'no'
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def check_integer(
    name: str, value: Any, minimum: int | None = None, maximum: int | None = sys.maxsize
) -> int:
    """Return `value` as an ``int``, or raise an error that names the argument.

    Raises
    ------
    TypeError
        If `value` is not an integer; a ``bool`` is refused too.
    ValueError
        If it is below `minimum`, or above `maximum`: without one, above the largest size of an
        array.

    Examples
    --------
    >>> check_integer("batch_size", 0, minimum=1)
    Traceback (most recent call last):
    ValueError: batch_size must be an integer of at least 1, got 0
    """
    bound = "" if minimum is None else f" of at least {minimum}"
    message = f"{name} must be an integer{bound}, got {shown(value)}"
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(message) from None
    if minimum is not None and number < minimum:
        raise ValueError(message)
    if maximum is not None and not -maximum - 1 <= number <= maximum:
        bound = f"most {maximum}" if number > 0 else f"least {-maximum - 1}"
        raise ValueError(f"{name} must be an integer of at {bound}, got {shown(value)}")
    return number


def is_iterable(values: object) -> TypeGuard[Iterable[Any]]:
    """Return whether one can iterate over an object, which an array of no axes only claims.

    Examples
    --------
    >>> is_iterable([1]), is_iterable(np.array(1))
    (True, False)
    """
    return isinstance(values, Iterable) and getattr(values, "ndim", 1) != 0


def check_strings(name: str, values: Any, kind: str = "strings") -> tuple[str, ...]:
    """Return strings as a tuple, or raise ``TypeError`` if `values` is not a list of strings.

    Examples
    --------
    >>> check_strings("ignore", "id", "names of columns")
    Traceback (most recent call last):
    TypeError: ignore must be a list of names of columns, got 'id'
    """
    is_list = is_iterable(values) and not isinstance(values, str)
    strings = tuple(values) if is_list else (None,)
    if not all(isinstance(string, str) for string in strings):
        given = shown(strings if is_list else values)
        raise TypeError(f"{name} must be a list of {kind}, got {given}")
    return strings


def as_generator(rng: int | np.random.Generator | None, name: str = "rng") -> np.random.Generator:
    """Return ``numpy.random.default_rng(rng)``, or raise an error that names the argument.

    Raises
    ------
    TypeError
        If `rng` is neither None, a seed nor a source of random numbers.
    ValueError
        If a seed is below 0.

    Examples
    --------
    >>> as_generator("abc")
    Traceback (most recent call last):
    TypeError: rng must be an integer of at least 0, a numpy.random.Generator or None, got 'abc'
    """
    message = (
        f"{name} must be an integer of at least 0, a numpy.random.Generator or None, "
        f"got {shown(rng)}"
    )
    try:
        if isinstance(rng, bool | np.bool_ | str | bytes | bytearray) or _is_nested(rng):
            raise TypeError
        return np.random.default_rng(rng)
    except TypeError:
        raise TypeError(message) from None
    except ValueError:
        raise ValueError(message) from None


def _is_nested(seeds: object) -> bool:
    """Return whether one can iterate over something that does not hold integers side by side.

    NumPy looks for integers in what is nested, without end in a matrix or in a list that contains
    itself, and then crashes.
    """
    if isinstance(seeds, np.ndarray):
        return seeds.ndim > 1 or seeds.dtype.kind not in "iu"
    if isinstance(seeds, list | tuple | range):
        return not all(isinstance(seed, int | np.integer) for seed in seeds)
    return is_iterable(seeds)


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    minimum: float | None = None,
    below: float | None = None,
    maximum: float | None = None,
) -> float:
    """Return `value` as a finite ``float`` within its bounds, or raise an error that names it.

    Raises
    ------
    TypeError
        If `value` is not a real number.
    ValueError
        If it is not finite, or is outside its bounds.

    Examples
    --------
    >>> check_number("rate", 1.5, minimum=0, below=1)
    Traceback (most recent call last):
    ValueError: rate must be a finite number of at least 0 and below 1, got 1.5
    """
    bounds = {"above": above, "of at least": minimum, "below": below, "of at most": maximum}
    words = " and ".join(f"{word} {bound}" for word, bound in bounds.items() if bound is not None)
    message = f"{name} must be a finite number{' ' + words if words else ''}, got {shown(value)}"
    try:
        if not _is_single_real(value):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(message) from None
    except OverflowError:  # An integer may be beyond the largest float.
        raise ValueError(message) from None
    if (
        not math.isfinite(number)
        or (above is not None and number <= above)
        or (minimum is not None and number < minimum)
        or (below is not None and number >= below)
        or (maximum is not None and number > maximum)
    ):
        raise ValueError(message)
    return number


def _is_single_real(value: Any) -> bool:
    """Return whether ``float(value)`` loses nothing and reads no text."""
    if isinstance(value, np.ndarray | np.generic):
        return value.ndim == 0 and value.dtype.kind in "fiu" and value is not np.ma.masked
    return not isinstance(value, str | bytes | bytearray | bool)


def check_path(name: str, value: Any) -> Path:
    """Return `value` as a path, or raise ``TypeError`` if it is not a string or path.

    Examples
    --------
    >>> check_path("path", 3)
    Traceback (most recent call last):
    TypeError: path must be a path, got 3
    """
    with suppress(TypeError):  # That of a path of bytes.
        if isinstance(value, str | os.PathLike):
            path = Path(value)
            if len(str(path)) > _LONGEST_PATH:
                raise ValueError(f"{name} must be a path, got {len(str(path))} characters")
            if "\0" in str(path):
                raise ValueError(f"{name} must be a path without null characters, got {path!r}")
            return path
    raise TypeError(f"{name} must be a path, got {shown(value)}")


def optional_library(module: str, extra: str) -> Any:
    """Import an optional library.

    Raises
    ------
    ModuleNotFoundError
        If it is not installed; the message says which extra to install.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f'{module.partition(".")[0]} is not installed: pip install "nnlayers[{extra}]"',
            name=error.name,
        ) from error
