"""Code on the page about tables without tuning runs and gives the results shown."""

import documentation
import pytest

pytest.importorskip("sklearn")


def test_its_examples_print_the_results_shown():
    assert documentation.run("guide/tabular.md")[1] == ""
