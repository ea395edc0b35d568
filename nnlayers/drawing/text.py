"""Explanations of graphs as text: the chain rule, step by step, with its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.drawing.arrays import (
    MAX_SIDE,
    format_number,
    format_numbers,
    heat_levels,
    is_small,
    pooled,
    summary,
)
from nnlayers.drawing.diagram import Diagram
from nnlayers.drawing.trace import Contribution, Part, Trace, Visit, partial, trace, weights_of

__all__ = ["explain", "to_text"]

_MAP_ROWS, _MAP_COLUMNS, _SIGNS = 4, 32, "□▫·▪■?"
_LEGEND = (
    "Signs stand for the entries of larger arrays: ■ ▪ positive, □ ▫ negative, · near zero,\n"
    "for the one of the largest magnitude where several share a sign."
)


def explain(diagram: Diagram) -> str:
    """Explain a graph's last forward and backward pass as numbered text.

    Each step of the backward pass has the incoming gradient, and for each input the local
    derivative, as a formula and in numbers, their product, and the sum if the input is used more
    than once; then the gradients of the layer's parameters. Matrices up to 8 by 8 are set as
    such, larger arrays as maps of their signs.

    Parameters
    ----------
    diagram : Diagram
        A diagram that has run forward and backward, such as a :class:`~nnlayers.Graph`.

    Raises
    ------
    RuntimeError
        If it has not run.

    Examples
    --------
    >>> import nnlayers as nn
    >>> x = nn.Input("x")
    >>> graph = nn.Graph((x * nn.exp(x).named("e")).named("y"))
    >>> graph.forward(1.0).round(3), graph.backward(1.0).round(3)
    (np.float64(2.718), np.float64(5.437))
    >>> print(explain(graph))
    Forward
      x = 1 (input)
      1. e = exp(x) = 2.718
      2. y = x × e = 2.718
    <BLANKLINE>
    Backward, from ∂ℓ/∂y = 1
      1. y = x × e
         incoming gradient: ∂ℓ/∂y = 1
         to x: local derivative ∂y/∂x = e = 2.718
               sent ∂ℓ/∂y × e = 1 × 2.718 = 2.718
               ∂ℓ/∂x = 2.718 so far
         to e: local derivative ∂y/∂e = x = 1
               sent ∂ℓ/∂y × x = 1 × 1 = 1
               ∂ℓ/∂e = 1
      2. e = exp(x)
         incoming gradient: ∂ℓ/∂e = 1
         to x: local derivative ∂e/∂x = exp(x) = 2.718
               sent ∂ℓ/∂e × exp(x) = 1 × 2.718 = 2.718
               added to 2.718 from y: total ∂ℓ/∂x = 5.437
    """
    return to_text(trace(diagram, "explain"))


def to_text(passes: Trace) -> str:
    """Return the text of :func:`explain` for a forward and a backward pass."""
    lines = ["Forward"]
    for i in passes.leaves():
        label, value = passes.labels[i], passes.values[i]
        # The label of a number in an expression is the number.
        if passes.nodes[i].kind != "constant" or label != format_numbers(value):
            lines += _beside(f"  {label} = ", value, f" ({passes.nodes[i].kind})")
    for number, visit in enumerate(passes.visits, 1):
        lines += _beside(f"  {number}. {_equation(visit)} = ", visit.value)
        indent = " " * len(f"  {number}. ")
        for name, weight in weights_of(passes.nodes[visit.node]).items():
            lines += _beside(f"{indent}{name} = ", weight)
    lines.append("")
    starts: list[str | Array] = []
    for i, start in passes.starts.items():
        lead = ", " if starts else "Backward, from "
        starts += [f"{lead}{_gradient(passes.labels[i])} = ", start]
    lines += _beside(*starts)
    for number, visit in enumerate(reversed(passes.visits), 1):
        lines += _beside(f"  {number}. ", _lines(visit))
    text = "\n".join(line.rstrip() for line in lines)
    return f"{text}\n\n{_LEGEND}" if any(sign in text for sign in _SIGNS[1:5:2]) else text


def _lines(visit: Visit) -> list[str]:
    """Return the backward pass of one operation."""
    note = visit.description.note
    lines = [_equation(visit) + (f" ({note})" if note else "")]
    lines += _beside(f"incoming gradient: {_gradient(visit.label)} = ", visit.grad)
    for contribution in visit.contributions:
        inner = _contribution_lines(visit, contribution)
        lines += _beside(f"to {contribution.part.label}: ", inner)
    for part in visit.weights:
        inner = [*_sent(part, "adds"), *_sum_lines(part)]
        lines += _beside(f"to {part.label}: ", inner)
    return lines


def _contribution_lines(visit: Visit, contribution: Contribution) -> list[str]:
    """Return the local derivative, the product and the sum for one parent."""
    formula, local, part = contribution.derivative.text, contribution.local, contribution.part
    by = partial(visit.label, part.label).text
    sign = visit.description.product
    relation = ": factor" if sign == "@" else " ="
    start = f"local derivative {by}{relation} {formula}"
    if local.factor is None:
        lines = [f"{start}, of shape {local.shape}"]
    elif local.factor.ndim == 0 and formula.replace("−", "-") == format_number(local.factor):
        lines = [start]
    else:
        lines = _beside(f"{start} = ", local.factor)
    factors = local.terms if all(map(is_small, local.terms)) else ()
    product = [part for factor in factors for part in (factor, f" {sign} ")][:-1]
    summed = ", summed over the axes in which it was broadcast" if local.is_summed else ""
    return [*lines, *_sent(part, "sent", product, summed), *_sum_lines(part)]


def _sent(
    part: Part, verb: str, product: Sequence[str | Array] = (), summed: str = ""
) -> list[str]:
    """Return the formula and the numbers of a gradient."""
    formula = f"{verb} {part.formula.text} = " if part.formula else f"{verb} "
    return _beside(formula, *product, *[" = "] * bool(product), part.value, summed)


def _sum_lines(part: Part) -> list[str]:
    """Return a sentence on the sum of the gradients of a parent or a parameter."""
    so_far = "" if part.is_last else " so far"
    total: list[str | Array] = [f"{_gradient(part.label)} = ", part.total, so_far]
    if part.before is None:
        return _beside(*total)
    return _beside("added to ", part.before, f" from {part.earlier}: total ", *total)


def _beside(*parts: str | Array | list[str]) -> list[str]:
    """Return the lines of several parts that stand side by side, their first lines in a row."""
    blocks = [_block(part) for part in parts]
    widths = [max(map(len, block)) for block in blocks]
    return [
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip_longest(*blocks, fillvalue="")
    ]


def _block(part: str | Array | list[str]) -> list[str]:
    """Return a part as lines of text."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, list):
        return part
    if part.ndim < 2 and 0 < part.size <= MAX_SIDE:
        numbers = [format_number(number) for number in part.reshape(-1).tolist()]
        return [f"[{', '.join(numbers)}]" if part.ndim else numbers[0]]
    if not is_small(part):
        levels = heat_levels(pooled(part, _MAP_ROWS, _MAP_COLUMNS), 2) + 2
        return [summary(part), *["".join(_SIGNS[level] for level in row) for row in levels]]
    if part.ndim == 2:
        return _matrix(part)
    slices = [_beside(f"{list(i)} ", part[i]) for i in np.ndindex(part.shape[:-2])]
    return [line for lines in slices for line in lines]


def _matrix(matrix: Array) -> list[str]:
    """Return a matrix in brackets."""
    columns = [[format_number(number) for number in column] for column in matrix.T.tolist()]
    widths = [max(map(len, column)) for column in columns]
    rows = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in zip(*columns, strict=True)
    ]
    if len(rows) == 1:
        return [f"[ {rows[0]} ]"]
    left, right = "⎡" + "⎢" * (len(rows) - 2) + "⎣", "⎤" + "⎥" * (len(rows) - 2) + "⎦"
    return [f"{a} {row} {b}" for a, row, b in zip(left, rows, right, strict=True)]


def _equation(visit: Visit) -> str:
    return f"{visit.label} = {visit.description.value.text}"


def _gradient(label: str) -> str:
    return partial("ℓ", label).text
