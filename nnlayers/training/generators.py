"""Find the random generators of the parts of a training, and keep their states."""

from __future__ import annotations

import functools
import inspect
import json
import random
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import BuiltinMethodType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import check_names
from nnlayers.layer import Layer, Parameter

__all__ = ["Generators", "dump_generator", "load_generator"]

_KINDS = (np.random.Generator, np.random.RandomState, random.Random)
_CONTAINERS = (list, tuple, set, deque)
_OPAQUE = (np.ndarray, np.generic, Parameter, ModuleType, type, str, bytes, int, float)
# Names of these are seldom given to anything else.
_FIXED = (ModuleType, type, FunctionType, BuiltinMethodType)
# Longer containers hold data, and searching them would take longer than most steps.
_LONGEST = 10_000


class Generators:
    """The random generators of a model's layers and of other parts of its training.

    Generators are searched in the attributes of each part and of its class, in lists, tuples, sets
    and dictionaries there, in the objects that an attribute refers to, in what functions enclose,
    and in the global variables that methods and functions name. They are those of ``numpy.random``
    and ``random.Random``; the functions of these modules, such as ``np.random.normal``, draw from
    generators of the whole process, which are left alone.

    A generator that several parts share appears once, under its first name, and stays shared.

    Parameters
    ----------
    model : Layer
        The model, whose inner layers are searched too.
    others : mapping of str to object
        Other parts by name.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Sequential(nn.Dropout(0.5, rng=0), nn.ReLU(), nn.GaussianNoise(0.1, rng=1))
    >>> generators = Generators(model)
    >>> state = generators.state_dict()
    >>> list(state)
    ['0.rng', '2.rng']
    >>> noise = model[2].forward(np.zeros(3))
    >>> generators.load_state_dict(state)
    >>> bool((model[2].forward(np.zeros(3)) == noise).all())
    True
    """

    def __init__(self, model: Layer, others: Mapping[str, Any] | None = None) -> None:
        layers = model.named_layers()
        # Each layer has a name already, under which its generators are found.
        seen = {id(layer): layer for layer in layers.values()}
        by_source: dict[int, tuple[str, Any]] = {}
        parts = {**layers, **{f"<{name}>": part for name, part in (others or {}).items()}}
        for prefix, part in parts.items():
            seen[id(part)] = part
            for name, member in _members(part, seen):
                for found in _search(member, f"{prefix}.{name}" if prefix else name, seen, 1):
                    source = getattr(found[1], "bit_generator", found[1])
                    by_source.setdefault(id(source), found)
        self._by_name = dict(by_source.values())

    def state_dict(self) -> dict[str, Array]:
        """Return each generator's state as JSON text in an array, by the name of its attribute."""
        return {name: dump_generator(generator) for name, generator in self._by_name.items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing or unknown, or is not the state of such a generator.
        """
        check_names(self, self._by_name, state)
        for name, generator in self._by_name.items():
            load_generator(generator, state[name], name)


def dump_generator(generator: Any) -> Array:
    """Return the state of a generator as JSON text in an array.

    Examples
    --------
    >>> rng, other = np.random.default_rng(0), np.random.default_rng(1)
    >>> load_generator(other, dump_generator(rng), "rng")
    >>> bool(rng.random() == other.random())
    True
    """
    if isinstance(generator, random.Random):
        state: Any = generator.getstate()
    elif isinstance(generator, np.random.RandomState):
        state = generator.get_state(legacy=False)
    else:
        state = generator.bit_generator.state
    return np.array(json.dumps(state, default=np.ndarray.tolist))


def load_generator(generator: Any, state: npt.ArrayLike, name: str) -> None:
    """Restore a state of :func:`dump_generator`.

    Raises
    ------
    ValueError
        If it is not the state of such a generator; the message has its `name`.
    """
    try:
        content = json.loads(str(np.asarray(state)))
        if isinstance(generator, random.Random):
            version, words, gauss = content
            generator.setstate((version, tuple(words), gauss))
        elif isinstance(generator, np.random.RandomState):
            generator.set_state(content)
        else:
            generator.bit_generator.state = content
    except (LookupError, OverflowError, RecursionError, TypeError, ValueError) as error:
        kind = type(getattr(generator, "bit_generator", generator)).__name__
        raise ValueError(
            f"state entry {name!r} must be the state of a {kind} generator: {error}"
        ) from None


def _search(item: Any, name: str, seen: dict[int, Any], depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the generators in `item` by dotted name; objects within `depth` objects are searched.

    `seen` holds what has been searched, because the address of garbage may be used again.
    """
    if isinstance(item, _KINDS):
        yield name, item
        return
    if item is None or isinstance(item, _OPAQUE) or id(item) in seen:
        return
    seen[id(item)] = item
    inner = _function_members(item)
    if inner is None and isinstance(item, (*_CONTAINERS, dict)):
        inner = _entries(item)
    if inner is None:
        if not depth:
            return
        depth -= 1
        inner = _members(item, seen)
    for key, entry in inner:
        yield from _search(entry, f"{name}.{key}", seen, depth)


def _entries(container: Any) -> Iterable[tuple[str, Any]]:
    if len(container) > _LONGEST:
        return ()
    items = container.items() if isinstance(container, dict) else enumerate(container)
    return [(str(key), entry) for key, entry in items]


def _function_members(item: Any) -> Iterable[tuple[str, Any]] | None:
    """Return what a function or a method holds by name; None for anything else."""
    if isinstance(item, functools.partial):
        return [("func", item.func), ("args", item.args), ("keywords", item.keywords)]
    if isinstance(item, MethodType | BuiltinMethodType):
        return [("self", item.__self__)]
    if not isinstance(item, FunctionType):
        return None
    cells = zip(item.__code__.co_freevars, item.__closure__ or (), strict=True)
    held = [(name, cell.cell_contents) for name, cell in cells if _is_filled(cell)]
    defaults = enumerate(item.__defaults__ or ())
    return [*held, *((f"default{i}", value) for i, value in defaults), *_globals_of(item)]


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _members(item: Any, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object, and the generators of its class, once for each class."""
    yield from getattr(item, "__dict__", {}).items()
    for base in type(item).__mro__[:-1]:
        if id(base) in seen:
            continue
        seen[id(base)] = base
        yield from (
            (name, value) for name, value in vars(base).items() if isinstance(value, _KINDS)
        )
        for variables, name in _global_names(base):
            yield name, variables.get(name)


@functools.lru_cache(maxsize=512)
def _global_names(cls: type) -> tuple[tuple[dict[str, Any], str], ...]:
    """Return the global variables that methods of a class name, which may hold generators."""
    # Looking at each name of each method in every checkpoint would take longer than the rest.
    functions = (value for value in vars(cls).values() if isinstance(value, FunctionType))
    return tuple(
        (function.__globals__, name)
        for function in map(inspect.unwrap, functions)
        for name in function.__code__.co_names
        if not isinstance(function.__globals__.get(name, cls), _FIXED)
    )


def _globals_of(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the generators among the global variables that a function names."""
    variables = function.__globals__
    for name in function.__code__.co_names:
        if isinstance(variables.get(name), _KINDS):
            yield name, variables[name]
