"""Read an object's constructor arguments, and call constructors by argument name."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

__all__ = ["call", "constructor_arguments", "constructor_repr"]

T = TypeVar("T")


def constructor_arguments(item: object) -> list[tuple[inspect.Parameter, Any]]:
    """Return the parameters of the constructor, each with the object's attribute of that name.

    A missing attribute, or a method, gives ``inspect.Parameter.empty``.

    Examples
    --------
    >>> from nnlayers import Dropout
    >>> parameter, value = constructor_arguments(Dropout(0.2, rng=0))[0]
    >>> parameter.name, value
    ('rate', 0.2)
    """
    constructor: Callable[..., Any] = type(item)
    arguments = []
    for parameter in _signature(constructor).parameters.values():
        name = parameter.name
        is_method = inspect.isroutine(getattr(type(item), name, None)) and name not in vars(item)
        value = parameter.empty if is_method else getattr(item, name, parameter.empty)
        arguments.append((parameter, value))
    return arguments


def constructor_repr(item: object) -> str:
    """Return the constructor call that makes an object, without arguments at their defaults.

    Examples
    --------
    >>> from nnlayers import Huber
    >>> constructor_repr(Huber(delta=2.0)), constructor_repr(Huber())
    ('Huber(delta=2.0)', 'Huber()')
    """
    arguments = []
    for parameter, value in constructor_arguments(item):
        if value is parameter.empty:
            continue
        if parameter.default is parameter.empty:
            arguments.append(_repr(value))
        elif parameter.name not in ("dtype", "rng") and repr(value) != repr(parameter.default):
            arguments.append(f"{parameter.name}={_repr(value)}")
    return f"{type(item).__name__}({', '.join(arguments)})"


def call(constructor: Callable[..., T], arguments: Mapping[str, Any]) -> T:
    """Call a constructor with arguments by name; those of ``*name`` are a list.

    Raises
    ------
    TypeError
        If the constructor has no argument of a name.

    Examples
    --------
    >>> call(lambda first, *rest: (first, rest), {"rest": [2, 3], "first": 1})
    (1, (2, 3))
    """
    signature = _signature(constructor)
    for name in arguments:
        if name not in signature.parameters:
            raise TypeError(f"there is no argument {name!r}")
    bound = signature.bind_partial()
    # The arguments must be in the order of the signature, because some are passed by position.
    bound.arguments.update(
        {name: arguments[name] for name in signature.parameters if name in arguments}
    )
    return constructor(*bound.args, **bound.kwargs)


def _repr(value: object) -> str:
    """Return the repr of a value; of a path, that of its text, which is the same on all systems."""
    return repr(os.fspath(value) if isinstance(value, os.PathLike) else value)


# A graph holds many layers of few classes, and reading a signature takes 0.1 ms.
@lru_cache(maxsize=256)
def _signature(constructor: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(constructor)
