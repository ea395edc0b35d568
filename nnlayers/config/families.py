"""Find the constructors that a config names: the library's, by family, and those that you allow."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from nnlayers import initializers, layers, losses, optim
from nnlayers._core import foreign_names
from nnlayers._core.checks import unknown_name
from nnlayers._core.resolving import find, is_within
from nnlayers.data import Table, datasets, files
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import Optimizer, schedules
from nnlayers.optim.base import LearningRate
from nnlayers.training import callbacks
from nnlayers.training.callbacks import Callback
from nnlayers.training.measures import MEASURES
from nnlayers.training.metrics import Metric

__all__ = [
    "CALLBACKS",
    "INITIALIZERS",
    "LAYERS",
    "LOSSES",
    "METRICS",
    "OPTIMIZERS",
    "SCHEDULES",
    "SOURCES",
    "Family",
    "family_of",
    "resolve",
]

Constructor = Callable[..., Any]

# Other libraries' names of classes, and the names that a config has for them.
_FOREIGN_NAMES = {name: ours.rpartition(".")[2] for name, ours in foreign_names.NAMES.items()}


class Family(NamedTuple):
    """A kind of objects that a config can describe, with their constructors by name.

    Parameters
    ----------
    noun : str
        The kind with its article, for messages.
    rule : str
        The condition on a user's constructor, for messages.
    hints : tuple
        The type hints of arguments that take an object of the family. A user's class must be
        derived from one of those that are classes.
    known : mapping of str to callable
        The library's constructors.
    """

    noun: str
    rule: str
    hints: tuple[Any, ...]
    known: Mapping[str, Constructor]

    def accepts(self, candidate: Any, modules: Iterable[str]) -> bool:
        """Return whether a candidate may be called to make an object of the family."""
        return any(candidate is item for item in self.known.values()) or any(
            _fits(candidate, hint, modules) for hint in self.hints
        )

    def contains(self, item: Any) -> bool:
        """Return whether an object is one of the family."""
        return any(
            isinstance(item, hint) if inspect.isclass(hint) else callable(item)
            for hint in self.hints
        )


def resolve(name: str, family: Family, modules: Iterable[str] = ()) -> Constructor:
    """Return the constructor of a name in a family, or of an import path.

    Nothing is called, and nothing but nnlayers and `modules` is imported.

    Raises
    ------
    ValueError
        If there is no such constructor, or it is not of the family. The message has the nearest
        known name.

    Examples
    --------
    >>> resolve("Affine", LAYERS) is resolve("nnlayers.Affine", LAYERS)
    True
    >>> resolve("nnlayers.save", LAYERS)
    Traceback (most recent call last):
    ValueError: must name a layer (your own must be a class derived from Layer or a function \
annotated to return one), got 'nnlayers.save'
    """
    if name in family.known:
        return family.known[name]
    if not ("." in name or ":" in name):
        _, _, noun = family.noun.partition(" ")
        raise ValueError(unknown_name(noun, name[:80], family.known, _FOREIGN_NAMES))
    candidate = find(name, modules)
    if not family.accepts(candidate, modules):
        raise ValueError(f"must name {family.noun} (your own must be {family.rule}), got {name!r}")
    constructor: Constructor = candidate
    return constructor


def family_of(hint: Any, parent: Family) -> Family | None:
    """Return the family of the objects that an argument takes, by its type hint, if any.

    Parameters
    ----------
    hint : type hint
        The hint of the argument.
    parent : Family
        The family of the object that has the argument. Where the hint says nothing, as ``Any``
        does, an object of the same family is expected, or a part of one.

    Examples
    --------
    >>> family_of(list[Layer], SOURCES).noun, family_of(LearningRate, OPTIMIZERS).noun
    ('a layer', 'a schedule')
    """
    hints = list(_nested_hints(hint))
    for family in (LAYERS, LOSSES, OPTIMIZERS, CALLBACKS, METRICS, INITIALIZERS, SCHEDULES):
        if any(item in family.hints for item in hints):
            return family
    if not any(item in (Any, object) or get_origin(item) is Callable for item in hints):
        return None
    unions = (_LAYERS_OR_INITIALIZERS, _OPTIMIZERS_OR_SCHEDULES)
    return next((union for union in unions if parent.hints[0] in union.hints), parent)


def _fits(candidate: Any, hint: Any, modules: Iterable[str]) -> bool:
    """Return whether calling the candidate gives an object of the hint, by its annotations."""
    is_allowed = is_within(getattr(candidate, "__module__", None) or "", modules)
    if hint is Metric:  # A metric is the function itself: a config never calls it.
        return is_allowed and inspect.isfunction(candidate)
    if inspect.isfunction(candidate):
        candidate = _return_type(candidate) if is_allowed else None
    if not inspect.isclass(candidate):
        return False
    if inspect.isclass(hint):
        return issubclass(candidate, hint)
    callable_protocol: Any = Callable
    return is_allowed and issubclass(candidate, callable_protocol)


def _nested_hints(hint: Any) -> Iterator[Any]:
    """Yield a type hint, and those within it."""
    yield hint
    for argument in get_args(hint):
        if not isinstance(argument, list):
            yield from _nested_hints(argument)


def _constructors(module: ModuleType, base: Any, *excluded: Any) -> dict[str, Constructor]:
    """Return the public classes derived from `base`, and the functions that return one."""
    exported = {name: getattr(module, name) for name in module.__all__}
    return {
        name: item
        for name, item in exported.items()
        if _constructs(item, base) and item not in (base, *excluded)
    }


def _constructs(item: Any, base: Any) -> bool:
    cls = _return_type(item) if inspect.isfunction(item) else item
    return inspect.isclass(cls) and issubclass(cls, base) and not inspect.isabstract(cls)


def _return_type(function: Any) -> Any:
    """Return the type that a function is annotated to return, or None."""
    try:
        return get_type_hints(function).get("return")
    except (NameError, TypeError):  # A user's module may import types for type checkers only.
        return None


def _union(first: Family, second: Family) -> Family:
    noun = f"{first.noun} or {second.noun.partition(' ')[2]}"
    return Family(
        noun,
        f"{first.rule}, or {second.rule}",
        first.hints + second.hints,
        {**first.known, **second.known},
    )


def _derived_from(base: str) -> str:
    return f"a class derived from {base} or a function annotated to return one"


_CALLABLE = "a class whose objects can be called"

LAYERS = Family("a layer", _derived_from("Layer"), (Layer,), _constructors(layers, Layer))
LOSSES = Family("a loss", _derived_from("Loss"), (Loss,), _constructors(losses, Loss))
OPTIMIZERS = Family(
    "an optimizer", _derived_from("Optimizer"), (Optimizer,), _constructors(optim, Optimizer)
)
SOURCES = Family(
    "a data source",
    "a function annotated to return a Table",
    (Table,),
    _constructors(files, Table, files.from_frame, files.read_rows) | _constructors(datasets, Table),
)
CALLBACKS = Family(
    "a callback", _derived_from("Callback"), (Callback,), _constructors(callbacks, Callback)
)
METRICS = Family("a metric", "a function of y_true and y_pred", (Metric,), MEASURES)
INITIALIZERS = Family(
    "an initializer",
    _CALLABLE,
    (initializers.Initializer,),
    _constructors(initializers, Callable),
)
SCHEDULES = Family(
    "a schedule",
    _CALLABLE,
    tuple(hint for hint in get_args(LearningRate) if hint is not float),
    _constructors(schedules, Callable),
)
_LAYERS_OR_INITIALIZERS = _union(LAYERS, INITIALIZERS)
_OPTIMIZERS_OR_SCHEDULES = _union(OPTIMIZERS, SCHEDULES)
