"""Formulas and numbers in drawings are those that the operations compute."""

import math

import numpy as np
import pytest
from catalogue import ENTRIES
from scipy.special import expit
from scipy.stats import norm

import nnlayers as nn
from nnlayers.drawing.operations import describe, local_derivatives
from nnlayers.layers.arithmetic import Binary
from nnlayers.layers.operation import Elementwise, Operation

LETTERS = {1: ["x"], 2: ["a", "b"], 3: ["x0", "x1", "x2"]}
SHAPES = {1: [(3, 4)], 2: [(3, 4), (4,)], 3: [(3, 1), (3, 4), (4,)]}
FUNCTIONS = {
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "log": math.log,
    "sqrt": math.sqrt,
    "tanh": math.tanh,
    "abs": abs,
    "max": max,
    "min": min,
    "one": float,
    "sigma": expit,
    "Phi": norm.cdf,
    "phi": norm.pdf,
    "softplus": lambda x: np.logaddexp(0, x),
}
OPERATIONS = {name: entry for name, entry in ENTRIES.items() if isinstance(entry.make(), Operation)}
BY_ENTRY = {
    name: entry
    for name, entry in OPERATIONS.items()
    if isinstance(layer := entry.make(), Elementwise | Binary | nn.Where)
    and not isinstance(layer, nn.MatMul)
}


def entrywise(formula, arrays):
    """Return the numbers of a formula for each entry of arrays that broadcast."""

    def evaluate(*numbers):
        names = dict(zip(arrays, numbers, strict=True))
        return float(eval(formula.expression, FUNCTIONS | names))

    return np.vectorize(evaluate)(*arrays.values())


def run(layer, inputs, g):
    """Return the value of a layer in a graph, its gradients, and its local derivatives."""
    names = LETTERS.get(len(inputs), [f"x{i}" for i in range(len(inputs))])
    graph = nn.Graph(layer(*map(nn.Input, names)))
    y = graph.forward(*inputs)
    (node,) = graph.outputs
    graph.backward(g)
    described = describe(layer, names, str(node.name), [np.shape(x) for x in inputs])
    values = [parent.value for parent in node.parents]
    local = local_derivatives(graph, graph.nodes.index(node), described, values, node.grad)
    return y, graph.contributions(node), local


def subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_operation_of_the_library_states_its_formulas():
    operations = {
        kind
        for kind in subclasses(Operation)
        if kind.__module__.startswith("nnlayers.layers") and hasattr(nn, kind.__name__)
    }
    layers = [entry.make() for entry in OPERATIONS.values()]
    assert {type(layer) for layer in layers} == operations
    for layer in layers:
        assert not describe(layer).note.startswith(("J is the Jacobian", "entry by entry"))


@pytest.mark.parametrize("entry", BY_ENTRY.values(), ids=BY_ENTRY)
def test_formulas_give_the_values_and_the_gradients_of_the_layer(entry):
    layer, rng = entry.make(), np.random.default_rng(7)
    count = len(entry.shapes)
    inputs = {
        letter: rng.uniform(0.5 if entry.positive else -2, 2, size=shape)
        for letter, shape in zip(LETTERS[count], SHAPES[count], strict=True)
    }
    if isinstance(layer, nn.Where):
        inputs["x0"][1] = 0
    described = describe(layer, list(inputs))
    g = rng.normal(size=(3, 4))
    y, gradients, local = run(layer, list(inputs.values()), g)
    np.testing.assert_allclose(entrywise(described.value, inputs), y, rtol=1e-12)
    known = inputs | {"y": y, "g": g}
    for i, gradient in enumerate(gradients):
        factor = np.broadcast_to(entrywise(described.derivatives[i], known), y.shape)
        np.testing.assert_allclose(local[i].factor, factor, rtol=1e-9, atol=1e-12)
        assert local[i].is_summed == (gradient.shape != y.shape)
        sent = entrywise(described.sent[i], known)
        if gradient.shape != y.shape:  # The input was broadcast along the rows or the columns.
            sent = sent.sum(axis=tuple(range(2 - gradient.ndim)) or 1, keepdims=gradient.ndim == 2)
        np.testing.assert_allclose(gradient, sent, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("layer", [nn.Maximum(), nn.Minimum()])
def test_formulas_of_the_larger_and_the_smaller_input_pass_the_gradient_to_nan(layer):
    inputs = {"a": np.array([np.nan, 1.0, np.nan]), "b": np.array([1.0, np.nan, np.nan])}
    described = describe(layer, list(inputs))
    _, gradients, _ = run(layer, list(inputs.values()), np.ones(3))
    for derivative, gradient in zip(described.derivatives, gradients, strict=True):
        with np.errstate(invalid="ignore"):  # of comparisons with NaN
            np.testing.assert_array_equal(entrywise(derivative, inputs), gradient)


def test_product_of_vectors_has_the_other_vector_for_its_derivative():
    w, x = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    described = describe(nn.MatMul(), ["w", "x"], "e", [(2,), (2,)])
    assert [formula.text for formula in described.derivatives] == ["x", "w"]
    _, _, (dw, dx) = run(nn.MatMul(), [w, x], 2.0)
    np.testing.assert_array_equal(dw.factor, x)
    np.testing.assert_array_equal(dx.factor, w)
    np.testing.assert_array_equal(dw.terms[0], 2.0)
    np.testing.assert_array_equal(dw.terms[1], x)
    np.testing.assert_array_equal(dx.terms[1], w)


@pytest.mark.parametrize(
    ("a", "b"), [((1, 2), (2, 3)), ((3, 2), (2,)), ((2,), (2, 3)), ((1, 2, 1), (1, 2))]
)
def test_product_of_matrices_that_is_shown_equals_the_gradient(a, b):
    a, b = (np.arange(1.0, np.prod(shape) + 1).reshape(shape) for shape in (a, b))
    y = a @ b
    _, gradients, local = run(nn.MatMul(), [a, b], np.arange(float(y.size)).reshape(y.shape))
    for gradient, derivative in zip(gradients, local, strict=True):
        left, right = derivative.terms
        product = left @ right
        assert derivative.is_summed == (product.ndim > gradient.ndim)
        product = product.sum(axis=0) if derivative.is_summed else product
        np.testing.assert_array_equal(product, gradient)


def test_derivatives_of_products_of_matrices_are_the_transposes():
    a, b, g = (
        np.random.default_rng(i).normal(size=s) for i, s in enumerate([(3, 2), (2, 4), (3, 4)])
    )
    described = describe(nn.MatMul(), ["W", "X"], "C", [a.shape, b.shape])
    assert [formula.text for formula in described.sent] == ["∂ℓ/∂C @ Xᵀ", "Wᵀ @ ∂ℓ/∂C"]
    assert [formula.text for formula in described.derivatives] == ["Xᵀ", "Wᵀ"]
    _, gradients, (by_a, by_b) = run(nn.MatMul(), [a, b], g)
    np.testing.assert_array_equal(by_a.factor, b.T)
    np.testing.assert_array_equal(by_b.factor, a.T)
    for formula, gradient in zip(described.sent, gradients, strict=True):
        np.testing.assert_allclose(eval(formula.expression, {"a": a, "b": b, "g": g}), gradient)


@pytest.mark.parametrize(
    "layer", [nn.Softmax(), nn.LogSoftmax(), nn.Sum(1, True), nn.Mean(1, True)]
)
def test_formulas_of_rows_give_the_values_and_the_gradients(layer):
    x = np.random.default_rng(0).normal(size=(3, 4))
    described = describe(layer, ["x"])
    functions = {"exp": np.exp, "log": np.log, "n": 4, "x": x}
    functions["sum"] = lambda row: row.sum(axis=1, keepdims=True)
    y = layer.forward(x)
    np.testing.assert_allclose(eval(described.value.expression, functions), y)
    g = np.random.default_rng(1).normal(size=y.shape)
    sent = eval(described.sent[0].expression, functions | {"y": y, "g": g})
    np.testing.assert_allclose(layer.backward(g), np.broadcast_to(sent, x.shape))


@pytest.mark.parametrize(
    ("layer", "symbol"),
    [
        (nn.Add(), "+"),
        (nn.Multiply(), "×"),
        (nn.MatMul(), "@"),
        (nn.Exp(), "exp"),
        (nn.Reciprocal(), "1/x"),
        (nn.ReLU(), "ReLU"),
        (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
        (nn.Affine(3, 2), "Affine(3, 2)"),
        (nn.Index((slice(None), 0)), "[:, 0]"),
        (nn.Index((..., None, [0, -1], slice(1, 9, 2))), "[..., None, [0, -1], 1:9:2]"),
        (nn.Index((0,)), "[0,]"),
        (nn.Index(()), "[()]"),
        (nn.Index(np.arange(1000)), "Index"),
        (nn.mlp([3, 4, 5, 2]), "Sequential"),
    ],
)
def test_symbols_are_short(layer, symbol):
    assert describe(layer).symbol == symbol


def test_numbers_of_a_layer_stand_in_its_formulas():
    assert describe(nn.Power(3), ["x"]).derivatives[0].text == "3 × x²"
    assert describe(nn.LeakyReLU(0.2), ["x"]).value.text == "x if x > 0 else 0.2 × x"
    assert describe(nn.Softplus(), ["x"]).value.text == "log(1 + exp(x))"


def test_affine_without_a_bias_adds_none():
    assert describe(nn.Affine(3, 2), ["x"]).value.text == "x @ W + b"
    without = describe(nn.Affine(3, 2, bias=False), ["x"])
    assert (without.value.text, without.sent[0].text) == ("x @ W", "∂ℓ/∂y @ Wᵀ")
    assert "b" not in without.note.split()


def test_an_approximate_gelu_does_not_show_the_formula_of_the_exact_one():
    assert "Φ" in describe(nn.GELU(), ["x"]).value.text
    assert "Φ" not in describe(nn.GELU("tanh"), ["x"]).value.text

    class Shifted(nn.GELU):
        pass

    assert "σ" not in describe(Shifted("tanh"), ["x"]).value.text


def test_dropout_is_the_identity_in_evaluation_mode():
    dropout = nn.Dropout(0.5)
    assert describe(dropout, ["x"]).sent[0].text == "m × ∂ℓ/∂y"
    dropout.eval()
    assert describe(dropout, ["x"]).sent[0].text == "∂ℓ/∂y"


class Cube(Elementwise):
    def compute_forward(self, x):
        return x**3, x

    def derivative(self, x):
        return 3 * x**2


class Swapped(nn.ReLU):
    def forward(self, x):
        return -super().forward(x)

    def backward(self, dout):
        return -super().backward(dout)


class Scaled(nn.Layer):
    def __init__(self):
        self.scale = nn.Parameter(np.ones(2))

    def forward(self, x, other):
        return x * self.scale.value

    def backward(self, dout):
        return dout * self.scale.value, None


def test_operation_of_a_user_has_its_derivative():
    described = describe(Cube(), ["x"])
    assert (described.value.text, described.derivatives[0].text) == ("Cube(x)", "derivative(x)")
    _, _, (local,) = run(Cube(), [np.array([1.0, 2.0])], np.array([1.0, 10.0]))
    np.testing.assert_array_equal(local.factor, [3.0, 12.0])
    np.testing.assert_array_equal(local.terms, [[1, 10], [3, 12]])


@pytest.mark.parametrize(("layer", "count"), [(Swapped(), 1), (Scaled(), 2)])
def test_layer_of_a_user_has_its_jacobian(layer, count):
    described = describe(layer, ["u", "v"][:count], "h")
    name = type(layer).__name__
    assert [formula.text for formula in described.derivatives] == ["J"] * count
    assert [formula.text for formula in described.sent] == ["Jᵀ @ ∂ℓ/∂h"] * count
    assert described.note == f"J is the Jacobian of {name}"


def test_small_jacobians_are_shown_by_their_numbers_and_large_ones_by_their_shapes():
    _, (sent,), (local,) = run(nn.Softmax(), [np.array([0.0, 1.0])], np.array([1.0, 3.0]))
    y = np.exp([0.0, 1.0]) / np.exp([0.0, 1.0]).sum()
    np.testing.assert_allclose(local.factor, np.diag(y) - np.outer(y, y), rtol=1e-12)
    np.testing.assert_allclose(local.factor.T @ [1.0, 3.0], sent)
    _, _, (local,) = run(nn.Softmax(), [np.zeros((3, 3))], np.ones((3, 3)))
    assert (local.factor, local.shape) == (None, (3, 3, 3, 3))
    _, _, local = run(Scaled(), [np.ones(2)] * 2, np.ones(2))
    np.testing.assert_array_equal(
        [by_input.factor for by_input in local], [np.eye(2), 0 * np.eye(2)]
    )


def test_jacobian_of_another_random_draw_is_not_shown():
    noisy = nn.Sequential(nn.Dropout(0.5, rng=0), nn.Tanh())
    for _ in range(5):
        _, (sent,), (local,) = run(noisy, [np.array([1.0, 2.0])], np.array([1.0, 1.0]))
        if local.factor is not None:
            np.testing.assert_allclose(local.factor.sum(axis=0), sent)


def test_dropout_s_derivative_is_the_mask_that_was_drawn():
    x, g = np.arange(50.0), np.ones(50)
    y, (sent,), (local,) = run(nn.Dropout(0.5, rng=0), [x], g)
    assert 0 < (y == 0).sum() < 50
    np.testing.assert_array_equal(local.factor, sent)


@pytest.mark.parametrize(
    ("layer", "share"),
    [(nn.Sum(), 1), (nn.Sum(0), 1), (nn.Mean(), 1 / 6), (nn.Mean(1, True), 1 / 3)],
)
def test_derivative_of_a_sum_is_the_share_of_each_entry(layer, share):
    x = np.arange(6.0).reshape(2, 3)
    _, _, (local,) = run(layer, [x], np.ones_like(layer.forward(x)))
    np.testing.assert_array_equal(local.factor, np.full((2, 3), share))


def test_brackets_stand_where_they_are_needed_and_nowhere_else():
    formula = describe(nn.Divide(), ["1", "-2"]).sent[1]
    assert formula.text == "∂ℓ/∂y × (−1 / (−2)²)"
    assert describe(nn.Subtract(), ["a", "-2"]).value.text == "a − (−2)"
    assert describe(nn.Sigmoid(), ["x"]).sent[0].text == "∂ℓ/∂y × y × (1 − y)"


def test_mathml_escapes_names():
    assert "<b>" not in describe(nn.Exp(), ["<b>&"]).value.mathml
    assert "&lt;b&gt;&amp;" in describe(nn.Exp(), ["<b>&"]).value.mathml


def test_subscripts_are_set_as_such():
    assert "<msub><mi>W</mi><mi>rec</mi></msub>" in describe(nn.Exp(), ["W_rec"]).value.mathml


class Scaling(nn.Layer):
    """A user's layer that states its formula: y = s x, entry by entry."""

    formula = nn.Formula("s * x", "s", symbol="s x", note="s is fixed")

    def __init__(self, s):
        self.s = s

    def forward(self, x):
        return x * self.s

    def backward(self, dout):
        return dout * self.s


class Projection(nn.Layer):
    """A user's layer with a product of matrices."""

    formula = nn.Formula("x @ M", "M.T", sent=("g @ M.T",), product="@")

    def __init__(self):
        self.M = nn.Parameter(np.array([[1.0, 2.0], [3.0, 4.0]]))

    def forward(self, x):
        self.x = x
        return x @ self.M.value

    def backward(self, dout):
        self.M.grad += self.x.T @ dout
        return dout @ self.M.value.T


class Distance(nn.Layer):
    """A user's layer with two inputs that broadcast."""

    formula = nn.Formula("(a - b)**2", "2 * (a - b)", "-(2 * (a - b))")

    def forward(self, a, b):
        self.shapes, self.difference = (a.shape, b.shape), a - b
        return self.difference**2

    def backward(self, dout):
        by_a = 2 * self.difference * dout
        return by_a, -by_a.sum(axis=0) if self.shapes[1] != self.shapes[0] else -by_a


def test_formula_of_a_user_s_layer_is_drawn_as_that_of_the_library_s():
    description = describe(Scaling(2.5), ["u"], "v")
    assert (description.symbol, description.note) == ("s x", "s is fixed")
    assert (description.value.text, description.sent[0].text) == ("2.5 × u", "∂ℓ/∂v × 2.5")
    _, _, (local,) = run(Scaling(2.5), [np.array([1.0, 2.0])], np.array([1.0, 10.0]))
    np.testing.assert_array_equal(local.factor, [2.5, 2.5])
    np.testing.assert_array_equal(local.terms, [[1, 10], [2.5, 2.5]])
    assert "s x" in nn.Sequential(Scaling(2.5)).to_dot()


def test_matrix_in_the_formula_of_a_user_s_layer_is_the_parameter_of_that_name():
    layer = Projection()
    x, g = np.array([[1.0, 0.0]]), np.array([[1.0, 10.0]])
    _, (gradient,), (local,) = run(layer, [x], g)
    np.testing.assert_array_equal(local.factor, layer.M.value.T)
    np.testing.assert_array_equal(g @ local.factor, gradient)
    np.testing.assert_array_equal(local.terms[0], [[1, 10]])
    np.testing.assert_array_equal(local.terms[1], [[1, 3], [2, 4]])


def test_broadcast_input_of_a_user_s_layer_has_the_derivative_of_each_entry():
    a, b = np.array([[1.0, 2.0], [3.0, 5.0]]), np.array([1.0, 1.0])
    _, (_, by_b), (_, local) = run(Distance(), [a, b], np.ones((2, 2)))
    np.testing.assert_array_equal(local.factor, -2 * (a - b))
    np.testing.assert_array_equal(local.factor.sum(axis=0), by_b)
    assert local.is_summed


def test_explaining_a_user_s_layer_with_a_formula_leaves_its_gradients_as_they_are():
    layer = Projection()
    graph = nn.Graph(layer(nn.Input("x")))
    graph.backward(graph.forward([[1.0, 2.0]]))
    before = layer.M.grad.copy()
    graph.explain()
    np.testing.assert_array_equal(layer.M.grad, before)


def test_class_derived_from_one_with_a_formula_does_not_inherit_it():
    class Shifted(Scaling):
        def forward(self, x):
            return super().forward(x) + 1

    assert describe(Shifted(2.0), ["x"]).is_jacobian
    assert nn.ReLU().formula_for() is not None
    assert Swapped().formula_for() is None


def test_formula_that_cannot_be_read_is_an_error_that_names_the_layer():
    class Broken(Scaling):
        formula = nn.Formula("s * (x", "s")

    with pytest.raises(ValueError, match=r"^Broken\(2\.0\): cannot read the formula 's \* \(x'"):
        describe(Broken(2.0), ["x"])


def test_formulas_of_an_index_and_a_transpose_are_those_of_python():
    index = describe(nn.Index((slice(None), [0, 2], -1)), ["h"], "y")
    assert index.value.text == "h[:, [0, 2], -1]"
    assert index.sent[0].text == "put(∂ℓ/∂y)"
    assert "<mtext>[:, [0, 2], -1]</mtext>" in index.value.mathml
    transpose = describe(nn.Transpose(), ["h"], "y")
    assert (transpose.value.text, transpose.sent[0].text) == ("hᵀ", "(∂ℓ/∂y)ᵀ")
    assert describe(nn.Transpose((0, 2, 1)), ["h"]).value.text == "transpose(h)"


def test_formula_of_clip_shows_the_limits_that_it_has():
    assert describe(nn.Clip(-1, 2), ["h"]).value.text == "min(max(h, −1), 2)"
    assert describe(nn.Clip(low=0.5), ["h"]).derivatives[0].text == "1(h ≥ 0.5)"
    assert describe(nn.Clip(high=0.5), ["h"]).value.text == "min(h, 0.5)"


class Opposite(nn.Clip):
    def forward(self, x):
        return -super().forward(x)


def test_subclass_of_a_layer_with_formulas_of_its_objects_does_not_inherit_them():
    assert Opposite(0, 1).formula_for() is None
