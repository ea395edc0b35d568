"""A stratified split gives each class its share of every part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlayers.data import split


@given(
    sizes=st.lists(st.integers(3, 60), min_size=2, max_size=5),
    validation=st.floats(0.05, 0.45),
    test=st.floats(0.05, 0.45),
    seed=st.integers(0, 5),
)
def test_each_class_is_split_by_the_fractions(sizes, validation, test, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(seed).permutation(labels)
    parts = split(len(labels), validation=validation, test=test, seed=seed, stratify=labels)
    fractions = [1 - (validation + test), validation, test]
    for part, fraction in zip(parts, fractions, strict=True):
        counts = np.bincount(labels[part], minlength=len(sizes))
        for count, size in zip(counts, sizes, strict=True):
            assert count >= 1
            # Rounding, what earlier classes were short of, and no part may stay empty.
            assert abs(count - fraction * size) < 3 or size < 20


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_are_in_every_part_where_a_plain_split_misses_them(seed):
    labels = np.repeat([0, 1, 2], [970, 20, 10])
    for part, share in zip(
        split(1000, validation=0.2, test=0.1, seed=seed, stratify=labels),
        (0.7, 0.2, 0.1),
        strict=True,
    ):
        np.testing.assert_allclose(np.bincount(labels[part]), share * np.bincount(labels), atol=1)
