"""Which constructors a config may name: the public ones of each family, and those you allow."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from nnlayers import initializers, layers, losses, optim
from nnlayers._core import foreign_names
from nnlayers._core.checks import unknown_name
from nnlayers._core.resolving import find, within
from nnlayers.data import Table, sources
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import Optimizer, schedules
from nnlayers.optim.base import LearningRate
from nnlayers.training import callbacks, metrics
from nnlayers.training.callbacks import Callback
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

# What other libraries call it, without the module in which it is here.
_ELSEWHERE = {name: here.rpartition(".")[2] for name, here in foreign_names.NAMES.items()}


class Family(NamedTuple):
    """Constructors by name, and what else may stand in their place.

    Parameters
    ----------
    noun : str
        What to call one of them in a message, with its article.
    rule : str
        What one of the user's own must be, for a message.
    hints : tuple
        The type hints of arguments that take an object of the family. A class of the user's own is
        derived from one of those that are classes.
    known : mapping of str to callable
        The library's.
    """

    noun: str
    rule: str
    hints: tuple[Any, ...]
    known: Mapping[str, Constructor]

    def holds(self, found: Any, modules: Iterable[str]) -> bool:
        """Whether what an import path names may be called in this family's place."""
        return any(found is item for item in self.known.values()) or any(
            _fits(found, hint, modules) for hint in self.hints
        )

    def made(self, item: Any) -> bool:
        """Whether an object is one of the family."""
        return any(
            isinstance(item, hint) if inspect.isclass(hint) else callable(item)
            for hint in self.hints
        )


def resolve(name: str, family: Family, modules: Iterable[str] = ()) -> Constructor:
    """Return the constructor of that name in the family, or the one that an import path names.

    Nothing is called, and nothing imported but nnlayers and `modules`.

    Raises
    ------
    ValueError
        If there is none, or it is of another family; the message holds the nearest known name.

    Examples
    --------
    >>> resolve("Affine", LAYERS) is resolve("nnlayers.Affine", LAYERS)
    True
    >>> resolve("nnlayers.save", LAYERS)
    Traceback (most recent call last):
    ValueError: must name a layer, of your own a class derived from Layer or a function annotated \
to return one, got 'nnlayers.save'
    """
    if name in family.known:
        return family.known[name]
    if not ("." in name or ":" in name):
        _, _, noun = family.noun.partition(" ")
        raise ValueError(unknown_name(noun, name[:80], family.known, _ELSEWHERE))
    found = find(name, modules)
    if not family.holds(found, modules):
        raise ValueError(f"must name {family.noun}, of your own {family.rule}, got {name!r}")
    constructor: Constructor = found
    return constructor


def family_of(hint: Any, parent: Family) -> Family | None:
    """Return the family of the objects that an argument takes, by its type hint, if it takes any.

    `parent` is the family of the object whose argument it is. Where the hint leaves it open, a
    table is one of the same family or of those that its objects are made with.

    Examples
    --------
    >>> family_of(list[Layer], SOURCES).noun, family_of(LearningRate, OPTIMIZERS).noun
    ('a layer', 'a schedule')
    """
    leaves = list(_leaves(hint))
    for family in (LAYERS, LOSSES, OPTIMIZERS, CALLBACKS, METRICS, INITIALIZERS, SCHEDULES):
        if any(leaf in family.hints for leaf in leaves):
            return family
    if not any(leaf in (Any, object) or get_origin(leaf) is Callable for leaf in leaves):
        return None
    return next((both for both in (_PARTS, _STEPS) if parent.hints[0] in both.hints), parent)


def _fits(found: Any, hint: Any, modules: Iterable[str]) -> bool:
    """Whether calling it gives what the hint wants, as far as can be told without calling it."""
    own = within(getattr(found, "__module__", None) or "", modules)
    if hint is Metric:  # which is called with the targets, and makes nothing
        return own and inspect.isfunction(found)
    if inspect.isfunction(found):
        found = _result(found) if own else None
    if not inspect.isclass(found):
        return False
    if inspect.isclass(hint):
        return issubclass(found, hint)
    return own and issubclass(found, Callable)  # type: ignore[arg-type]


def _leaves(hint: Any) -> Iterator[Any]:
    """Yield a type hint, and those within it."""
    yield hint
    for argument in get_args(hint):
        if not isinstance(argument, list):
            yield from _leaves(argument)


def _constructors(module: ModuleType, base: Any, *excluded: Any) -> dict[str, Constructor]:
    """Return the public classes derived from `base`, and the functions that return one."""
    exported = {name: getattr(module, name) for name in module.__all__}
    return {
        name: item
        for name, item in exported.items()
        if _makes(item, base) and item not in (base, *excluded)
    }


def _makes(item: Any, base: Any) -> bool:
    made = _result(item) if inspect.isfunction(item) else item
    return inspect.isclass(made) and issubclass(made, base) and not inspect.isabstract(made)


def _result(function: Any) -> Any:
    """Return what a function's annotation says that it returns."""
    try:
        return get_type_hints(function).get("return")
    except (NameError, TypeError):  # hints that a user's module imports for type checkers only
        return None


def _joined(first: Family, second: Family) -> Family:
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
    _constructors(sources, Table, sources.read_rows),
)
CALLBACKS = Family(
    "a callback", _derived_from("Callback"), (Callback,), _constructors(callbacks, Callback)
)
METRICS = Family(
    "a metric", "a function of y_true and y_pred", (Metric,), {"accuracy": metrics.accuracy}
)
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
_PARTS = _joined(LAYERS, INITIALIZERS)
_STEPS = _joined(OPTIMIZERS, SCHEDULES)
