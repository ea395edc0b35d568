"""Contents of the wheel, of an editable install and of the source distribution."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """
import sys
from setuptools import build_meta
print(getattr(build_meta, sys.argv[1])(sys.argv[2]))
"""
IGNORED = ("__pycache__", "*.pyc", ".*", "*.egg-info", "_build", "build", "dist", "runs")


def files(directory):
    """Return the paths of all files in a directory."""
    return {
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """Return a copy of the checkout and the paths of its files, before anything is built in it."""
    copied = tmp_path_factory.mktemp("checkout") / "nnlayers"
    shutil.copytree(ROOT, copied, ignore=shutil.ignore_patterns(*IGNORED))
    return copied, files(copied)


@pytest.fixture
def checkout(tracked):
    return tracked[0]


def build(kind, checkout, directory):
    """Build an archive with setuptools, and return its path."""
    pytest.importorskip("setuptools", minversion="70")
    subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(directory)],
        cwd=checkout,
        check=True,
        capture_output=True,
    )
    (archive,) = directory.iterdir()
    return archive


def test_an_editable_install_is_a_path_that_type_checkers_follow(checkout, tmp_path):
    with zipfile.ZipFile(build("build_editable", checkout, tmp_path)) as wheel:
        (link,) = [name for name in wheel.namelist() if name.endswith(".pth")]
        assert Path(wheel.read(link).decode().strip()) == checkout


def test_a_wheel_holds_all_files_of_the_package(checkout, tmp_path):
    with zipfile.ZipFile(build("build_wheel", checkout, tmp_path)) as wheel:
        found = {name for name in wheel.namelist() if name.startswith("nnlayers/")}
    assert found == {f"nnlayers/{name}" for name in files(checkout / "nnlayers")}
    assert {"nnlayers/py.typed", "nnlayers/drawing/page.html"} <= found


def test_a_source_distribution_holds_all_files_of_the_checkout(tracked, tmp_path):
    checkout, expected = tracked
    with tarfile.open(build("build_sdist", checkout, tmp_path)) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    assert expected - found == set()
    assert {
        "CHANGELOG.md",
        "tests/test_packaging.py",
        "docs/conf.py",
        "configs/digits.toml",
    } <= found
