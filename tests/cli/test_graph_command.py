import shutil
import sys
from importlib.util import find_spec

import pytest

needs_library = pytest.mark.skipif(find_spec("graphviz") is None, reason="needs graphviz")
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="needs Graphviz's dot")
NESTED = 'model.layers.1={type = "Residual", layers = [{type = "ReLU"}]}'


@needs_dot
@needs_library
@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_graph_draws_the_model(run, workplace, suffix):
    assert run("graph", "small.toml", "-o", f"net{suffix}") == (0, [], [])
    assert (workplace / f"net{suffix}").stat().st_size > 0


def test_graph_writes_the_text_without_graphviz(run, workplace, monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    monkeypatch.setenv("PATH", "")
    assert run("graph", "small.toml", "-o", "net.dot") == (0, [], [])
    text = (workplace / "net.dot").read_text()
    for label in ("Affine(2, 8)", "ReLU", "Affine(8, 3)"):
        assert label in text


def test_graph_opens_containers_on_request(run, workplace):
    run("graph", "small.toml", "--set", NESTED, "-o", "closed.dot")
    run("graph", "small.toml", "--set", NESTED, "-o", "open.dot", "--expand")
    assert "cluster" not in (workplace / "closed.dot").read_text()
    assert "cluster" in (workplace / "open.dot").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "net.jpg"], "path must end in .svg, .png, .pdf or .dot, got 'net.jpg'"),
        (["-o", "missing/net.dot"], "[Errno 2] No such file or directory: 'missing/net.dot'"),
        (["-o", "small.toml/net.dot"], "[Errno 20] Not a directory: 'small.toml/net.dot'"),
        (["-o", "net.dot", "--set", "seed=-1"], "small.toml: seed: must be an integer"),
        pytest.param(
            ["-o", "net.svg"],
            "Graphviz's program dot is not installed: 'apt install graphviz'",
            marks=needs_library,
        ),
    ],
)
def test_a_failed_drawing_is_an_error_of_one_line_with_status_2(
    run, workplace, monkeypatch, arguments, message
):
    monkeypatch.setenv("PATH", "")
    status, out, err = run("graph", "small.toml", *arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"nnlayers: {message}")
    assert [path.name for path in workplace.iterdir()] == ["small.toml"]


def test_a_missing_library_names_its_extra(run, workplace, monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    status, _, err = run("graph", "small.toml", "-o", "net.svg")
    assert (status, len(err)) == (2, 1)
    assert 'pip install "nnlayers[graph]"' in err[0]


def test_graph_needs_a_file(run):
    status, _, err = run("graph", "small.toml")
    assert status == 2
    assert "-o" in err[-1]
