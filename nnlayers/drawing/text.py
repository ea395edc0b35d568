"""Explanations of graphs as text: the chain rule, step by step, with its numbers."""

from __future__ import annotations

from nnlayers.drawing.diagram import Diagram
from nnlayers.drawing.trace import Contribution, Visit, partial, trace

__all__ = ["explain"]


def explain(diagram: Diagram) -> str:
    """Explain a graph's last forward and backward pass as numbered text.

    Each step of the backward pass has the incoming gradient, and for each input the local
    derivative, as a formula and in numbers, their product, and the sum if the input is used more
    than once.

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
    passes = trace(diagram, "explain")
    lines = ["Forward"]
    for i in passes.leaves():
        label, value = passes.labels[i], passes.values[i]
        if label != value:  # The label of a number in an expression is the number.
            lines.append(f"  {label} = {value} ({passes.nodes[i].kind})")
    for number, visit in enumerate(passes.visits, 1):
        lines.append(f"  {number}. {_equation(visit)} = {visit.value}")
    starts = [f"{_gradient(passes.labels[i])} = {start}" for i, start in passes.starts.items()]
    lines += ["", f"Backward, from {', '.join(starts)}"]
    for number, visit in enumerate(reversed(passes.visits), 1):
        first, *rest = _lines(visit)
        indent = " " * len(f"  {number}. ")
        lines += [f"  {number}. {first}", *[indent + line for line in rest]]
    return "\n".join(lines)


def _lines(visit: Visit) -> list[str]:
    """Return the backward pass of one operation."""
    note = visit.description.note
    lines = [_equation(visit) + (f" ({note})" if note else "")]
    lines.append(f"incoming gradient: {_gradient(visit.label)} = {visit.grad}")
    for contribution in visit.contributions:
        start = f"to {contribution.label}: "
        first, *rest = _contribution_lines(visit, contribution)
        lines += [start + first, *[" " * len(start) + line for line in rest]]
    return lines


def _contribution_lines(visit: Visit, contribution: Contribution) -> list[str]:
    """Return the local derivative, the product and the sum for one parent."""
    formula, local = contribution.derivative.text, contribution.local
    by = partial(visit.label, contribution.label).text
    relation = ": factor" if visit.description.product == "@" else " ="
    numbers = "" if local.numbers == formula.replace("−", "-") else f" = {local.numbers}"
    product = f"{local.product} = " if local.product else ""
    summed = ", summed over the axes in which it was broadcast" if local.is_summed else ""
    return [
        f"local derivative {by}{relation} {formula}{numbers}",
        f"sent {contribution.formula.text} = {product}{contribution.value}{summed}",
        contribution.sum_text(),
    ]


def _equation(visit: Visit) -> str:
    return f"{visit.label} = {visit.description.value.text}"


def _gradient(label: str) -> str:
    return partial("ℓ", label).text
