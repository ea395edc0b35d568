"""Worked examples: closed forms, central differences, and printed output."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.testing import check_gradients

FOLDER = Path(__file__).parents[2] / "examples"
NAMES = [
    "product",
    "softplus_graph",
    "sigmoid_graph",
    "layer_as_graph",
    "recurrent_step",
    "tensor_derivative",
    "chain_rule",
    "order_of_a_product",
]


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def example(request):
    return load(request.param)


def of(name):
    return pytest.mark.parametrize("example", [name], indirect=True, ids=[name])


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_and_prints_and_explains_the_same_at_each_run(name, capsys):
    module = load(name)
    module.main()
    printed = capsys.readouterr().out
    assert "nan" not in printed or name == "softplus_graph"
    assert re.search(r"^ *1\. ", printed, re.MULTILINE)
    module.main()
    again = capsys.readouterr().out
    if name == "tensor_derivative":  # its table holds times
        printed, again = (text.split("h = m")[0] for text in (printed, again))
    assert again == printed


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_where_it_is_asked_to(name, capsys, tmp_path):
    load(name).main(tmp_path / "picture.dot")
    assert "->" in (tmp_path / "picture.dot").read_text()


@of("product")
def test_product(example, rng):
    x, z = rng.normal(size=3), rng.normal(size=3)
    graph = example.dot_product()
    assert graph.forward(x=x, z=z) == pytest.approx(x @ z)
    dx, dz = graph.backward(1.0)
    np.testing.assert_array_equal(dx, z)
    np.testing.assert_array_equal(dz, x)
    check_gradients(graph, x, z)
    numbers = example.product_of_numbers()
    assert numbers.forward(3.0, -2.0) == -6
    assert numbers.backward(1.0) == (-2, 3)
    check_gradients(numbers, 3.0, -2.0)


@of("softplus_graph")
@pytest.mark.parametrize("x", [-3.0, 0.0, 0.7, 20.0])
def test_softplus(example, x):
    graph = example.softplus_graph()
    y, dx = example.value_and_derivative(graph, x)
    a, b = graph["a"], graph["b"]
    assert b.value == pytest.approx(np.exp(x))
    assert a.value == pytest.approx(1 + np.exp(x))
    assert y == pytest.approx(np.log(1 + np.exp(x)))
    assert a.grad == pytest.approx(1 / (1 + np.exp(x)))
    assert b.grad == a.grad
    assert dx == pytest.approx(np.exp(x) / (1 + np.exp(x)))
    assert (y, dx) == pytest.approx(example.value_and_derivative(nn.Softplus(), x))
    check_gradients(graph, x)


@of("softplus_graph")
def test_the_graph_of_softplus_overflows_and_the_layer_does_not(example):
    y, dx = example.value_and_derivative(example.softplus_graph(), 1000.0)
    assert y == np.inf
    assert not np.isfinite(dx)
    assert example.value_and_derivative(nn.Softplus(), 1000.0) == (1000, 1)


@of("sigmoid_graph")
def test_sigmoid(example, rng):
    w, x = rng.normal(size=4), rng.normal(size=4)
    graph = example.sigmoid_graph()
    y = graph.forward(w=w, x=x)
    dw, dx = graph.backward(1.0)
    e = w @ x
    c = np.exp(-e)
    assert y == pytest.approx(1 / (1 + c))
    values = {"e": e, "d": -e, "c": c, "b": 1 + c}
    grads = {"b": -1 / (1 + c) ** 2, "c": -1 / (1 + c) ** 2, "d": -c / (1 + c) ** 2}
    grads["e"] = -grads["d"]
    for name, value in values.items():
        assert graph[name].value == pytest.approx(value)
        assert graph[name].grad == pytest.approx(grads[name])
    np.testing.assert_allclose(dw, y * (1 - y) * x, rtol=1e-12)
    np.testing.assert_allclose(dx, y * (1 - y) * w, rtol=1e-12)
    check_gradients(graph, w, x)


@of("layer_as_graph")
def test_layer(example, rng):
    W, X, b, dh = (rng.normal(size=shape) for shape in ((4, 3), (3, 5), (4, 1), (4, 5)))
    graph = example.layer_graph()
    h = graph.forward(W=W, X=X, b=b)
    dW, dX, db = graph.backward(dh)
    a = W @ X + b
    da = np.where(a > 0, dh, 0)
    np.testing.assert_allclose(graph["c"].value, W @ X)
    np.testing.assert_allclose(graph["a"].value, a)
    np.testing.assert_allclose(h, np.maximum(a, 0))
    np.testing.assert_array_equal(graph["a"].grad, da)
    np.testing.assert_array_equal(graph["c"].grad, da)
    np.testing.assert_allclose(dW, da @ X.T)
    np.testing.assert_allclose(dX, W.T @ da)
    np.testing.assert_allclose(db, da.sum(axis=1, keepdims=True))
    for name, formula in example.formulas(W, X, a, dh).items():
        np.testing.assert_allclose(graph[name].grad, formula, rtol=1e-12, atol=1e-12)
    rows_h, rows = example.rows_of_layers(W, X, b, dh)
    np.testing.assert_allclose(rows_h, h, rtol=1e-12)
    for name, gradient in rows.items():
        np.testing.assert_allclose(gradient, graph.gradients[name], rtol=1e-12, atol=1e-12)
    check_gradients(graph, W, X, b)


@of("recurrent_step")
def test_recurrent_step(example, rng):
    W_rec, W_out, r, target = (rng.normal(size=shape) for shape in ((4, 4), (2, 4), 4, 2))
    graph = example.recurrent_graph()
    z = W_out @ np.maximum(W_rec @ r, 0) - target
    assert graph.forward(W_rec, W_out, r, target) == pytest.approx(z @ z)
    dW_rec, *_ = graph.backward(1.0)
    np.testing.assert_allclose(graph["z"].grad, 2 * z)
    np.testing.assert_allclose(graph["r_1"].grad, 2 * W_out.T @ z)
    np.testing.assert_allclose(dW_rec, np.outer(2 * W_out.T @ z * (W_rec @ r > 0), r))
    check_gradients(graph, W_rec, W_out, r, target)


@of("recurrent_step")
@pytest.mark.parametrize("steps", [3, 50])
def test_recurrent_steps_in_a_row(example, rng, steps):
    values = example.draw_values(rng, size=4, outputs=2)
    graph = example.recurrent_graph(steps)
    L = graph.forward(*values)
    graph.backward(1.0)
    loop_L, by_hand = example.backward_by_hand(*values, steps)
    np.testing.assert_allclose(L, loop_L, rtol=1e-12)
    for name, node in ("z", "z"), ("r", f"r_{steps}"), ("W_rec", "W_rec"), ("W_out", "W_out"):
        np.testing.assert_allclose(graph[node].grad, by_hand[name], rtol=1e-10)
    assert np.abs(by_hand["W_rec"]).max() > 1
    uses = [graph.contributions(graph[f"a_{step}"])[0] for step in range(1, steps + 1)]
    np.testing.assert_allclose(np.sum(uses, axis=0), graph["W_rec"].grad, rtol=1e-10)
    check_gradients(graph, *values)


@of("tensor_derivative")
@pytest.mark.parametrize(("h", "m"), [(2, 3), (4, 2), (1, 5)])
def test_tensor_derivative(example, rng, h, m):
    W, x, dc = rng.normal(size=(h, m)), rng.normal(size=m), rng.normal(size=h)
    tensor = example.tensor_derivative(W, x)
    assert tensor.shape == (h, h, m)
    for i, slice_i in enumerate(tensor):
        np.testing.assert_array_equal(slice_i[i], x)
        np.testing.assert_array_equal(np.delete(slice_i, i, axis=0), 0)
    outer = np.outer(dc, x)
    np.testing.assert_allclose(example.contract(tensor, dc), outer, rtol=1e-12)
    graph = example.product_graph()
    graph.forward(W=W, x=x)
    np.testing.assert_array_equal(graph.backward(dc)[0], outer)
    check_gradients(graph, W, x)


@of("tensor_derivative")
def test_the_tensor_costs_h_times_the_memory_of_the_outer_product_and_more_time(example):
    for size, tensor_bytes, tensor_time, outer_bytes, outer_time in example.measure_costs([8, 64]):
        W, x = np.ones((size, size)), np.ones(size)
        assert tensor_bytes == example.tensor_derivative(W, x).nbytes
        assert outer_bytes == np.outer(x, x).nbytes == tensor_bytes / size
        assert tensor_time > outer_time


@of("chain_rule")
def test_chain_rule_of_numbers(example):
    g, f = example.scalar_functions()
    for x in (-1.2, 0.0, 0.8):
        slope = -2 * x * np.exp(-(x**2))
        assert nn.jacobian(f, x**2) * nn.jacobian(g, x) == pytest.approx(slope)
        assert example.by_backward(f, g, x) == pytest.approx(slope)
        check_gradients(example.compose(f, g), x)


@of("chain_rule")
def test_chain_rule_of_vectors(example, rng):
    g, f = example.vector_functions()
    x = rng.normal(size=3)
    y = np.tanh(example.A @ x)
    J = (1 - y**2)[:, np.newaxis] * example.A
    np.testing.assert_allclose(nn.jacobian(g, x), J, rtol=1e-12)
    gradient = J.T @ (np.exp(y) / np.exp(y).sum())
    np.testing.assert_allclose(example.by_jacobians(f, g, x), gradient, rtol=1e-12)
    np.testing.assert_allclose(example.by_backward(f, g, x), gradient, rtol=1e-12)
    np.testing.assert_allclose(example.by_differences(f, g, x), gradient, rtol=1e-8)


@of("order_of_a_product")
def test_order_of_a_product(example, rng):
    W, x, dc = rng.normal(size=(2, 3)), rng.normal(size=(3, 1)), rng.normal(size=(2, 1))
    layer = example.Linear(W)
    np.testing.assert_array_equal(layer.forward(x), W @ x)
    np.testing.assert_array_equal(layer.backward(dc), W.T @ dc)
    np.testing.assert_array_equal(layer.W.grad, dc @ x.T)
    check_gradients(layer, x)


@of("order_of_a_product")
def test_the_wrong_order_fails_and_the_error_shows_the_shapes(example):
    W, x, dc = np.ones((2, 3)), np.ones((3, 1)), np.ones((2, 1))
    wrong = example.WrongOrder(W)
    wrong.forward(x)
    with pytest.raises(ValueError, match=r"dout \(2, 1\), input 0 \(3, 1\), W \(2, 3\): matmul"):
        wrong.backward(dc)
    with pytest.raises(nn.testing.GradientError, match=r"shape \(3, 1\), got \(1, 3\)"):
        check_gradients(example.Transposed(W), x)
    with pytest.raises(ValueError, match=r"'c' of x \(3, 1\), W \(2, 3\)"):
        example.product_graph("x W").forward(W, x)
    graph = example.product_graph("W x")
    graph.forward(W, x)
    with pytest.raises(ValueError, match=r"shape \(2, 1\), got \(1, 2\)"):
        graph.backward(dc.T)
    assert example.message(graph.backward, dc) == "no error"
