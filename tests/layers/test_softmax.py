import mpmath
import numpy as np
import pytest
from exactness import extreme_floats, torch_results, units_in_the_last_place
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients


@st.composite
def arrays_and_axes(draw):
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=3))
    return shape, draw(st.integers(-len(shape), len(shape) - 1))


@given(arrays_and_axes(), st.integers(0, 9))
@settings(max_examples=50)
def test_both_agree_with_differences_along_any_axis(shape_and_axis, seed):
    shape, axis = shape_and_axis
    x = np.random.default_rng(seed).normal(size=shape)
    softmax, log_softmax = nn.Softmax(axis), nn.LogSoftmax(axis)
    y = softmax.forward(x)
    np.testing.assert_allclose(y.sum(axis=axis), np.where(shape[axis], 1, 0), rtol=1e-12)
    np.testing.assert_allclose(np.exp(log_softmax.forward(x)), y, rtol=1e-12)
    check_gradients(softmax, x)
    check_gradients(log_softmax, x)


def exact_row(row):
    """Return the probabilities, their logarithms, and the sum of all but the first."""
    top = mpmath.mpf(max(row))
    e = [mpmath.exp(mpmath.mpf(entry) - top) for entry in row]
    total = mpmath.fsum(e)
    logs = [mpmath.mpf(entry) - top - mpmath.log(total) for entry in row]
    return [entry / total for entry in e], logs, mpmath.fsum(e[1:]) / total


@pytest.mark.parametrize("others", [[], [0.0], [3.7, -2.0], [80.3, 79.9, -1e4]])
def test_both_are_right_to_four_units_in_the_last_place(others):
    x = extreme_floats()[::7]
    rows = np.column_stack([x, np.tile(np.float32(others), (len(x), 1))])
    dout = np.zeros_like(rows)
    dout[:, 0] = 1
    probabilities, logs, slopes, log_slopes, terms = [], [], [], [], []
    with mpmath.workdps(100):  # a small number beside 1 takes 45 digits more
        for row in rows.astype(float):
            p, log_p, rest = exact_row(row)
            probabilities += p
            logs += log_p
            slopes += [p[0] * rest, *(-p[0] * other for other in p[1:])]
            log_slopes += [rest, *(-other for other in p[1:])]
            terms += [1, *p[1:]]
        layer = nn.Softmax()
        assert units_in_the_last_place(layer.forward(rows), probabilities) <= 4
        assert units_in_the_last_place(layer.backward(dout), slopes) <= 4
        layer = nn.LogSoftmax()
        assert units_in_the_last_place(layer.forward(rows), logs) <= 4
        assert units_in_the_last_place(layer.backward(dout), log_slopes, terms) <= 4


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax"])
def test_both_are_pytorch_s(dtype, rtol, axis, name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, dout = (rng.normal(size=(4, 5, 6), scale=3).astype(dtype) for _ in range(2))
    y, dx = torch_results(getattr(torch.nn, name)(axis), x, dout)
    layer = getattr(nn, name)(axis)
    np.testing.assert_allclose(layer.forward(x), y, rtol=rtol)
    np.testing.assert_allclose(layer.backward(dout), dx, rtol=rtol, atol=rtol / 10)


def test_softmax_of_infinities():
    layer = nn.Softmax()
    y = layer.forward([[-np.inf, 0.0, 0.0], [np.inf, 0.0, 0.0], [-np.inf] * 3])
    np.testing.assert_array_equal(y, [[0, 0.5, 0.5], [np.nan] * 3, [np.nan] * 3])
    layer.forward([[-np.inf, 0.0, 0.0]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0, 0.0]]), [[0, 0.25, -0.25]])


def test_log_softmax_of_infinities():
    layer = nn.LogSoftmax()
    half = np.log(0.5)
    rows = [[-np.inf, 0.0, 0.0], [np.inf, np.inf, 0.0], [-np.inf] * 3, [np.nan, 0.0, 0.0]]
    y = layer.forward(rows)
    np.testing.assert_array_equal(y, [[-np.inf, half, half], *[[np.nan] * 3] * 3])
    layer.forward([[-np.inf, 0.0, 0.0]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0, 0.0]]), [[1, 0, -1]])
    far = np.array([[1.0, -1.0]], np.float32) * np.finfo(np.float32).max
    np.testing.assert_array_equal(layer.forward(far), [[0, -np.inf]])


@pytest.mark.parametrize("make", [nn.Softmax, nn.LogSoftmax])
def test_a_missing_axis_is_refused(make):
    words = rf"{make.__name__}\(axis=1\) expected x with axis 1, got shape \("
    for shape in [(), (3,)]:
        with pytest.raises(ValueError, match=words):
            make(axis=1).forward(np.ones(shape))
    with pytest.raises(TypeError, match=r"axis must be an integer, got 1\.5"):
        make(axis=1.5)
