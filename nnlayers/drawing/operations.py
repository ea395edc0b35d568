"""What each operation does, in words that a drawing can show: a symbol and its formulas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nnlayers.drawing.formulas import Formula, simplified
from nnlayers.layer import Layer
from nnlayers.layers import activations, arithmetic, elementary, noise, rectifiers, shaping
from nnlayers.layers.affine import Affine
from nnlayers.layers.operation import Elementwise, is_operation
from nnlayers.layers.reductions import Mean, Sum
from nnlayers.layers.softmax import LogSoftmax, Softmax

__all__ = ["Description", "describe", "symbol"]


class Description(NamedTuple):
    """An operation as a drawing shows it.

    Attributes
    ----------
    symbol : str
        A short label, such as ``+`` or ``Affine(3, 2)``.
    value : Formula
        What it makes of its inputs.
    derivatives : tuple of Formula
        The local derivative with respect to each input.
    product : str
        How it is multiplied: ``×`` entry by entry; ``@`` as the other factor of a product of
        matrices; empty where the formula of what is sent says how.
    sent : tuple of Formula
        What goes back to each input, the gradient that comes in included.
    note : str
        What the formulas leave open; may be empty.
    """

    symbol: str
    value: Formula
    derivatives: tuple[Formula, ...]
    product: str
    sent: tuple[Formula, ...]
    note: str


class _Entry(NamedTuple):
    """The formulas in the letters x, or a and b, for the inputs, y for the value, g for dl/dy.

    Other names in them are attributes of the layer that are numbers.
    """

    symbol: str
    value: str
    derivatives: tuple[str, ...]
    sent: tuple[str, ...] = ()
    product: str = "×"
    note: str = ""


_NUMBERS = ("alpha", "beta", "exponent", "negative_slope", "scale")
_SAME = "the same numbers in the shape of the input"
_OF_W = "W gets the input's transpose times the incoming gradient"
_DOT_PRODUCT = _Entry("@", "a @ b", ("b", "a"))
_TABLE: dict[type[Layer], _Entry] = {
    arithmetic.Add: _Entry("+", "a + b", ("1", "1")),
    arithmetic.Subtract: _Entry("−", "a - b", ("1", "-1")),
    arithmetic.Multiply: _Entry("×", "a * b", ("b", "a")),
    arithmetic.Divide: _Entry("/", "a / b", ("1 / b", "-(a / b**2)")),
    arithmetic.MatMul: _Entry("@", "a @ b", ("b.T", "a.T"), ("g @ b.T", "a.T @ g"), "@"),
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
    Softmax: _Entry(
        "",
        "exp(x) / sum(exp(x))",
        ("J",),
        ("y * (g - sum(g * y))",),
        "",
        "the entries of J are yᵢ (1(i = j) − yⱼ)",
    ),
    LogSoftmax: _Entry(
        "",
        "x - log(sum(exp(x)))",
        ("J",),
        ("g - exp(y) * sum(g)",),
        "",
        "the entries of J are 1(i = j) − exp(yⱼ)",
    ),
    Sum: _Entry("", "sum(x)", ("1",), note="every entry that was added up gets it"),
    Mean: _Entry(
        "", "sum(x) / n", ("1 / n",), ("g / n",), note="each of the n entries averaged gets a share"
    ),
    shaping.Reshape: _Entry("", "reshape(x)", ("1",), ("g",), "", _SAME),
    shaping.Flatten: _Entry("", "flatten(x)", ("1",), ("g",), "", _SAME),
    shaping.Concatenate: _Entry(
        "", "concatenate(*inputs)", ("1",), ("part(g)",), "", "each input gets its part"
    ),
    noise.Dropout: _Entry(
        "", "m * x", ("m",), ("m * g",), note="m is 0 where x was dropped, else 1 / (1 − rate)"
    ),
    noise.GaussianNoise: _Entry("", "x + n", ("1",), note="n was drawn by chance"),
    Affine: _Entry(
        "",
        "x @ W + b",
        ("W.T",),
        ("g @ W.T",),
        "@",
        f"{_OF_W}, b the sum of its rows",
    ),
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
        Of its inputs: of two vectors ``@`` is another product than of matrices.

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
    count = max(len(names), len(entry.derivatives))

    def formula(expression: str) -> Formula:
        expression = expression.replace("*inputs", ", ".join(letters))
        return Formula(simplified(expression, numbers), known)

    def of_each_input(expressions: Sequence[str]) -> tuple[Formula, ...]:
        return tuple([formula(expressions[i % len(expressions)]) for i in range(count)])

    return Description(
        called,
        formula(entry.value),
        of_each_input(entry.derivatives),
        entry.product,
        of_each_input(entry.sent or [f"g * ({by_input})" for by_input in entry.derivatives]),
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


def _entry(layer: Layer, shapes: Sequence[tuple[int, ...]]) -> _Entry:
    if isinstance(layer, arithmetic.MatMul) and [len(shape) for shape in shapes] == [1, 1]:
        return _DOT_PRODUCT
    if isinstance(layer, noise.Noise) and not layer.training:
        return _TABLE[activations.Identity]
    if isinstance(layer, Affine) and layer.b is None:
        return _TABLE[Affine]._replace(value="x @ W", note=_OF_W)
    approximate = isinstance(layer, rectifiers.GELU) and layer.approximate != "none"
    if type(layer) in _TABLE and not approximate:  # a subclass may compute something else
        return _TABLE[type(layer)]
    if isinstance(layer, Elementwise) and is_operation(layer):
        return _Entry("", "f(x)", ("derivative(x)",), note="entry by entry")
    note = f"J is the Jacobian of {_written(layer)}"
    return _Entry("", "f(*inputs)", ("J",), ("J.T @ g",), "", note)


def _written(layer: Layer) -> str:
    """Return how a layer writes itself, or its class where that is long."""
    written = " ".join(repr(layer).split()).removesuffix("()")
    return written if len(written) <= 32 else type(layer).__name__
