"""What ``import nnlayers`` needs and loads."""

import subprocess
import sys

SCRIPT = """
import sys
import nnlayers as nn
nn.mlp([2, 3, 1], rng=0).forward([[1.0, 2.0]])
assert all(hasattr(nn, name) for name in nn.__all__)
third_party = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names)
scipy = {".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("scipy.")}
print(*third_party, *scipy - {"scipy.special"})
"""


def test_import_loads_numpy_and_nothing_heavier_than_scipy_special():
    out = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    ).stdout
    heavy = {"scipy.optimize", "scipy.linalg", "scipy.sparse", "scipy.stats", "scipy.interpolate"}
    loaded = set(out.split())
    assert not loaded & heavy
    for library in ("pandas", "matplotlib", "sklearn", "rich", "pydantic", "torch"):
        assert library not in loaded
