import sys

import pytest

from nnlayers import Layer, ReLU
from nnlayers._core.resolving import check_modules, find, is_within, resolve_class

OWN = """
from os import system
from subprocess import getoutput
from nnlayers import ReLU

class Mine(ReLU):
    class Inner(ReLU): ...

class Other: ...

def metric(y_true, y_pred):
    return 0.0
"""

OUTSIDE = [
    "builtins.eval",
    "builtins.exec",
    "builtins.__import__",
    "ctypes.CDLL",
    "importlib.import_module",
    "os.system",
    "os:system",
    "os.popen",
    "pickle.loads",
    "posix.system",
    "pty.spawn",
    "runpy.run_path",
    "subprocess.Popen",
    "subprocess.getoutput",
    "sys.exit",
    "numpy.load",
    "nnlayers_evil.Layer",
    "nnlayersx:Layer",
    "venv.main",
    "own.Mine",
    "ownx.Mine",
    "\uff4fs.system",  # full width, which Python's parser takes for an o
]
WALKS = [
    "nnlayers.saving.os.system",
    "nnlayers.saving:os.system",
    "nnlayers.saving:os",
    "nnlayers._core.files:os.system",
    "nnlayers.layer.np.load",
    "nnlayers.layer:np.load",
    "nnlayers.layer:np.ndarray",
    "nnlayers:layer.Layer",
    "nnlayers.Layer.forward",
    "nnlayers:Layer.forward",
    "nnlayers:Nothing",
    "nnlayers:save",
    "nnlayers.load",
    "nnlayers.cli.main",
    "nnlayers._core.checks:importlib.import_module",
    "nnlayers._core.resolving.importlib.import_module",
]
MALFORMED = [
    "",
    ".",
    ":",
    "a",
    "nnlayers",
    "nnlayers.",
    ".nnlayers",
    "nnlayers:",
    ":ReLU",
    "nnlayers..ReLU",
    "nnlayers::ReLU",
    "nnlayers:ReLU:ReLU",
    "nnlayers:ReLU.",
    "nnlayers: ReLU",
    "nnlayers.ReLU()",
    "nnlayers.ReLU\n",
    "nnlayers.ReLU\0",
    "nnlayers/ReLU",
    "../evil.ReLU",
    "nnlayers.__main__.main",
    "nnlayers.__main__:x",
    "nnlayers:__class__",
    "nnlayers.__builtins__.eval",
    "nnlayers:ReLU.__init__",
    "nnlayers:ReLU.__mro__",
    "nnlayers:ReLU.__subclasses__",
    "own.__main__:x",
    "-c.x",
    "a" * 1_000_000,
    "a." * 100_000,
]


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module `own` that can be imported, and is not yet."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    yield
    sys.modules.pop("own", None)


@pytest.mark.parametrize("resolve", [lambda path: resolve_class(path, Layer), find])
@pytest.mark.parametrize("path", OUTSIDE + MALFORMED)
def test_a_path_outside_is_refused_before_anything_is_imported(own, resolve, path):
    before = set(sys.modules)
    with pytest.raises(ValueError, match=r"allow it|not an import path") as caught:
        resolve(path)
    assert set(sys.modules) == before
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("path", WALKS)
def test_names_that_modules_imported_are_out_of_reach(path):
    wrong = r"is not a class derived from Layer|cannot import|unknown name in nnlayers"
    with pytest.raises(ValueError, match=wrong):
        resolve_class(path, Layer)


def test_allowed_modules_are_imported(own):
    assert issubclass(resolve_class("own.Mine", ReLU, ["own"]), ReLU)
    assert issubclass(resolve_class("own:Mine.Inner", Layer, ("os", "own")), Layer)
    assert find("own.metric", ["own"])(None, None) == 0.0


@pytest.mark.parametrize("path", ["own.Other", "own.metric", "own.system", "own:Mine.forward"])
def test_an_allowed_module_gives_classes_of_the_right_kind_alone(own, path):
    with pytest.raises(ValueError, match=r"is not a class derived from Layer|unknown name in own"):
        resolve_class(path, Layer, ["own"])


def test_an_import_that_fails_is_an_error_of_one_line(own, tmp_path):
    (tmp_path / "broken.py").write_text("1 / 0")
    with pytest.raises(ValueError, match="cannot import 'broken': ZeroDivisionError: division"):
        resolve_class("broken.Layer", Layer, ["broken"])


def test_a_package_is_allowed_with_its_modules():
    assert is_within("own.deep.er", ["own"])
    assert not is_within("own", ["own.deep"])
    assert not is_within("ownx", ["own"])
    assert not is_within("own", [""])


@pytest.mark.parametrize("modules", ["own", [1], [None]])
def test_modules_are_a_list_of_names(modules):
    with pytest.raises(TypeError, match="modules must be a list of module names"):
        check_modules(modules)
