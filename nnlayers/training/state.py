"""State from which training resumes: that of several parts in one dictionary of arrays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import check_names
from nnlayers.layer import Layer

__all__ = ["Generators", "Stateful", "join_states", "load_states", "split_state"]


class Stateful(Protocol):
    """Anything whose state is a dictionary of arrays."""

    def state_dict(self) -> Mapping[str, Array]:
        """Return the state as arrays by name."""

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike], /) -> None:
        """Restore the state that :meth:`state_dict` returned."""


def join_states(parts: Mapping[str, Stateful]) -> dict[str, Array]:
    """Return the states of all parts as one, each entry prefixed with its part's name and a dot."""
    return {
        f"{prefix}.{name}": array
        for prefix, part in parts.items()
        for name, array in part.state_dict().items()
    }


def split_state(
    state: Mapping[str, npt.ArrayLike], prefixes: Iterable[str]
) -> tuple[dict[str, dict[str, npt.ArrayLike]], dict[str, npt.ArrayLike]]:
    """Undo :func:`join_states`: return the state of each part, and the entries of no part.

    Examples
    --------
    >>> split_state({"model.W": 1.0, "seed": 2}, ["model", "history"])
    ({'model': {'W': 1.0}, 'history': {}}, {'seed': 2})
    """
    states: dict[str, dict[str, npt.ArrayLike]] = {prefix: {} for prefix in prefixes}
    others = {}
    for name, array in state.items():
        prefix = next((prefix for prefix in states if name.startswith(f"{prefix}.")), None)
        if prefix is None:
            others[name] = array
        else:
            states[prefix][name.removeprefix(f"{prefix}.")] = array
    return states, others


def load_states(
    parts: Mapping[str, Stateful], states: Mapping[str, Mapping[str, npt.ArrayLike]]
) -> None:
    """Load the state of each part; if one fails, restore all parts and raise its error."""
    before = {prefix: part.state_dict() for prefix, part in parts.items()}
    try:
        for prefix, part in parts.items():
            part.load_state_dict(states[prefix])
    except BaseException:
        for prefix, part in parts.items():
            part.load_state_dict(before[prefix])
        raise


class Generators:
    """The ``numpy.random.Generator`` objects in the attributes of a layer and its inner layers.

    A generator that several layers share appears once, under its first name, and stays shared.

    Parameters
    ----------
    model : Layer
        Each layer's attributes are searched, and lists, tuples and dictionaries in them.

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

    def __init__(self, model: Layer) -> None:
        by_source: dict[int, tuple[str, np.random.Generator]] = {}
        for prefix, layer in model.named_layers().items():
            for name, generator in _named_generators(vars(layer), prefix, set()):
                by_source.setdefault(id(generator.bit_generator), (name, generator))
        self._by_name = dict(by_source.values())

    def state_dict(self) -> dict[str, Array]:
        """Return each generator's state as JSON text in an array, by the name of its attribute."""
        return {
            name: np.array(json.dumps(generator.bit_generator.state, default=np.ndarray.tolist))
            for name, generator in self._by_name.items()
        }

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If an entry is missing or unknown, or is not the state of such a generator.
        """
        check_names(self, self._by_name, state)
        for name, generator in self._by_name.items():
            try:
                generator.bit_generator.state = json.loads(str(np.asarray(state[name])))
            except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
                kind = type(generator.bit_generator).__name__
                raise ValueError(
                    f"state entry {name!r} must be the state of a {kind} generator: {error}"
                ) from None


def _named_generators(
    item: Any, name: str, seen: set[int]
) -> Iterator[tuple[str, np.random.Generator]]:
    """Yield the generators in `item` by dotted name, without those of inner layers."""
    if isinstance(item, np.random.Generator):
        yield name, item
    elif isinstance(item, list | tuple | dict) and id(item) not in seen:
        seen.add(id(item))
        for key, entry in item.items() if isinstance(item, dict) else enumerate(item):
            yield from _named_generators(entry, f"{name}.{key}" if name else str(key), seen)
