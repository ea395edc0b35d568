"""What every loss promises."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.testing import check_gradients

P = np.random.default_rng(0).normal(size=(6, 4))
VALUES = np.random.default_rng(1).normal(size=(6, 4))
CLASSES = np.array([0, 3, 1, 2, 2, 0])

LOSSES = {
    "MeanSquaredError": (nn.MeanSquaredError, VALUES),
    "MeanAbsoluteError": (nn.MeanAbsoluteError, VALUES),
    "Huber": (nn.Huber, VALUES),
    "Quantile": (lambda **k: nn.Quantile(0.8, **k), VALUES),
    "Poisson": (nn.Poisson, np.abs(VALUES).round()),
    "GaussianNLL": (nn.GaussianNLL, VALUES[:, :2]),
    "SoftmaxCrossEntropy": (nn.SoftmaxCrossEntropy, CLASSES),
    "smoothed": (lambda **k: nn.SoftmaxCrossEntropy(label_smoothing=0.1, **k), CLASSES),
    "SigmoidCrossEntropy": (nn.SigmoidCrossEntropy, VALUES > 0),
    "Hinge": (nn.Hinge, CLASSES),
    "KLDivergence": (nn.KLDivergence, np.full((6, 4), 0.25)),
}
every_loss = pytest.mark.parametrize(("make", "target"), LOSSES.values(), ids=LOSSES.keys())


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_backward_agrees_with_differences(make, target, reduction):
    weights = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.0])
    check_gradients(make(reduction=reduction), P, target)
    check_gradients(make(reduction=reduction), P, target, weights)


@every_loss
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_row_of_weight_two_counts_as_two_rows(make, target, reduction):
    counts = np.array([1, 2, 0, 3, 1, 2])
    loss, repeated = make(reduction=reduction), make(reduction=reduction)
    value = loss.forward(P, target, counts)
    rows = np.repeat(np.arange(6), counts)
    assert value == pytest.approx(repeated.forward(P[rows], np.asarray(target)[rows]), rel=1e-12)


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_rows_or_no_weight_give_zero(make, target, dtype):
    loss = make()
    p = P.astype(dtype)
    assert loss.forward(p[:0], target[:0]) == 0.0
    assert loss.backward().shape == (0, 4)
    assert loss.forward(p, target, np.zeros(6)) == 0.0
    gradient = loss.backward()
    assert gradient.dtype == dtype
    assert (gradient == 0).all()


@every_loss
def test_inputs_stay_and_the_gradient_is_new(make, target):
    loss, p, t = make(), P.copy(), target.copy()
    loss.forward(p, t)
    first = loss.backward()
    kept = first.copy()
    loss.forward(p + 1, t)
    loss.backward()
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(p, P)
    np.testing.assert_array_equal(t, target)


@every_loss
def test_backward_before_forward_names_the_loss(make, target):
    with pytest.raises(RuntimeError, match=f"{type(make()).__name__}.backward was called before"):
        make().backward()


@every_loss
def test_bad_weights_are_refused_with_their_rows(make, target):
    with pytest.raises(ValueError, match=r"sample_weight must .*row 2"):
        make().forward(P, target, [1, 1, -1, 1, 1, 1])
    with pytest.raises(ValueError, match="sample_weight must"):
        make().forward(P, target, [1.0])


@every_loss
def test_a_nan_prediction_is_never_turned_into_a_number(make, target):
    p = P.copy()
    p[1] = np.nan
    assert np.isnan(make().forward(p, target))


@pytest.mark.parametrize(
    ("loss", "target", "message"),
    [
        (
            nn.MeanSquaredError(),
            np.where(P > 5, P, np.nan),
            "got NaN in rows 0, 1, 2, 3, 4 and 1 more",
        ),
        (nn.MeanSquaredError(), VALUES[:, :1], r"shape \(6, 4\), got \(6, 1\)"),
        (nn.SoftmaxCrossEntropy(), [0, 1, 2, 3, 4, 0], "from 0 to 3, got 4 in row 4"),
        (nn.SoftmaxCrossEntropy(), [0, 1, -1, 3, 2, 0], "from 0 to 3, got -1 in row 2"),
        (nn.SoftmaxCrossEntropy(), VALUES, "probabilities"),
        (nn.SigmoidCrossEntropy(), VALUES * 5, "between 0 and 1"),
        (nn.Poisson(), -np.ones((6, 4)), "target"),
        (nn.Hinge(), [9, 0, 0, 0, 0, 0], "row 0"),
    ],
)
def test_targets_out_of_range_are_refused_with_their_rows(loss, target, message):
    with pytest.raises(ValueError, match=message):
        loss.forward(P, target)


@pytest.mark.parametrize("make", [nn.SoftmaxCrossEntropy, nn.SigmoidCrossEntropy])
@pytest.mark.parametrize("size", [1e4, 3e38])
def test_logits_of_any_size_give_the_exact_loss_without_warnings(make, size):
    p = np.array([[size, -size], [-size, size]], np.float32)
    right, wrong = (
        ([0, 1], [1, 0]) if make is nn.SoftmaxCrossEntropy else ([[1, 0], [0, 1]], [[0, 1], [1, 0]])
    )
    loss = make()
    assert loss.forward(p, right) == 0.0
    assert (loss.backward() == 0).all()
    if size == 1e4:
        expected = 2e4 if make is nn.SoftmaxCrossEntropy else 1e4
        assert loss.forward(p, wrong) == pytest.approx(expected, rel=1e-6)
