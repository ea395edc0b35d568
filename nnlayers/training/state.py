"""State from which training resumes: that of several parts in one dictionary of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy.typing as npt

from nnlayers._core.arrays import Array

__all__ = ["Stateful", "join_states", "load_states", "split_state"]


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
