"""Normalization against PyTorch, and running averages."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import nnlayers as nn
from nnlayers.testing import check_gradients

MAKERS = {
    "BatchNorm": nn.BatchNorm,
    "BatchNorm in evaluation": lambda *a, **k: nn.BatchNorm(*a, **k).eval(),
    "LayerNorm": nn.LayerNorm,
    "RMSNorm": nn.RMSNorm,
}
every_norm = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
leading_axes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3)

DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])


def drawn(shape, dtype, seed=0):
    return (3 + 2 * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def close(ours, theirs, tolerance):
    theirs = theirs.detach().numpy()
    np.testing.assert_allclose(
        ours, theirs, rtol=tolerance, atol=tolerance * np.abs(theirs).max(initial=1.0)
    )


def with_parameters(layer, reference, torch):
    """Set the same gamma and beta in both layers."""
    for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        ours.value = drawn(ours.shape, ours.dtype, seed=len(ours.name))
        with torch.no_grad():
            theirs.copy_(torch.tensor(ours.value))


def with_drawn_state(layer, seed=0):
    """Draw a layer's parameters and running averages, with positive variances."""
    rng = np.random.default_rng(seed)
    state = layer.state_dict()
    layer.load_state_dict({name: 0.5 + rng.random(array.shape) for name, array in state.items()})
    return layer


@every_norm
@given(shape=leading_axes, features=st.integers(1, 3), seed=st.integers(0, 9))
@settings(max_examples=25)
def test_backward_agrees_with_differences_for_any_leading_axes(make, shape, features, seed):
    layer = with_drawn_state(make(features, dtype="float64"), seed)
    x = drawn((*shape, features), "float64", seed)
    assert layer.forward(x).shape == x.shape
    check_gradients(layer, x)


@every_norm
@pytest.mark.parametrize(
    "layout", [np.asfortranarray, lambda a: np.repeat(a, 2, axis=0)[::2], lambda a: a[:, ::-1]]
)
def test_inputs_may_be_strided_and_read_only(make, layout):
    layer, strided = (with_drawn_state(make(4, dtype="float64")) for _ in range(2))
    given = [layout(drawn((3, 2, 4), "float64", seed)) for seed in range(2)]
    x, dout = (array.copy(order="C") for array in given)
    for array in given:
        array.flags.writeable = False
    np.testing.assert_allclose(strided.forward(given[0]), layer.forward(x), rtol=1e-12)
    np.testing.assert_allclose(strided.backward(given[1]), layer.backward(dout), rtol=1e-9)
    for found, expected in zip(strided.parameters(), layer.parameters(), strict=True):
        np.testing.assert_allclose(found.grad, expected.grad, rtol=1e-12)


@DTYPES
@pytest.mark.parametrize("shape", [(6, 4), (3, 2, 4)])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.7, "eps": 0.1}, {"momentum": 0.0}])
def test_batch_norm_is_that_of_pytorch(dtype, tolerance, shape, options):
    torch = pytest.importorskip("torch")
    layer = nn.BatchNorm(4, dtype=dtype, **options)
    reference = torch.nn.BatchNorm1d(4, dtype=getattr(torch, dtype), **options)
    with_parameters(layer, reference, torch)
    for batch in range(4):
        if batch == 3:
            layer.eval()
            reference.eval()
        x, dout = drawn(shape, dtype, seed=batch), drawn(shape, dtype, seed=10 + batch)
        tensor = torch.tensor(x, requires_grad=True)
        y = reference(tensor.reshape(-1, 4)).reshape(shape)
        close(layer.forward(x), y, tolerance)
        y.backward(torch.tensor(dout))
        close(layer.backward(dout), tensor.grad, tolerance)
        close(layer.running_mean, reference.running_mean, tolerance)
        close(layer.running_var, reference.running_var, tolerance)
    close(layer.gamma.grad, reference.weight.grad, tolerance)
    close(layer.beta.grad, reference.bias.grad, tolerance)
    close(layer.predict(x), y, tolerance)


@DTYPES
@pytest.mark.parametrize("shape", [(6, 4), (1, 4), (2, 3, 4), (0, 4)])
@pytest.mark.parametrize("name", ["LayerNorm", "RMSNorm"])
@pytest.mark.parametrize("options", [{}, {"eps": 0.1}])
def test_row_norms_are_those_of_pytorch(dtype, tolerance, shape, name, options):
    torch = pytest.importorskip("torch")
    layer = getattr(nn, name)(4, dtype=dtype, **options)
    reference = getattr(torch.nn, name)(4, dtype=getattr(torch, dtype), **options)
    with_parameters(layer, reference, torch)
    x, dout = drawn(shape, dtype), drawn(shape, dtype, seed=1)
    tensor = torch.tensor(x, requires_grad=True)
    y = reference(tensor)
    close(layer.forward(x), y, tolerance)
    y.backward(torch.tensor(dout))
    close(layer.backward(dout), tensor.grad, tolerance)
    for ours, theirs in zip(layer.parameters(), reference.parameters(), strict=True):
        close(ours.grad, theirs.grad, tolerance)


def test_batch_norm_of_one_row_gives_beta_and_leaves_the_running_variance():
    layer = nn.BatchNorm(2)
    layer.beta.value = [3.0, 4.0]
    np.testing.assert_array_equal(layer.forward([[10.0, 20.0]]), [[3.0, 4.0]])
    np.testing.assert_array_equal(layer.backward([[1.0, 1.0]]), [[0.0, 0.0]])
    np.testing.assert_allclose(layer.running_mean, [1.0, 2.0])
    np.testing.assert_array_equal(layer.running_var, [1.0, 1.0])


@given(
    rows=st.integers(2, 5),
    leading=hnp.array_shapes(min_dims=0, max_dims=2, min_side=1, max_side=3),
    momentum=st.floats(0, 1),
    steps=st.integers(1, 3),
)
@settings(max_examples=50)
def test_the_running_averages_follow_the_mean_and_the_unbiased_variance(
    rows, leading, momentum, steps
):
    layer = nn.BatchNorm(3, momentum, dtype="float64")
    mean, var = np.zeros(3), np.ones(3)
    for step in range(steps):
        x = drawn((rows, *leading, 3), "float64", seed=step)
        layer.forward(x)
        columns = x.reshape(-1, 3)
        deviations = columns - columns.mean(axis=0)
        sample_var = (deviations**2).sum(axis=0) / (len(columns) - 1)
        mean += momentum * (columns.mean(axis=0) - mean)
        var += momentum * (sample_var - var)
    np.testing.assert_allclose(layer.running_mean, mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var, var, rtol=1e-12)


def test_two_rows_move_the_running_variance_by_half_the_square_of_their_difference():
    layer = nn.BatchNorm(2, momentum=1.0)
    layer.forward([[1.0, 10.0], [3.0, 16.0]])
    np.testing.assert_array_equal(layer.running_var, [2.0, 18.0])
    np.testing.assert_array_equal(layer.running_mean, [2.0, 13.0])


def test_a_forward_writes_to_no_running_average_that_a_predict_is_reading():
    layer = nn.BatchNorm(2)
    held = {name: getattr(layer, name) for name in layer.state_names}
    before = {name: array.copy() for name, array in held.items()}
    for x in (np.eye(2), 5 * np.eye(2), np.ones((1, 2))):
        layer.forward(x)
    for name, array in held.items():
        np.testing.assert_array_equal(array, before[name])
        assert not np.shares_memory(array, getattr(layer, name))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("momentum", [0.0, 0.1, 1.0])
@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e20), ("float32", 3e38), (float, 1e200)])
def test_batch_norm_refuses_a_variance_beyond_its_dtype_and_keeps_its_averages(
    dtype, large, momentum
):
    layer = nn.BatchNorm(2, momentum, dtype=dtype)
    layer.forward(drawn((4, 2), dtype))
    before = layer.state_dict()
    with pytest.raises(ValueError, match=r"BatchNorm\(2.* float\d\d can hold, that of column 1 is"):
        layer.forward([[1.0, large], [2.0, -large], [3.0, large]])
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_batch_norm_accepts_any_variance_within_its_dtype():
    layer = nn.BatchNorm(2)
    y = layer.forward([[1e18, 1.0], [-1e18, 2.0]])
    np.testing.assert_allclose(y[:, 0], [1.0, -1.0])
    np.testing.assert_allclose(layer.running_var[0], 0.9 + 0.1 * 2e36, rtol=1e-6)
    layer.forward([[np.nan, 1.0], [1.0, 2.0]])
    assert np.isnan(layer.running_var[0])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("make", [nn.LayerNorm, nn.RMSNorm])
def test_a_row_whose_squares_overflow_is_nan_and_not_the_same_for_all(make):
    y = make(2).forward([[1e30, -2e30], [1.0, 2.0]])
    assert np.isnan(y[0]).all()
    assert np.isfinite(y[1]).all()


def test_batch_norm_of_an_empty_batch_leaves_the_running_averages():
    layer = nn.BatchNorm(2)
    assert layer.forward(np.zeros((0, 2))).shape == (0, 2)
    assert layer.running_mean.tolist() == [0.0, 0.0]


def test_the_running_averages_are_saved_and_reset_with_the_rest():
    layer = nn.Sequential(nn.BatchNorm(2))
    layer.forward([[1.0, 2.0], [3.0, 6.0]])
    state = layer.state_dict()
    assert state["0.running_mean"] == pytest.approx([0.2, 0.4])
    twin = nn.Sequential(nn.BatchNorm(2))
    twin.load_state_dict(state)
    np.testing.assert_array_equal(twin.predict([[1.0, 1.0]]), layer.predict([[1.0, 1.0]]))
    assert layer.initialize(0).state_dict()["0.running_mean"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("make", [nn.BatchNorm, nn.LayerNorm, nn.RMSNorm])
def test_bad_arguments_are_named(make):
    with pytest.raises(ValueError, match=r"features must be .* at least 1, got 0"):
        make(0)
    with pytest.raises(ValueError, match=r"eps must be .* above 0, got 0"):
        make(2, eps=0)
    with pytest.raises(ValueError, match=r"expected x of shape \(\.\.\., 2\), got \(1, 3\)"):
        make(2).forward(np.ones((1, 3)))
