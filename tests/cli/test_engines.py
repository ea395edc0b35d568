"""A command says in one line which engine trains, and a resumed run keeps it."""

import tomllib

import pytest

import nnlayers.engine.engine

WITHOUT_NUMBA = 'Numba is not installed: pip install "nnlayers[fast]"'
POWER = 'model.layers.1={type="Power",exponent=2}'


@pytest.fixture
def without_numba(monkeypatch):
    monkeypatch.setattr(nnlayers.engine.engine, "has_numba", lambda: False)


def engine_lines(lines):
    return [line for line in lines if line.startswith("engine: ")]


def engine_of_run(directory):
    return tomllib.loads((directory / "config.toml").read_text())["training"]["engine"]


def test_the_compiled_engine_trains_and_is_kept(run, workplace):
    pytest.importorskip("numba")
    for command in (["train", "small.toml", "--out", "a"], ["resume", "a", "--epochs", "3"]):
        status, out, _ = run(*command)
        assert status == 0
        assert engine_lines(out) == ["engine: compiled"]
        assert engine_of_run(workplace / "a") == "compiled"


def test_numpy_trains_what_the_engine_does_not_know_and_the_line_names_it(run, workplace):
    pytest.importorskip("numba")
    status, out, _ = run("train", "small.toml", "--out", "a", "--set", POWER)
    assert status == 0
    assert engine_lines(out) == [
        "engine: numpy (the compiled engine does not know the layer Power)"
    ]
    assert engine_of_run(workplace / "a") == "numpy"
    assert engine_lines(run("resume", "a", "--epochs", "3")[1]) == ["engine: numpy"]
    status, out, err = run(
        "train", "small.toml", "--set", POWER, "--set", "training.engine='compiled'"
    )
    assert status == 2
    assert out == []
    assert len(err) == 1
    assert err[0].endswith(
        "engine='compiled' does not know the layer Power: engine='auto' trains it with NumPy"
    )


def test_without_numba_numpy_trains_and_the_line_says_what_to_install(
    run, workplace, without_numba
):
    status, out, err = run("train", "small.toml", "--out", "a")
    assert (status, err) == (0, [])
    assert engine_lines(out) == [f"engine: numpy ({WITHOUT_NUMBA})"]
    assert engine_of_run(workplace / "a") == "numpy"


def test_a_compiled_run_resumes_with_numpy_only_if_told_to(run, workplace, monkeypatch):
    pytest.importorskip("numba")
    assert run("train", "small.toml", "--out", "a")[0] == 0
    monkeypatch.setattr(nnlayers.engine.engine, "has_numba", lambda: False)
    before = (workplace / "a" / "checkpoint.npz").read_bytes()
    status, _, err = run("resume", "a", "--epochs", "3")
    assert status == 2
    assert len(err) == 1
    assert err[0].endswith(f"engine='compiled' cannot run here: {WITHOUT_NUMBA}")
    assert (workplace / "a" / "checkpoint.npz").read_bytes() == before
    more = "--resume", "--set", "training.epochs=3", "--set", "training.engine='numpy'"
    status, out, _ = run("train", "small.toml", "--out", "a", *more)
    assert status == 0
    assert engine_lines(out) == ["engine: numpy"]
    assert len((workplace / "a" / "metrics.csv").read_text().splitlines()) == 4
