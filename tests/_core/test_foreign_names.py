"""Names of other libraries agree with the table of the page on names."""

import operator
import re
from pathlib import Path

import pytest

import nnlayers as nn
from nnlayers._core.foreign_names import NAMES, NOT_HERE

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "names.md").read_text()


def names(cell):
    """Return the names of classes and functions in a cell of a table."""
    found = re.findall(r"`(?:[a-z]+\.)*([A-Za-z_]+)(?:\(.*?\))?`", cell)
    return [name for name in found if name != "W"]


def documented():
    """Yield names of PyTorch and Keras, and what the page has for each."""
    for row in re.findall(r"^\| (`.*) \|$", PAGE, re.MULTILINE):
        ours, *columns = row.split(" | ")
        for column in columns[:2]:
            theirs = [name for name in names(column) if name[0].isupper() and name != "Activation"]
            here = names(ours)
            pairs = zip(theirs, here, strict=True) if len(theirs) == len(here) else ()
            yield from pairs or ((name, here[0]) for name in theirs if len(here) == 1)


def test_errors_of_attributes_agree_with_the_page():
    pairs = [(theirs, ours) for theirs, ours in documented() if not hasattr(nn, theirs)]
    assert len(pairs) > 40
    for theirs, ours in pairs:
        with pytest.raises(AttributeError, match=rf"here it is nn\.(\w+\.)*{ours}$"):
            getattr(nn, theirs)


def test_every_name_is_on_the_page_and_its_counterpart_exists():
    for name, path in NAMES.items():
        assert re.search(rf"`([a-z]+\.)*{name}\b", PAGE), name
        assert operator.attrgetter(path)(nn)
    for name, what in NOT_HERE.items():
        assert f"`{name}`" in PAGE
        assert what in PAGE
    assert not (NAMES.keys() | NOT_HERE.keys()) & set(nn.__all__)


@pytest.mark.parametrize(
    "module",
    [nn.optim, nn.optim.schedules, nn.callbacks, nn.initializers],
    ids=lambda m: m.__name__,
)
def test_a_name_of_a_module_is_an_error_that_says_where_it_is(module):
    for name in set(module.__all__) - NAMES.keys():
        with pytest.raises(AttributeError, match=rf"here it is nn\.([a-z]+\.)+{name}$"):
            getattr(nn, name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Linear", "nnlayers has no 'Linear': here it is nn.Affine"),
        ("Adam", "nnlayers has no 'Adam': here it is nn.optim.Adam"),
        ("Conv2d", "nnlayers has no 'Conv2d': there is no convolution here"),
        ("Afine", "module 'nnlayers' has no attribute 'Afine'"),
    ],
)
def test_a_name_of_another_library_is_an_error_that_names_its_counterpart(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(nn, name)
    assert str(caught.value) == words
    assert (caught.value.name, caught.value.obj) == (name, nn)
