import numpy as np
import pytest
from running import run_kernel

from nnlayers.engine.kernels import rectifiers


@pytest.mark.parametrize("compiled", [False, True])
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
