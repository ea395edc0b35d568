"""Code on the page about tables runs and gives the results shown, and the page has every role."""

import documentation
import pytest

from nnlayers.data.roles import Roles

pytest.importorskip("pandas")

PAGE = "guide/tables.md"


def test_its_examples_print_the_results_shown():
    assert documentation.run(PAGE)[1] == ""


def test_it_names_every_key_that_gives_a_role():
    text = documentation.read(PAGE)
    roles = set(Roles.__dataclass_fields__) - {"standardize"}
    assert {role for role in roles if f"`{role}`" not in text and f"`{role} =" not in text} == set()
