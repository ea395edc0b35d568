import numpy as np
import pytest
from effort import cases
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients

sizes = st.integers(1, 4)


@given(
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3), sizes, sizes, st.booleans()
)
def test_backward_agrees_with_differences_for_any_leading_axes(leading, width, out, bias):
    layer = nn.Affine(width, out, bias=bias, bias_init="normal", rng=0)
    x = np.random.default_rng(1).normal(size=(*leading, width))
    assert layer.forward(x).shape == (*leading, out)
    check_gradients(layer, x)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
@pytest.mark.parametrize("leading", [(7,), (2, 3), ()])
def test_values_and_gradients_are_those_of_pytorch(dtype, rtol, leading):
    torch = pytest.importorskip("torch")
    layer = nn.Affine(5, 3, bias_init="normal", dtype=dtype, rng=0)
    rng = np.random.default_rng(1)
    x, dout = rng.normal(size=(*leading, 5)), rng.normal(size=(*leading, 3))
    twin = torch.nn.Linear(5, 3, dtype=torch.float64)
    with torch.no_grad():
        twin.weight.copy_(torch.tensor(layer.W.value.T))
        twin.bias.copy_(torch.tensor(layer.b.value))
    tensor = torch.tensor(x.astype(dtype), dtype=torch.float64, requires_grad=True)
    y = twin(tensor)
    y.backward(torch.tensor(dout.astype(dtype)).double())
    np.testing.assert_allclose(layer.forward(x), y.detach().numpy(), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(layer.backward(dout), tensor.grad.numpy(), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(layer.W.grad.T, twin.weight.grad.numpy(), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(layer.b.grad, twin.bias.grad.numpy(), rtol=rtol, atol=rtol)


numbers = st.sampled_from([0.0, 1.0, -2.0, np.nan, np.inf])


@given(st.data(), sizes, sizes, sizes, st.sampled_from([np.float32, np.float64]), st.integers(1, 2))
@settings(max_examples=cases(125))
def test_nan_and_infinity_go_where_the_sums_take_them(data, rows, width, out, dtype, backwards):
    shapes = {"x": (rows, width), "W": (width, out), "dy": (rows, out)}
    x, W, dy = (data.draw(hnp.arrays(dtype, shape, elements=numbers)) for shape in shapes.values())
    layer = nn.Affine(width, out, dtype=dtype)
    layer.W.value = W
    with np.errstate(invalid="ignore"):
        y = layer.forward(x)
        np.testing.assert_array_equal(y, (x[:, :, None] * W).sum(axis=1))
        np.testing.assert_array_equal(layer.predict(x), y)
        for _ in range(backwards):
            dx = layer.backward(dy)
        np.testing.assert_array_equal(dx, (dy[:, None, :] * W).sum(axis=2))
        dW = (x[:, :, None] * dy[:, None, :]).sum(axis=0)
        np.testing.assert_array_equal(layer.W.grad, backwards * dW)
        np.testing.assert_array_equal(layer.b.grad, backwards * dy.sum(axis=0))


def test_columns_and_rows_are_as_the_formula_has_them():
    layer = nn.Affine(3, 2, rng=0)
    layer.W.value = [[1, 2], [3, 4], [5, 6]]
    layer.b.value = [10, 20]
    np.testing.assert_array_equal(layer.forward([[1, 0, 2]]), [[21, 34]])
    np.testing.assert_array_equal(layer.backward([[1, -1]]), [[-1, -1, -1]])
    np.testing.assert_array_equal(layer.W.grad, [[1, -1], [0, 0], [2, -2]])
    np.testing.assert_array_equal(layer.b.grad, [1, -1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inputs_are_converted_to_the_layer_s_dtype(dtype):
    layer = nn.Affine(2, 2, dtype=dtype, rng=0)
    for given_dtype in (np.float16, np.float32, np.float64, np.int8, bool):
        y = layer.forward(np.ones((3, 2), given_dtype))
        dx = layer.backward(np.ones((3, 2), given_dtype))
        assert {y.dtype, dx.dtype, layer.W.grad.dtype} == {np.dtype(dtype)}


def test_the_shortcut_of_training_gathers_the_same_gradients():
    layer, other = (nn.Affine(3, 2, rng=0) for _ in range(2))
    x, dout = np.ones((4, 3)), np.arange(8.0).reshape(4, 2)
    for affine in (layer, other):
        affine.forward(x)
    layer.backward(dout)
    assert other.backward_parameters(dout) is None
    np.testing.assert_array_equal(layer.W.grad, other.W.grad)
    np.testing.assert_array_equal(layer.b.grad, other.b.grad)


@pytest.mark.parametrize("shape", [(), (2,), (4, 2), (3, 4), (0, 2), (0,)])
def test_another_number_of_features_is_refused(shape):
    layer = nn.Affine(3, 2, rng=0)
    for call in (layer.forward, layer.predict):
        with pytest.raises(ValueError, match=r"Affine\(3, 2\) expected x of shape \(\.\.\., 3\), "):
            call(np.ones(shape))


def test_a_refused_input_leaves_the_cache_unchanged():
    layer = nn.Affine(3, 2, rng=0)
    layer.forward(np.ones((1, 3)))
    with pytest.raises(ValueError, match="expected x of shape"):
        layer.forward(np.ones((1, 4)))
    layer.backward(np.ones((1, 2)))
    np.testing.assert_array_equal(layer.W.grad, np.ones((3, 2)))


@pytest.mark.parametrize("shape", [(4, 3), (4,), (2, 2), (2,), (1, 4, 2)])
def test_a_dout_of_another_shape_is_refused_and_adds_nothing(shape):
    layer = nn.Affine(3, 2, rng=0)
    layer.forward(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"Affine\(3, 2\) expected dout of shape \(4, 2\), got \("):
        layer.backward(np.ones(shape))
    assert not layer.W.grad.any()


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((0, 1), {}, ValueError, "in_features must be an integer of at least 1, got 0"),
        ((2, -1), {}, ValueError, "out_features must be an integer of at least 1, got -1"),
        ((2.0, 1), {}, TypeError, r"in_features must be an integer of at least 1, got 2\.0"),
        ((2, 1), {"dtype": "int32"}, ValueError, "dtype must be float32 or float64, got 'int32'"),
        ((2, 1), {"dtype": None}, ValueError, "dtype must be float32 or float64, got None"),
        ((2, 1), {"weight_init": "he"}, ValueError, "unknown initializer 'he'"),
        ((2, 1), {"bias_init": 0.0}, TypeError, "bias_init must be a name or callable, got"),
        ((2, 1), {"bias_init": "orthogonal"}, ValueError, "at least two axes"),
        (
            (2, 1),
            {"weight_init": lambda shape, **_: np.ones(3)},
            ValueError,
            r"must return an array of shape \(2, 1\), got \(3,\)",
        ),
    ],
)
def test_arguments_out_of_range_are_named(arguments, options, error, words):
    with pytest.raises(error, match=words):
        nn.Affine(*arguments, **options)


def test_one_seed_gives_one_network_in_either_dtype():
    narrow, wide = (nn.Affine(4, 3, dtype=dtype, rng=0) for dtype in ("float32", "float64"))
    np.testing.assert_array_equal(narrow.W.value, wide.W.value.astype(np.float32))


def test_initial_weights_are_he_s_by_their_fan_in_and_biases_zero():
    layer = nn.Affine(400, 100, rng=0)
    assert layer.W.value.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    assert not layer.b.value.any()
    assert nn.Affine(2, 1, bias=False).b is None


@pytest.mark.parametrize("rows", [1, 3])
def test_zero_times_infinity_is_nan_without_a_warning(rows):
    layer = nn.Affine(1, 1, bias=False, rng=0)
    layer.W.value[...] = 0.0
    x = np.full((rows, 1), np.inf)
    assert np.isnan(layer.forward(x)).all()
    assert np.isnan(layer.predict(x)).all()
    assert np.isnan(layer.backward(x)).all()
