"""Drawings as files and in notebooks."""

import os
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

import nnlayers as nn
from nnlayers.drawing import mime_bundle
from nnlayers.graphs import as_graph

BEGINS = {".svg": b"<svg", ".png": b"\x89PNG\r\n", ".pdf": b"%PDF-", ".dot": b"digraph {"}


@pytest.fixture
def graph():
    graph = nn.Graph(nn.exp(nn.Input("x")).named("y"))
    graph.forward(0.5)
    graph.backward(2.0)
    return graph


@pytest.fixture
def without_libraries(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))


@pytest.mark.parametrize("suffix", BEGINS)
@pytest.mark.parametrize("as_path", [Path, str])
def test_the_suffix_is_the_format(graph, tmp_path, suffix, as_path):
    if suffix in (".png", ".pdf"):
        pytest.importorskip("matplotlib")
    path = tmp_path / f"net{suffix.upper()}"
    graph.draw(as_path(path))
    assert path.read_bytes().startswith(BEGINS[suffix])
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".svg", ".dot"])
def test_svg_and_dot_need_nothing_else(graph, tmp_path, without_libraries, suffix):
    graph.draw(tmp_path / f"net{suffix}", expand=True)
    assert (tmp_path / f"net{suffix}").read_bytes().startswith(BEGINS[suffix])


@pytest.mark.parametrize("suffix", [".png", ".pdf"])
def test_a_missing_library_is_an_error_that_names_the_extra(
    graph, tmp_path, without_libraries, suffix
):
    with pytest.raises(ModuleNotFoundError, match=r'pip install "nnlayers\[graph\]"'):
        graph.draw(tmp_path / f"net{suffix}")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["net.jpg", "net", "svg", ".svg", "net.svg.gz"])
def test_an_unknown_suffix_is_an_error_that_names_those_that_are_known(graph, tmp_path, name):
    with pytest.raises(
        ValueError, match=r"must end in \.svg, \.png, \.pdf or \.dot, got .*" + name
    ):
        graph.draw(tmp_path / name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".dot", ".svg"])
def test_an_unwritable_path_is_an_error_that_names_it(graph, tmp_path, suffix):
    (tmp_path / "file").touch()
    for path in (tmp_path / f"missing/net{suffix}", tmp_path / f"file/net{suffix}"):
        with pytest.raises(OSError, match=f"net{suffix}'$"):
            graph.draw(path)
    assert os.listdir(tmp_path) == ["file"]


def test_a_bitmap_shows_the_picture_in_its_colours(tmp_path):
    image = pytest.importorskip("matplotlib.image")
    x = nn.Input("x")
    graph = nn.Graph(nn.Sequential(nn.Tanh())(x) * 2)
    graph.draw(tmp_path / "plain.png")
    graph.draw(tmp_path / "open.png", expand=True)
    graph.forward([[1.0, -2.0, 3.0], [0.0, 1.0, 1.0]])
    graph.backward([[1.0, -2.0, 3.0], [0.0, 1.0, 1.0]])
    graph.draw(tmp_path / "numbers.png")
    for name, expected in [
        ("plain", ["#cfe3fb", "#e9dcf7", "#e2e2e2", "#787878"]),
        ("open", ["#cfe3fb", "#ffffff", "#787878"]),
        ("numbers", ["#cfe3fb", "#00893b", "#d93b3b", "#0b58a5", "#e8863a"]),
    ]:
        pixels = (image.imread(tmp_path / f"{name}.png") * 255).round().astype(int)
        opaque = {tuple(pixel[:3]) for row in pixels for pixel in row if pixel[3] == 255}
        for colour in expected:
            assert tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) in opaque, (name, colour)


def test_a_bitmap_shows_names_that_its_font_lacks_or_that_look_like_formulas(tmp_path):
    pytest.importorskip("matplotlib")
    names = ["$x$", "\U0001f600", "\x00", "é_1", "$\\frac{", "</text>"]
    nn.Graph([nn.Input(name) for name in names]).draw(tmp_path / "net.pdf")
    assert (tmp_path / "net.pdf").stat().st_size > 1000


@pytest.mark.parametrize("make", [lambda graph: graph, nn.Sequential, nn.Residual])
def test_a_notebook_shows_the_drawing(graph, make, without_libraries):
    drawn = make(graph)
    bundle = drawn._repr_mimebundle_()
    assert bundle.keys() == {"image/svg+xml", "text/plain"}
    assert bundle["text/plain"] == repr(drawn)
    assert "output" in ElementTree.fromstring(bundle["image/svg+xml"]).itertext()


def test_a_notebook_folds_a_long_chain_and_leaves_out_a_large_drawing():
    chain = nn.Sequential(*[nn.Tanh() for _ in range(1000)])
    assert len(mime_bundle(chain)["image/svg+xml"]) < 10_000
    kinds = [nn.Tanh, nn.Square, nn.Exp, nn.Sin, nn.Cos]
    mixed = [kinds[int(digit) % 5]() for digit in str(3**700)]
    assert len(mixed) > 300
    assert mime_bundle(nn.Sequential(*mixed)).keys() == {"text/plain"}


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
