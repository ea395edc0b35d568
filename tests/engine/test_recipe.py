"""The recipe in the documentation for adding an operation works as it is written."""

import re
from pathlib import Path

import numpy as np
import pytest
from lowered import assert_same_step

import nnlayers as nn
from nnlayers.engine.lowering.activations import lowers_elementwise

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "engine.md"


class Bell(nn.Layer):
    def forward(self, x):
        self.x, self.y = x, np.exp(-x * x)
        return self.y

    def backward(self, dout):
        return -2 * self.x * self.y * dout


class Scale(nn.Layer):
    def __init__(self, features):
        self.s = nn.Parameter(np.linspace(0.5, 2, features).astype(np.float32), name="s")

    def forward(self, x):
        self.x = x
        return self.s.value * x

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return self.s.value * dout


@pytest.fixture(scope="module", autouse=True)
def _operations():
    """Register the operations of the page."""
    recipe = PAGE.read_text(encoding="utf-8").partition("## How to add an operation")[2]
    names = {"np": np, "Scale": Scale, "__name__": __name__}
    for block in re.findall(r"```python\n(.*?)```", recipe, re.DOTALL):
        exec(block, names)
    lowers_elementwise(Bell, names["bell"])


@pytest.mark.parametrize("compiled", [False, True], ids=["uncompiled", "compiled"])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 2e-6), ("float64", 1e-13)])
@pytest.mark.parametrize(
    "layer", [Bell(), Scale(3), Scale(3).freeze()], ids=["bell", "s", "frozen"]
)
def test_the_operations_of_the_recipe_compute_what_numpy_does(layer, dtype, rtol, compiled):
    if compiled:
        pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(7, 4)).astype(dtype), rng.normal(size=(7, 2)).astype(dtype)
    for first in (nn.Affine(4, 3, rng=0), nn.Sequential(nn.Affine(4, 3, rng=0).freeze())):
        model = nn.Sequential(first, layer, nn.Affine(3, 2, rng=1)).astype(dtype)
        assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled, rtol=rtol)
