"""Pictures as SVG: labels, wires, folds, open containers, any name."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.drawing.folding import find_fold
from nnlayers.drawing.labels import array_label, sum_label
from nnlayers.drawing.picture import COLOURS, DARK_COLOURS, to_svg

SVG = "{http://www.w3.org/2000/svg}"


class Drawn:
    """The texts, labels and wires of a picture."""

    def __init__(self, graph, **options):
        self.source = to_svg(graph.diagram(), **options)
        self.root = ElementTree.fromstring(self.source)
        self.texts = [text.text or "" for text in self.root.iter(f"{SVG}text")]

    def labels(self, kind):
        groups = [g for g in self.root.iter(f"{SVG}g") if kind in g.get("class", "").split()]
        return [group.find(f"{SVG}text").text for group in groups]

    def heights(self, kind):
        groups = [g for g in self.root.iter(f"{SVG}g") if kind in g.get("class", "").split()]
        return [float(re.findall(r"[-\d.]+", group.get("transform"))[1]) for group in groups]

    def named(self, kind):
        return [e for e in self.root.iter() if kind in e.get("class", "").split()]


def sigmoid():
    w, x = nn.Input("w"), nn.Input("x")
    return nn.Graph(1 / (1 + nn.exp(-(w @ x).named("e"))))


def recurrent(steps):
    w, r = nn.Input("w"), nn.Input("r")
    state = r
    for step in range(steps):
        state = nn.relu((w * state).named(f"a_{step}"))
    graph = nn.Graph(nn.sum(state))
    graph.forward(1.0, [1.0, 2.0])
    graph.backward(1.0)
    return graph


def test_values_stand_above_wires_and_gradients_below_them():
    graph = sigmoid()
    assert Drawn(graph).labels("label") == []
    graph.forward([1.0, 2.0], [3.0, -1.0])
    assert sorted(Drawn(graph).labels("above")) == sorted(
        ["[1, 2]", "[3, -1]", "1", "-1", "0.3679", "1", "1.368", "1", "0.7311"]
    )
    assert Drawn(graph).labels("below") == []
    graph.backward(1.0)
    drawn = Drawn(graph)
    assert "[0.5898, -0.1966]" in drawn.labels("below")
    # The two constants of 1 get no gradient.
    gradients, values = drawn.heights("below"), drawn.heights("above")
    assert len(gradients) == len(values) - 2
    assert {round(below - 19, 6) for below in gradients} <= {round(above, 6) for above in values}


def test_a_negation_is_a_minus_sign():
    assert "−" in Drawn(nn.Graph(-nn.Input("v"))).texts
    assert nn.Graph(-nn.Input("v")).to_dot().count("label=<−") == 1


def test_matrices_are_a_shape_and_a_heat_map_and_never_a_text_cut_off():
    graph = nn.Graph(nn.relu(nn.Input("x")).named("y"))
    graph.backward(graph.forward([[1.0, -2.0], [0.0, np.nan]]))
    drawn = Drawn(graph)
    assert drawn.labels("above") == ["2 × 2", "2 × 2"]
    first = next(g for g in drawn.root.iter(f"{SVG}g") if "above" in g.get("class", ""))
    classes = [path.get("class") for path in first.iter(f"{SVG}path")]
    assert sorted(classes) == ["heat-3", "heat0", "heat2", "heat4"]
    for size in (7, 100, 10_000):
        label = array_label(np.linspace(-1, 1, size))
        assert (label.text, label.levels.size) == (str(size), min(size, 16))
    assert array_label(np.array([0.123456, -123456.0, 1e-9])).text == "3"
    assert array_label(np.zeros((0, 3))) == ("0 × 3", None)


def test_gradients_that_share_a_wire_are_added():
    assert sum_label([np.array(3.0), np.array(4.0)]).text == "3 + 4"
    label = sum_label([np.array([[1.0, 2.0]]), np.array([[-1.0, 2.0]])])
    np.testing.assert_array_equal(label.levels, [[0, 3]])


@settings(max_examples=40, deadline=None)
@given(st.sets(st.text(min_size=1, max_size=20), min_size=1, max_size=8))
def test_any_name_is_text_and_nothing_else(names):
    names |= {'"', "\\", "<b>", "&amp;", "]]>", "<!--", "</svg>", "a\nb", "\x00", "\ud800", " "}
    graph = nn.Graph([nn.Input(name) for name in names])
    drawn = Drawn(graph)
    assert {element.tag.removeprefix(SVG) for element in drawn.root.iter()} == {
        "svg", "style", "defs", "marker", "path", "g", "title", "rect", "text"
    }  # fmt: skip
    for name in names:
        printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
        assert any(printable.startswith(text.removesuffix("…")) for text in drawn.texts if text)


def luminance(colour):
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(first, second):
    """Return the contrast by the Web Content Accessibility Guidelines."""
    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


def test_pictures_are_legible_on_white_and_on_dark_pages():
    for page in ("#ffffff", "#121212"):
        for name in ("value", "gradient", "quiet", "line"):
            assert contrast(COLOURS[name], page) >= 4
    for fill in ("input", "weight", "constant", "operation", "container"):
        assert contrast(COLOURS["ink"], COLOURS[fill]) >= 7
        assert contrast(DARK_COLOURS["ink"], DARK_COLOURS[fill]) >= 7
        assert contrast(DARK_COLOURS[fill], "#131416") < 2.5  # no bright box on a dark page
    light, dark = Drawn(sigmoid()).source.split("@media (prefers-color-scheme: dark)")
    assert COLOURS["operation"] in light
    assert DARK_COLOURS["operation"] in dark


def test_open_containers_hold_their_layers_and_their_wires_meet_the_frame():
    a, b = nn.Input("a"), nn.Input("b")
    inner = nn.Graph((a - b) * nn.Input("k", value=2.0))
    u, v = nn.Input("u"), nn.Input("v")
    graph = nn.Graph(nn.Sequential(nn.Tanh(), nn.Sequential(nn.Exp()))(inner(u, v)) / v)
    graph.forward(0.5, 0.25)
    graph.backward(1.0)
    closed, opened = Drawn(graph), Drawn(graph, expand=True)
    assert len(closed.named("container")) == 2
    assert closed.named("frame") == []
    assert len(opened.named("frame")) == 3
    assert {"a", "b", "k", "Tanh", "exp", "Sequential"} <= set(opened.texts)
    assert "9.987" in opened.labels("below")
    for frame in opened.named("frame"):
        box, inside = frame.find(f"{SVG}rect"), frame.find(f"{SVG}g")
        shift = float(re.findall(r"[-\d.]+", inside.get("transform"))[0])
        last = [path for path in inside.findall(f"{SVG}path") if "open" in path.get("class")][-1]
        end = float(re.search(r"H([\d.]+)$", last.get("d"))[1])
        assert shift + end == pytest.approx(float(box.get("x")) + float(box.get("width")), abs=0.2)


def test_a_long_recurrent_graph_is_folded_to_its_first_and_last_step():
    drawn = Drawn(recurrent(50))
    assert "48 more" in drawn.texts
    assert "a_1 … relu_49" in drawn.texts
    assert {"a_0", "a_49"} <= set(drawn.texts)
    assert "a_25" not in drawn.texts
    assert float(drawn.root.get("width")) < 1600
    assert len(Drawn(recurrent(50), expand=True).named("node")) == 103


@pytest.mark.parametrize("steps", [3, 10])
def test_a_short_graph_is_not_folded(steps):
    assert Drawn(recurrent(steps)).named("fold") == []


def test_blocks_that_read_other_nodes_are_not_folded_with_the_rest():
    x, other = nn.Input("x"), nn.Input("other")
    state = x
    for step in range(40):
        state = nn.tanh(state * (other if step == 20 else x))
    graph = nn.Graph(state)
    index = {node: i for i, node in enumerate(graph.nodes)}
    fold = find_fold(graph.nodes, [[index[p] for p in node.parents] for node in graph.nodes])
    odd = index[next(node for node in graph.nodes if other in node.parents)]
    assert odd not in fold.hidden
    assert fold.period == 2


def test_a_weight_that_folded_blocks_share_gets_the_sum_of_their_gradients():
    drawn = Drawn(recurrent(50))
    # d/dw of w^50 (1 + 2) at w = 1, of which the first and the last step send 3 each.
    assert {"Σ 150", "3", "144"} <= set(drawn.labels("below"))


@st.composite
def graphs(draw):
    """A graph of scalars and matrices with much sharing that has run forward and backward."""
    nodes = [nn.Input("a"), nn.Input("b"), nn.Input("c")]
    for _ in range(draw(st.integers(1, 12))):
        first, second = (draw(st.sampled_from(nodes)) for _ in range(2))
        kind = draw(st.sampled_from([nn.Add, nn.Multiply, nn.Tanh]))
        nodes.append(kind()(first) if kind is nn.Tanh else kind()(first, second))
    graph = nn.Graph(nodes[-2:])
    values = {"a": 0.25, "b": np.ones((2, 3)), "c": -0.5}
    outputs = graph.forward(**{node.name: values[node.name] for node in graph.inputs})
    graph.backward(*[np.ones(y.shape) for y in outputs])
    return graph


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_label_covers_another(graph):
    drawn = Drawn(graph)
    boxes = []
    for group in drawn.root.iter(f"{SVG}g"):
        if "label" in group.get("class", "").split():
            x, y = map(float, re.findall(r"[-\d.]+", group.get("transform")))
            half = 7.4 * len(group.find(f"{SVG}text").text) / 2
            corners = [
                re.match(r"M([-\d.]+)", path.get("d"))[1] for path in group.iter(f"{SVG}path")
            ]
            half = max([half, *[abs(float(corner)) for corner in corners]])
            boxes.append((x - half, x + half, y - 11, y + 3))
    for i, (left, right, top, bottom) in enumerate(boxes):
        for other in boxes[:i]:
            apart = other[1] <= left or right <= other[0] or other[3] <= top or bottom <= other[2]
            assert apart, (boxes[i], other)
