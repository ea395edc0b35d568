"""Types that a user's editor and type checker see."""

from pathlib import Path

import pytest

USE = Path(__file__).parent / "typed" / "use.py"
WRONG = """
import nnlayers as nn
nn.exp(nn.Input("x")).vlaue
nn.mlp([2, 1])[0].wieght
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the report of mypy --strict on right and wrong code outside the project."""
    api = pytest.importorskip("mypy.api")
    directory = tmp_path_factory.mktemp("user")
    wrong = directory / "wrong.py"
    wrong.write_text(WRONG)
    options = ["--strict", f"--cache-dir={directory}", "--config-file=", "--no-pretty"]
    text, errors, _ = api.run([*options, str(USE), str(wrong)])
    assert not errors
    return text


def test_nodes_give_nodes_and_arrays_give_arrays(report):
    assert "use.py" not in report


def test_misspelt_attributes_are_errors(report):
    assert '"Node" has no attribute "vlaue"' in report
    assert '"Layer" has no attribute "wieght"' in report
