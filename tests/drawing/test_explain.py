"""Explanations of the chain rule: their numbers, order and sums."""

import math
import re

import numpy as np
import pytest
from catalogue import ENTRIES

import nnlayers as nn
from nnlayers.drawing import explain
from nnlayers.drawing.trace import trace
from nnlayers.layers.drawable import Drawable


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


def test_matrices_are_set_in_brackets_and_sent_through_the_transposes():
    w, x = nn.Input("W"), nn.Input("X")
    text = run(nn.Graph((w @ x).named("C")), np.eye(2), [[1.0], [-2.5]], dout=[[1.0], [10.0]])
    for lines in [
        ["W = ⎡ 1  0 ⎤ (input)", "⎣ 0  1 ⎦"],
        ["1. C = W @ X = ⎡    1 ⎤", "⎣ -2.5 ⎦"],
        ["to W: local derivative ∂C/∂W: factor Xᵀ = [ 1  -2.5 ]"],
        ["sent ∂ℓ/∂C @ Xᵀ = ⎡  1 ⎤ @ [ 1  -2.5 ] = ⎡  1  -2.5 ⎤", "⎣ 10 ⎦"],
        ["sent Wᵀ @ ∂ℓ/∂C = ⎡ 1  0 ⎤ @ ⎡  1 ⎤ = ⎡  1 ⎤", "⎣ 0  1 ⎦   ⎣ 10 ⎦   ⎣ 10 ⎦"],
    ]:
        first, *rest = lines
        found = [i for i, line in enumerate(text.splitlines()) if line.strip() == first]
        assert len(found) == 1, first
        below = text.splitlines()[found[0] + 1 :]
        for line, expected in zip(below, rest, strict=False):
            assert line.strip().startswith(expected), (first, line)
            assert line.index(expected[0]) == text.splitlines()[found[0]].index("⎡")


def test_eight_by_eight_stand_as_numbers_and_larger_arrays_as_maps_of_their_signs():
    x = np.arange(64.0).reshape(8, 8)
    text = run(nn.Graph(nn.relu(nn.Input("x"))), x, dout=x)
    assert "⎢ 56  57  58  59  60  61  62  63 ⎥".replace("⎢", "⎣").replace("⎥", "⎦") in text
    assert "■" not in text
    x = np.linspace(-1, 1, 600).reshape(20, 30)
    text = run(nn.Graph(nn.sum(nn.exp(nn.Input("x")))), x)
    lines = text.splitlines()
    assert lines[1].startswith("  x = 20 × 30 float64, from -1 to 1, mean")
    assert [set(line.strip()) for line in lines[2:6]] == [{"□"}, {"▫"}, {"▪"}, {"■"}]
    assert "Signs stand for the entries of larger arrays" in lines[-2]
    assert len(text) < 4000


def test_nan_and_infinities_stand_out_of_a_map():
    x = np.zeros((3, 40))
    x[0, 0], x[1, 1] = np.nan, np.inf
    text = run(nn.Graph(nn.relu(nn.Input("x"))), x, dout=x)
    assert "3 × 40 float64, from 0 to 0, mean 0, 2 infinite or NaN" in text
    assert "?" in text.splitlines()[2]
    assert "■" in text.splitlines()[3]


def test_layers_with_weights_and_containers_are_steps_too():
    x = nn.Input("x")
    model = nn.mlp([3, 4, 5, 2], rng=0)
    h = nn.Affine(2, 3, rng=0)(x).named("h")
    text = run(nn.Graph(model(h).named("y")), [[1.0, 2.0]], dout=[[1.0, 1.0]])
    assert "to h: local derivative ∂y/∂h = J = [0, 0] [" in text
    assert "sent Jᵀ @ ∂ℓ/∂y = [ " in text
    assert "J is the Jacobian of Sequential" in text
    assert "to 2.W: adds" in text
    assert "to x: local derivative ∂h/∂x: factor Wᵀ = ⎡ " in text
    assert "sent ∂ℓ/∂h @ Wᵀ = [ " in text


def test_the_gradients_of_weights_are_explained_with_their_formulas():
    layer = nn.Affine(2, 1, weight_init="ones", dtype=np.float64)
    graph = nn.Graph(layer(nn.Input("x")).named("y"))
    text = run(graph, [[1.0, 2.0], [3.0, 4.0]], dout=[[1.0], [10.0]])
    lines = [line.strip() for line in text.splitlines()]
    found = lines.index("to W: adds xᵀ @ ∂ℓ/∂y = ⎡ 31 ⎤")
    assert lines[found + 1 : found + 4] == ["⎣ 42 ⎦", "∂ℓ/∂W = ⎡ 31 ⎤", "⎣ 42 ⎦"]
    assert lines[found + 4 :] == ["to b: adds sum(∂ℓ/∂y) = [11]", "∂ℓ/∂b = [11]"]
    assert lines[lines.index("1. y = x @ W + b = ⎡ 3 ⎤") + 2] == "W = ⎡ 1 ⎤"


def test_a_layer_used_twice_adds_up_the_gradients_of_its_weights():
    layer = nn.Affine(1, 1, weight_init="ones", dtype=np.float64)
    layer.W.grad += 1000.0  # What earlier passes left is no part of this one.
    x = nn.Input("x")
    text = run(nn.Graph(layer(layer(x).named("a")).named("b")), [[3.0]], dout=[[2.0]])
    assert "to W: adds aᵀ @ ∂ℓ/∂b = [ 6 ]\n" in text
    assert "∂ℓ/∂W = [ 6 ] so far" in text
    assert "added to [ 6 ] from b: total ∂ℓ/∂W = [ 12 ]" in text
    assert layer.W.grad == 1012.0


@pytest.mark.parametrize(
    ("layer", "terms"),
    [
        (nn.PReLU(dtype=np.float64), {"a": "sum(∂ℓ/∂y × min(x, 0))"}),
        (nn.BatchNorm(2, dtype=np.float64), {"gamma": "sum(∂ℓ/∂y × n)", "beta": "sum(∂ℓ/∂y)"}),
        (nn.LayerNorm(2, dtype=np.float64), {"gamma": "sum(∂ℓ/∂y × n)", "beta": "sum(∂ℓ/∂y)"}),
        (nn.RMSNorm(2, dtype=np.float64), {"gamma": "sum(∂ℓ/∂y × n)"}),
    ],
    ids=lambda part: type(part).__name__,
)
def test_every_layer_with_weights_states_the_gradients_that_backward_gives(layer, terms):
    x = np.array([[1.0, -2.0], [-3.0, 5.0], [0.5, 0.25]])
    text = run(nn.Graph(layer(nn.Input("x")).named("y")), x, dout=2 * x)
    for name, formula in terms.items():
        numbers = ", ".join(f"{number:.4g}" for number in getattr(layer, name).grad)
        assert f"to {name}: adds {formula} = [{numbers}]\n" in text


def test_rows_that_an_embedding_looked_up_get_their_gradients():
    layer = nn.Embedding(3, 2, weight_init="ones", dtype=np.float64)
    text = run(nn.Graph(layer(nn.Input("x")).named("y")), [0, 2, 0], dout=np.ones((3, 2)))
    assert "1. y = W[x] = " in text
    assert "to W: adds put(∂ℓ/∂y) = ⎡ 2  2 ⎤\n" in text


def layers_with_parameters():
    for name, entry in ENTRIES.items():
        layer = entry.make()
        is_container = isinstance(layer, Drawable)
        if layer.parameters() and not is_container:
            yield pytest.param(entry, id=name)


@pytest.mark.parametrize("entry", list(layers_with_parameters()))
def test_each_layer_of_the_library_with_parameters_explains_their_gradients(entry):
    layer = entry.make()
    inputs = entry.draw()
    graph = nn.Graph(layer(*[nn.Input(f"in{i}") for i in range(len(inputs))]).named("y"))
    y = graph.forward(*inputs)
    graph.backward(np.ones(y.shape))
    (visit,) = trace(graph).visits
    parameters = layer.named_parameters()
    assert [part.label for part in visit.weights] == list(parameters)
    for part in visit.weights:
        assert part.formula is not None
        np.testing.assert_array_equal(part.value, parameters[part.label].grad)


def test_random_layers_show_no_weights_that_another_draw_would_give():
    model = nn.Sequential(nn.Dropout(0.5, rng=3), nn.Affine(40, 1, dtype=np.float64, rng=0))
    text = run(nn.Graph(model(nn.Input("x")).named("y")), np.ones((1, 40)), dout=[[1.0]])
    assert "to 1.W" not in text


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
