import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlayers.data import batches


@given(
    rows=st.integers(0, 60),
    batch_size=st.integers(1, 70),
    seed=st.none() | st.integers(0, 9),
)
def test_every_row_occurs_once_and_only_the_last_batch_is_smaller(rows, batch_size, seed):
    rng = None if seed is None else np.random.default_rng(seed)
    pieces = [np.arange(rows)[batch] for batch in batches(rows, batch_size, rng)]
    assert sorted(np.concatenate([np.empty(0, int), *pieces])) == list(range(rows))
    assert all(len(piece) == batch_size for piece in pieces[:-1])
    assert all(0 < len(piece) <= batch_size for piece in pieces)


def test_without_a_generator_batches_are_slices_in_order():
    assert list(batches(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]


def test_shuffled_batches_are_one_permutation_of_the_generator():
    drawn = np.concatenate(list(batches(50, 8, np.random.default_rng(4))))
    np.testing.assert_array_equal(drawn, np.random.default_rng(4).permutation(50))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((5, 0), ValueError, "batch_size must be an integer of at least 1, got 0"),
        ((5, 2.0), TypeError, "batch_size must be an integer of at least 1, got 2.0"),
        ((5, True), TypeError, "batch_size must be an integer of at least 1, got True"),
        ((-1, 2), ValueError, "rows must be an integer of at least 0, got -1"),
    ],
)
def test_bad_sizes_are_errors_at_the_call(arguments, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        batches(*arguments)
