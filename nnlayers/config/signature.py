"""What a constructor takes: its own signature and type hints are the only schema of a config."""

from __future__ import annotations

import inspect
import operator
import types
from collections.abc import Callable, Iterable
from functools import lru_cache, reduce
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from nnlayers._core.checks import optional_library
from nnlayers.config.document import shown

__all__ = ["Argument", "HintError", "arguments_of", "check_hint", "mentions"]


_PREFIX = "Input should be "

# Pydantic's kinds of errors, in the words of who writes a config.
_WORDS = {
    "bool_type": "true or false",
    "callable_type": "a table with a type",
    "dict_type": "a table",
    "float_type": "a number",
    "int_type": "an integer",
    "list_type": "an array",
    "string_type": "a string",
    "tuple_type": "an array",
}


class Argument(NamedTuple):
    """One argument: its type hint, its default, and whether it takes a list as ``*name`` does."""

    hint: Any
    default: Any
    spread: bool

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty and not self.spread


class HintError(ValueError):
    """A value that is not what a type hint says.

    Parameters
    ----------
    place : list of str
        The keys that lead to it from the value that was checked.
    problem : str
        The message, without the place.
    """

    def __init__(self, place: list[str], problem: str) -> None:
        super().__init__(problem)
        self.place = place


def arguments_of(constructor: Callable[..., Any]) -> dict[str, Argument]:
    """Return what can be given by name, and ``*name`` as a list.

    Examples
    --------
    >>> from nnlayers import Dropout, Sequential
    >>> arguments_of(Dropout)["rate"]
    Argument(hint=<class 'float'>, default=0.5, spread=False)
    >>> arguments_of(Sequential)["layers"].spread
    True
    """
    hints = _hints(constructor)
    return {
        name: Argument(
            hints.get(name, Any), parameter.default, parameter.kind is parameter.VAR_POSITIONAL
        )
        for name, parameter in inspect.signature(constructor).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def check_hint(value: Any, hint: Any) -> Any:
    """Return the value as the hint has it: an integer as a float, an array as a tuple.

    Nothing else is converted. A hint that pydantic does not know is left to the constructor.

    Raises
    ------
    HintError
        If the value is something else.
    ModuleNotFoundError
        Without pydantic.

    Examples
    --------
    >>> check_hint(1, float)
    1.0
    >>> check_hint("ten", int)
    Traceback (most recent call last):
    nnlayers.config.signature.HintError: must be an integer, got "ten"
    """
    pydantic = optional_library("pydantic", "cli")
    adapter = _adapter(hint)
    if adapter is None:
        return value
    given = tuple(value) if isinstance(value, list) and mentions(hint, tuple) else value
    try:
        return adapter.validate_python(given, strict=True)
    except pydantic.ValidationError as error:
        raise _hint_error(error.errors(include_url=False), value, hint) from None


def mentions(hint: Any, kind: type) -> bool:
    """Whether the hint, or one of its alternatives, is a `kind` or one of its subclasses.

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


def _eager(hint: Any) -> Any:
    """Return the hint with lists for iterables, which pydantic checks only once they are used."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return reduce(operator.or_, map(_eager, arguments))
    return types.GenericAlias(list, arguments) if origin is Iterable else hint


def _hints(constructor: Callable[..., Any]) -> dict[str, Any]:
    function = constructor.__init__ if inspect.isclass(constructor) else constructor
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):  # hints that a user's module imports for type checkers only
        return {}


@lru_cache
def _adapter(hint: Any) -> Any:
    pydantic = optional_library("pydantic", "cli")
    try:
        return pydantic.TypeAdapter(_eager(hint), config={"arbitrary_types_allowed": True})
    except pydantic.errors.PydanticUserError:
        return None


def _hint_error(errors: list[Any], value: Any, hint: Any) -> HintError:
    """Put what each alternative of a hint expected of the first culprit into one message."""
    place = _place(errors[0]["loc"], value)
    expected = dict.fromkeys(
        _WORDS.get(item["type"], item["msg"].removeprefix(_PREFIX))
        for item in errors
        if item["msg"].startswith(_PREFIX) and _place(item["loc"], value) == place
    )
    if any("instance of _" in words for words in expected):  # NumPy's private ways to say array
        expected = {"a number or an array": None}
    for key in place:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return HintError(place, f"must be {' or '.join(expected) or hint}, got {shown(value)}")


def _place(location: tuple[Any, ...], value: Any) -> list[str]:
    """Return the keys that lead to the culprit, without the alternatives that pydantic names."""
    keys = []
    for key in location:
        within_list = isinstance(value, list) and isinstance(key, int) and key < len(value)
        if within_list or (isinstance(value, dict) and key in value):
            value = value[key]
            keys.append(str(key))
    return keys
