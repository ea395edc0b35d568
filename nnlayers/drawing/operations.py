"""Operations as drawings show them: a symbol, formulas, and the numbers of local derivatives."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.formula import Formula
from nnlayers.drawing.arrays import MAX_SIDE
from nnlayers.drawing.diagram import Diagram
from nnlayers.drawing.formulas import Expression, names_in, simplify
from nnlayers.layer import Layer

__all__ = [
    "DrawnFormula",
    "LocalDerivative",
    "describe",
    "input_letters",
    "local_derivatives",
    "symbol",
]

_MAX_LABEL = 32


class DrawnFormula(NamedTuple):
    """The formulas of an operation, in the names of a diagram's nodes.

    Attributes
    ----------
    symbol : str
        A short label, such as ``+`` or ``Affine(3, 2)``.
    value : Expression
        The value.
    derivatives : tuple of Expression
        The local derivative with respect to each input.
    product : {"×", "@", ""}
        The product of the incoming gradient and the derivative: entry by entry, of matrices, or
        neither.
    sent : tuple of Expression
        The gradient that each input gets.
    is_jacobian : bool
        Whether the derivative is a full Jacobian.
    weights : dict of str to Expression
        The gradients of the layer's parameters.
    note : str
        An explanation of what the formulas leave open; may be empty.
    """

    symbol: str
    value: Expression
    derivatives: tuple[Expression, ...]
    product: str
    sent: tuple[Expression, ...]
    is_jacobian: bool
    weights: dict[str, Expression]
    note: str

    def weight(self, name: str) -> Expression | None:
        """Return the gradient of a parameter, or of one in a list such as ``W.0``."""
        return self.weights.get(name) or self.weights.get(name.partition(".")[0])


class LocalDerivative(NamedTuple):
    """The numbers of a local derivative, and its product with the incoming gradient.

    Attributes
    ----------
    factor : ndarray or None
        The derivative; None for a Jacobian that is too large, or one of random results.
    shape : tuple of int
        Its shape.
    terms : tuple of ndarray
        The incoming gradient and the derivative, in the order in which they are multiplied; empty
        if the gradient is not a product of these two.
    is_summed : bool
        Whether the product was summed over axes in which the input was broadcast.
    """

    factor: Array | None
    shape: tuple[int, ...]
    terms: tuple[Array, ...] = ()
    is_summed: bool = False


def describe(
    layer: Layer,
    names: Sequence[str] = (),
    output: str = "y",
    shapes: Sequence[tuple[int, ...]] = (),
) -> DrawnFormula:
    """Return the label of an operation, and its formulas in the names of its inputs and output.

    Parameters
    ----------
    layer : Layer
        A layer of the library or of a user.
    names : sequence of str, optional
        The names of the inputs.
    output : str
        The name of the output.
    shapes : sequence of tuple of int, optional
        The shapes of the inputs: ``@`` of two vectors has another formula than that of matrices.

    Raises
    ------
    ValueError
        If the layer's formula cannot be read.

    Examples
    --------
    >>> import nnlayers as nn
    >>> describe(nn.Multiply()).symbol
    '×'
    >>> exp = describe(nn.Exp(), ["d"], "c")
    >>> exp.value.text, exp.derivatives[0].text, exp.sent[0].text
    ('exp(d)', 'exp(d)', '∂ℓ/∂c × exp(d)')
    >>> product = describe(nn.MatMul(), ["W", "x"], "c")
    >>> product.sent[1].text
    'Wᵀ @ ∂ℓ/∂c'
    """
    formula = layer.formula_for(*shapes) or _jacobian_formula(layer)
    label = formula.symbol or _short_repr(layer)
    letters = input_letters(len(names))
    known = dict(zip(letters, names, strict=True)) | {"y": output, "f": label}
    count = max(len(names), len(formula.derivatives))

    def expression(source: str) -> Expression:
        source = source.replace("*inputs", ", ".join(letters))
        try:
            numbers = _numbers(layer, names_in(source) - {"g", *known})
            return Expression(simplify(source, numbers), known)
        except SyntaxError as error:
            raise ValueError(
                f"{layer!r}: cannot read the formula {source!r}: {error.msg}"
            ) from None

    def for_each_input(sources: Sequence[str]) -> tuple[Expression, ...]:
        return tuple([expression(sources[i % len(sources)]) for i in range(count)])

    gradient = "J.T @ g" if formula.is_jacobian else "g * ({})"
    return DrawnFormula(
        label,
        expression(formula.value),
        for_each_input(formula.derivatives),
        formula.product,
        for_each_input(formula.sent or [gradient.format(d) for d in formula.derivatives]),
        formula.is_jacobian,
        {name: expression(source) for name, source in formula.parameters.items()},
        formula.note,
    )


def symbol(layer: Layer) -> str:
    """Return the label of an operation alone, without its formulas.

    Examples
    --------
    >>> import nnlayers as nn
    >>> symbol(nn.MatMul()), symbol(nn.Affine(3, 2))
    ('@', 'Affine(3, 2)')
    """
    formula = layer.formula_for()
    return (formula.symbol if formula else "") or _short_repr(layer)


def input_letters(count: int) -> list[str]:
    """Return the names that a formula has for so many inputs."""
    return {1: ["x"], 2: ["a", "b"]}.get(count) or [f"x{i}" for i in range(count)]


def _numbers(layer: Layer, names: set[str]) -> dict[str, float]:
    """Return the attributes of the layer, among some names, that are numbers."""
    attributes = {name: getattr(layer, name, None) for name in names}
    return {
        name: float(value)
        for name, value in attributes.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _jacobian_formula(layer: Layer) -> Formula:
    return Formula("f(*inputs)", note=f"J is the Jacobian of {_short_repr(layer)}")


def _short_repr(layer: Layer) -> str:
    """Return the representation of a layer, or its class if that is long."""
    text = " ".join(repr(layer).split()).removesuffix("()")
    return text if len(text) <= _MAX_LABEL else type(layer).__name__


def local_derivatives(
    diagram: Diagram,
    index: int,
    description: DrawnFormula,
    inputs: Sequence[Array],
    grad: Array,
) -> list[LocalDerivative]:
    """Return the numbers of the derivatives in the description of a node.

    Parameters
    ----------
    diagram : Diagram
        A diagram that has run forward and backward.
    index : int
        The index of the node, which is an operation.
    description : DrawnFormula
        Its formulas for inputs of these shapes.
    inputs : sequence of ndarray
        The values of its parents.
    grad : ndarray
        The gradient of the node.

    Examples
    --------
    >>> import nnlayers as nn
    >>> graph = nn.Graph(nn.Input("a") * nn.Input("b"))
    >>> a, b, g = np.array([2.0, 3.0]), np.array(4.0), np.array([1.0, 10.0])
    >>> graph.forward(a, b), graph.backward(g)[1]
    (array([ 8., 12.]), array(32.))
    >>> description = describe(nn.Multiply(), ["a", "b"])
    >>> by_b = local_derivatives(graph, 2, description, [a, b], g)[1]
    >>> by_b.terms, by_b.is_summed
    ((array([ 1., 10.]), array([2., 3.])), True)
    """
    sent = diagram.contributions_at(index)
    if description.is_jacobian:
        return list(_jacobians(diagram, index, inputs, grad, sent))
    if description.product == "@":
        return list(_matrix_factors(diagram.nodes[index].layer, description, inputs, grad))
    factors = _entry_factors(diagram, index, inputs, grad)
    if not description.product:
        return [LocalDerivative(factor, factor.shape) for factor in factors]
    return [
        LocalDerivative(factor, factor.shape, (grad, factor), x.shape != factor.shape)
        for factor, x in zip(factors, inputs, strict=True)
    ]


def _entry_factors(
    diagram: Diagram, index: int, inputs: Sequence[Array], grad: Array
) -> Sequence[Array]:
    """Return the gradients for an incoming gradient of ones, before sums over broadcast axes."""
    ones = np.ones_like(grad)
    layer = diagram.nodes[index].layer
    if layer is None or not _are_broadcast(inputs, grad.shape):
        return diagram.contributions_at(index, ones)
    layer = copy.deepcopy(layer)
    with np.errstate(all="ignore"):
        layer.forward(*[np.broadcast_to(x, grad.shape) for x in inputs])
        return [np.asarray(gradient) for gradient in layer.backward(ones)]


def _are_broadcast(inputs: Sequence[Array], shape: tuple[int, ...]) -> bool:
    shapes = [x.shape for x in inputs]
    with suppress(ValueError):
        return len(set(shapes)) > 1 and np.broadcast_shapes(*shapes) == shape
    return False


def _matrix_factors(
    layer: Layer | None, description: DrawnFormula, inputs: Sequence[Array], grad: Array
) -> Iterator[LocalDerivative]:
    """Yield the other factors of a product of matrices, which the formulas name ``M.T``."""
    matrices = dict(zip(input_letters(len(inputs)), inputs, strict=True))
    formulas = zip(description.derivatives, description.sent, inputs, strict=True)
    for derivative, sent, x in formulas:
        name = derivative.expression.removesuffix(".T")
        matrix = matrices[name] if name in matrices else getattr(layer, name).value
        is_vector = matrix.ndim == 1
        if sent.expression.startswith("g"):
            # A vector on the right of a product is a column, and its transpose a row.
            factor = matrix[np.newaxis] if is_vector else matrix.swapaxes(-1, -2)
            terms = [grad[..., np.newaxis] if is_vector else grad, factor]
        else:
            factor = matrix[:, np.newaxis] if is_vector else matrix.swapaxes(-1, -2)
            terms = [factor, grad[..., np.newaxis, :] if is_vector else grad]
        batch = np.broadcast_shapes(*[term.shape[:-2] for term in terms])
        yield LocalDerivative(factor, factor.shape, tuple(terms), x.shape[:-2] != batch)


def _jacobians(
    diagram: Diagram, index: int, inputs: Sequence[Array], grad: Array, sent: Sequence[Array]
) -> Iterator[LocalDerivative]:
    """Yield the full derivatives that are small, and the shapes of the others."""
    for i, (x, gradient) in enumerate(zip(inputs, sent, strict=True)):
        shape = grad.shape + x.shape
        J = None
        if 0 < grad.size * x.size <= MAX_SIDE**2:
            # A user's layer may fail on another gradient.
            with suppress(TypeError, ValueError):
                J = _jacobian(diagram, index, i, grad).reshape(shape)
                # A layer with random results may have drawn other numbers now.
                if not np.allclose(np.tensordot(grad, J, grad.ndim), gradient):
                    J = None
        yield LocalDerivative(J, shape)


def _jacobian(diagram: Diagram, index: int, parent: int, grad: Array) -> Array:
    """Return the derivative by one parent, one row for each entry of the node."""
    rows = []
    for entry in np.ndindex(grad.shape):
        dout = np.zeros_like(grad)
        dout[entry] = 1
        rows.append(diagram.contributions_at(index, dout)[parent])
    return np.array(rows)
