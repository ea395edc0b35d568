"""Losses and their gradients against PyTorch."""

import numpy as np
import pytest

import nnlayers as nn

ROWS, COLUMNS = 7, 4
DTYPES = pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])


def normal(seed, shape=(ROWS, COLUMNS)):
    return np.random.default_rng(seed).normal(size=shape)


def probabilities(seed):
    e = np.exp(normal(seed))
    return e / e.sum(axis=1, keepdims=True)


CLASSES = np.array([0, 3, 1, 2, 2, 0, 3])
BINARY = (normal(2) > 0).astype(float)
C = [0.5, 2.0, 1.0, 0.0]

# Our loss, PyTorch's from the reduction, and the targets.
PAIRS = {
    "mse": (nn.MeanSquaredError, lambda t, r: t.nn.MSELoss(reduction=r), normal(1)),
    "mae": (nn.MeanAbsoluteError, lambda t, r: t.nn.L1Loss(reduction=r), normal(1)),
    "huber": (
        lambda **k: nn.Huber(0.7, **k),
        lambda t, r: t.nn.HuberLoss(delta=0.7, reduction=r),
        normal(1),
    ),
    "poisson": (
        nn.Poisson,
        lambda t, r: t.nn.PoissonNLLLoss(reduction=r),
        np.random.default_rng(3).poisson(2.0, (ROWS, COLUMNS)),
    ),
    "cross-entropy": (
        nn.SoftmaxCrossEntropy,
        lambda t, r: t.nn.CrossEntropyLoss(reduction=r),
        CLASSES,
    ),
    "weighted cross-entropy": (
        lambda **k: nn.SoftmaxCrossEntropy(class_weight=C, label_smoothing=0.2, **k),
        lambda t, r: t.nn.CrossEntropyLoss(weight=t.tensor(C), label_smoothing=0.2, reduction=r),
        CLASSES,
    ),
    "soft cross-entropy": (
        nn.SoftmaxCrossEntropy,
        lambda t, r: t.nn.CrossEntropyLoss(reduction=r),
        probabilities(4),
    ),
    "sigmoid cross-entropy": (
        nn.SigmoidCrossEntropy,
        lambda t, r: t.nn.BCEWithLogitsLoss(reduction=r),
        BINARY,
    ),
    "sigmoid cross-entropy with pos_weight": (
        lambda **k: nn.SigmoidCrossEntropy(pos_weight=[2.0, 0.5, 1.0, 3.0], **k),
        lambda t, r: t.nn.BCEWithLogitsLoss(pos_weight=t.tensor([2.0, 0.5, 1.0, 3.0]), reduction=r),
        BINARY,
    ),
    "hinge": (
        lambda **k: nn.Hinge(0.6, **k),
        lambda t, r: t.nn.MultiMarginLoss(margin=0.6, reduction=r),
        CLASSES,
    ),
    "divergence": (nn.KLDivergence, lambda t, r: t.nn.KLDivLoss(reduction=r), probabilities(5)),
}
every_pair = pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS.keys())


def tensors(torch, p, target, dtype):
    prediction = torch.tensor(p, requires_grad=True)
    if target.ndim == 1:
        return prediction, torch.tensor(target)
    return prediction, torch.tensor(target, dtype=getattr(torch, dtype))


@every_pair
@DTYPES
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_loss_and_gradient_are_those_of_pytorch(pair, dtype, tolerance, reduction):
    torch = pytest.importorskip("torch")
    make, reference, target = pair
    p = normal(0).astype(dtype)
    prediction, expected_target = tensors(torch, p, target, dtype)
    their_loss = reference(torch, reduction).to(getattr(torch, dtype))
    theirs = their_loss(prediction, expected_target)
    theirs.backward()
    loss = make(reduction=reduction)
    assert loss.forward(p, target) == pytest.approx(theirs.item(), rel=tolerance)
    dp = loss.backward()
    assert dp.dtype == dtype
    scale = np.abs(prediction.grad.numpy()).max()
    np.testing.assert_allclose(dp, prediction.grad.numpy(), rtol=tolerance, atol=tolerance * scale)


@DTYPES
def test_gaussian_likelihood_is_that_of_pytorch(dtype, tolerance):
    torch = pytest.importorskip("torch")
    p, target = normal(0, (ROWS, 6)).astype(dtype), normal(1, (ROWS, 3)).astype(dtype)
    prediction = torch.tensor(p, requires_grad=True)
    mean, log_variance = prediction[:, :3], prediction[:, 3:]
    theirs = torch.nn.GaussianNLLLoss()(mean, torch.tensor(target), log_variance.exp())
    theirs.backward()
    loss = nn.GaussianNLL()
    assert loss.forward(p, target) == pytest.approx(theirs.item(), rel=tolerance)
    np.testing.assert_allclose(
        loss.backward(), prediction.grad.numpy(), rtol=tolerance, atol=tolerance
    )


def test_quantile_is_the_pinball_loss_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    p, target = normal(0), normal(1)
    expected = metrics.mean_pinball_loss(target, p, alpha=0.3)
    assert nn.Quantile(0.3).forward(p, target) == pytest.approx(expected, rel=1e-12)
