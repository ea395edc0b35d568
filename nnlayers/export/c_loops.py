"""Write loops over arrays in C, with as few of them as the layout of the arrays allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = ["Access", "contiguous", "loop_nest"]

_INDENT = "    "
_VARIABLES = "ijklmnpqrst"


class Access(NamedTuple):
    """An array that a loop reads or writes: its name, its first entry and its strides.

    A stride is how far apart in memory two entries are whose index along an axis differs by one.
    """

    name: str
    strides: tuple[int, ...]
    start: int = 0


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of an array in C order.

    Examples
    --------
    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    strides = [1]
    for length in reversed(shape[1:]):
        strides.append(strides[-1] * length)
    return tuple(reversed(strides)) if shape else ()


def loop_nest(
    shape: Sequence[int], accesses: Mapping[str, Access], body: str | Sequence[str]
) -> list[str]:
    r"""Return the lines of loops over all entries of a shape.

    `body` is a statement, or some, in which ``{key}`` stands for the entry of an access. Adjacent
    axes that all accesses pass through alike become one loop.

    Examples
    --------
    >>> y, x = Access("y", (3, 1)), Access("x", (0, 1), start=5)
    >>> print(*loop_nest((2, 3), {"y": y, "x": x}, "{y} = {x};"), sep="\n")
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            y[3 * i + j] = x[j + 5];
    """
    if 0 in shape:
        return []
    axes = _merged_axes(shape, [access.strides for access in accesses.values()])
    variables = _VARIABLES[: len(axes)]
    lines = [
        f"{_INDENT * depth}for (int {variable} = 0; {variable} < {length}; {variable}++)"
        for depth, (variable, (length, _)) in enumerate(zip(variables, axes, strict=True))
    ]
    entries = {
        key: f"{access.name}[{_index(variables, [axis[1][k] for axis in axes], access.start)}]"
        for k, (key, access) in enumerate(accesses.items())
    }
    statements = [body] if isinstance(body, str) else body
    inner = [_INDENT * len(axes) + statement.format(**entries) for statement in statements]
    if len(inner) > 1 and lines:
        lines[-1] += " {"
        inner.append(_INDENT * (len(axes) - 1) + "}")
    return lines + inner


def _merged_axes(
    shape: Sequence[int], strides: Sequence[Sequence[int]]
) -> list[tuple[int, list[int]]]:
    """Return the axes that need a loop, each with its length and the strides of all accesses."""
    axes: list[tuple[int, list[int]]] = []
    for axis, length in enumerate(shape):
        steps = [stride[axis] for stride in strides]
        if length == 1:
            continue
        if axes and axes[-1][1] == [step * length for step in steps]:
            axes[-1] = (axes[-1][0] * length, steps)
        else:
            axes.append((length, steps))
    return axes


def _index(variables: str, steps: Sequence[int], start: int) -> str:
    """Return the expression of an entry's index."""
    terms = [
        variable if step == 1 else f"{step} * {variable}"
        for variable, step in zip(variables, steps, strict=True)
        if step
    ]
    text = " + ".join(terms)
    if not text or start > 0:
        text = f"{text} + {start}" if text else str(start)
    return text if start >= 0 else f"{text} - {-start}"
