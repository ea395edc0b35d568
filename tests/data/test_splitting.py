import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlayers.data import DataError, split

fractions = st.tuples(
    st.sampled_from([0, 0.01, 0.1, 0.15, 0.3, 0.45]), st.sampled_from([0, 0.02, 0.15, 0.2, 0.5])
)


def rounded(quota, size):
    """Whether `size` is `quota` rounded down or up, with room for floating point."""
    return np.floor(quota - 1e-9) <= size <= np.ceil(quota + 1e-9)


@given(rows=st.integers(3, 300), fractions=fractions, seed=st.integers(0, 2**40))
def test_parts_are_disjoint_sorted_cover_all_rows_and_have_their_fractions(rows, fractions, seed):
    parts = split(rows, validation=fractions[0], test=fractions[1], seed=seed)
    assert sorted(np.concatenate(parts)) == list(range(rows))
    for part, fraction in zip(parts[1:], fractions, strict=True):
        assert np.all(np.diff(part) > 0)
        assert bool(fraction) == bool(len(part))
        assert rounded(rows * fraction, len(part))
    assert len(parts.train) >= 1


@given(
    sizes=st.lists(st.integers(3, 40), min_size=2, max_size=8),
    fractions=fractions,
    seed=st.integers(0, 99),
)
def test_stratified_parts_hold_every_class_and_cover_all_rows(sizes, fractions, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = split(
        len(labels), validation=fractions[0], test=fractions[1], seed=seed, stratify=labels
    )
    assert sorted(np.concatenate(parts)) == list(range(len(labels)))
    for part, fraction in zip(parts[1:], fractions, strict=True):
        counts = np.bincount(labels[part], minlength=len(sizes))
        assert all(counts >= 1) if fraction else not counts.any()
    assert np.all(np.bincount(labels[parts.train], minlength=len(sizes)) >= 1)


@given(sizes=st.lists(st.integers(40, 90), min_size=2, max_size=6), seed=st.integers(0, 99))
def test_totals_are_exact_and_classes_within_one_and_a_half_of_their_proportion(sizes, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = split(len(labels), validation=0.15, test=0.2, seed=seed, stratify=labels)
    for part, fraction in zip(parts, (0.65, 0.15, 0.2), strict=True):
        counts = np.bincount(labels[part])
        assert rounded(fraction * len(labels), len(part))
        assert np.all(np.abs(counts - fraction * np.array(sizes)) < 1.5)


def test_iris_splits_into_halves_of_its_remainder():
    labels = np.repeat(["setosa", "versicolor", "virginica"], 50)
    parts = split(150, stratify=labels)
    assert [len(part) for part in parts] == [105, 23, 22]
    for part, least in zip(parts, (35, 7, 7), strict=True):
        _, counts = np.unique(labels[part], return_counts=True)
        assert set(counts) <= {least, least + 1}


@pytest.mark.parametrize("stratify", [None, np.arange(90) % 4])
def test_a_seed_gives_the_same_split_and_another_seed_another(stratify):
    first, again, other = (split(90, seed=seed, stratify=stratify) for seed in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first.train, other.train)


def test_classes_may_be_objects():
    labels = np.array(["no", "yes"] * 10, dtype=object)
    parts = split(20, validation=0.2, test=0.2, stratify=labels)
    assert [sorted(set(labels[part])) for part in parts] == [["no", "yes"]] * 3


def test_every_row_can_be_drawn_into_the_test_part():
    drawn = {int(row) for seed in range(60) for row in split(10, test=0.2, seed=seed).test}
    assert drawn == set(range(10))


def test_without_fractions_all_rows_train():
    parts = split(4, validation=0, test=0)
    np.testing.assert_array_equal(parts.train, np.arange(4))
    assert len(parts.validation) == len(parts.test) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"validation": 1.0}, ValueError, "validation must be .* below 1, got 1.0"),
        ({"test": -0.1}, ValueError, "test must be a finite number of at least 0 .*, got -0.1"),
        ({"test": float("nan")}, ValueError, "test must be .*, got nan"),
        ({"test": "0.1"}, TypeError, "test must be .*, got '0.1'"),
        ({"test": True}, TypeError, "test must be .*, got True"),
        ({"validation": 0.6, "test": 0.4}, ValueError, r"sum to less than 1, got 0.6 \+ 0.4"),
        ({"seed": -1}, ValueError, "seed must be an integer of at least 0, got -1"),
        ({"rows": 2.5}, TypeError, "rows must be an integer of at least 0, got 2.5"),
        ({"stratify": [0, 1]}, ValueError, r"stratify must have shape \(9,\), got \(2,\)"),
    ],
)
def test_bad_arguments_are_named_with_their_value(arguments, error, message):
    with pytest.raises(error, match=message):
        split(**{"rows": 9, **arguments})


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        (0, {"validation": 0, "test": 0}, "a split into train needs 1 rows, there are 0"),
        (2, {}, "a split into train and validation and test needs 3 rows, there are 2"),
        (1, {"test": 0}, "a split into train and validation needs 2 rows, there are 1"),
        (4, {"stratify": [1, 1, 1, 1]}, r"needs two classes, there are \[1\]"),
        (0, {"stratify": []}, r"needs two classes, there are \[\]"),
        (
            5,
            {"stratify": ["a", "a", "a", "b", "b"]},
            "train and validation and test needs 3 rows of class 'b', there are 2$",
        ),
        (
            3,
            {"test": 0, "stratify": [1, 1, 2]},
            "train and validation needs 2 rows of class 2, there are 1$",
        ),
    ],
)
def test_an_error_counts_too_few_rows(rows, arguments, message):
    with pytest.raises(DataError, match=message):
        split(rows, **arguments)
