import numpy as np
import pytest
from exactness import shapes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import nnlayers as nn
from nnlayers.testing import check_gradients


@given(shapes, st.floats(0, 0.95))
@settings(max_examples=50)
def test_backward_agrees_with_differences_in_any_shape(shape, rate):
    x = np.random.default_rng(0).normal(size=shape)
    check_gradients(nn.Dropout(rate, rng=1), x)
    check_gradients(nn.GaussianNoise(rate, rng=1), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_many_entries_as_the_rate_says_are_dropped_and_the_rest_scaled(rate, dtype):
    n = 20_000
    y = nn.Dropout(rate, rng=0).forward(np.ones((n // 100, 100), dtype))
    dropped = int((y == 0).sum())
    assert stats.binomtest(dropped, n, rate).pvalue > 0.01
    share = round(65536 * rate) / 65536
    assert np.unique(y).tolist() == [0, dtype(1 / (1 - share))]


@pytest.mark.parametrize("shape", [(4000,), (400, 10), (40, 10, 10), (4, 10, 10, 10)])
def test_inputs_of_any_number_of_axes_keep_their_mean(shape):
    x = 3 + np.random.default_rng(1).random(shape)
    y = nn.Dropout(0.25, rng=0).forward(x)
    np.testing.assert_allclose(y[y != 0], x[y != 0] / 0.75)
    assert (y == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert y.mean() == pytest.approx(x.mean(), rel=0.03)


class EachOnce:
    """Generator that draws each number of 16 bits once."""

    bit_generator = None

    def integers(self, high, size, dtype):
        assert (high, size) == (2**64, 2**14)
        return np.arange(2**16, dtype=np.uint16).view(dtype)


@pytest.mark.parametrize(
    ("rate", "dropped"),
    [(1e-9, 0), (1e-5, 1), (1 / 8, 2**13), (0.3, 19661), (0.5, 2**15), (1 - 1e-9, 2**16 - 1)],
)
def test_an_entry_is_dropped_with_the_rate_to_16_bits_and_the_mean_stays(rate, dropped):
    dropout = nn.Dropout(rate)
    dropout.rng = EachOnce()
    y = dropout.forward(np.ones(2**16))
    assert np.count_nonzero(y == 0) == dropped
    assert y.mean() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", ["PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"])
@pytest.mark.parametrize("size", [0, 1, 4, 13])
def test_every_generator_decides_by_four_parts_of_each_64_bits(name, size):
    rng, other = (np.random.Generator(getattr(np.random, name)(5)) for _ in range(2))
    dropout = nn.Dropout(0.6, rng=rng)
    y = dropout.forward(np.ones((size, 1)))
    bits = other.integers(2**64, size=(size + 3) // 4, dtype=np.uint64).view(np.uint16)[:size]
    np.testing.assert_array_equal(y[:, 0] != 0, bits >= round(0.6 * 2**16))
    assert rng.random() == other.random()


def test_entries_are_dropped_independently():
    y = nn.Dropout(0.5, rng=0).forward(np.ones((200, 100)))
    correlation = np.corrcoef(y[:, :-1].ravel(), y[:, 1:].ravel())[0, 1]
    assert abs(correlation) < 0.03
    assert np.unique(y, axis=0).shape[0] == 200


def test_the_gradient_passes_where_the_entry_passed():
    dropout, x = nn.Dropout(0.4, rng=0), np.full((50, 4), 3.0)
    y = dropout.forward(x)
    np.testing.assert_array_equal(dropout.backward(x), y)


@pytest.mark.parametrize("make", [nn.Dropout, lambda rng=None: nn.GaussianNoise(0.5, rng)])
def test_every_forward_draws_anew_and_the_seed_repeats_them(make):
    first, second = make(rng=3), make(rng=np.random.default_rng(3))
    x = np.ones((10, 10))
    draws = [first.forward(x) for _ in range(3)]
    assert not np.array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws, [second.forward(x) for _ in range(3)])


@pytest.mark.parametrize("make", [nn.Dropout, lambda rng=None: nn.GaussianNoise(0.5, rng)])
def test_evaluation_and_prediction_change_nothing(make):
    x = np.random.default_rng(0).normal(size=(5, 4))
    layer = make(rng=0)
    np.testing.assert_array_equal(layer.predict(x), x)
    np.testing.assert_array_equal(layer.eval().forward(x), x)
    np.testing.assert_array_equal(layer.backward(x), x)
    assert (layer.train().forward(x) != x).any()


@pytest.mark.parametrize("make", [nn.Dropout, nn.GaussianNoise])
def test_zero_changes_nothing_and_draws_nothing(make):
    x = np.random.default_rng(0).normal(size=(50, 40))
    layer = make(0, rng=0)
    np.testing.assert_array_equal(layer.forward(x), x)
    assert layer.rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match="rate must be a finite number of at least 0 and below 1"):
        nn.Dropout(rate)


@pytest.mark.parametrize("std", [0.1, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gaussian_noise_is_normal_with_its_std(std, dtype):
    x = np.linspace(-5, 5, 20_000, dtype=dtype).reshape(200, 100)
    y = nn.GaussianNoise(std, rng=0).forward(x)
    assert y.dtype == dtype
    draws = ((y - x) / std).ravel()
    assert stats.kstest(draws, "norm").pvalue > 0.01
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(draws, x.ravel())[0, 1]) < 0.03


def test_the_gradient_passes_through_gaussian_noise_as_a_new_array():
    layer, dout = nn.GaussianNoise(2.0, rng=0), np.arange(6.0)
    layer.forward(np.ones(6))
    dx = layer.backward(dout)
    np.testing.assert_array_equal(dx, dout)
    assert not np.shares_memory(dx, dout)


@pytest.mark.parametrize("std", [-0.1, np.nan, np.inf])
def test_a_std_outside_its_range_is_refused(std):
    with pytest.raises(ValueError, match="std must be a finite number of at least 0, got "):
        nn.GaussianNoise(std)


@pytest.mark.parametrize("make", [nn.Dropout, lambda rng=None: nn.GaussianNoise(0.5, rng)])
def test_single_numbers_are_drawn_for_too(make):
    layer = make(rng=0)
    x = np.float32(2)
    y, kept = layer.compute_forward(x)
    dx = layer.compute_backward(np.float32(1), kept)
    assert {type(y), type(dx)} == {np.float32}
    assert y != x
