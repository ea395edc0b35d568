"""What each operation does, in words that a drawing can show: a symbol and its formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nnlayers.drawing.formulas import Formula, simplified
from nnlayers.layer import Layer
from nnlayers.layers import activations, arithmetic, elementary, noise, rectifiers, shaping
from nnlayers.layers.affine import Affine
from nnlayers.layers.operation import Elementwise, is_pure
from nnlayers.layers.reductions import Mean, Sum
from nnlayers.layers.softmax import LogSoftmax, Softmax
from nnlayers.numerics import Array

__all__ = ["Description", "describe", "local_derivatives", "symbol"]


class Description(NamedTuple):
    """An operation as a drawing shows it.

    Attributes
    ----------
    symbol : str
        A short label, such as ``+`` or ``Affine(3, 2)``.
    value : Formula
        What it makes of its inputs.
    derivatives : tuple of Formula
        The local derivative with respect to each input, which is multiplied entry by entry; empty
        for an operation that has none of this kind.
    sent : tuple of Formula
        What goes back to each input, the gradient that comes in included.
    note : str
        What the formulas leave open; may be empty.
    """

    symbol: str
    value: Formula
    derivatives: tuple[Formula, ...]
    sent: tuple[Formula, ...]
    note: str


class _Entry(NamedTuple):
    """The formulas in the letters x, or a and b, for the inputs, y for the value, g for dl/dy.

    Other names in them are attributes of the layer that are numbers.
    """

    symbol: str
    value: str
    derivatives: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    note: str = ""


_NUMBERS = ("alpha", "beta", "exponent", "negative_slope", "scale")
_SAME = "the same numbers in the shape of the input"
_DOT_PRODUCT = _Entry("@", "a @ b", ("b", "a"))
_TABLE: dict[type[Layer], _Entry] = {
    arithmetic.Add: _Entry("+", "a + b", ("1", "1")),
    arithmetic.Subtract: _Entry("−", "a - b", ("1", "-1")),
    arithmetic.Multiply: _Entry("×", "a * b", ("b", "a")),
    arithmetic.Divide: _Entry("/", "a / b", ("1 / b", "-(a / b**2)")),
    arithmetic.MatMul: _Entry("@", "a @ b", sent=("g @ b.T", "a.T @ g")),
    arithmetic.Maximum: _Entry(
        "max",
        "max(a, b)",
        ("one(a > b) + one(a == b) / 2", "one(b > a) + one(a == b) / 2"),
        note="where both are equal, each gets half",
    ),
    elementary.Exp: _Entry("exp", "exp(x)", ("exp(x)",)),
    elementary.Log: _Entry("log", "log(x)", ("1 / x",)),
    elementary.Negative: _Entry("−x", "-x", ("-1",)),
    elementary.Reciprocal: _Entry("1/x", "1 / x", ("-(1 / x**2)",)),
    elementary.Square: _Entry("x²", "x**2", ("2 * x",)),
    elementary.Sqrt: _Entry("√x", "sqrt(x)", ("1 / (2 * sqrt(x))",)),
    elementary.Power: _Entry("", "x**exponent", ("exponent * x**(exponent - 1)",)),
    activations.Identity: _Entry("", "x", ("1",)),
    activations.Sigmoid: _Entry("", "1 / (1 + exp(-x))", ("y * (1 - y)",)),
    activations.Tanh: _Entry("", "tanh(x)", ("1 - y**2",)),
    activations.Softplus: _Entry(
        "", "log(1 + exp(beta * x)) / beta", ("exp(beta * x) / (1 + exp(beta * x))",)
    ),
    activations.Softsign: _Entry("", "x / (1 + abs(x))", ("1 / (1 + abs(x))**2",)),
    activations.HardTanh: _Entry("", "min(max(x, -1), 1)", ("one(-1 < x < 1)",)),
    rectifiers.ReLU: _Entry("", "max(x, 0)", ("one(x > 0)",)),
    rectifiers.LeakyReLU: _Entry(
        "", "x if x > 0 else negative_slope * x", ("1 if x > 0 else negative_slope",)
    ),
    rectifiers.ELU: _Entry(
        "", "x if x > 0 else alpha * (exp(x) - 1)", ("1 if x > 0 else alpha * exp(x)",)
    ),
    rectifiers.SELU: _Entry(
        "",
        "scale * (x if x > 0 else alpha * (exp(x) - 1))",
        ("scale * (1 if x > 0 else alpha * exp(x))",),
    ),
    rectifiers.GELU: _Entry(
        "",
        "x * Phi(x)",
        ("Phi(x) + x * phi(x)",),
        note="Φ is the normal distribution, φ its density",
    ),
    rectifiers.SiLU: _Entry(
        "",
        "x * sigma(x)",
        ("sigma(x) + x * sigma(x) * (1 - sigma(x))",),
        note="σ(x) = 1 / (1 + exp(−x))",
    ),
    rectifiers.Mish: _Entry(
        "",
        "x * tanh(softplus(x))",
        ("tanh(softplus(x)) + x * sigma(x) * (1 - tanh(softplus(x))**2)",),
        note="softplus(x) = log(1 + exp(x)), σ its derivative",
    ),
    Softmax: _Entry("", "exp(x) / sum(exp(x))", sent=("y * (g - sum(g * y))",)),
    LogSoftmax: _Entry("", "x - log(sum(exp(x)))", sent=("g - exp(y) * sum(g)",)),
    Sum: _Entry("", "sum(x)", sent=("g",), note="every entry that was added up gets it"),
    Mean: _Entry(
        "", "sum(x) / n", sent=("g / n",), note="each of the n entries averaged gets its share"
    ),
    shaping.Reshape: _Entry("", "reshape(x)", sent=("g",), note=_SAME),
    shaping.Flatten: _Entry("", "flatten(x)", sent=("g",), note=_SAME),
    shaping.Concatenate: _Entry(
        "", "concatenate(*inputs)", sent=("part(g)",), note="each input gets its part"
    ),
    noise.Dropout: _Entry(
        "", "m * x", sent=("m * g",), note="m is 0 where x was dropped, else 1 / (1 − rate)"
    ),
    noise.GaussianNoise: _Entry("", "x + n", sent=("g",), note="n was drawn by chance"),
    Affine: _Entry("", "x @ W + b", sent=("g @ W.T",), note="W and b are the layer's weights"),
}


def describe(
    layer: Layer,
    names: Sequence[str] = (),
    output: str = "y",
    shapes: Sequence[tuple[int, ...]] = (),
) -> Description:
    """Return how to label an operation, and its formulas in the names given.

    Parameters
    ----------
    layer : Layer
        One of the library's or of a user's.
    names : sequence of str, optional
        Those of its inputs.
    output : str
        That of its value.
    shapes : sequence of tuple of int, optional
        Of its inputs: a product of two vectors has a derivative, one of matrices has not.

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
    entry = _entry(layer, shapes)
    letters = {1: ["x"], 2: ["a", "b"]}.get(len(names), [f"x{i}" for i in range(len(names))])
    called = entry.symbol or _written(layer)
    known = dict(zip(letters, names, strict=True)) | {"y": output, "f": called}
    settings = {name: getattr(layer, name, None) for name in _NUMBERS}
    numbers = {name: value for name, value in settings.items() if isinstance(value, float)}
    count = max(len(names), len(entry.derivatives), len(entry.sent))

    def formula(expression: str) -> Formula:
        expression = expression.replace("*inputs", ", ".join(letters))
        return Formula(simplified(expression, numbers), known)

    derivatives = entry.derivatives
    sent = entry.sent or [f"g * ({derivative})" for derivative in derivatives]
    return Description(
        called,
        formula(entry.value),
        tuple([formula(derivative) for derivative in derivatives]),
        tuple([formula(sent[i % len(sent)]) for i in range(count)]),
        entry.note,
    )


def symbol(layer: Layer) -> str:
    """Return the label of an operation alone, without its formulas.

    Examples
    --------
    >>> import nnlayers as nn
    >>> symbol(nn.MatMul()), symbol(nn.Affine(3, 2))
    ('@', 'Affine(3, 2)')
    """
    return _entry(layer, ()).symbol or _written(layer)


def local_derivatives(layer: Layer, inputs: Sequence[Array], y: Array) -> tuple[Array, ...]:
    """Return the numbers of the derivatives that :func:`describe` has formulas for.

    Each has the shape of `y`, or that of the other vector in a product of two vectors.

    Examples
    --------
    >>> import nnlayers as nn
    >>> a, b = np.array([2.0, 3.0]), np.array(4.0)
    >>> local_derivatives(nn.Multiply(), [a, b], a * b)
    (array([4., 4.]), array([2., 3.]))
    """
    entry: Any = _entry(layer, [x.shape for x in inputs])
    operation: Any = layer
    if not entry.derivatives:
        return ()
    if entry is not _DOT_PRODUCT:
        inputs = [np.broadcast_to(x, y.shape) for x in inputs]
    with np.errstate(all="ignore"):
        _, kept = operation.compute(*operation.taken(tuple(inputs)))
        gradients = operation.gradients(np.ones(y.shape, y.dtype)[()], kept)
    return tuple([np.array(g) for g in (gradients if len(inputs) > 1 else [gradients])])


def _entry(layer: Layer, shapes: Sequence[tuple[int, ...]]) -> _Entry:
    if isinstance(layer, arithmetic.MatMul) and [len(shape) for shape in shapes] == [1, 1]:
        return _DOT_PRODUCT
    if isinstance(layer, noise.Noise) and not layer.training:
        return _TABLE[activations.Identity]
    if type(layer) in _TABLE:  # a subclass may compute something else
        return _TABLE[type(layer)]
    if isinstance(layer, Elementwise) and is_pure(layer):
        return _Entry("", "f(x)", ("derivative(x)",), note="entry by entry")
    note = f"J is the Jacobian of {_written(layer)}"
    return _Entry("", "f(*inputs)", sent=("J.T @ g",), note=note)


def _written(layer: Layer) -> str:
    """Return how a layer writes itself, or its class where that is long."""
    written = " ".join(repr(layer).split()).removesuffix("()")
    return written if len(written) <= 32 else type(layer).__name__
