"""The page that steps through a graph, as text: complete, safe, and with the right numbers."""

import base64
import html
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers.drawing import to_html
from nnlayers.graphs import as_graph

WICKED = "</script><b onclick='x'>&\"$title\U0001f600é"
VOID = {"meta", "link", "input", "br"}


class Outline(HTMLParser):
    """The elements of a page; each is closed where it must be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page_of(graph, tmp_path):
    path = tmp_path / "graph.html"
    assert to_html(graph, path) is None
    return path.read_text(encoding="utf-8")


def softplus_graph(name="y"):
    x = nn.Input("x")
    graph = nn.Graph(nn.log(1 + nn.exp(x).named("b")).named(name))
    graph.forward(0.5)
    graph.backward(1.0)
    return graph


def steps(page):
    """Return each step of a page as an element tree."""
    return [
        ElementTree.fromstring(section.replace("&#160;", " ").replace(" hidden", "", 1))
        for section in re.findall(r"<section.*?</section>", page, flags=re.DOTALL)
    ]


def data(page):
    """Return the arrays and formulas of a page."""
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*)</script>', page)[1]
    )


def numbers(step, role):
    return [span.text for span in step.iter("span") if role in span.get("class").split()]


def test_page_needs_nothing_else(tmp_path):
    page = page_of(softplus_graph(), tmp_path)
    outline = Outline(page)
    assert "http:" not in page
    assert "https:" not in page
    assert not {"iframe", "object", "embed", "img"} & set(outline.tags)
    sources = [value for name, value in outline.attributes if name in ("src", "href")]
    assert sources == ["data:,"]
    assert not re.search(r"@import|url\((?!#)", page)


def test_page_has_a_language_a_title_and_fits_phones(tmp_path):
    outline = Outline(page_of(softplus_graph(), tmp_path))
    assert ("lang", "en") in outline.attributes
    assert ("content", "width=device-width, initial-scale=1") in outline.attributes
    assert "y of x, step by step" in outline.text


def test_controls_have_labels_and_the_panel_is_announced(tmp_path):
    page = page_of(softplus_graph(), tmp_path)
    attributes = Outline(page).attributes
    assert ("aria-live", "polite") in attributes
    assert ("aria-label", "Step") in attributes
    buttons = re.findall(r"<button(.*?)>(.+?)</button>", page)
    assert [text for _, text in buttons] == [
        *("+", "−", "Fit", "Unfold"),
        *("First", "Back", "Play", "Next", "Last", "Reset numbers"),
    ]


def test_each_operation_has_a_step_forward_and_a_step_back(tmp_path):
    page = page_of(softplus_graph(), tmp_path)
    headings = [step.find("h2").text for step in steps(page)]
    assert headings == [
        "Step 0 of 7: given values",
        "Step 1 of 7: forward, b",
        "Step 2 of 7: forward, add",
        "Step 3 of 7: forward, y",
        "Step 4 of 7: the backward pass starts",
        "Step 5 of 7: backward, y",
        "Step 6 of 7: backward, add",
        "Step 7 of 7: backward, b",
    ]
    assert 'max="7"' in page
    hidden = [" hidden" in tag for tag in re.findall(r"<section.*?>", page)]
    assert hidden == [False] + [True] * 7


def test_steps_have_the_numbers_of_the_lecture(tmp_path):
    found = steps(page_of(softplus_graph(), tmp_path))
    b = np.exp(0.5)
    assert numbers(found[1], "result") == [f"{b:.4g}"]
    assert numbers(found[3], "result") == [f"{np.log(1 + b):.4g}"]
    assert numbers(found[5], "factor") == numbers(found[5], "total") == [f"{1 / (1 + b):.4g}"]
    assert numbers(found[7], "incoming") == [f"{1 / (1 + b):.4g}"]
    assert numbers(found[7], "factor") == [f"{b:.4g}"]
    assert numbers(found[7], "total") == [f"{b / (1 + b):.4g}"]


def test_sums_are_explained_where_a_node_is_used_twice(tmp_path):
    x = nn.Input("x")
    graph = nn.Graph((nn.exp(x).named("e") * x).named("y"))
    graph.forward(1.0)
    graph.backward(1.0)
    page = page_of(graph, tmp_path)
    last = steps(page)[-1]
    assert "added to 2.718 from y" in "".join(last.itertext())
    assert numbers(last, "total") == ["5.437"]
    assert ">Σ 5.437</text>" in page
    assert [
        span.get("data-array") for span in last.iter("span") if "total" in span.get("class")
    ] == ["t1.0"]


def labelled(name):
    """Return a graph whose nodes, layer, formula and note all hold a text."""

    class Odd(nn.Layer):
        formula = nn.Formula("x * x", "2 * x", symbol=name, note=name)

        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dout):
            return 2 * self.x * dout

    graph = nn.Graph(Odd()(nn.Input(f"x{name}")).named(f"y{name}"))
    graph.backward(graph.forward(3.0))
    return graph


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=st.text(min_size=1, max_size=30))
@example(name=WICKED)
@example(name="</script><script>alert(1)</script>")
@example(name="--><!--<script>")
@example(name="]]></style></svg><img src=x onerror=alert(1)>")
@example(name="${script}$data\u2028'\"`")
def test_no_text_of_a_user_is_ever_interpreted(tmp_path, name):
    plain = Outline(page_of(labelled("a"), tmp_path))
    page = page_of(labelled(name), tmp_path)
    outline = Outline(page)
    # A name with an underscore has a subscript.
    foot = {"msub", "mi", "mrow"}
    assert [tag for tag in outline.tags if tag not in foot] == [
        tag for tag in plain.tags if tag not in foot
    ]
    assert {key for key, _ in outline.attributes} == {key for key, _ in plain.attributes}
    assert data(page)["nodes"][0]["name"] == f"x{name}"


def test_half_a_surrogate_pair_in_a_name_is_written(tmp_path):
    assert "&#55357;" in page_of(softplus_graph("\ud83d"), tmp_path)


def test_drawing_is_well_formed_and_knows_its_steps(tmp_path):
    page = page_of(softplus_graph(), tmp_path)
    svg = ElementTree.fromstring(re.search(r"<svg class=.*?</svg>", page, flags=re.DOTALL)[0])
    nodes = [g for g in svg.iter("g") if "node" in g.get("class", "")]
    assert [node.get("data-steps") for node in nodes] == ["0", "0", "1 7", "2 6", "3 5"]
    assert [node.get("class").split()[1] for node in nodes] == [
        "constant",
        "input",
        *["operation"] * 3,
    ]
    below = [g for g in svg.iter("g") if g.get("class") == "label below"]
    assert [g.get("data-from") for g in below if g.find("text").text == "1"] == ["4"]
    assert sorted(g.get("data-from") for g in below) == ["4", "5", "6", "7"]
    keys = [g.get("data-array") for g in svg.iter("g") if g.get("class") == "label above"]
    assert keys == ["v1", "v0", "v2", "v3", "v4"]
    assert svg.findall(".//style") == []  # The page has it.


def test_large_arrays_are_a_summary_and_a_heat_map(tmp_path):
    graph = nn.Graph(nn.sum(nn.exp(nn.Input("x"))))
    x = np.zeros((500, 600))
    x[0, 0], x[499, 599] = 2.0, -1.0
    graph.forward(x)
    graph.backward(1.0)
    page = page_of(graph, tmp_path)
    stored = data(page)
    array = stored["arrays"][stored["keys"]["v0"]]
    assert "data" not in array
    assert array["summary"].startswith("500 × 600 float64, from -1 to 2, mean")
    levels = np.frombuffer(base64.b64decode(array["heat"]["data"]), np.int8)
    assert array["heat"]["shape"] == [32, 32]
    assert (levels[0], levels[-1], np.count_nonzero(levels)) == (100, -50, 2)
    assert len(page) < 100_000


def test_numbers_are_stored_to_the_last_bit_and_equal_arrays_once(tmp_path):
    x = np.array([0.1, np.nan, np.inf, 5e-324])
    graph = nn.Graph(nn.relu(nn.Input("x")))
    graph.forward(x)
    graph.backward(np.ones(4))
    stored = data(page_of(graph, tmp_path))
    array = stored["arrays"][stored["keys"]["v0"]]
    kept = np.frombuffer(base64.b64decode(array["data"]), "<f8")
    assert kept.tobytes() == x.tobytes()
    keys = stored["keys"]
    assert keys["g1"] == keys["s1"]
    assert keys["d1.0"] == keys["c1.0"] == keys["t1.0"] == keys["g0"]


def test_the_page_of_a_wide_network_of_20_layers_stays_below_2_mb(tmp_path):
    layers = [(nn.Affine(1024, 1024, weight_init="glorot_uniform"), nn.ReLU()) for _ in range(20)]
    graph = as_graph(nn.Sequential(*[layer for pair in layers for layer in pair]))
    rng = np.random.default_rng(0)
    graph.forward(rng.normal(size=(4, 1024)).astype(np.float32))
    graph.backward(rng.normal(size=(4, 1024)))
    assert len(page_of(graph, tmp_path)) < 2_000_000


def test_weights_stand_beside_the_gradients_of_the_inputs(tmp_path):
    graph = nn.Graph(
        nn.Affine(2, 1, weight_init="ones", dtype=np.float64)(nn.Input("x")).named("y")
    )
    graph.forward([[1.0, 2.0]])
    graph.backward([[10.0]])
    forward, backward = steps(page_of(graph, tmp_path))[1::2]
    assert numbers(forward, "weight") == ["[[1], [1]]", "[0]"]
    assert [title.text for title in backward.iter("h3")] == ["To x", "To W", "To b"]
    assert numbers(backward, "total") == ["[[10, 10]]", "[[10], [20]]", "[10]"]


def test_terms_of_formulas_name_their_nodes(tmp_path):
    last = steps(page_of(softplus_graph(), tmp_path))[-1]
    links = {row.get("data-node") for row in last.iter("mrow")}
    gradients = {row.get("data-gradient") for row in last.iter("mrow")}
    assert links >= {"1", "2"}
    assert gradients >= {"1", "2"}


def test_without_javascript_the_page_holds_the_explanation(tmp_path):
    graph = softplus_graph()
    page = page_of(graph, tmp_path)
    text = re.search(r"<noscript>.*<pre>(.*)</pre></noscript>", page, re.DOTALL)[1]
    assert html.unescape(text) == graph.explain()


def test_several_outputs_each_start_the_backward_pass(tmp_path):
    x = nn.Input("x")
    graph = nn.Graph([nn.exp(x).named("a"), nn.log(x).named("b")])
    graph.forward(1.0)
    graph.backward(2.0, 3.0)
    found = steps(page_of(graph, tmp_path))
    assert numbers(found[3], "incoming") == ["2", "3"]


def test_a_graph_without_a_backward_pass_has_no_page(tmp_path):
    graph = nn.Graph(nn.exp(nn.Input("x")))
    graph.forward(1.0)
    with pytest.raises(RuntimeError, match="before backward"):
        to_html(graph, tmp_path / "graph.html")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_path_is_named(tmp_path):
    path = tmp_path / "missing" / "graph.html"
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        to_html(softplus_graph(), path)
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        to_html(softplus_graph(), tmp_path)
