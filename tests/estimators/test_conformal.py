"""Conformal intervals: the definitions, and the coverage that follows from exchangeable rows."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlayers.estimators import (
    conformal_quantile,
    conformity_scores,
    cv_plus_interval,
    split_interval,
)

COVERAGES = st.sampled_from([0.05, 0.5, 0.7, 0.8, 0.9, 0.95])


def is_held(interval, y):
    return (interval[:, 0] <= y) & (y <= interval[:, 1])


@given(rows=st.integers(1, 40), coverage=COVERAGES, seed=st.integers(0, 99))
def test_of_rows_left_out_in_turn_the_quantile_bounds_as_many_as_it_promises(rows, coverage, seed):
    scores = np.random.default_rng(seed).normal(size=rows)
    bounded = [scores[i] <= conformal_quantile(np.delete(scores, i), coverage) for i in range(rows)]
    # By symmetry this share is the probability for a new row, and ceil((n + 1) c) of n + 1.
    assert sum(bounded) == math.ceil(round(rows * coverage, 9))


@pytest.mark.parametrize("rows", [0, 1, 8])
def test_too_few_rows_for_the_coverage_give_infinite_intervals(rows):
    scores = np.ones(rows)
    assert conformal_quantile(scores, 0.9) == math.inf
    expected = [[-math.inf, math.inf]] * 2
    np.testing.assert_array_equal(split_interval(scores, [1.0, 2.0]), expected)
    folds = np.zeros(rows, int)
    np.testing.assert_array_equal(cv_plus_interval(scores, folds, [[1.0], [2.0]]), expected)


def test_nine_rows_are_enough_for_nine_tenths():
    assert conformal_quantile(np.arange(9.0), 0.9) == 8
    assert conformal_quantile(np.arange(99.0), 0.9) == 89
    assert conformal_quantile(np.arange(99.0), 0.901) == 90
    assert conformal_quantile(np.arange(99.0), 0.55) == 54  # 100 * 0.55 is above 55 in floats.


@given(
    rows=st.integers(1, 30),
    new=st.integers(0, 4),
    folds=st.integers(1, 5),
    coverage=COVERAGES,
    is_scaled=st.booleans(),
    has_quantiles=st.booleans(),
    seed=st.integers(0, 99),
)
def test_cv_plus_takes_the_order_statistics_over_all_rows(
    rows, new, folds, coverage, is_scaled, has_quantiles, seed
):
    rng = np.random.default_rng(seed)
    scores, fold = rng.normal(size=rows), rng.integers(folds, size=rows)
    low, width = rng.normal(size=(new, folds)), rng.uniform(0, 2, (new, folds))
    high = low + width if has_quantiles else low
    scale = rng.uniform(0.5, 2, (new, folds)) if is_scaled else np.ones((new, folds))
    interval = cv_plus_interval(
        scores,
        fold,
        low,
        high if has_quantiles else None,
        coverage=coverage,
        scale=scale if is_scaled else None,
    )
    rank = math.ceil(round((rows + 1) * coverage, 9))
    for row in range(new):
        margins = scores * scale[row, fold]
        lowers = np.sort(low[row, fold] - margins)[::-1]
        uppers = np.sort(high[row, fold] + margins)
        ends = np.array([-math.inf, math.inf])
        if rank <= rows:
            ends = np.array([lowers[rank - 1], uppers[rank - 1]])
            ends = np.full(2, ends.mean()) if ends[0] > ends[1] else ends
        np.testing.assert_allclose(interval[row], ends, rtol=1e-12, atol=1e-12)


@given(rows=st.integers(1, 30), coverage=COVERAGES, seed=st.integers(0, 99))
def test_one_fold_is_the_split_method(rows, coverage, seed):
    rng = np.random.default_rng(seed)
    scores, prediction = rng.normal(size=rows), rng.normal(size=6)
    scale = rng.uniform(0.5, 2, 6)
    split = split_interval(scores, prediction, coverage=coverage, scale=scale)
    columns = prediction[:, None], scale[:, None]
    joined = cv_plus_interval(
        scores, np.zeros(rows, int), columns[0], coverage=coverage, scale=columns[1]
    )
    np.testing.assert_allclose(joined, split, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e300])
def test_the_ends_are_exact_in_any_unit(size):
    rng = np.random.default_rng(0)
    scores, fold, low = np.abs(rng.normal(size=50)), np.arange(50) % 3, rng.normal(size=(4, 3))
    expected = size * cv_plus_interval(scores, fold, low)
    np.testing.assert_allclose(cv_plus_interval(size * scores, fold, size * low), expected)
    scores[0] = 1e12  # One row that was missed by far does not blur the others.
    np.testing.assert_allclose(
        cv_plus_interval(scores, fold, low),
        [
            [np.sort(p[fold] - scores)[::-1][45], np.sort(p[fold] + scores)[45]]
            for p in low
        ],
        rtol=1e-12,
    )  # fmt: skip


def test_half_the_intervals_of_noisy_rows_hold_half_the_targets():
    rng = np.random.default_rng(0)
    y = rng.standard_t(3, size=20_000) * np.repeat([1.0, 5.0], 10_000)
    rng.shuffle(y)
    held_out, new = y[:2000], y[2000:]
    scores = conformity_scores(held_out, np.zeros(2000))
    for coverage in (0.5, 0.9, 0.99):
        share = is_held(split_interval(scores, np.zeros(len(new)), coverage=coverage), new).mean()
        assert abs(share - coverage) < 4 * math.sqrt(coverage * (1 - coverage) / 2000)


def test_conformalised_quantiles_repair_bad_ones():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=8000)
    y = x * rng.normal(size=8000)
    for factor in (0.5, 1.0, 3.0):  # Intervals that hold too little, about enough, too much.
        low, high = -factor * 1.645 * x, factor * 1.645 * x
        scores = conformity_scores(y[:4000], low[:4000], high[:4000])
        interval = split_interval(scores, low[4000:], high[4000:])
        assert abs(is_held(interval, y[4000:]).mean() - 0.9) < 0.02
    assert (scores < 0).any()


def test_quantiles_that_cross_change_places():
    np.testing.assert_array_equal(
        conformity_scores([1.0, 5.0], [2.0, 2.0], [0.0, 0.0]),
        conformity_scores([1.0, 5.0], [0.0, 0.0], [2.0, 2.0]),
    )
    interval = split_interval([-3.0, -3.0, -3.0], [0.0], [2.0], coverage=0.5)
    np.testing.assert_array_equal(interval, [[1.0, 1.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conformal_quantile([1.0], 1.0), "coverage must be a finite number above 0 and be"),
        (lambda: conformal_quantile([[1.0]]), r"scores must have shape \(n,\), got \(1, 1\)"),
        (lambda: conformal_quantile([np.nan]), "scores must be finite, got nan"),
        (lambda: conformity_scores([1.0], [1.0, 2.0]), r"lower must have the shape of y, \(1,\)"),
        (lambda: conformity_scores([1.0], [1.0], scale=[0.0]), "scale must be above 0, got 0.0"),
        (lambda: split_interval([1.0], [1.0], [1.0, 2.0]), "upper must have the shape of lower, "),
        (lambda: cv_plus_interval([1.0], [0], [1.0]), r"lower must have shape \(rows, folds\), go"),
        (lambda: cv_plus_interval([1.0], [2], [[1.0, 2.0]]), "folds must hold integers from 0 to"),
        (lambda: cv_plus_interval([1.0], [0, 1], [[1.0]]), "folds must have the shape of scores,"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
