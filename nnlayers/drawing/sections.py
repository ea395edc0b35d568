"""The steps of a page: formulas, and for each array an element that the page fills."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from nnlayers._core.arrays import Array
from nnlayers.drawing.arrays import format_numbers, format_shape
from nnlayers.drawing.formulas import Expression
from nnlayers.drawing.operations import input_letters
from nnlayers.drawing.trace import Contribution, Part, Trace, Visit, partial

__all__ = ["sections"]


def sections(passes: Trace) -> Iterator[str]:
    """Yield the HTML of each step.

    An element with ``data-array`` has the key of its array, see
    :func:`~nnlayers.drawing.program.page_data`, and the numbers of a small one as text.
    """
    return _Writer(passes).sections()


class _Writer:
    """The sections of one page."""

    def __init__(self, passes: Trace) -> None:
        self.passes = passes
        self.last = 2 * len(passes.visits) + 1
        self.weight_keys = {weight: f"p{number}" for number, weight in enumerate(passes.weights)}
        # A number that is its own label is no link.
        links = {label: i for i, label in enumerate(passes.labels)}
        self.links = {label: i for label, i in links.items() if not self._is_number(i)}

    def _is_number(self, index: int) -> bool:
        """Return whether the label of a node is the number that it holds."""
        node, value = self.passes.nodes[index], self.passes.values[index]
        return node.kind == "constant" and self.passes.labels[index] == format_numbers(value)

    def sections(self) -> Iterator[str]:
        """Yield the sections in the order of the steps."""
        passes = self.passes
        leaves = [_row(passes.nodes[i].kind, self._given(i)) for i in passes.leaves()]
        yield self._section(0, "given values", "forward", _list(leaves))
        for step, visit in enumerate(passes.visits, 1):
            rows = [_row("inputs", self._inputs(visit)), *self._weights(visit)]
            rows.append(self._value(visit, self._matrix_factors(visit)))
            yield self._section(step, f"forward, {visit.label}", "forward", _list(rows), visit.node)
        start = len(passes.visits) + 1
        starts = [
            self._equation([self._gradient(i)], f"s{i}", array, "gradient incoming")
            for i, array in passes.starts.items()
        ]
        rows = [_row("given to backward", equation) for equation in starts]
        yield self._section(start, "the backward pass starts", "backward", _list(rows))
        for step, visit in enumerate(reversed(passes.visits), start + 1):
            content = self._backward(visit)
            yield self._section(step, f"backward, {visit.label}", "backward", content, visit.node)

    def _section(
        self, step: int, title: str, direction: str, content: str, node: int | None = None
    ) -> str:
        heading = f"<h2>Step {step} of {self.last}: {escape(title)}</h2>"
        body = f'<div class="cards">{content}</div>'
        # Hidden ones cost no layout until they are shown.
        attributes = " hidden" if step else ""
        attributes += "" if node is None else f' data-active="{node}"'
        return (
            f'<section id="step-{step}" class="{direction}"{attributes}>{heading}{body}</section>'
        )

    def _given(self, index: int) -> str:
        label, value = self.passes.labels[index], self.passes.values[index]
        if self._is_number(index):
            return _array(f"v{index}", value, "value input")
        return self._equation([self._variable(label)], f"v{index}", value, "value input")

    def _inputs(self, visit: Visit) -> str:
        # Each input appears once, and a number that is its own label does not appear.
        parents = dict.fromkeys(self.passes.parents[visit.node])
        texts = [self._given(index) for index in parents if not self._is_number(index)]
        return "".join(f'<span class="part">{text}</span>' for text in texts)

    def _value(self, visit: Visit, factors: str = "") -> str:
        """Return the formula of the value with its number, and the factors of a matrix product."""
        sides = [self._variable(visit.label), self._mathml(visit.description.value)]
        key = f"v{visit.node}"
        return _row("value", self._equation(sides, key, visit.value, "value result", factors))

    def _matrix_factors(self, visit: Visit) -> str:
        """Return the numbers of the factors of a product of matrices, and of what is added."""
        names = re.fullmatch(r"(\w+) @ (\w+)(?: \+ (\w+))?", visit.description.value.expression)
        if not names:
            return ""
        parents = self.passes.parents[visit.node]
        known = {
            letter: (f"v{parent}", self.passes.values[parent])
            for letter, parent in zip(input_letters(len(parents)), parents, strict=True)
        }
        for key, name, weight in self._parameters(visit):
            known.setdefault(name, (key, weight))
        (left, x), (right, W), *added = [known[name] for name in names.groups() if name]
        row = (1, *x.shape) if x.ndim == 1 else x.shape
        column = (*W.shape, 1) if W.ndim == 1 else W.shape
        text = _array(left, x, "product", row) + _array(right, W, "product", column)
        sums = [f'<span class="sign">+</span>{_array(*b, "product")}' for b in added]
        return _factors("@", text + "".join(sums))

    def _parameters(self, visit: Visit) -> list[tuple[str, str, Array]]:
        """Return the keys, names and numbers of the parameters of a layer."""
        layer = self.passes.nodes[visit.node].layer
        weights = layer.named_parameters().items() if layer else ()
        return [(self.weight_keys[id(weight)], name, weight.value) for name, weight in weights]

    def _weights(self, visit: Visit) -> list[str]:
        return [
            _row("parameter", self._equation([self._variable(name)], key, weight, "value weight"))
            for key, name, weight in self._parameters(visit)
        ]

    def _backward(self, visit: Visit) -> str:
        """Return the backward pass of one operation."""
        incoming = [self._gradient(visit.node)]
        rows = [
            _row("inputs", self._inputs(visit)),
            self._value(visit),
            _row(
                "incoming gradient",
                self._equation(incoming, f"g{visit.node}", visit.grad, "gradient incoming"),
            ),
        ]
        note = visit.description.note
        if note:
            rows.append(_row("note", escape(note)))
        return _list(rows) + "".join(
            [self._contribution(visit, contribution) for contribution in visit.contributions]
            + [self._weight(visit, number, part) for number, part in enumerate(visit.weights)]
        )

    def _contribution(self, visit: Visit, contribution: Contribution) -> str:
        """Return the local derivative, the product and the sum for one parent."""
        local, part = contribution.local, contribution.part
        key = f"{visit.node}.{contribution.slot}"
        formula = self._mathml(contribution.derivative)
        by = self._mathml(partial(visit.label, part.label))
        is_matrix_product = visit.description.product == "@"
        sides = [formula] if is_matrix_product else [by, formula]
        if local.factor is None:
            shape = format_shape(local.shape)
            derivative = f"<math>{by}<mo>=</mo>{formula}</math>, of shape {shape}"
        else:
            derivative = self._equation(sides, f"d{key}", local.factor, "factor")
        if is_matrix_product:
            derivative = f"<math>{by}</math>: factor {derivative}"
        rows = [_row("local derivative", derivative)]
        factors = self._factors(visit, contribution)
        rows += self._sent(part, "", key, factors, local.is_summed)
        return _card(f"To {part.label}", rows)

    def _factors(self, visit: Visit, contribution: Contribution) -> str:
        """Return the numbers of the incoming gradient times the derivative."""
        local, sign = contribution.local, visit.description.product
        keys = [f"g{visit.node}", f"d{visit.node}.{contribution.slot}"]
        if local.terms and local.terms[0] is local.factor:
            keys.reverse()
        shown = [
            _array(key, term, "product", term.shape)
            for key, term in zip(keys, local.terms, strict=False)
        ]
        between = '<span class="sign">×</span>' if sign == "×" else ""
        return _factors(sign, between.join(shown)) if shown else ""

    def _weight(self, visit: Visit, number: int, part: Part) -> str:
        """Return the gradient of a parameter."""
        rows = self._sent(part, "w", f"{visit.node}.{number}")
        return _card(f"To {part.label}", rows)

    def _sent(
        self, part: Part, prefix: str, key: str, factors: str = "", is_summed: bool = False
    ) -> list[str]:
        """Return the gradient that is sent, as a formula and in numbers, and the sum."""
        by = self._mathml(partial("ℓ", part.label))
        sides = [self._mathml(part.formula)] if part.formula else []
        summed = " summed over the axes in which it was broadcast" if is_summed else ""
        if part.before is None and part.is_last:
            role, keys = "gradient sent total", f"{prefix}c{key}"
            equation = self._equation([by, *sides], keys, part.value, role, factors)
            return [_row("gradient", equation + summed)]
        sent = self._equation(sides, f"{prefix}c{key}", part.value, "gradient sent", factors)
        rows = [_row("part", sent + summed)]
        if part.before is not None:
            before = _array(f"{prefix}b{key}", part.before, "gradient")
            rows.append(_row("sum", f"added to {before} from {escape(part.earlier)}"))
        so_far = "" if part.is_last else ", and more to come"
        total = self._equation([by], f"{prefix}t{key}", part.total, "gradient total")
        return [*rows, _row("total", total + so_far)]

    def _equation(
        self, sides: Sequence[str], key: str, array: Array, role: str, factors: str = ""
    ) -> str:
        """Return equal expressions, then the product of numbers if there is one, and the number."""
        content = "<mo>=</mo>".join(f"<mrow>{side}</mrow>" for side in sides)
        formula = f'<span class="formula"><math>{content}<mo>=</mo></math></span>' if sides else ""
        equals = '<span class="sign">=</span>'
        product = f"{factors}{equals}" if factors else ""
        return f'<span class="equation">{formula} {product}{_array(key, array, role)}</span>'

    def _mathml(self, expression: Expression) -> str:
        return expression.linked_mathml(self.links)

    def _variable(self, name: str) -> str:
        return self._mathml(Expression("u", {"u": name}))

    def _gradient(self, index: int) -> str:
        return self._mathml(partial("ℓ", self.passes.labels[index]))


def _factors(sign: str, content: str) -> str:
    return f'<span class="factors" data-sign="{sign}">{content}</span>'


def _array(key: str, array: Array, role: str, shape: Sequence[int] | None = None) -> str:
    """Return the element of an array, with its numbers if they are few."""
    other = f' data-shape="{" ".join(map(str, shape))}"' if shape is not None else ""
    text = escape(format_numbers(array))
    return f'<span class="number {role}" data-array="{key}"{other}>{text}</span>'


def _card(title: str, rows: list[str]) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3>{_rows(rows)}</div>'


def _list(rows: list[str]) -> str:
    return f'<div class="card">{_rows(rows)}</div>'


def _rows(rows: list[str]) -> str:
    return f"<dl>{''.join(rows)}</dl>"


def _row(term: str, content: str) -> str:
    return f"<dt>{escape(term.capitalize())}</dt><dd>{content}</dd>"
