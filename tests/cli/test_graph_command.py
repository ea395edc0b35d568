import sys

import pytest

NESTED = 'model.layers.1={type = "Residual", layers = [{type = "ReLU"}]}'


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_graph_draws_the_model(run, workplace, suffix):
    pytest.importorskip("matplotlib")
    assert run("graph", "small.toml", "-o", f"net{suffix}") == (0, [], [])
    assert (workplace / f"net{suffix}").stat().st_size > 0


@pytest.mark.parametrize("suffix", [".svg", ".dot"])
def test_graph_writes_text_without_other_libraries(run, workplace, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setenv("PATH", "")
    assert run("graph", "small.toml", "-o", f"net{suffix}") == (0, [], [])
    text = (workplace / f"net{suffix}").read_text(encoding="utf-8")
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
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, err = run("graph", "small.toml", "-o", "net.png")
    assert (status, len(err)) == (2, 1)
    assert 'pip install "nnlayers[graph]"' in err[0]


def test_graph_needs_a_file(run):
    status, _, err = run("graph", "small.toml")
    assert status == 2
    assert "-o" in err[-1]
