"""Check the values of a config against type hints."""

from __future__ import annotations

import inspect
import operator
import types
from collections.abc import Iterable
from functools import lru_cache, reduce
from typing import Any, Union, get_args, get_origin

from nnlayers._core.checks import optional_library
from nnlayers._core.toml_text import toml_text

__all__ = ["HintError", "check_hint", "mentions"]

_PREFIX = "Input should be "

# Pydantic's kinds of errors, in TOML's terms.
_EXPECTED = {
    "bool_type": "true or false",
    "callable_type": "a table with a type",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "an integer",
    "list_type": "an array",
    "string_type": "a string",
    "tuple_type": "an array",
}


class HintError(ValueError):
    """A value that does not fit a type hint.

    Parameters
    ----------
    keys : list of str
        The keys that lead from the checked value to the part that does not fit.
    problem : str
        The message, without the keys.
    """

    def __init__(self, keys: list[str], problem: str) -> None:
        super().__init__(problem)
        self.keys = keys


def check_hint(value: Any, hint: Any) -> Any:
    """Return the value in the type of the hint: an integer as a float, an array as a tuple.

    Nothing else is converted. A hint that pydantic cannot check is left to the constructor.

    Raises
    ------
    HintError
        If the value does not fit.
    ModuleNotFoundError
        Without pydantic.

    Examples
    --------
    >>> check_hint(1, float)
    1.0
    >>> check_hint("ten", int)
    Traceback (most recent call last):
    nnlayers.config.hints.HintError: must be an integer, got "ten"
    """
    pydantic = optional_library("pydantic", "cli")
    adapter = _adapter(hint)
    if adapter is None:
        return value
    if isinstance(value, int | float) and mentions(hint, complex):
        return value  # NumPy's array_like names complex numbers, which strictly no real one is.
    candidate = tuple(value) if isinstance(value, list) and mentions(hint, tuple) else value
    try:
        return adapter.validate_python(candidate, strict=True)
    except pydantic.ValidationError as error:
        raise _hint_error(error.errors(include_url=False), value, hint) from None


def mentions(hint: Any, kind: type) -> bool:
    """Return whether the hint, or one of its alternatives, is `kind` or a subclass of it.

    Examples
    --------
    >>> mentions(tuple[str, ...] | None, tuple), mentions(list[tuple[int]], tuple)
    (True, False)
    """
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(mentions(alternative, kind) for alternative in get_args(hint))
    candidate = origin or hint
    return inspect.isclass(candidate) and issubclass(candidate, kind)


def _list_for_iterable(hint: Any) -> Any:
    """Return the hint with lists for iterables, whose entries pydantic checks only when used."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return reduce(operator.or_, map(_list_for_iterable, arguments))
    return types.GenericAlias(list, arguments) if origin is Iterable else hint


@lru_cache
def _adapter(hint: Any) -> Any:
    """Return pydantic's checker of a hint, or None if pydantic does not know the hint."""
    pydantic = optional_library("pydantic", "cli")
    try:
        return pydantic.TypeAdapter(
            _list_for_iterable(hint), config={"arbitrary_types_allowed": True}
        )
    except pydantic.errors.PydanticUserError:
        return None


def _hint_error(errors: list[Any], value: Any, hint: Any) -> HintError:
    """Return one error with what each alternative of the hint expected of the first misfit."""
    keys = _keys(errors[0]["loc"], value)
    expected = dict.fromkeys(
        _EXPECTED.get(item["type"], item["msg"].removeprefix(_PREFIX))
        for item in errors
        if item["msg"].startswith(_PREFIX) and _keys(item["loc"], value) == keys
    )
    # NumPy's array_like is a union of private classes, which mean nothing to a reader.
    if any("instance of _" in text for text in expected):
        expected = {"a number or an array": None}
    for key in keys:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return HintError(keys, f"must be {' or '.join(expected) or hint}, got {toml_text(value)}")


def _keys(location: tuple[Any, ...], value: Any) -> list[str]:
    """Return the keys in pydantic's location of an error, without its names of alternatives."""
    keys = []
    for key in location:
        is_index = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if is_index or (isinstance(value, dict) and key in value):
            value = value[key]
            keys.append(str(key))
    return keys
