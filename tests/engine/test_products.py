"""Matrix products of kernels, whole and by blocks."""

import ctypes

import numpy as np
import pytest
from lowered import assert_same_step
from running import run_kernel

import nnlayers as nn
from nnlayers.engine.kernels import affine
from nnlayers.engine.lowering import builder
from nnlayers.engine.products import count_threads, find_gemm

if find_gemm() is None:
    pytest.skip("the products of NumPy's BLAS are not found", allow_module_level=True)

RETURN_COUNT = ctypes.CFUNCTYPE(ctypes.c_int)


@pytest.fixture(params=[False, True], ids=["uncompiled", "compiled"])
def compiled(request):
    if request.param:
        pytest.importorskip("numba")
    return request.param


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request):
    """Return the address of a function that says how many threads BLAS has."""
    function = RETURN_COUNT(lambda: request.param)
    yield ctypes.cast(function, ctypes.c_void_p).value
    assert function  # It must live as long as kernels call it.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "inner", "width"), [(1, 1, 1), (129, 65, 7), (17, 150, 131)])
def test_products_by_blocks(rows, inner, width, dtype, threads, compiled):
    rng = np.random.default_rng(0)
    # Sums of small integers are exact, in any order.
    x, W, dy = (
        rng.integers(-4, 5, shape).astype(dtype)
        for shape in [(rows, inner), (inner, width), (rows, width)]
    )
    gemm = find_gemm().single if dtype == "float32" else find_gemm().double
    block = np.full((60, affine.COLUMNS), np.nan, dtype)
    for kernel, factors, expected in [
        (affine.multiply_blocks, (x, W, 0), x @ W),
        (affine.block_weight_gradient, (x, dy), x.T @ dy),
        (affine.multiply_blocks, (dy, W, 1), dy @ W.T),
    ]:
        result = np.full_like(expected, np.nan)
        arguments = gemm, threads, *factors, block, result
        assert run_kernel(kernel, *arguments, dtype=np.dtype(dtype), compiled=compiled)
        np.testing.assert_array_equal(result, expected)
        # Several threads divide the whole product.
        assert np.isnan(block).all() == (count_threads(threads) > 1)
        block[...] = np.nan


@pytest.mark.parametrize("rows", [15, 16, 128, 129])
def test_layers_of_middle_size_use_blocks(rows, threads, compiled, monkeypatch):
    blas = find_gemm()._replace(threads=threads, has_small_products=True)
    monkeypatch.setattr(builder, "find_gemm", lambda: blas)
    build = builder.ProgramBuilder(np.dtype("float32"), rows)
    model = nn.Sequential(nn.Affine(150, 131, rng=0), nn.Tanh(), nn.Affine(131, 140, rng=1))
    builder.lower_layer(build, model, build.rows((150,)))
    kernels = {instruction.kernel for instruction in build.forward_instructions}
    assert (affine.multiply_blocks in kernels) == (16 <= rows <= 128)
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(rows, width)).astype("float32") for width in (150, 140))
    assert_same_step(model, nn.MeanSquaredError(), x, y, compiled=compiled)


def test_threads_of_blas_are_counted():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    if not find_gemm().threads:
        pytest.skip("NumPy's BLAS is not OpenBLAS")
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        assert count_threads(find_gemm().threads) == 1
