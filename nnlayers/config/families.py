"""Which constructors a config may name: the public ones of each family, and those you import."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, NamedTuple, get_type_hints

from nnlayers import initializers, layers, losses, optim
from nnlayers.data import sources
from nnlayers.training import callbacks
from nnlayers.validation import unknown_name

__all__ = ["CALLBACKS", "LAYERS", "LOSSES", "OPTIMIZERS", "SOURCES", "Family", "resolve"]

Constructor = Callable[..., Any]


class Family(NamedTuple):
    """Constructors by name, and what to call one of them in a message."""

    noun: str
    known: Mapping[str, Constructor]


def resolve(name: str, family: Family) -> Constructor:
    """Return the constructor of that name in the family, or what a dotted import path leads to.

    Raises
    ------
    ValueError
        If there is none; the message holds the nearest known name.

    Examples
    --------
    >>> resolve("Affine", LAYERS) is resolve("nnlayers.Affine", LAYERS)
    True
    """
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        if name not in family.known:
            raise ValueError(unknown_name(family.noun, name, family.known))
        return family.known[name]
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the code of the module raises
        raise ValueError(
            f"cannot import {module_name!r}: {type(error).__name__}: {error}"
        ) from error
    constructor = getattr(module, attribute, None)
    if not callable(constructor):
        known = [key for key, item in vars(module).items() if inspect.isclass(item)]
        raise ValueError(unknown_name(f"name in {module_name}", attribute, known))
    made: Constructor = constructor
    return made


def _constructors(module: ModuleType) -> dict[str, Constructor]:
    exported = {name: getattr(module, name) for name in module.__all__}
    return {name: item for name, item in exported.items() if _constructs(item)}


def _constructs(item: Any) -> bool:
    """Whether it is a class of objects, or a function that returns one of the library's."""
    if inspect.isclass(item):
        return not inspect.isabstract(item)
    if not inspect.isfunction(item):
        return False
    result = get_type_hints(item).get("return")
    return inspect.isclass(result) and result.__module__.startswith("nnlayers.")


LAYERS = Family("layer", _constructors(layers) | _constructors(initializers))
LOSSES = Family("loss", _constructors(losses))
OPTIMIZERS = Family("optimizer", _constructors(optim) | _constructors(optim.schedules))
SOURCES = Family(
    "data source",
    {name: item for name, item in _constructors(sources).items() if item is not sources.read_rows},
)
CALLBACKS = Family(
    "callback",
    {
        name: item
        for name, item in _constructors(callbacks).items()
        if item is not callbacks.Callback
    },
)
