"""The modules that ``import nnlayers`` loads."""

import subprocess
import sys

SCRIPT = """
import sys
import numpy, scipy.special
before = set(sys.modules)
import nnlayers as nn
nn.mlp([2, 3, 1], rng=0).forward([[1.0, 2.0]])
assert all(hasattr(nn, name) for name in nn.__all__)
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*loaded - set(sys.stdlib_module_names))
"""


def test_drawing_is_loaded_when_it_is_asked_for():
    script = """
import sys, nnlayers as nn
assert "nnlayers.drawing" not in sys.modules
assert "digraph" in nn.drawing.to_dot(nn.Sequential(nn.Square()))
assert "nnlayers.drawing" in sys.modules
nn.drawings
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "AttributeError: module 'nnlayers' has no attribute 'drawings'" in run.stderr


def test_import_loads_numpy_and_nothing_heavier_than_scipy_special():
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    ).stdout
    assert out.split() == ["nnlayers"]
