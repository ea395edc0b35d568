"""Code of the recipes runs and gives the results shown."""

import documentation
import pytest

PAGES = sorted(f"recipes/{path.name}" for path in (documentation.DOCS / "recipes").glob("*.md"))
RECIPES = [page for page in PAGES if page != "recipes/index.md"]


@pytest.mark.parametrize("page", RECIPES)
def test_a_recipe_runs_and_prints_the_results_shown(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, report = documentation.run(page)
    assert report == ""
    assert "nn" in names


@pytest.mark.parametrize("page", RECIPES)
def test_all_code_of_a_recipe_is_run(page):
    assert documentation.languages(page) == {"pycon"}
    examples = documentation.examples(page)
    assert examples
    assert all(example.startswith(">>> ") for example in examples)
