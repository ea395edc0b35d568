"""Examples of the page on uncertainty give the results shown."""

import documentation
import pytest

PAGE = "guide/uncertainty.md"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_its_examples_give_the_results_shown():
    pytest.importorskip("sklearn")
    _, report = documentation.run(PAGE)
    assert report == ""


def test_all_its_code_runs():
    assert documentation.languages(PAGE) == {"pycon"}
    assert all(example.lstrip().startswith(">>> ") for example in documentation.examples(PAGE))
