"""Types that a user's editor and type checker see."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
USE = ROOT / "tests" / "typed" / "use.py"
WRONG = """
import nnlayers as nn
nn.exp(nn.Input("x")).vlaue
nn.mlp([2, 1])[0].wieght
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the report of mypy --strict on right and wrong code outside the package."""
    api = pytest.importorskip("mypy.api")
    wrong = tmp_path_factory.mktemp("user") / "wrong.py"
    wrong.write_text(WRONG)
    # With the project's settings, which are strict, it goes on from what mypy found out before.
    options = [f"--config-file={ROOT / 'setup.cfg'}", f"--cache-dir={ROOT / '.mypy_cache'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        text, errors, _ = api.run([*options, "--no-pretty", str(USE), str(wrong)])
    assert not errors
    return text


def test_nodes_give_nodes_and_arrays_give_arrays(report):
    assert "use.py" not in report


def test_misspelt_attributes_are_errors(report):
    assert '"Node" has no attribute "vlaue"' in report
    assert '"Layer" has no attribute "wieght"' in report
