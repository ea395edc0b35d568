"""Code of the recipes runs and gives the results shown."""

import documentation
import pytest

PAGES = sorted(f"howto/{path.name}" for path in (documentation.DOCS / "howto").glob("*.md"))
# Libraries of a page that are not among those of the tests.
NEEDS = {
    "howto/many_machines.md": "distributed",
    "howto/mlflow.md": "mlflow",
    "howto/search_with_optuna.md": "optuna",
}
# tests/testing/test_check_layer.py runs the page on testing.
RECIPES = [page for page in PAGES if page not in ("howto/index.md", "howto/testing.md")]


@pytest.fixture
def local_mlflow(monkeypatch):
    """Let MLflow keep its records in the working directory, and to itself."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "file:mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


# MLflow warns of parts of its own.
@pytest.mark.filterwarnings("ignore:::mlflow")
@pytest.mark.usefixtures("local_mlflow")
@pytest.mark.parametrize("page", RECIPES)
def test_a_recipe_runs_and_prints_the_results_shown(page, tmp_path, monkeypatch):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
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
