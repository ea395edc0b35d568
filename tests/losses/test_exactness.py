"""Every loss and its gradient against mpmath, from the smallest floats to the largest."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from effort import cases
from loss_catalogue import COLUMNS, both_reductions, draw, every_loss

import nnlayers as nn

HUGE = float(np.float32(3e38))
DIGITS = 100  # Adding a subnormal to 1 takes 45 digits.
X = np.nan  # This entry of a row of predictions is replaced by each of the floats.
ROWS = [[X, 0.0, 0.0], [X, 3.7, -2.0], [X, 80.3, -1e4], [80.3, X, 79.9], [1.0, X, 0.0], [X, X, X]]
WEIGHTS = [0.3, 2.0, 7.1]
SMOOTHING = 0.1
GAUSSIAN = [[X, 0.0], [X, -30.0], [X, 90.0], [X, 4.5], [1.5, X], [1e19, X]]


def extreme_floats():
    """Return floats of both signs from the smallest subnormal to the largest float32."""
    info = np.finfo(np.float32)
    rng = np.random.default_rng(0)
    positive = np.concatenate(
        [
            [0.0, info.smallest_subnormal, info.tiny, info.eps, 0.6, 1.0, 1e4, info.max],
            np.geomspace(info.smallest_subnormal, info.max, cases(10)),
            rng.uniform(0, 120, cases(10)),
        ]
    ).astype(np.float32)
    return np.concatenate([positive, -positive])


def one_entry(value, slope):
    """Return the exact loss of one prediction and one target."""

    def exact(p, target):
        t = mpmath.mpf(float(target[0]))
        return value(p[0], t), [slope(p[0], t)]

    return exact


def exact_huber(delta):
    return one_entry(
        lambda p, t: (p - t) ** 2 / 2 if abs(p - t) <= delta else delta * (abs(p - t) - delta / 2),
        lambda p, t: max(-delta, min(p - t, delta)),
    )


def exact_gaussian(p, target):
    (m, s), t = p, target[0]
    v = max(mpmath.exp(s), mpmath.mpf(1e-6))
    square = (t - m) ** 2 / v
    growth = mpmath.exp(s) / (2 * v)
    return (mpmath.log(v) / 2, square / 2), [(m - t) / v, (growth, -growth * square)]


def exact_cross_entropy(weights=(1, 1, 1), smoothing=0.0):
    def exact(z, target):
        classes = range(len(z))
        q = [k == target for k in classes] if isinstance(target, int) else target
        share = mpmath.mpf(smoothing)
        cq = [c * ((1 - share) * qk + share / len(z)) for c, qk in zip(weights, q, strict=True)]
        top = max(z)
        e = [mpmath.exp(zk - top) for zk in z]
        total = mpmath.fsum(e)
        value = mpmath.fsum(c * (mpmath.log(total) + top - zk) for c, zk in zip(cq, z, strict=True))
        mass = mpmath.fsum(cq)
        return value, [mass * ek / total - c for ek, c in zip(e, cq, strict=True)]

    return exact


def exact_sigmoid_cross_entropy(c):
    return one_entry(
        lambda z, t: c * t * mpmath.log1p(mpmath.exp(-z)) + (1 - t) * mpmath.log1p(mpmath.exp(z)),
        lambda z, t: (1 - t) / (1 + mpmath.exp(-z)) - c * t / (1 + mpmath.exp(z)),
    )


def exact_hinge(margin):
    def exact(z, y):
        h = [max(0, zk - z[y] + margin) if k != y else mpmath.mpf(0) for k, zk in enumerate(z)]
        slopes = [mpmath.mpf(hk > 0) / len(z) for hk in h]
        slopes[y] = -mpmath.fsum(slopes)
        return mpmath.fsum(h) / len(z), slopes

    return exact


# A loss, rows of predictions, targets, and functions that return value and gradient by mpmath.
EXACT = {
    "MeanSquaredError": (
        nn.MeanSquaredError,
        [[X]],
        [[0.0], [1.0], [-3.7], [3e38]],
        one_entry(lambda p, t: (p - t) ** 2, lambda p, t: 2 * (p - t)),
    ),
    "MeanAbsoluteError": (
        nn.MeanAbsoluteError,
        [[X]],
        [[0.0], [1.0], [-3.7], [3e38]],
        one_entry(lambda p, t: abs(p - t), lambda p, t: mpmath.sign(p - t)),
    ),
    "Huber": (
        lambda **k: nn.Huber(0.6, **k),
        [[X]],
        [[0.0], [1.0], [-3.7], [3e38]],
        exact_huber(0.6),
    ),
    "wide Huber": (lambda **k: nn.Huber(1e30, **k), [[X]], [[0.0], [3e38]], exact_huber(1e30)),
    "Quantile": (
        lambda **k: nn.Quantile(0.9, **k),
        [[X]],
        [[0.0], [1.0], [-3.7], [3e38]],
        one_entry(
            lambda p, t: max((1 - mpmath.mpf(0.9)) * (p - t), 0.9 * (t - p)),
            lambda p, t: 1 - mpmath.mpf(0.9) if p > t else -0.9 * mpmath.mpf(p < t),
        ),
    ),
    "Poisson": (
        nn.Poisson,
        [[X]],
        [[0.0], [1.0], [7.0], [1e-40], [1e30]],
        one_entry(lambda p, t: (mpmath.exp(p), -t * p), lambda p, t: (mpmath.exp(p), -t)),
    ),
    "GaussianNLL": (nn.GaussianNLL, GAUSSIAN, [[0.0], [1.0], [-3.7]], exact_gaussian),
    "SoftmaxCrossEntropy": (nn.SoftmaxCrossEntropy, ROWS, [0, 1, 2], exact_cross_entropy()),
    "class_weight": (
        lambda **k: nn.SoftmaxCrossEntropy(class_weight=WEIGHTS, **k),
        ROWS,
        [0, 1],
        exact_cross_entropy(WEIGHTS),
    ),
    "label_smoothing": (
        lambda **k: nn.SoftmaxCrossEntropy(label_smoothing=SMOOTHING, **k),
        ROWS,
        [0, 1],
        exact_cross_entropy(smoothing=SMOOTHING),
    ),
    "probabilities": (
        lambda **k: nn.SoftmaxCrossEntropy(WEIGHTS, SMOOTHING, **k),
        ROWS,
        [[0.25, 0.75, 0.0], [1e-4, 0.0, 0.9999]],
        exact_cross_entropy(WEIGHTS, SMOOTHING),
    ),
    "SigmoidCrossEntropy": (
        nn.SigmoidCrossEntropy,
        [[X]],
        [[0.0], [1.0], [0.3]],
        exact_sigmoid_cross_entropy(1),
    ),
    "pos_weight": (
        lambda **k: nn.SigmoidCrossEntropy(2.7, **k),
        [[X]],
        [[0.0], [1.0], [0.3]],
        exact_sigmoid_cross_entropy(2.7),
    ),
    "Hinge": (nn.Hinge, ROWS, [0, 1, 2], exact_hinge(1)),
    "Hinge of margin 0.6": (lambda **k: nn.Hinge(0.6, **k), ROWS, [0, 1], exact_hinge(0.6)),
    "KLDivergence": (
        nn.KLDivergence,
        [[X]],
        [[0.0], [1.0], [0.3], [1e-40]],
        one_entry(
            lambda p, t: t * ((mpmath.log(t) if t else 0) - p),
            lambda p, t: -t,
        ),
    ),
}


def units_off(found, exact, dtype):
    """Return the error in units in the last place, of the largest term if `exact` is a tuple."""
    terms = exact if isinstance(exact, tuple) else (exact,)
    exact, largest = mpmath.fsum(terms), max(map(abs, terms))
    if math.isinf(found):  # This is exact if `dtype` cannot hold the number.
        return 0.0 if exact * mpmath.sign(found) > float(np.finfo(dtype).max) else math.inf
    place = 2.0 ** max(math.frexp(float(largest))[1] - 24, -149)
    return float(abs(mpmath.mpf(float(found)) - exact) / place)


@pytest.mark.untraced
@pytest.mark.parametrize(("make", "rows", "targets", "exact"), EXACT.values(), ids=EXACT)
def test_float32_is_right_to_four_units_in_the_last_place(make, rows, targets, exact):
    loss = make(reduction="sum")
    for row, x, target in itertools.product(rows, extreme_floats(), targets):
        p = np.where(np.isnan(row), x, row).astype(np.float32)
        found = loss.forward([p], [target])
        (gradient,) = loss.backward()
        with mpmath.workdps(DIGITS):
            value, slopes = exact([mpmath.mpf(float(entry)) for entry in p], target)
            errors = [units_off(found, value, np.float64)]
            for given, slope in zip(gradient, slopes, strict=True):
                errors.append(units_off(given, slope, np.float32))
        assert max(errors) <= 4, (p, target, found, gradient)


@pytest.mark.parametrize(
    ("make", "target", "value", "gradient"),
    [
        (nn.MeanSquaredError, [[-HUGE]] * 4, (2 * HUGE) ** 2, HUGE),
        (nn.MeanAbsoluteError, [[-HUGE]] * 4, 2 * HUGE, 0.25),
        (lambda: nn.Huber(1e30), [[-HUGE]] * 4, 2e30 * HUGE, 2.5e29),
        (lambda: nn.Quantile(0.5), [[-HUGE]] * 4, HUGE, 0.125),
    ],
)
def test_a_mean_that_float32_can_hold_does_not_overflow_in_between(make, target, value, gradient):
    loss = make()
    assert loss.forward(np.full((4, 1), HUGE, np.float32), target) == pytest.approx(value, rel=1e-7)
    np.testing.assert_allclose(loss.backward(), np.full((4, 1), gradient, np.float32), rtol=1e-6)


INF = np.inf
TWO_INFINITIES = [[INF, INF]], [0], np.nan, [np.nan, np.nan]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("loss", "p", "target", "value", "gradient"),
    [
        (nn.MeanSquaredError(), [[INF]], [[1]], INF, [INF]),
        (nn.MeanSquaredError(), [[-INF]], [[1]], INF, [-INF]),
        (nn.MeanSquaredError(), [[INF]], [[INF]], np.nan, [np.nan]),
        (nn.MeanAbsoluteError(), [[-INF]], [[1]], INF, [-1]),
        (nn.Huber(), [[-INF]], [[1]], INF, [-1]),
        (nn.Quantile(0.75), [[INF]], [[1]], INF, [0.25]),
        (nn.Quantile(0.75), [[-INF]], [[1]], INF, [-0.75]),
        (nn.Poisson(), [[INF]], [[3]], INF, [INF]),
        (nn.Poisson(), [[-INF]], [[3]], INF, [-3]),
        (nn.Poisson(), [[-INF]], [[0]], 0, [0]),
        (nn.GaussianNLL(), [[1, INF]], [[0]], INF, [0, 0.5]),
        (nn.GaussianNLL(), [[INF, 0]], [[0]], INF, [INF, -INF]),
        (nn.GaussianNLL(), [[0, -INF]], [[0]], np.log(1e-6) / 2, [0, 0]),
        (nn.SoftmaxCrossEntropy(), [[INF, 0]], [0], 0, [0, 0]),
        (nn.SoftmaxCrossEntropy(), [[INF, 0]], [1], INF, [1, -1]),
        (nn.SoftmaxCrossEntropy(), [[-INF, 0]], [1], 0, [0, 0]),
        (nn.SoftmaxCrossEntropy(), [[-INF, 0]], [[0.0, 1.0]], 0, [0, 0]),
        (nn.SoftmaxCrossEntropy(), [[-INF, 0]], [[0.5, 0.5]], INF, [-0.5, 0.5]),
        (nn.SoftmaxCrossEntropy([0, 1], reduction="sum"), [[-INF, 0]], [0], 0, [0, 0]),
        (nn.SoftmaxCrossEntropy(), *TWO_INFINITIES),
        (nn.SigmoidCrossEntropy(), [[INF]], [[1]], 0, [0]),
        (nn.SigmoidCrossEntropy(), [[INF]], [[0.5]], INF, [0.5]),
        (nn.SigmoidCrossEntropy(), [[-INF]], [[1]], INF, [-1]),
        (nn.Hinge(), [[INF, 0]], [0], 0, [0, 0]),
        (nn.Hinge(), [[INF, 0]], [1], INF, [0.5, -0.5]),
        (nn.Hinge(), *TWO_INFINITIES),
        (nn.KLDivergence(), [[-INF]], [[0.0]], 0, [0]),
        (nn.KLDivergence(), [[-INF]], [[0.5]], INF, [-0.5]),
    ],
)
def test_infinities_give_limits_and_nan_where_there_is_none(
    loss, p, target, value, gradient, dtype
):
    found = loss.forward(np.array(p, dtype), target)
    np.testing.assert_allclose([found], [value], rtol=1e-14)
    np.testing.assert_array_equal(loss.backward(), [gradient])


@every_loss
@both_reductions
@pytest.mark.parametrize("column", range(COLUMNS))
def test_nan_stays_nan_and_in_its_row(entry, reduction, column):
    p, target = draw(entry, (6, COLUMNS))
    p[1, column] = np.nan
    loss = entry.make(reduction=reduction)
    for weights in (None, [1, 2, 0, 0.5, 1, 3]):
        assert np.isnan(loss.forward(p, target, weights))
        gradient = np.isnan(loss.backward())
        assert gradient[1, column]
        assert not np.delete(gradient, 1, axis=0).any()


@pytest.mark.parametrize("shift", [-1e5, -745.0, -720.0, -250.0, 250.0, 700.0, 720.0, 1e5])
def test_a_number_added_to_a_rows_scores_changes_nothing(shift):
    scores = np.array([[0.5, -1.25, 30.0], [-600.0, 0.0, 2.0], [3.0, 4.0, -200.0]])
    y, loss, shifted = [0, 1, 2], nn.SoftmaxCrossEntropy(), nn.SoftmaxCrossEntropy()
    moved = np.add(scores, [[shift], [0.0], [-shift]])
    assert shifted.forward(moved, y) == pytest.approx(loss.forward(scores, y), rel=1e-15)
    np.testing.assert_allclose(shifted.backward(), loss.backward(), rtol=1e-12)
