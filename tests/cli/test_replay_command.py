"""The command that writes a page which plays a training."""

import json
import re

import pytest


def data(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="data">(.*)</script>', text)[1])


def test_replay_writes_the_film_of_a_run(run, workplace):
    run("train", "small.toml", "--out", "a")
    status, out, err = run("replay", "a", "-o", "a.html")
    assert (status, err) == (0, [])
    assert re.fullmatch(r"a\.html: 2 epochs, [23] recorded epochs", out[0])
    stored = data(workplace / "a.html")
    assert (stored["steps"][0], stored["steps"][-1]) == (0, 2)
    assert stored["film"]["view"]["features"] == ["x1", "x2"]
    assert "<title>a</title>" in (workplace / "a.html").read_text(encoding="utf-8")


def test_a_run_without_a_film_is_replayed_by_its_curves(run, workplace):
    run("train", "small.toml", "--out", "a", "--set", "training.record=false")
    status, out, err = run("replay", "a", "-o", "a.html")
    assert (status, err) == (0, [])
    assert out == ["a.html: 2 epochs, no recorded epoch, the curves alone"]
    assert data(workplace / "a.html")["film"] is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["missing", "-o", "a.html"], "missing/config.toml: No such file or directory"),
        (["a", "-o", "a.png"], "-o: a page is an .html file, got a.png"),
        (["a", "-o", "no/a.html"], "no/a.html"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(run, workplace, arguments, problem):
    run("train", "small.toml", "--out", "a")
    status, out, err = run("replay", *arguments)
    assert (status, out, len(err)) == (2, [], 1)
    assert problem in err[0]


def test_a_damaged_film_is_said_in_one_line(run, workplace):
    run("train", "small.toml", "--out", "a")
    (workplace / "a" / "film.npz").write_bytes(b"nothing")
    status, out, err = run("replay", "a", "-o", "a.html")
    assert (status, out, len(err)) == (2, [], 1)
    assert "film.npz" in err[0]
    assert not (workplace / "a.html").exists()


def test_help_says_what_the_page_shows(run):
    status, out, err = run("replay", "--help")
    assert (status, err) == (0, [])
    assert "an .html file" in " ".join(out)
    status, _, err = run("replay", "a")
    assert status == 2
    assert "-o" in err[-1]
