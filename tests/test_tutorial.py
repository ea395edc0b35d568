"""Code of the tutorial runs and gives the results shown."""

import doctest
import re
from pathlib import Path

import pytest

import nnlayers as nn

TEXT = (Path(__file__).parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Run all examples in order; return the names that they define, and the number of failures."""
    text = re.sub(r"^```.*$", "", TEXT, flags=re.MULTILINE)  # a fence ends an output
    test = doctest.DocTestParser().get_doctest(text, {}, "tutorial.md", "tutorial.md", 0)
    reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("tutorial"))
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=reports.append, clear_globs=False)
    return test.globs | {"reports": "".join(reports)}


def test_its_examples_print_the_results_shown(names):
    assert names["reports"] == ""


def test_all_its_code_runs():
    languages = re.findall(r"^```(\S+)", TEXT, re.MULTILINE)
    assert set(languages) == {"pycon", "{drawing}", "{eval-rst}"}
    for block in re.findall(r"^```pycon\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL):
        assert block.startswith(">>> ")


def test_its_pictures_show_its_graphs(names):
    drawn = re.findall(r"^```\{drawing\} (.*)$", TEXT, re.MULTILINE)
    assert len(drawn) >= 6
    for name in drawn:
        assert isinstance(names[name], nn.Graph)
        assert names[name].to_dot().startswith("digraph")
