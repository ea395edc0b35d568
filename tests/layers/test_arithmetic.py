import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients

BINARY = {
    "Add": (nn.Add, np.add),
    "Subtract": (nn.Subtract, np.subtract),
    "Multiply": (nn.Multiply, np.multiply),
    "Divide": (nn.Divide, np.divide),
    "Maximum": (nn.Maximum, np.maximum),
    "Minimum": (nn.Minimum, np.minimum),
}
every_binary = pytest.mark.parametrize(("make", "function"), BINARY.values(), ids=BINARY)
dtypes = pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])


def drawn(shape, seed, dtype=np.float64):
    """Draw numbers from 0.5 to 2 with random signs: no quotient is large, and no two are equal."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape)).astype(dtype)


@every_binary
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=5, min_side=0, max_side=3))
def test_two_inputs_broadcast_and_get_their_gradients_back_in_their_shapes(make, function, drawn_):
    a, b = (drawn(shape, seed) for seed, shape in enumerate(drawn_.input_shapes))
    layer = make()
    y = layer.forward(a, b)
    np.testing.assert_array_equal(y, function(a, b))
    np.testing.assert_array_equal(layer.predict(a, b), y)
    assert [g.shape for g in layer.backward(y)] == [a.shape, b.shape]
    check_gradients(layer, a, b)


@st.composite
def factors(draw):
    shapes = draw(
        hnp.mutually_broadcastable_shapes(
            signature="(n?,k),(k,m?)->(n?,m?)", max_dims=3, min_side=0, max_side=3
        )
    )
    return shapes.input_shapes


@given(factors())
def test_matrix_products_agree_with_differences_in_every_shape_of_numpy_s(shapes):
    a, b = (drawn(shape, seed) for seed, shape in enumerate(shapes))
    layer = nn.MatMul()
    np.testing.assert_array_equal(layer.forward(a, b), a @ b)
    np.testing.assert_array_equal(layer.predict(a, b), a @ b)
    check_gradients(layer, a, b)


def torch_gradients(function, *arrays, dout=None):
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    y = function(torch, *tensors)
    y.backward(torch.ones_like(y) if dout is None else torch.tensor(dout))
    return y.detach().numpy(), [tensor.grad.numpy() for tensor in tensors]


TORCH = {
    "Add": (nn.Add, lambda torch, a, b: a + b),
    "Subtract": (nn.Subtract, lambda torch, a, b: a - b),
    "Multiply": (nn.Multiply, lambda torch, a, b: a * b),
    "Divide": (nn.Divide, lambda torch, a, b: a / b),
    "Maximum": (nn.Maximum, lambda torch, a, b: torch.maximum(a, b)),
    "Minimum": (nn.Minimum, lambda torch, a, b: torch.minimum(a, b)),
    "MatMul": (nn.MatMul, lambda torch, a, b: a @ b),
}


@dtypes
@pytest.mark.parametrize(("make", "function"), TORCH.values(), ids=TORCH)
@pytest.mark.parametrize(
    "shapes", [((3, 4, 4), (4, 4)), ((1, 4), (4, 1)), ((2, 1, 4, 4), (3, 4, 4))]
)
def test_two_inputs_give_pytorch_s_numbers(make, function, shapes, dtype, rtol):
    a, b = (drawn(shape, seed, dtype) for seed, shape in enumerate(shapes))
    layer = make()
    y = layer.forward(a, b)
    dout = drawn(y.shape, 3, dtype)
    expected, gradients = torch_gradients(function, a, b, dout=dout)
    np.testing.assert_allclose(y, expected, rtol=rtol, atol=rtol)
    for ours, theirs in zip(layer.backward(dout), gradients, strict=True):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol)


SPECIAL = np.array([0.0, -0.0, 1.0, -2.0, np.inf, -np.inf, np.nan, 1e-300, 1e300])


@pytest.mark.parametrize("name", sorted(TORCH.keys() - {"MatMul"}))
def test_ties_zeros_infinities_and_nan_are_pytorch_s(name):
    make, function = TORCH[name]
    a, b = (np.ascontiguousarray(grid.ravel()) for grid in np.meshgrid(SPECIAL, SPECIAL))
    layer = make()
    expected, gradients = torch_gradients(function, a, b)
    np.testing.assert_array_equal(layer.forward(a, b), expected)
    for ours, theirs in zip(layer.backward(np.ones_like(a)), gradients, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@every_binary
def test_a_python_number_takes_the_other_input_s_dtype(make, function):
    x = np.array([1.0, 2.0], np.float32)
    for inputs in ((x, 3), (0.1, x), (x, 0.1), (True, x)):
        layer = make()
        y = layer.forward(*inputs)
        assert y.dtype == layer.predict(*inputs).dtype == np.float32
        np.testing.assert_array_equal(y, function(*inputs))
        da, db = layer.backward(np.ones(2))
        assert (da.shape, db.shape) == tuple(np.shape(x) for x in inputs)
        assert {da.dtype, db.dtype} == {np.dtype(np.float32)}
    assert make().forward(1, 2).dtype == np.float64


def test_inputs_of_two_dtypes_get_gradients_of_these_dtypes():
    a, b = np.ones((2, 3), np.float32), np.ones(3)
    for layer in (nn.Add(), nn.Multiply()):
        assert layer.forward(a, b).dtype == np.float64
        assert [g.dtype for g in layer.backward(np.ones((2, 3)))] == [np.float32, np.float64]


def test_gradients_are_separate_arrays():
    layer, dout = nn.Add(), np.ones(3)
    layer.forward(np.ones(3), np.ones(3))
    da, db = layer.backward(dout)
    assert not np.shares_memory(da, db)
    assert not np.shares_memory(da, dout)


@pytest.mark.parametrize("make", [make for make, _ in BINARY.values()])
def test_shapes_that_do_not_broadcast_are_shown(make):
    for call in (make().forward, make().predict):
        with pytest.raises(
            ValueError, match=r"\w+\(\) expected a and b of shapes that broadcast, got \(2,\) and"
        ):
            call(np.ones(2), np.ones((3, 3)))


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((), (3,)), ((2, 2), ()), ((3,), (2,))])
def test_factors_that_do_not_fit_are_shown(shapes):
    with pytest.raises(
        ValueError, match=r"MatMul\(\) expected a and b of shapes \(..., n, k\) and \(..., k, m\), "
    ):
        nn.MatMul().forward(*map(np.ones, shapes))


def test_a_number_of_inputs_that_is_not_two_is_said():
    with pytest.raises(TypeError, match=r"Add\(\) expected 2 inputs, got 1"):
        nn.Add().forward(np.ones(2))
    with pytest.raises(TypeError, match=r"MatMul\(\) expected 2 inputs, got 3"):
        nn.MatMul().predict(1, 2, 3)


SHAPES = [((m, k), (k, n)) for m in (1, 2) for k in (1, 2, 3) for n in (1, 2)]
SHAPES += [((k,), (k, n)) for k in (1, 2) for n in (1, 2)]
SHAPES += [((m, k), (k,)) for m in (1, 2) for k in (1, 2)]
SHAPES += [((1,), (1,)), ((3,), (3,)), ((2, 1, 1), (1, 1, 2)), ((1, 2, 1), (3, 1, 1))]


@pytest.mark.parametrize(("a_shape", "b_shape"), SHAPES)
def test_a_matrix_product_takes_nan_and_infinity_where_the_sums_do(a_shape, b_shape):
    rng, matmul = np.random.default_rng(0), nn.MatMul()
    for _ in range(30):
        a, b = (rng.choice([0.0, 1.0, -2.0, np.nan, np.inf], shape) for shape in (a_shape, b_shape))
        rows = a[np.newaxis, :] if a.ndim == 1 else a
        columns = b[:, np.newaxis] if b.ndim == 1 else b
        with np.errstate(invalid="ignore"):
            products = rows[..., :, :, np.newaxis] * columns[..., np.newaxis, :, :]
            y = matmul.forward(a, b)
            np.testing.assert_array_equal(y, products.sum(axis=-2).reshape(y.shape))
            dout = rng.choice([0.0, 1.0, -2.0, np.nan, np.inf], y.shape)
            dy = dout.reshape(*products.shape[:-2], products.shape[-1])[..., :, np.newaxis, :]
            da = summed((dy * columns[..., np.newaxis, :, :]).sum(axis=-1), rows.shape)
            db = summed((rows[..., :, :, np.newaxis] * dy).sum(axis=-3), columns.shape)
        found_a, found_b = matmul.backward(dout)
        np.testing.assert_array_equal(found_a, da.reshape(a_shape))
        np.testing.assert_array_equal(found_b, db.reshape(b_shape))


def summed(gradient, shape):
    """Sum a gradient over the batch axes in which an input was broadcast."""
    with np.errstate(invalid="ignore"):
        for axis, length in enumerate(shape):
            if length == 1:
                gradient = gradient.sum(axis=axis, keepdims=True)
    return gradient
