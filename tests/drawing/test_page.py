"""The page that steps through a graph, as text: complete, safe, and with the right numbers."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.drawing import to_html

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
        ElementTree.fromstring(section.replace("&#160;", " "))
        for section in re.findall(r"<section.*?</section>", page, flags=re.DOTALL)
    ]


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
    assert [text for _, text in re.findall(r"<button(.*?)>(\w+)</button>", page)] == [
        "First",
        "Back",
        "Next",
        "Last",
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


def test_names_cannot_break_the_page(tmp_path):
    plain = Outline(page_of(softplus_graph("y"), tmp_path))
    wicked = Outline(page_of(softplus_graph(WICKED), tmp_path))
    assert wicked.tags == plain.tags
    assert f"{WICKED} of x, step by step" in wicked.text


def test_half_a_surrogate_pair_in_a_name_is_written(tmp_path):
    assert "&#55357;" in page_of(softplus_graph("\ud83d"), tmp_path)


def test_drawing_is_well_formed_and_knows_its_steps(tmp_path):
    page = page_of(softplus_graph(), tmp_path)
    svg = ElementTree.fromstring(re.search(r"<svg.*</svg>", page, flags=re.DOTALL)[0])
    nodes = [g for g in svg.iter("g") if "node" in g.get("class", "")]
    assert [node.get("data-steps") for node in nodes] == ["0", "0", "1 7", "2 6", "3 5"]
    assert [node.get("class").split()[1] for node in nodes] == [
        "constant",
        "input",
        *["operation"] * 3,
    ]
    below = [text for text in svg.iter("text") if text.get("class") == "below"]
    assert [text.get("data-from") for text in below if text.text == "1"] == ["4"]
    assert sorted(text.get("data-from") for text in below) == ["4", "5", "6", "7"]


def test_large_arrays_are_shown_by_their_shapes(tmp_path):
    graph = nn.Graph(nn.sum(nn.exp(nn.Input("x"))))
    graph.forward(np.zeros((50, 60)))
    graph.backward(1.0)
    assert "(50, 60) float64" in page_of(graph, tmp_path)


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
