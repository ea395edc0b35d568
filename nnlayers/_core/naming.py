"""Names for the nodes of graphs and drawings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["check_unique", "default_names"]


class _Node(Protocol):
    @property
    def own_name(self) -> str | None: ...
    @property
    def layer(self) -> Any: ...


def default_names(nodes: Sequence[_Node]) -> list[str]:
    """Return a name for each node: the user's, or one after its layer such as exp, exp_2, exp_3.

    Raises
    ------
    ValueError
        If the user gave two nodes the same name.
    """
    own = set(check_unique([node.own_name for node in nodes if node.own_name]))
    uses: Counter[str] = Counter()
    names = []
    for node in nodes:
        name = node.own_name
        kind = "constant" if node.layer is None else type(node.layer).__name__.lower()
        while name is None:
            uses[kind] += 1
            name = kind if uses[kind] == 1 else f"{kind}_{uses[kind]}"
            name = None if name in own else name
        names.append(name)
    return names


def check_unique(names: list[str]) -> list[str]:
    """Return the names of a graph's nodes; raise an error if two are the same."""
    if len(set(names)) < len(names):
        name, count = Counter(names).most_common(1)[0]
        raise ValueError(f"the graph has {count} nodes named {name!r}")
    return names
