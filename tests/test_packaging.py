"""Contents of the wheel and of an editable install."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    copied = tmp_path_factory.mktemp("checkout")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copied)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "nnlayers", copied / "nnlayers", ignore=ignored)
    return copied


def build(kind, checkout, directory):
    """Build a wheel with setuptools, and open it as an archive."""
    pytest.importorskip("setuptools", minversion="70")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(directory)],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    (wheel,) = directory.glob("*.whl")
    return zipfile.ZipFile(wheel)


def test_an_editable_install_is_a_path_that_type_checkers_follow(checkout, tmp_path):
    with build("build_editable", checkout, tmp_path) as wheel:
        (link,) = [name for name in wheel.namelist() if name.endswith(".pth")]
        assert Path(wheel.read(link).decode().strip()) == checkout


def test_a_wheel_holds_all_files_of_the_package(checkout, tmp_path):
    files = [path for path in (checkout / "nnlayers").rglob("*") if path.is_file()]
    expected = {path.relative_to(checkout).as_posix() for path in files}
    with build("build_wheel", checkout, tmp_path) as wheel:
        found = {name for name in wheel.namelist() if name.startswith("nnlayers/")}
    assert found == expected
    assert {"nnlayers/py.typed", "nnlayers/drawing/page.html"} <= found
