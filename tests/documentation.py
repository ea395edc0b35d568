"""Run the examples of a page of the documentation."""

import doctest
import importlib.util
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def read(page):
    """Return the text of a page, named by its path within the documentation."""
    return (DOCS / page).read_text(encoding="utf-8")


def run(page, options=0):
    """Run all examples in order; return the names that they define, and a report of failures.

    `options` are flags of doctest.
    """
    text = re.sub(r"^```.*$", "", read(page), flags=re.MULTILINE)  # a fence ends an output
    test = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    reports = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | options)
    runner.run(test, out=reports.append, clear_globs=False)
    return test.globs, "".join(reports)


def examples(page):
    """Return the blocks of Python code of a page."""
    return re.findall(r"^```pycon\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)


def languages(page):
    """Return the languages of the blocks of a page."""
    return set(re.findall(r"^```(\S+)", read(page), re.MULTILINE))


def load(name):
    """Return a module of the folder of the documentation."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def draw_graphs(page):
    """Return the pictures of graphs that a page shows, as text by the names of their files."""
    return load("pictures").draw_graphs(page)
