"""Code of the tutorial runs and gives the results shown."""

import re

import documentation
import pytest

import nnlayers as nn

PAGE = "guide/tutorial.md"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the names that the examples define, and the report of failures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("tutorial"))
        return documentation.run(PAGE)


def test_its_examples_print_the_results_shown(results):
    assert results[1] == ""


def test_all_its_code_runs():
    assert documentation.languages(PAGE) == {"pycon", "{drawing}", "{eval-rst}"}
    assert all(example.startswith(">>> ") for example in documentation.examples(PAGE))


def test_its_pictures_show_its_graphs(results):
    names, _ = results
    drawn = re.findall(r"^```\{drawing\} (.*)$", documentation.read(PAGE), re.MULTILINE)
    assert len(drawn) >= 6
    for name in drawn:
        assert isinstance(names[name], nn.Graph)
        assert names[name].to_dot().startswith("digraph")
