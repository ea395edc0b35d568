"""Drawings as files and in notebooks, with and without Graphviz."""

import os
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pictures import GRADIENT, VALUE, needs_dot

import nnlayers as nn
from nnlayers.drawing import mime_bundle, render
from nnlayers.graphs import as_graph

TEXT = "{http://www.w3.org/2000/svg}text"
BEGINS = {".svg": b"<?xml", ".png": b"\x89PNG\r\n", ".pdf": b"%PDF-", ".dot": b"digraph {"}


@pytest.fixture
def graph():
    graph = nn.Graph(nn.exp(nn.Input("x")).named("y"))
    graph.forward(0.5)
    graph.backward(2.0)
    return graph


@pytest.fixture
def without_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)


@pytest.fixture
def without_program(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))


@pytest.fixture
def broken_program(without_program, tmp_path):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho first >&2\necho second >&2\nexit 3\n")
    program.chmod(0o755)


@needs_dot
@pytest.mark.parametrize("suffix", BEGINS)
@pytest.mark.parametrize("as_path", [Path, str])
def test_the_suffix_is_the_format(graph, tmp_path, suffix, as_path):
    path = tmp_path / f"net{suffix.upper()}"
    graph.draw(as_path(path))
    assert path.read_bytes().startswith(BEGINS[suffix])
    assert os.listdir(tmp_path) == [path.name]


@needs_dot
def test_values_stand_in_green_above_their_wires_and_gradients_in_red_below(graph, tmp_path):
    graph.draw(tmp_path / "net.svg")
    page = ElementTree.parse(tmp_path / "net.svg")
    texts = {(text.text, text.get("fill")): text for text in page.iter(TEXT)}

    def corner(*key):
        return float(texts[key].get("x")), float(texts[key].get("y"))

    x, y = corner("x", "#202020"), corner("y", "#202020")
    for value, gradient, left in [("0.5", "3.297", x), ("1.649", "2", y)]:
        (value_x, value_y), (gradient_x, gradient_y) = (
            corner(value, VALUE),
            corner(gradient, GRADIENT),
        )
        assert value_y < gradient_y
        assert min(value_x, gradient_x) > left[0]
    assert corner("0.5", VALUE)[0] < y[0]


@needs_dot
@pytest.mark.parametrize("make", [nn.Sequential, nn.Residual])
def test_containers_draw_too(make, tmp_path):
    make(nn.Tanh(), nn.Sequential(nn.ReLU())).draw(tmp_path / "net.svg", expand=True)
    page = ElementTree.parse(tmp_path / "net.svg")
    assert {"Tanh", "ReLU", "sequential"} <= {text.text for text in page.iter(TEXT)}


def test_a_dot_file_needs_no_graphviz(graph, tmp_path, without_library, without_program):
    graph.draw(tmp_path / "net.dot", expand=True)
    assert (tmp_path / "net.dot").read_text(encoding="utf-8") == graph.to_dot(expand=True)


@pytest.mark.parametrize("name", ["net.jpg", "net", "svg", ".svg", "net.svg.gz"])
def test_an_unknown_suffix_is_an_error_that_names_those_that_are_known(graph, tmp_path, name):
    with pytest.raises(
        ValueError, match=r"must end in \.svg, \.png, \.pdf or \.dot, got .*" + name
    ):
        graph.draw(tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".dot", pytest.param(".svg", marks=needs_dot)])
def test_an_unwritable_path_is_an_error_that_names_it(graph, tmp_path, suffix):
    (tmp_path / "file").touch()
    for path in (tmp_path / f"missing/net{suffix}", tmp_path / f"file/net{suffix}"):
        with pytest.raises(OSError, match=f"net{suffix}'$"):
            graph.draw(path)
    assert os.listdir(tmp_path) == ["file"]


def test_a_missing_library_is_an_error_that_names_the_extra(graph, tmp_path, without_library):
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nnlayers\[graph\]"'):
        graph.draw(tmp_path / "net.svg")
    assert os.listdir(tmp_path) == []


def test_a_missing_program_is_an_error_that_says_how_to_install_it(
    graph, tmp_path, without_program
):
    pytest.importorskip("graphviz")
    with pytest.raises(RuntimeError) as error:
        graph.draw(tmp_path / "net.svg")
    message = str(error.value)
    assert "\n" not in message
    for part in ("apt install graphviz", "brew install graphviz", "conda install", "Windows"):
        assert part in message
    assert os.listdir(tmp_path) == []


def test_a_failing_program_is_an_error_of_one_line_and_leaves_an_earlier_file(
    graph, tmp_path, broken_program
):
    pytest.importorskip("graphviz")
    (tmp_path / "net.png").write_text("earlier")
    with pytest.raises(RuntimeError, match=r"^Graphviz's program dot failed: .*first.*second.*$"):
        graph.draw(tmp_path / "net.png")
    assert (tmp_path / "net.png").read_text() == "earlier"
    assert sorted(os.listdir(tmp_path)) == ["dot", "net.png"]


@needs_dot
@pytest.mark.parametrize("make", [lambda graph: graph, nn.Sequential, nn.Residual])
def test_a_notebook_shows_the_drawing(graph, make):
    drawn = make(graph)
    bundle = drawn._repr_mimebundle_()
    assert bundle.keys() == {"image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == repr(drawn)
    assert "output" in {
        text.text for text in ElementTree.fromstring(bundle["image/svg+xml"]).iter(TEXT)
    }


@pytest.mark.parametrize("lacking", ["without_library", "without_program", "broken_program"])
def test_a_notebook_shows_text_where_nothing_can_be_drawn(graph, request, lacking):
    request.getfixturevalue(lacking)
    assert graph._repr_mimebundle_() == {"text/plain": "Graph(x -> y, 2 nodes)"}


def test_a_notebook_does_not_wait_for_a_large_drawing():
    model = nn.Sequential(*[nn.Tanh() for _ in range(1000)])
    assert mime_bundle(model).keys() == {"text/plain"}


@pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz")
def test_a_text_that_is_not_a_graph_is_an_error_of_one_line():
    pytest.importorskip("graphviz")
    with pytest.raises(RuntimeError, match=r"^Graphviz's program dot failed: .*syntax error.*$"):
        render("digraph {", "svg")


@pytest.mark.parametrize("kind", [nn.Sequential, nn.Residual])
def test_a_container_s_values_are_explained_by_its_graph(kind, tmp_path):
    model = kind(nn.Square())
    model.backward(model.forward(3.0))
    for explain in (model.explain, lambda: model.to_html(tmp_path / "page.html")):
        with pytest.raises(RuntimeError, match=f"^{kind.__name__} saves no values .*as_graph"):
            explain()
    graph = as_graph(model)
    graph.backward(graph.forward(3.0))
    assert "9" in graph.explain()
    graph.to_html(tmp_path / "page.html")
    assert os.listdir(tmp_path) == ["page.html"]
