"""Temperatures and the calibration error, against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from nnlayers.estimators import (
    draw_coverage,
    draw_reliability,
    expected_calibration_error,
    fit_temperature,
)


def draw(rows, classes, seed, sharpness=1.0):
    """Return logits, and classes drawn with the probabilities of flatter ones."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, (rows, classes))
    y = np.array([rng.choice(classes, p=p) for p in softmax(z, axis=1)])
    return sharpness * z, y


@given(
    rows=st.integers(1, 30),
    classes=st.integers(2, 4),
    is_weighted=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_temperature_minimises_the_log_loss_of_the_rows_and_one_more(
    rows, classes, is_weighted, seed
):
    z, y = draw(rows, classes, seed)
    w = np.random.default_rng(seed).uniform(0.5, 2, rows) if is_weighted else None
    best_two = np.sort(z, axis=1)[:, -2:]
    more = np.array([0.0, np.median(best_two[:, 1] - best_two[:, 0])])

    def loss(log_temperature):
        log_p = log_softmax(z / np.exp(log_temperature), axis=1)[np.arange(rows), y]
        undecided = log_softmax(more / np.exp(log_temperature)).mean()
        return -np.average(log_p, weights=w) - undecided / rows

    found = fit_temperature(z, y, w)
    best = minimize_scalar(loss, bounds=(-8, 8), method="bounded", options={"xatol": 1e-10})
    assert loss(np.log(found)) <= best.fun + 1e-12


@pytest.mark.parametrize("sharpness", [1e-300, 1e-3, 3.0, 1e300])
def test_it_undoes_the_sharpness_of_logits(sharpness):
    flat, y = draw(4000, 3, seed=0)
    temperature = fit_temperature(flat, y)
    assert abs(temperature - 1) < 0.1
    sharp = fit_temperature(sharpness * flat, y)
    np.testing.assert_allclose(sharp / sharpness, temperature, rtol=1e-6)


def test_one_huge_logit_among_ordinary_ones_changes_little():
    z, y = draw(4000, 2, seed=0)
    z[0] = [0.0, 1e6] if y[0] else [1e6, 0.0]
    assert abs(fit_temperature(z, y) - 1) < 0.1


def test_the_log_odds_of_the_second_class_are_enough():
    z, y = draw(50, 2, seed=0)
    odds = fit_temperature(z[:, 1] - z[:, 0], y)
    np.testing.assert_allclose(odds, fit_temperature(z, y), rtol=1e-8)
    np.testing.assert_allclose(odds, fit_temperature(log_softmax(z, axis=1), y), rtol=1e-8)


def test_rows_that_are_all_right_give_a_positive_temperature():
    z = np.array([[2.0, 0.0], [0.0, 3.0]] * 20)
    temperature = fit_temperature(z, [0, 1] * 20)
    assert 0.1 < temperature < 1
    assert fit_temperature(z, [1, 0] * 20) > 1000  # all wrong: no class is more probable
    assert fit_temperature(np.zeros((3, 2)), [0, 1, 1]) == 1


def test_rows_of_weight_zero_do_not_count():
    z, y = draw(30, 3, seed=0)
    w = np.arange(30.0) % 3
    expected = fit_temperature(z[w > 0], y[w > 0], w[w > 0])
    np.testing.assert_allclose(fit_temperature(z, y, w), expected, rtol=1e-9)
    p = softmax(z, axis=1)
    expected = expected_calibration_error(y[w > 0], p[w > 0], w[w > 0])
    np.testing.assert_allclose(expected_calibration_error(y, p, w), expected, rtol=1e-12)


def test_labels_name_the_columns():
    z, y = draw(40, 3, seed=0)
    labels = np.array(["b", "a", "c"])
    assert fit_temperature(z, labels[y], labels=labels) == fit_temperature(z, y)
    p = softmax(z, axis=1)
    named = expected_calibration_error(labels[y], p, labels=labels)
    assert named == expected_calibration_error(y, p)


@given(
    rows=st.integers(0, 40),
    classes=st.integers(2, 4),
    bins=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_the_calibration_error_is_the_weighted_gap_of_the_bins(rows, classes, bins, seed):
    z, y = draw(rows, classes, seed)
    p = softmax(z, axis=1)
    expected = 0.0
    for b in range(bins):
        inside = [
            (p[i].max(), p[i].argmax() == y[i])
            for i in range(rows)
            if b / bins <= p[i].max() < (b + 1) / bins
        ]
        if inside:
            confidence, hits = np.mean(inside, axis=0)
            expected += len(inside) / rows * abs(hits - confidence)
    found = expected_calibration_error(y, p, bins=bins)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_calibration_errors_of_the_extremes():
    assert expected_calibration_error([0, 1], [[1.0, 0.0], [0.0, 1.0]]) == 0
    assert expected_calibration_error([1, 0], [[1.0, 0.0], [0.0, 1.0]]) == 1
    assert expected_calibration_error([], np.empty((0, 2))) == 0
    two = expected_calibration_error([0, 1, 1], [[0.8, 0.2], [0.4, 0.6], [0.9, 0.1]])
    one = expected_calibration_error([0, 1, 1], [0.2, 0.6, 0.1])
    assert abs(one - two) < 1e-12


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_temperature(np.empty((0, 2)), []), r"logits must have at least one row, got"),
        (lambda: fit_temperature([[0.0, np.inf]], [0]), "logits must be finite, got inf"),
        (lambda: fit_temperature([[0.0]], [0]), r"logits must have shape \(n, classes\) or \(n,\)"),
        (lambda: fit_temperature([[0.0, 1.0]], [2]), r"y must hold labels of array\(\[0, 1\]\)"),
        (lambda: fit_temperature([[0.0, 1.0]], [0, 1]), "y must have a class for each row of l"),
        (lambda: fit_temperature([[0.0, 1.0]], [0], [0.0]), "sample_weight must have an entry abo"),
        (lambda: fit_temperature([[0.0, 1.0]], [0], labels=[0, 0]), "labels must hold 2 different"),
        (lambda: expected_calibration_error([0], [1.5]), "probabilities must be from 0 to 1, got"),
        (lambda: expected_calibration_error([0], [0.5], bins=0), "bins must be an integer of at l"),
        (lambda: draw_reliability([0], [0.5]), r"probabilities must have shape \(n, classes\), go"),
        (lambda: draw_coverage([0.0], {0.5: [[0.0]]}), r"intervals must hold arrays of shape \(n,"),
        (lambda: draw_coverage([0.0], {2: [[0.0, 1.0]]}), "intervals must be a finite number abov"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def points(figure):
    """Return the curve of a picture, without the diagonal."""
    return next(axes.lines[1].get_xydata() for axes in figure.axes if len(axes.lines) > 1)


def test_a_reliability_diagram_shows_the_share_of_right_rows():
    pytest.importorskip("matplotlib")
    y, p = np.array([0, 1, 1, 1]), np.array([0.25, 0.25, 0.75, 1.0])
    figure = draw_reliability(np.array(["n", "y"])[y], np.stack([1 - p, p], 1), labels=["n", "y"])
    np.testing.assert_allclose(points(figure), [[0.25, 0.5], [0.75, 1.0], [1.0, 1.0]])
    assert "class y" in figure.axes[0].get_xlabel()


def test_a_coverage_picture_shows_what_intervals_hold():
    pytest.importorskip("matplotlib")
    y = np.array([0.0, 1.0, 2.0, 3.0])
    ends = {c: np.stack([y - c, y + c * (y < 3) - (y == 3)], axis=1) for c in (0.9, 0.5)}
    np.testing.assert_allclose(points(draw_coverage(y, ends)), [[0.5, 0.75], [0.9, 0.75]])
