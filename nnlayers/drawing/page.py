"""Pages that step through a graph: forward along its values, back along its gradients."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from string import Template

from nnlayers._core.files import write_file
from nnlayers.drawing.diagram import Diagram
from nnlayers.drawing.formulas import Expression
from nnlayers.drawing.picture import Schedule, to_svg
from nnlayers.drawing.trace import Contribution, Trace, Visit, partial, trace

__all__ = ["to_html"]


def to_html(diagram: Diagram, path: str | os.PathLike[str]) -> None:
    """Write a page that steps through a graph's last forward and backward pass.

    It is one file, and needs nothing but a browser.

    Parameters
    ----------
    diagram : Diagram
        A diagram that has run forward and backward, such as a :class:`~nnlayers.Graph`.
    path : path-like
        The file to write.

    Raises
    ------
    RuntimeError
        If the diagram has not run.
    OSError
        If the page cannot be written; the message names `path`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import nnlayers as nn
    >>> graph = nn.Graph(nn.exp(nn.Input("x")).named("y"))
    >>> graph.forward(0.0), graph.backward(1.0)
    (array(1.), array(1.))
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     to_html(graph, Path(directory, "graph.html"))
    ...     Path(directory, "graph.html").read_text(encoding="utf-8").splitlines()[0]
    '<!DOCTYPE html>'
    """
    passes = trace(diagram, "to_html")
    schedule = Schedule(passes)
    sections = [*_sections(passes)]
    template = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    labels = dict(zip(diagram.nodes, passes.labels, strict=True))
    inputs = ", ".join(labels[node] for node in diagram.inputs)
    outputs = ", ".join(passes.labels[i] for i in passes.starts)
    page = template.substitute(
        title=escape(f"{outputs} of {inputs}, step by step" if inputs else outputs),
        drawing=to_svg(passes, schedule),
        last=len(sections) - 1,
        steps="\n".join(sections),
    )
    # A name may hold half of a surrogate pair, which UTF-8 cannot encode.
    write_file(path, lambda file: file.write(page.encode("utf-8", "xmlcharrefreplace")))


def _sections(passes: Trace) -> Iterator[str]:
    """Yield the text of each step."""
    last = 2 * len(passes.visits) + 1
    leaves = [
        _row(passes.nodes[i].kind, _leaf_value(passes.labels[i], passes.values[i]))
        for i in passes.leaves()
    ]
    yield _section(0, last, "given values", "forward", _list(leaves))
    for step, visit in enumerate(passes.visits, 1):
        rows = [_row("inputs", _inputs(visit)), _row("value", _value(visit))]
        yield _section(step, last, f"forward, {visit.label}", "forward", _list(rows))
    starts = [
        _row(
            "given to backward",
            _equation([_gradient(passes.labels[i])], start, "gradient incoming"),
        )
        for i, start in passes.starts.items()
    ]
    start = len(passes.visits) + 1
    yield _section(start, last, "the backward pass starts", "backward", _list(starts))
    for step, visit in enumerate(reversed(passes.visits), start + 1):
        yield _section(step, last, f"backward, {visit.label}", "backward", _backward(visit))


def _section(step: int, last: int, title: str, direction: str, content: str) -> str:
    heading = f"<h2>Step {step} of {last}: {escape(title)}</h2>"
    return f'<section id="step-{step}" class="{direction}">{heading}{content}</section>'


def _backward(visit: Visit) -> str:
    """Return the backward pass of one operation."""
    incoming = _equation([_gradient(visit.label)], visit.grad, "gradient incoming")
    rows = [
        _row("inputs", _inputs(visit)),
        _row("value", _value(visit)),
        _row("incoming gradient", incoming),
    ]
    note = visit.description.note
    if note:
        rows.append(_row("note", escape(note)))
    return _list(rows) + "".join(
        _contribution_section(visit, contribution) for contribution in visit.contributions
    )


def _contribution_section(visit: Visit, contribution: Contribution) -> str:
    """Return the local derivative, the product and the sum for one parent."""
    local = contribution.local
    by = partial(visit.label, contribution.label)
    if visit.description.product == "@":
        derivative = f"<math>{by.mathml}</math>: factor "
        derivative += _equation([contribution.derivative], local.numbers, "factor")
    else:
        derivative = _equation([by, contribution.derivative], local.numbers, "factor")
    result = _equation([contribution.formula], contribution.value, "gradient sent", local.product)
    if local.is_summed:
        result += " summed over the axes in which it was broadcast"
    rows = [_row("local derivative", derivative), _row("result", result)]
    if contribution.earlier:
        before = _number(contribution.before, "gradient")
        rows.append(_row("sum", f"added to {before} from {escape(contribution.earlier)}"))
    so_far = "" if contribution.is_last else ", and more to come"
    total = _equation([_gradient(contribution.label)], contribution.total, "gradient total")
    rows.append(_row("total", total + so_far))
    return f"<h3>To {escape(contribution.label)}</h3>{_list(rows)}"


def _inputs(visit: Visit) -> str:
    # Each input appears once, and a number that is its own label does not appear.
    inputs = dict(visit.inputs)
    return ", ".join(
        _equation([_variable(name)], value, "value input")
        for name, value in inputs.items()
        if name != value
    )


def _leaf_value(label: str, value: str) -> str:
    if label == value:
        return _number(value, "value input")
    return _equation([_variable(label)], value, "value input")


def _value(visit: Visit) -> str:
    sides = [_variable(visit.label), visit.description.value]
    return _equation(sides, visit.value, "value result")


def _equation(sides: list[Expression], number: str, role: str, product: str = "") -> str:
    """Return equal expressions, then the product of numbers if there is one, then the number."""
    content = "<mo>=</mo>".join(f"<mrow>{side.mathml}</mrow>" for side in sides)
    between = f"{_number(product, 'product')} = " if product else ""
    return f"<math>{content}<mo>=</mo></math> {between}{_number(number, role)}"


def _number(number: str, role: str) -> str:
    return f'<span class="number {role}">{escape(number)}</span>'


def _variable(name: str) -> Expression:
    return Expression("u", {"u": name})


def _gradient(label: str) -> Expression:
    return partial("ℓ", label)


def _row(term: str, content: str) -> str:
    return f"<dt>{escape(term.capitalize())}</dt><dd>{content}</dd>"


def _list(rows: list[str]) -> str:
    return f"<dl>{''.join(rows)}</dl>"
