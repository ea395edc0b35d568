import numpy as np
import pytest
from running import run_kernel

from nnlayers.engine.kernel import IntRows, Rows
from nnlayers.engine.kernels import copying, rectifiers


@pytest.mark.parametrize("compiled", [False, True], ids=["uncompiled", "compiled"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu(dtype, compiled):
    if compiled:
        pytest.importorskip("numba")
    x = np.array([[-1, 0, 2], [np.nan, np.inf, -np.inf]], dtype)
    y = np.empty_like(x)
    assert run_kernel(rectifiers.relu, x, y, dtype=dtype, compiled=compiled)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    d = np.full_like(x, 3)
    assert run_kernel(rectifiers.relu_backward, y, d, dtype=dtype, compiled=compiled)
    np.testing.assert_array_equal(d, [[0, 0, 3], [3, 3, 0]])


@pytest.mark.parametrize("compiled", [False, True], ids=["uncompiled", "compiled"])
@pytest.mark.parametrize("name", ["uint8", "int16", "int64", "float32", "float64"])
def test_rows_of_another_dtype_are_gathered(name, compiled):
    if compiled:
        pytest.importorskip("numba")
    source, order = np.arange(12).astype(name), np.array([3, 0, 3])
    for kind, target in ((Rows, np.zeros((3, 3), np.float32)), (IntRows, np.zeros((3, 3), int))):
        gather = copying.converting_gather(name, kind)
        assert run_kernel(gather, source, order, target, compiled=compiled)
        np.testing.assert_array_equal(target, source.reshape(4, 3)[order])
