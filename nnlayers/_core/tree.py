"""Search and copy trees of objects that hold each other in attributes and containers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias, TypeVar

__all__ = ["copy_branches", "join", "walk"]

T = TypeVar("T")
Members: TypeAlias = Callable[[Any], Iterable[tuple[Any, Any]]]

_CONTAINERS = (list, tuple, dict)

# A container is copied only if a branch is among its first entries: a list of layers starts with
# layers, and searching 100,000 words would take longer than most predictions.
_ENTRIES, _NESTED = 256, 32


def join(prefix: str, name: str) -> str:
    """Return a dotted name.

    Examples
    --------
    >>> join("", "W"), join("0", "W")
    ('W', '0.W')
    """
    return f"{prefix}.{name}" if prefix else name


def walk(root: Any, branch: type, leaf: type, members: Members) -> dict[str, Any]:
    """Return all branches and leaves within an object, each once, by dotted name.

    Containers (lists, tuples and dictionaries) are searched and not returned.

    Parameters
    ----------
    root : object
        Where the search starts; a root that is a branch has the empty name.
    branch, leaf : type
        The classes of the objects to return; a leaf is not searched.
    members : callable
        Returns the named members of a branch.
    """
    seen: set[int] = set()
    found: dict[str, Any] = {}

    # This fills a dictionary, because nested generators would pass each item up through all levels.
    def visit(item: Any, kind: type, name: str) -> None:
        seen.add(id(item))
        if kind is not tuple:
            found[name] = item
        if kind is leaf:
            return
        for key, entry in members(item) if kind is branch else _entries(item):
            cls: Any = type(entry)
            kind_of_entry = _kind(cls, branch, leaf)
            if kind_of_entry is not None and id(entry) not in seen:
                visit(entry, kind_of_entry, join(name, str(key)))

    root_class: Any = type(root)
    kind = _kind(root_class, branch, leaf)
    if kind is not None:
        visit(root, kind, "")
    return found


@lru_cache(maxsize=1024)
def _kind(cls: type, branch: type, leaf: type) -> type | None:
    """Return which of the two classes one is derived from, tuple for a container, else None."""
    # Most members are numbers and strings, which an abstract class takes long to tell apart.
    if issubclass(cls, leaf):
        return leaf
    if issubclass(cls, branch):
        return branch
    return tuple if issubclass(cls, _CONTAINERS) else None


def _entries(container: Any) -> Iterable[tuple[Any, Any]]:
    return container.items() if isinstance(container, dict) else enumerate(container)


def copy_branches(item: T, branch: type, change: Callable[[Any], None] | None = None) -> T:
    """Return a copy in which all branches are copies, and everything else is shared.

    Containers are copied where branches are among their entries.

    Parameters
    ----------
    item : object
        What to copy.
    branch : type
        The class of the objects to copy.
    change : callable, optional
        Called with each copied branch.

    Examples
    --------
    >>> import nnlayers as nn
    >>> layer = nn.Affine(2, 1)
    >>> copied = copy_branches(layer, nn.Layer)
    >>> copied is layer, copied.W is layer.W
    (False, True)
    """
    copies: dict[int, Any] = {}

    def copy_of(item: Any) -> Any:
        if isinstance(item, _CONTAINERS) and not _has_branch(item, branch, set()):
            return item
        if isinstance(item, tuple):
            return tuple.__new__(type(item), [copy_of(entry) for entry in item])
        if not isinstance(item, (branch, list, dict)):
            return item
        if id(item) not in copies:
            copies[id(item)] = new = copy.copy(item)
            entries: Any = vars(new) if isinstance(new, branch) else new
            for key, entry in enumerate(entries) if isinstance(entries, list) else entries.items():
                entries[key] = copy_of(entry)
            if change is not None and isinstance(new, branch):
                change(new)
        return copies[id(item)]

    result: T = copy_of(item)
    return result


def _has_branch(container: Any, branch: type, seen: set[int]) -> bool:
    """Return whether a branch is among the first entries of a container, or of those within."""
    seen.add(id(container))
    values = container.values() if isinstance(container, dict) else container
    entries = list(islice(values, _ENTRIES))
    types = set(map(type, entries))
    if any(issubclass(kind, branch) for kind in types):
        return True
    if not any(issubclass(kind, _CONTAINERS) for kind in types):
        return False
    nested = [entry for entry in entries if isinstance(entry, _CONTAINERS)][:_NESTED]
    return any(_has_branch(entry, branch, seen) for entry in nested if id(entry) not in seen)
