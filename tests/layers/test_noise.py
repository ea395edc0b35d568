import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import nnlayers as nn
from nnlayers.testing import check_gradients


@given(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=3), st.floats(0, 0.95))
def test_dropout_agrees_with_differences_in_any_shape(shape, rate):
    x = np.random.default_rng(0).normal(size=shape)
    check_gradients(nn.Dropout(rate, rng=1), x)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_as_many_entries_as_the_rate_says_are_dropped_and_the_rest_scaled(rate, dtype):
    n = 20_000
    y = nn.Dropout(rate, rng=0).forward(np.ones((n // 100, 100), dtype))
    dropped = int((y == 0).sum())
    assert stats.binomtest(dropped, n, rate).pvalue > 0.01
    assert np.unique(y).tolist() == [0, dtype(1 / (1 - rate))]


def test_entries_are_dropped_independently():
    y = nn.Dropout(0.5, rng=0).forward(np.ones((200, 100)))
    correlation = np.corrcoef(y[:, :-1].ravel(), y[:, 1:].ravel())[0, 1]
    assert abs(correlation) < 0.03
    assert np.unique(y, axis=0).shape[0] == 200


def test_the_gradient_passes_where_the_entry_passed():
    dropout, x = nn.Dropout(0.4, rng=0), np.full((50, 4), 3.0)
    y = dropout.forward(x)
    np.testing.assert_array_equal(dropout.backward(x), y)


def test_every_forward_draws_anew_and_the_seed_repeats_them():
    first, second = nn.Dropout(rng=3), nn.Dropout(rng=np.random.default_rng(3))
    x = np.ones((10, 10))
    draws = [first.forward(x) for _ in range(3)]
    assert not np.array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws, [second.forward(x) for _ in range(3)])


def test_evaluation_and_prediction_change_nothing():
    x = np.random.default_rng(0).normal(size=(5, 4))
    dropout = nn.Dropout(0.5, rng=0)
    np.testing.assert_array_equal(dropout.predict(x), x)
    np.testing.assert_array_equal(dropout.eval().forward(x), x)
    np.testing.assert_array_equal(dropout.backward(x), x)
    assert (dropout.train().forward(x) == 0).any()


def test_a_rate_of_zero_drops_nothing():
    x = np.random.default_rng(0).normal(size=(50, 40))
    np.testing.assert_array_equal(nn.Dropout(0).forward(x), x)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match="rate must be a finite number of at least 0 and below 1"):
        nn.Dropout(rate)
