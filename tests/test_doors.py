"""Pages for users of other libraries: code of both gives the results shown, and the same ones."""

from importlib.util import find_spec

import documentation
import pytest

DOORS = {"estimators": "sklearn", "from_pytorch": "torch", "from_keras": "keras"}


@pytest.mark.parametrize("page", DOORS)
def test_its_examples_give_the_results_shown(page, monkeypatch):
    installed = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]
    monkeypatch.setenv("KERAS_BACKEND", installed[0] if installed else "none")
    pytest.importorskip(DOORS[page])
    names, report = documentation.run(f"guide/{page}.md")
    assert report == ""
    assert {"ours", "theirs"} <= set(names)


@pytest.mark.parametrize("page", DOORS)
def test_it_shows_the_same_model_in_both_libraries(page):
    text = documentation.read(f"guide/{page}.md")
    assert "<th>nnlayers</th></tr>" in text
    assert "\n<tr><td>\n\n```pycon\n>>> " in text
    assert "\n</td><td>\n\n```pycon\n>>> " in text


def test_the_first_page_gives_the_results_shown_and_has_a_page_to_embed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, report = documentation.run("index.md")
    assert report == ""
    assert (tmp_path / "sigmoid.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert '<object class="page" data="sigmoid.html"' in documentation.read("index.md")
