"""Examples of the page on training that goes on give the results shown."""

import doctest

import documentation
import pytest

PAGE = "guide/training.md"


def test_examples_give_the_results_shown(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    _, report = documentation.run(PAGE, doctest.ELLIPSIS)
    assert report == ""


def test_all_its_code_runs():
    assert documentation.languages(PAGE) == {"pycon", "python"}
    assert all(example.startswith(">>> ") for example in documentation.examples(PAGE))
