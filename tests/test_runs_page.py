"""Examples of the page on trained runs give the results shown."""

import doctest

import documentation
import pytest

PAGE = "guide/runs.md"


def test_examples_give_the_results_shown(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    pytest.importorskip("tomli_w")
    monkeypatch.chdir(tmp_path)
    _, report = documentation.run(PAGE, doctest.ELLIPSIS)
    assert report == ""


def test_all_its_code_runs():
    assert documentation.languages(PAGE) == {"pycon"}
    assert all(example.startswith(">>> ") for example in documentation.examples(PAGE))
