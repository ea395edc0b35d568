"""Notebooks run without an error, and hold what they show."""

import re

import notebooks
import pytest

PATHS = notebooks.paths()
# The documentation holds them all, and a repository keeps every version of them.
MOST_BYTES = 100_000


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_there_are_notebooks():
    assert {"backpropagation", "from_scikit_learn", "own_layer", "table"} <= {p.stem for p in PATHS}


# ipykernel warns of what it does itself.
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_shows_what_it_holds(path):
    for library in ("nbclient", "ipykernel", "matplotlib", "pandas", "sklearn"):
        pytest.importorskip(library)
    stored = notebooks.read(path)
    assert notebooks.shown_by(notebooks.execute(path)) == notebooks.shown_by(stored)


def test_a_notebook_is_small_and_the_same_on_every_machine(path):
    pytest.importorskip("nbformat")
    assert path.stat().st_size <= MOST_BYTES
    stored = notebooks.read(path)
    assert notebooks.tidy(notebooks.read(path)) == stored
    for _, text in notebooks.shown_by(stored):
        assert "0x" not in text
        assert not re.search(r"/(home|root|tmp|usr)/", text)


def test_every_cell_has_run_in_order(path):
    pytest.importorskip("nbformat")
    code = [cell for cell in notebooks.read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]


def test_every_link_of_a_notebook_leads_to_a_file(path):
    pytest.importorskip("nbformat")
    for cell in notebooks.read(path).cells:
        for target in re.findall(
            r"\]\(([^)\s]+)\)", cell.source if cell.cell_type == "markdown" else ""
        ):
            assert (path.parent / target).exists(), target
