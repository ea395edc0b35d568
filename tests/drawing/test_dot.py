"""Drawings as text: nodes, wires, numbers and nested containers."""

import ast
import re
import subprocess
import sys
from itertools import combinations
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import Picture, graphviz, graphviz_layout, needs_dot

import nnlayers as nn
from nnlayers.graphs import as_graph

BINARY = (nn.Add, nn.Subtract, nn.Multiply, nn.Maximum)
UNARY = (nn.Tanh, nn.Square, nn.Negative, nn.Sum)


@st.composite
def graphs(draw):
    """A graph of scalars and rows that has run forward and backward."""
    nodes = [
        nn.Input("a"),
        nn.Input("b"),
        nn.Input("c", value=[0.5, -3.0, 1e-5]),
        nn.Input("d", value=nn.Parameter(np.array(2.0))),
    ]
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(st.sampled_from(BINARY + UNARY))
        taken = [draw(st.sampled_from(nodes)) for _ in range(2 if kind in BINARY else 1)]
        nodes.append(kind()(*taken))
    graph = nn.Graph(nodes[-2:] if draw(st.booleans()) else nodes[-1])
    fed = {"a": 0.25, "b": [1.0, -1.0, 2.0]}
    outputs = graph.forward(**{node.name: fed[node.name] for node in graph.inputs})
    graph.backward(*[np.ones(y.shape) for y in ([outputs] if graph.single else outputs)])
    return graph


def sigmoid():
    w, x = nn.Input("w"), nn.Input("x")
    return nn.Graph(1 / (1 + nn.exp(-(w @ x).named("e"))))


def numbers(text):
    return np.array(ast.literal_eval(text))


def test_a_graph_that_has_not_run_shows_no_numbers():
    graph = sigmoid()
    picture = Picture(graph.to_dot())
    assert len(picture.wires) == sum(len(node.parents) for node in graph.nodes) + 1
    assert {(wire.value, wire.gradient) for wire in picture.wires} == {(None, None)}


def test_forward_gives_values_and_backward_gradients():
    graph = sigmoid()
    graph.forward([1.0, 2.0], [3.0, -1.0])
    before = Picture(graph.to_dot()).wires
    assert {wire.gradient for wire in before} == {None}
    shown = [wire for wire in before if wire.start in ids(graph, "w", "exp", "divide")]
    assert [wire.value for wire in shown] == ["[1, 2]", "0.3679", "0.7311"]
    graph.backward(1.0)
    after = Picture(graph.to_dot()).wires
    assert [wire[:3] for wire in after] == [wire[:3] for wire in before]
    shown = [wire for wire in after if wire.start in ids(graph, "w", "exp", "divide")]
    assert [wire.gradient for wire in shown] == ["[0.5898, -0.1966]", "-0.5344", "1"]


def ids(graph, *names):
    return [f"n{i}" for i, node in enumerate(graph.nodes) if node.name in names]


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_each_wire_carries_its_value_and_its_part_of_the_gradient(graph):
    picture = Picture(graph.to_dot())
    drawn_id = {node: f"n{i}" for i, node in enumerate(graph.nodes)}
    drawn = [wire[:2] for wire in picture.wires]
    assert sorted(drawn) == sorted(
        [(drawn_id[parent], drawn_id[node]) for node in graph.nodes for parent in node.parents]
        + [(drawn_id[node], f"output{i}") for i, node in enumerate(graph.outputs)]
    )
    for node in graph.nodes:
        leaving = [wire for wire in picture.wires if wire.start == drawn_id[node]]
        for wire in leaving:
            np.testing.assert_allclose(numbers(wire.value), node.value, rtol=1e-3, atol=1e-12)
        if len(leaving) > 1:
            (total,) = [t[2:] for t in picture.texts[drawn_id[node]] if t.startswith("Σ ")]
            np.testing.assert_allclose(numbers(total), node.grad, rtol=1e-3, atol=1e-12)
        if len(leaving) == 1 or node not in graph.outputs:
            parts = [numbers(wire.gradient) for wire in leaving]
            allowed = 1e-3 * np.sum(np.abs(parts), axis=0).max()
            np.testing.assert_allclose(np.sum(parts, axis=0), node.grad, rtol=0, atol=allowed)


def test_the_wires_of_a_square_spelled_as_a_product_carry_half_of_the_gradient_each():
    x = nn.Input("x")
    graph = nn.Graph(x * x)
    graph.forward(3.0)
    graph.backward(1.0)
    picture = Picture(graph.to_dot())
    assert [wire.gradient for wire in picture.wires] == ["3", "3", "1"]
    assert picture.texts["n0"] == ["x", "Σ 6"]


def test_an_output_that_is_used_again_shows_the_sum_of_its_gradients():
    y = nn.square(nn.Input("x"))
    graph = nn.Graph([y, -y])
    graph.forward(3.0)
    graph.backward(5.0, 1.0)
    picture = Picture(graph.to_dot())
    assert picture.texts["n1"] == ["x²", "square", "Σ 4"]
    assert [w.gradient for w in picture.wires if w.start == "n1"] == ["-1", None]


@pytest.mark.parametrize(
    ("shape", "dtype", "text"),
    [
        ((6,), np.float64, "[1, 1, 1, 1, 1, 1]"),
        ((7,), np.float64, "7 float64"),
        ((2, 3), np.float32, "[[1, 1, 1], [1, 1, 1]]"),
        ((8, 3), np.float32, "8 × 3 float32"),
        ((0, 3), np.float32, "0 × 3 float32"),
    ],
)
def test_large_arrays_are_shown_by_shape_and_dtype(shape, dtype, text):
    graph = nn.Graph(nn.relu(nn.Input("x")))
    graph.backward(graph.forward(np.ones(shape, dtype)))
    assert {wire[2:] for wire in Picture(graph.to_dot()).wires} == {(text, text)}


def test_a_layer_that_returns_no_gradient_sends_zero():
    class Blind(nn.Layer):
        def forward(self, a, b):
            return a + b

        def backward(self, dout):
            return dout, None

    x, y = nn.Input("x"), nn.Input("y")
    graph = nn.Graph(Blind()(x * y, y))
    graph.forward(1.0, 2.0)
    graph.backward(1.0)
    gradients = {wire[:2]: wire.gradient for wire in Picture(graph.to_dot()).wires}
    assert gradients["n1", "n2"] == gradients["n2", "n3"] == "1"
    assert gradients["n1", "n3"] == "0"


def test_inputs_weights_constants_operations_and_containers_look_different():
    w = nn.Input("W", value=nn.Parameter(np.ones((2, 2))))
    graph = nn.Graph(nn.Sequential(nn.ReLU())(nn.Input("x") @ w + 1.5))
    picture = Picture(graph.to_dot())
    looks = [
        picture.looks[picture.named(*words)] for words in (["x"], ["W"], ["1.5"], ["@", "matmul"])
    ]
    looks.append(picture.looks["n5"])
    for first, second in combinations(looks, 2):
        assert re.search("shape=.*?fillcolor", first)[0] != re.search("shape=.*", second)[0]
        assert re.findall("#......", first) != re.findall("#......", second)
    assert picture.texts["n5"] == ["Sequential( 0: ReLU() )", "sequential"]


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(first, second):
    """Return the contrast by the Web Content Accessibility Guidelines."""
    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


def test_drawings_are_legible_on_white_and_on_dark_pages():
    text = nn.Graph(nn.exp(nn.Input("x")) * 2).to_dot()
    assert "bgcolor=transparent" in text
    for page in ("#ffffff", "#121212"):
        for colour in ("#00893b", "#d93b3b", "#787878"):
            assert contrast(colour, page) >= 4
    (ink,) = set(re.findall('fontcolor="(#2.....)"', text))
    for fill in re.findall('fillcolor="(#......)"', text):
        assert contrast(ink, fill) >= 7
        assert contrast("#d93b3b", fill) >= 3


@needs_dot
@settings(max_examples=8, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=12), min_size=20, max_size=40))
def test_any_name_is_drawn_as_it_is(names):
    names |= {'"', "\\", "\\N", "<b>", "&amp;", "a]->b;", "<br/>", "a\nb", "\x00", "\ud800", " "}
    graph = nn.Graph([nn.Input(name) for name in names])
    page = ElementTree.fromstring(graphviz(graph.to_dot(), "svg"))
    shown = {"".join(text.itertext()) for text in page.iter("{http://www.w3.org/2000/svg}text")}
    for name in names:
        printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
        assert not printable.strip() or " ".join(printable.split()) in {
            " ".join(text.split()) for text in shown
        }


def nested():
    a, b = nn.Input("a"), nn.Input("b")
    inner = nn.Graph((a - b) * nn.Input("k", value=2.0))
    u, v = nn.Input("u"), nn.Input("v")
    model = nn.Sequential(nn.Tanh(), nn.Sequential(nn.Exp()))
    graph = nn.Graph(model(inner(u, v)) / v)
    graph.forward(0.5, 0.25)
    graph.backward(1.0)
    return graph


def test_containers_stay_one_box_by_default():
    picture = Picture(nested().to_dot())
    assert picture.clusters == {}
    assert len(picture.texts) == 6


def test_containers_open_to_any_depth():
    picture = Picture(nested().to_dot(expand=True))
    assert list(picture.clusters) == ["n2", "n3", "n3_2"]
    ways = {wire[:2]: wire[2:] for wire in picture.wires}
    y = np.exp(np.tanh(0.5)) / 0.25
    slope = y * (1 - np.tanh(0.5) ** 2)
    assert ways["n2_4", "n3_0"] == ("0.5", f"{slope:.4g}")
    assert ways["n2_2", "n2_4"] == ("0.25", f"{2 * slope:.4g}")
    assert ways["n2_3", "n2_4"] == ("2", f"{0.25 * slope:.4g}")
    assert ways["n0", "n2_0"] == ("0.5", f"{2 * slope:.4g}")
    assert ways["n4", "output0"] == (f"{y:.4g}", "1")
    assert ways["n3_1", "n3_2_0"] == ways["n3_2_0", "n3_2_1"] == (None, None)
    assert ("n3_2_1", "n4") in ways


def test_a_container_used_twice_shows_no_numbers_within():
    x = nn.Input("x")
    inner = nn.Graph(nn.exp(nn.Input("a")))
    graph = nn.Graph(inner(inner(x)))
    inner.forward(7.0)
    graph.forward(1.0)
    picture = Picture(graph.to_dot(expand=True))
    assert [wire[:3] for wire in picture.wires] == [
        ("n1_0", "n1_1", None),
        ("n0", "n1_0", "1"),
        ("n2_0", "n2_1", None),
        ("n1_1", "n2_0", "2.718"),
        ("n2_1", "output0", "15.15"),
    ]


def test_a_sequential_is_drawn_layer_by_layer():
    model = nn.Sequential(nn.Affine(3, 4, rng=0), nn.ReLU(), nn.Affine(4, 2, rng=0))
    picture = Picture(model.to_dot())
    assert list(picture.texts.values()) == [
        ["x"],
        ["Affine(3, 4)", "affine"],
        ["ReLU", "relu"],
        ["Affine(4, 2)", "affine_2"],
        ["output"],
    ]
    assert [w[:2] for w in picture.wires] == [
        ("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n3", "output0")
    ]  # fmt: skip


def test_a_residual_shows_the_skip_connection():
    picture = Picture(nn.Residual(nn.Tanh(), nn.Square()).to_dot())
    assert picture.texts["n3"] == ["+", "add"]
    assert {w[:2] for w in picture.wires} >= {("n0", "n3"), ("n0", "n1"), ("n2", "n3")}


@pytest.mark.parametrize("kind", [nn.Sequential, nn.Residual])
def test_a_container_with_another_forward_is_not_opened(kind):
    class Twice(kind):
        def forward(self, x):
            return 2 * super().forward(x)

    picture = Picture(nn.Sequential(Twice(nn.Tanh())).to_dot(expand=True))
    assert picture.clusters == {}
    assert len(picture.wires) == 2
    assert len(Picture(Twice(nn.Tanh()).to_dot(expand=True)).wires) == 2


def test_a_container_s_subclass_is_opened():
    class Block(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Tanh(), nn.Exp())

    picture = Picture(nn.Sequential(Block()).to_dot(expand=True))
    assert picture.clusters == {"n1": ["Block( 0: Tanh() 1: Exp() )", "block"]}
    assert len(picture.wires) == 4


def test_an_empty_sequential_is_a_wire():
    assert [w[:2] for w in Picture(nn.Sequential().to_dot()).wires] == [("n0", "output0")]


@pytest.mark.parametrize("kind", [nn.Sequential, nn.Residual])
def test_the_graph_of_a_container_computes_the_same(kind):
    model = kind(nn.Affine(3, 3, rng=0, dtype=np.float64), nn.Tanh())
    graph = as_graph(model)
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(graph.forward(x), model.forward(x))
    np.testing.assert_allclose(graph.backward(x), model.backward(x))
    assert graph.parameters() == model.parameters()


def test_each_of_several_outputs_is_marked():
    x = nn.Input("x")
    picture = Picture(nn.Graph([nn.exp(x), x]).to_dot())
    assert picture.texts["output0"] == ["output 1"]
    assert picture.texts["output1"] == ["output 2"]
    assert {w[:2] for w in picture.wires} >= {("n1", "output0"), ("n0", "output1")}


def test_a_chain_longer_than_python_s_stack_is_drawn():
    y = nn.Input("x")
    for _ in range(2 * sys.getrecursionlimit()):
        y = -y
    assert len(Picture(nn.Graph(y).to_dot()).wires) == 2 * sys.getrecursionlimit() + 1


@needs_dot
@settings(max_examples=15, deadline=None)
@given(graphs())
def test_graphviz_reads_every_drawing(graph):
    drawn = [graph]
    if graph.single and graph.inputs:
        outer = nn.Graph(nn.exp(graph(*[nn.Input(node.name) for node in graph.inputs])))
        drawn.append(nn.Sequential(outer) if len(outer.inputs) == 1 else outer)
    for layer in drawn:
        text = layer.to_dot(expand=True)
        picture = Picture(text)
        nodes, edges = graphviz_layout(text)
        tables = {node for node in nodes if node.startswith("wire")}
        assert nodes - tables == picture.texts.keys()
        drawn_once = {wire[:2] for wire in picture.wires if wire.value is None}
        assert len(edges) == len(drawn_once) + 2 * len(tables)


@needs_dot
def test_the_first_operand_comes_in_above_the_second():
    a, b = nn.Input("a"), nn.Input("b")
    graph = nn.Graph([a - b, nn.maximum(b, a)])
    graph.forward(1.0, 2.0)
    text = graph.to_dot()
    _, heights = graphviz_layout(text)
    assert [wire[:2] for wire in Picture(text).wires[:4]] == [
        ("n0", "n2"), ("n1", "n2"), ("n1", "n3"), ("n0", "n3")
    ]  # fmt: skip
    assert heights["wire0", "n2"] > heights["wire1", "n2"]
    assert heights["wire2", "n3"] > heights["wire3", "n3"]


def test_drawing_is_loaded_only_when_something_is_drawn():
    script = "import sys, nnlayers; print('nnlayers.drawing' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_a_constant_shows_its_number_and_a_name_only_if_the_user_gave_one():
    rate = nn.Input("rate", value=0.5)
    picture = Picture(nn.Graph(nn.Input("x") * rate + 2).to_dot())
    assert picture.named("0.5", "rate")
    assert picture.named("2")
