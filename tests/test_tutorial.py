"""Code of the tutorial runs and gives the results shown."""

import re

import documentation
import pytest

PAGE = "guide/tutorial.md"
# Trained weights, as colours and as numbers, depend on the rounding of the machine.
TRAINED = re.compile(r"heat-?\d|\[-?[\d.]+\]")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the names that the examples define, and the report of failures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("tutorial"))
        return documentation.run(PAGE)


def test_its_examples_print_the_results_shown(results):
    assert results[1] == ""


def test_all_its_code_runs():
    assert documentation.languages(PAGE) == {"pycon"}
    assert all(example.startswith(">>> ") for example in documentation.examples(PAGE))


def test_its_pictures_show_its_graphs():
    drawn = documentation.draw_graphs(PAGE)
    assert len(drawn) == 7
    for name, text in drawn.items():
        shown = (documentation.DOCS / "images" / name).read_text(encoding="utf-8")
        assert TRAINED.sub("", shown) == TRAINED.sub("", text), (
            "python docs/pictures.py draws it again"
        )
