"""Explanations of the chain rule: their numbers, order and sums."""

import math
import re

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.drawing import explain


def sigmoid_graph():
    """Return the graph of e = w @ x, d = -e, c = exp(d), b = 1 + c, y = 1 / b."""
    w, x = nn.Input("w"), nn.Input("x")
    e = (w @ x).named("e")
    d = (-e).named("d")
    c = nn.exp(d).named("c")
    b = (1 + c).named("b")
    return nn.Graph((1 / b).named("y"))


def run(graph, *inputs, dout=1.0):
    graph.forward(*inputs)
    graph.backward(dout)
    return explain(graph)


def steps(text):
    """Return the numbered steps of the backward pass, each its lines."""
    _, backward = text.split("\n\n")
    parts = re.split(r"\n  \d+\. ", backward)
    return [[line.strip() for line in part.splitlines()] for part in parts[1:]]


def test_sigmoid_is_explained_from_the_last_node_to_the_first():
    text = run(sigmoid_graph(), [1.0, 2.0], [3.0, -1.0])
    assert [step[0] for step in steps(text)] == [
        "y = 1 / b",
        "b = 1 + c",
        "c = exp(d)",
        "d = −e",
        "e = w @ x",
    ]


def test_sigmoid_has_the_numbers_of_the_closed_form():
    text = run(sigmoid_graph(), [1.0, 2.0], [3.0, -1.0])
    c = math.exp(-1.0)
    y = 1 / (1 + c)
    slope = y * (1 - y)
    for line in [
        f"3. c = exp(d) = {c:.4g}",
        f"5. y = 1 / b = {y:.4g}",
        "Backward, from ∂ℓ/∂y = 1",
        f"to b: local derivative ∂y/∂b = −1 / b² = {-y * y:.4g}",
        f"sent ∂ℓ/∂y × (−1 / b²) = 1 × {-y * y:.4g} = {-y * y:.4g}",
        f"incoming gradient: ∂ℓ/∂d = {-slope:.4g}",
        "to w: local derivative ∂e/∂w = x = [3, -1]",
        f"∂ℓ/∂w = [{3 * slope:.4g}, {-slope:.4g}]",
        f"∂ℓ/∂x = [{slope:.4g}, {2 * slope:.4g}]",
    ]:
        assert line in text, line


def test_constants_get_no_explanation():
    assert "to 1" not in run(sigmoid_graph(), [1.0, 2.0], [3.0, -1.0])


def test_a_node_used_twice_gets_the_sum_and_where_it_comes_from():
    x = nn.Input("x")
    text = run(nn.Graph((nn.exp(x).named("e") * x).named("y")), 1.0)
    assert "∂ℓ/∂x = 2.718 so far" in text
    assert f"added to 2.718 from y: total ∂ℓ/∂x = {2 * math.e:.4g}" in text


def test_a_node_multiplied_with_itself_gets_two_parts_of_one_sum():
    x = nn.Input("x")
    text = run(nn.Graph((x * x).named("y")), 3.0)
    assert "∂ℓ/∂x = 3 so far" in text
    assert "added to 3 from y: total ∂ℓ/∂x = 6" in text


def test_an_output_that_is_used_again_starts_with_the_argument_of_backward():
    x = nn.Input("x")
    a = (2 * x).named("a")
    graph = nn.Graph([a, (5 * a).named("b")])
    graph.forward(1.0)
    graph.backward(3.0, 7.0)
    text = explain(graph)
    assert "Backward, from ∂ℓ/∂a = 3, ∂ℓ/∂b = 7" in text
    assert "added to 3 from backward: total ∂ℓ/∂a = 38" in text


def test_many_uses_are_counted_instead_of_listed():
    x = nn.Input("x")
    text = run(nn.Graph(x * x + x * x + x), 1.0)
    assert "from 4 others: total ∂ℓ/∂x = 5" in text


def test_gradient_of_a_broadcast_input_is_explained_as_a_sum():
    x, b = nn.Input("x"), nn.Input("b")
    text = run(
        nn.Graph((x + b).named("y")), [[1.0, 2.0], [3.0, 4.0]], [0.0, 0.0], dout=np.ones((2, 2))
    )
    (step,) = steps(text)
    summed = [line for line in step if "summed over the axes in which it was broadcast" in line]
    assert len(summed) == 1
    assert "= [2, 2]" in summed[0]


def test_products_of_matrices_are_sent_through_the_transposes():
    w, x = nn.Input("W"), nn.Input("X")
    text = run(nn.Graph((w @ x).named("C")), np.eye(2), [[1.0], [2.0]], dout=[[1.0], [10.0]])
    assert "to W: local derivative ∂C/∂W: factor Xᵀ = [[1, 2]]\n" in text
    assert "sent ∂ℓ/∂C @ Xᵀ = [[1], [10]] @ [[1, 2]] = [[1, 2], [10, 20]]\n" in text
    assert "to X: local derivative ∂C/∂X: factor Wᵀ = [[1, 0], [0, 1]]\n" in text
    assert "sent Wᵀ @ ∂ℓ/∂C = [[1, 0], [0, 1]] @ [[1], [10]] = [[1], [10]]\n" in text


def test_large_arrays_are_shown_by_their_shapes():
    text = run(nn.Graph(nn.sum(nn.exp(nn.Input("x")))), np.zeros((20, 30)))
    assert "(20, 30)" in text
    assert len(text) < 1000


def test_layers_with_weights_and_containers_are_steps_too():
    x = nn.Input("x")
    model = nn.mlp([3, 4, 5, 2], rng=0)
    h = nn.Affine(2, 3, rng=0)(x).named("h")
    text = run(nn.Graph(model(h).named("y")), [[1.0, 2.0]], dout=[[1.0, 1.0]])
    assert "to h: local derivative ∂y/∂h = J = [[[[" in text
    assert "sent Jᵀ @ ∂ℓ/∂y = [[" in text
    assert "J is the Jacobian of Sequential" in text
    assert "to x: local derivative ∂h/∂x: factor Wᵀ = [[" in text
    assert "sent ∂ℓ/∂h @ Wᵀ = [[" in text


def test_explaining_leaves_gradients_and_weights_as_they_are():
    w = nn.Parameter(np.array([1.0, 2.0]), name="w")
    cell = nn.Affine(2, 2, rng=0, dtype=np.float64)
    graph = nn.Graph(nn.sum(nn.Dropout(0.5, rng=0)(cell(nn.Input("w", value=w) * nn.Input("x")))))
    graph.forward([[1.0, 2.0]])
    graph.backward(1.0)
    before = {name: p.grad.copy() for name, p in graph.named_parameters().items()}
    assert explain(graph) == explain(graph)
    for name, parameter in graph.named_parameters().items():
        np.testing.assert_array_equal(parameter.grad, before[name])


def test_a_layer_that_sends_no_gradient_sends_zero():
    class Stop(nn.Layer):
        def forward(self, x):
            return x.copy()

        def backward(self, dout):
            return None

    x = nn.Input("x")
    text = run(nn.Graph((Stop()(nn.exp(x).named("e")) + x).named("y")), 0.0)
    assert steps(text)[0][0] == "y = stop + x"
    assert "to e: local derivative ∂stop/∂e = J = 0\n" in text
    assert "sent Jᵀ @ ∂ℓ/∂stop = 0\n" in text
    assert "total ∂ℓ/∂x = 1" in text


def test_infinities_and_nan_are_explained_without_a_warning():
    text = run(nn.Graph(nn.log(nn.Input("x")).named("y")), 0.0)
    assert "1. y = log(x) = -inf" in text
    assert "local derivative ∂y/∂x = 1 / x = inf" in text


def test_the_argument_of_backward_is_shown_without_rounding_by_later_sums():
    x = nn.Input("x")
    a = (x * 1.0).named("a")
    text = run_all(nn.Graph([a, (a * 1e17).named("b")]), 1.0, douts=(0.25, 1.0))
    assert "Backward, from ∂ℓ/∂a = 0.25, ∂ℓ/∂b = 1\n" in text
    assert "added to 0.25 from backward: total ∂ℓ/∂a = 1e+17" in text


def run_all(graph, *inputs, douts):
    graph.forward(*inputs)
    graph.backward(*douts)
    return graph.explain()


@pytest.mark.parametrize("method", ["explain", "to_html"])
def test_a_pass_that_is_missing_for_an_explanation_is_named(method, tmp_path):
    graph = nn.Graph(nn.Input("a") + nn.Input("b"))
    arguments = [tmp_path / "page.html"] if method == "to_html" else []
    explained = getattr(graph, method)
    with pytest.raises(RuntimeError, match=f"Graph.{method} was called before forward$"):
        explained(*arguments)
    graph.forward(1.0, 2.0)
    with pytest.raises(RuntimeError, match=f"Graph.{method} was called before backward$"):
        explained(*arguments)
    graph.backward(1.0)
    with pytest.raises(ValueError, match="shapes that broadcast"):
        graph.forward(np.ones(2), np.ones(3))
    failed = "was called before forward, as the last forward failed$"
    with pytest.raises(RuntimeError, match=f"Graph.{method} {failed}"):
        explained(*arguments)
    with pytest.raises(RuntimeError, match=rf"Graph\.backward {failed}"):
        graph.backward(1.0)
    with pytest.raises(TypeError, match="b must hold real numbers"):
        graph.forward(1.0, "2")
    with pytest.raises(RuntimeError, match=f"Graph.{method} {failed}"):
        explained(*arguments)


def test_the_function_that_the_message_of_a_container_recommends_exists():
    model = nn.Sequential(nn.Square(), nn.Exp())
    with pytest.raises(RuntimeError, match=r"nnlayers\.graphs\.as_graph") as caught:
        model.explain()
    assert "nnlayers.graphs.as_graph(...)" in str(caught.value)
    graph = nn.graphs.as_graph(model)
    graph.forward(0.0)
    graph.backward(1.0)
    assert graph.explain().startswith("Forward")
