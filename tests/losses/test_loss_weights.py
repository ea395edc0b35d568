"""Sample weights, class weights and target probabilities of losses."""

import math

import numpy as np
import pytest
from loss_catalogue import COLUMNS, both_reductions, draw, every_loss

import nnlayers as nn

SHAPE = (6, COLUMNS)
WEIGHTS = np.array([0.5, 2.0, 1.0, 0.0, 3.0, 0.25])


@every_loss
@pytest.mark.parametrize("exponent", [-1000, 60, 1020])
def test_a_mean_is_the_same_in_any_unit_of_the_weights(entry, exponent):
    p, target = draw(entry, SHAPE)
    loss = entry.make()
    weights = np.array([3.0, 2.0, 1.0, 1.0, 3.0, 0.25])
    expected, gradient = loss.forward(p, target, weights), loss.backward()
    assert loss.forward(p, target, np.ldexp(weights, exponent)) == pytest.approx(
        expected, rel=1e-14
    )
    np.testing.assert_allclose(loss.backward(), gradient, rtol=1e-12)


@every_loss
@both_reductions
def test_a_row_of_no_weight_counts_nothing_even_where_its_loss_is_infinite(entry, reduction):
    p, target = draw(entry, SHAPE)
    loss = entry.make(reduction=reduction)
    rest = np.delete(np.arange(len(p)), 3)
    expected = loss.forward(p[rest], target[rest], WEIGHTS[rest])
    gradient = loss.backward()
    infinite = 0
    for column in range(COLUMNS):
        for value in (np.inf, -np.inf, 1e308):
            p[3] = 0.0
            p[3, column] = value
            infinite += loss.forward(p, target) == np.inf
            given = loss.forward(p, target, WEIGHTS)
            if math.isnan(loss.forward(p, target)):
                continue  # The loss of several infinities is undefined.
            assert given == pytest.approx(expected, rel=1e-12)
            np.testing.assert_allclose(_gradient(loss, p, target)[rest], gradient, rtol=1e-12)
            assert not _gradient(loss, p, target)[3].any()
    assert infinite


def _gradient(loss, p, target):
    loss.forward(p, target, WEIGHTS)
    return loss.backward()


@every_loss
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_means_of_batches_join_by_their_total_weight(entry, weights):
    p, target = draw(entry, SHAPE)
    loss = entry.make()
    expected = loss.forward(p, target, weights)
    values, totals = [], []
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        batch = None if weights is None else weights[rows]
        values.append(loss.forward(p[rows], target[rows], batch))
        totals.append(loss.total_weight)
    assert np.average(values, weights=totals) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("sample_weight", [None, WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_class_of_weight_zero_costs_nothing_and_its_rows_only_their_smoothing(
    sample_weight, smoothing
):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(6, 3)), np.array([0, 1, 2, 0, 0, 1])
    c = np.array([0.0, 2.0, 0.5])
    w = np.ones(6) if sample_weight is None else sample_weight
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    q = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    losses = -(c * q * log_p).sum(axis=1)
    a = (c * q).sum(axis=1, keepdims=True)
    scale = (w / (w * c[y]).sum())[:, None]
    loss = nn.SoftmaxCrossEntropy(class_weight=c, label_smoothing=smoothing)
    assert loss.forward(z, y, sample_weight) == pytest.approx((scale[:, 0] * losses).sum())
    np.testing.assert_allclose(loss.backward(), scale * (a * np.exp(log_p) - c * q), atol=1e-15)
    assert loss.forward(z, np.zeros(6, int), sample_weight) == 0.0
    assert not loss.backward().any()


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.99, 1.01, 2.0])
def test_rows_of_probabilities_add_up_to_one(factor):
    target = np.full((3, 4), 0.25)
    z = np.zeros((3, 4))
    expected = nn.SoftmaxCrossEntropy().forward(z, target)
    assert expected == pytest.approx(math.log(4), rel=1e-14)
    rounded = target.astype(np.float16) * (1 + 2e-4)
    assert nn.SoftmaxCrossEntropy().forward(z, rounded) == pytest.approx(expected, rel=1e-3)
    target[1] *= factor
    with pytest.raises(ValueError, match=r"rows of probabilities that add up to 1, .* in row 1$"):
        nn.SoftmaxCrossEntropy().forward(z, target)


@pytest.mark.parametrize("loss", [nn.MeanSquaredError(), nn.SigmoidCrossEntropy(), nn.Poisson()])
def test_targets_in_a_row_for_outputs_in_a_column_suggest_a_column(loss):
    message = r"shape \(5, 1\), got \(5,\): a column of targets is y\[:, None\]$"
    with pytest.raises(ValueError, match=message):
        loss.forward(np.zeros((5, 1)), np.ones(5))
    with pytest.raises(ValueError, match=r"for \(5,\): a column of targets is y"):
        nn.GaussianNLL().forward(np.zeros((5, 2)), np.ones(5))
    with pytest.raises(ValueError, match=r"got \(4,\)$"):
        loss.forward(np.zeros((5, 1)), np.ones(4))


def test_a_target_keeps_digits_that_the_prediction_has_not():
    prediction = np.full((1, 1), 16777216, np.float32)
    for loss in (nn.MeanSquaredError(), nn.MeanAbsoluteError(), nn.Quantile(0.5)):
        value = loss.forward(prediction, np.array([[16777217.0]]))
        assert value == (0.5 if isinstance(loss, nn.Quantile) else 1.0)
