"""Losses and their gradients against PyTorch."""

import numpy as np
import pytest
from loss_catalogue import CLASS_WEIGHT, COLUMNS, LOSSES, POS_WEIGHT, both_reductions, draw

import nnlayers as nn


def cross_entropy(torch, weighted=False, **settings):
    weight = torch.tensor(CLASS_WEIGHT) if weighted else None
    loss = torch.nn.CrossEntropyLoss(weight, **settings)
    # PyTorch expects the classes on the second axis.
    return lambda z, t: loss.to(z.dtype)(
        z.movedim(-1, 1), t.movedim(-1, 1) if t.ndim == z.ndim else t
    )


def gaussian(torch, **settings):
    loss = torch.nn.GaussianNLLLoss(**settings)
    half = COLUMNS // 2
    return lambda p, t: loss(p[..., :half], t, p[..., half:].exp())


def hinge(torch, **settings):
    loss = torch.nn.MultiMarginLoss(margin=0.6, **settings)
    return lambda z, y: loss(z.reshape(-1, COLUMNS), y.ravel())


def sigmoid_cross_entropy(torch, pos_weight=None, **settings):
    weight = None if pos_weight is None else torch.tensor(pos_weight)
    loss = torch.nn.BCEWithLogitsLoss(pos_weight=weight, **settings)
    return lambda z, t: loss.to(z.dtype)(z, t)


# Functions that make PyTorch's loss for each entry of the catalogue.
PYTORCH = {
    "MeanSquaredError": lambda t, **k: t.nn.MSELoss(**k),
    "MeanAbsoluteError": lambda t, **k: t.nn.L1Loss(**k),
    "Huber": lambda t, **k: t.nn.HuberLoss(delta=0.7, **k),
    "Poisson": lambda t, **k: t.nn.PoissonNLLLoss(**k),
    "GaussianNLL": gaussian,
    "SoftmaxCrossEntropy": cross_entropy,
    "weighted classes": lambda t, **k: cross_entropy(t, weighted=True, **k),
    "smoothed classes": lambda t, **k: cross_entropy(t, label_smoothing=0.2, **k),
    "weighted and smoothed classes": lambda t, **k: cross_entropy(
        t, weighted=True, label_smoothing=0.2, **k
    ),
    "probabilities": cross_entropy,
    "weighted and smoothed probabilities": lambda t, **k: cross_entropy(
        t, weighted=True, label_smoothing=0.2, **k
    ),
    "SigmoidCrossEntropy": sigmoid_cross_entropy,
    "SigmoidCrossEntropy of probabilities": sigmoid_cross_entropy,
    "weighted SigmoidCrossEntropy": lambda t, **k: sigmoid_cross_entropy(t, POS_WEIGHT, **k),
    "Hinge": hinge,
    "KLDivergence": lambda t, **k: t.nn.KLDivLoss(**k),
}


@pytest.mark.parametrize("name", PYTORCH)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@both_reductions
@pytest.mark.parametrize("shape", [(7, COLUMNS), (5, 3, COLUMNS)])
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
def test_loss_and_gradient_follow_pytorch(name, dtype, tolerance, reduction, shape):
    torch = pytest.importorskip("torch")
    p, target = draw(LOSSES[name], shape)
    p = p.astype(dtype)
    prediction = torch.tensor(p, requires_grad=True)
    ids = target.shape == shape[:-1]
    theirs = PYTORCH[name](torch, reduction=reduction)(
        prediction, torch.tensor(target, dtype=torch.int64 if ids else prediction.dtype)
    )
    theirs.backward()
    loss = LOSSES[name].make(reduction=reduction)
    assert loss.forward(p, target) == pytest.approx(theirs.item(), rel=tolerance)
    expected = prediction.grad.numpy()
    np.testing.assert_allclose(
        loss.backward(), expected, rtol=tolerance, atol=tolerance * np.abs(expected).max()
    )


def test_quantile_is_the_pinball_loss_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    p, target = draw(LOSSES["Quantile"], (7, COLUMNS))
    expected = metrics.mean_pinball_loss(target, p, alpha=0.3)
    assert nn.Quantile(0.3).forward(p, target) == pytest.approx(expected, rel=1e-12)
