"""Kernels of losses compute what the NumPy path computes, and stop where it raises an error."""

import numpy as np
import pytest
from lowered import assert_same_step, kernel_step

import nnlayers as nn
from nnlayers.engine.lowering.builder import ProgramBuilder, Targets, UnsupportedError, lower_loss

CLASSES = np.array([0, 2, 1, 2, 2, 0])
WEIGHTS = [None, np.array([0.5, 2, 0, 1, 3, 0.25]), np.zeros(6)]
REDUCTIONS = ["mean", "sum"]
each_weight = pytest.mark.parametrize("weight", WEIGHTS, ids=["plain", "weighted", "no weight"])
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(params=[False, True], ids=["uncompiled", "compiled"])
def compiled(request):
    if request.param:
        pytest.importorskip("numba")
    return request.param


def network(outputs, dtype, *layers):
    affine = nn.Affine(4, outputs, weight_init=nn.initializers.Normal(2.0), rng=0)
    return nn.Sequential(affine, *layers).astype(dtype)


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape)


def distributions(*shape):
    q = np.random.default_rng(1).random(shape) + 1e-3
    return q / q.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@each_weight
@each_dtype
@pytest.mark.parametrize(
    ("make", "targets"),
    [
        (nn.MeanSquaredError, draw(6, 3)),
        (nn.MeanAbsoluteError, draw(6, 3)),
        (lambda **options: nn.Huber(0.5, **options), draw(6, 3)),
        (lambda **options: nn.Quantile(0.9, **options), draw(6, 3)),
        (nn.Poisson, np.arange(18).reshape(6, 3)),
        (nn.KLDivergence, np.append(distributions(5, 3), [[0, 0, 1]], axis=0)),
        (nn.SigmoidCrossEntropy, draw(6, 3) > 0),
        (lambda **options: nn.SigmoidCrossEntropy(2.5, **options), distributions(6, 3)),
        (lambda **options: nn.SigmoidCrossEntropy([1, 0, 2.0], **options), draw(6, 3) > 0),
        (nn.Hinge, CLASSES),
        (lambda **options: nn.Hinge(0.1, **options), CLASSES),
        (nn.SoftmaxCrossEntropy, CLASSES),
        (nn.SoftmaxCrossEntropy, distributions(6, 3)),
        (lambda **options: nn.SoftmaxCrossEntropy([1, 0, 2.5], **options), CLASSES),
        (lambda **options: nn.SoftmaxCrossEntropy([1, 0, 2.5], **options), distributions(6, 3)),
        (lambda **options: nn.SoftmaxCrossEntropy([1, 0, 2], 0.1, **options), CLASSES),
        (lambda **options: nn.SoftmaxCrossEntropy(None, 0.2, **options), CLASSES),
        (lambda **options: nn.SoftmaxCrossEntropy(None, 1, **options), distributions(6, 3)),
    ],
)
def test_losses(make, targets, reduction, weight, dtype, compiled):
    loss = make(reduction=reduction)
    x = draw(6, 4).astype(dtype)
    assert_same_step(network(3, dtype), loss, x, targets, weight, compiled=compiled)


@each_weight
@each_dtype
def test_gaussian_likelihood(weight, dtype, compiled):
    x = draw(6, 4).astype(dtype)
    x[0] *= 30  # This takes a log variance below the lower bound.
    for reduction in REDUCTIONS:
        loss = nn.GaussianNLL(reduction=reduction)
        targets = np.random.default_rng(2).normal(size=(6, 2))
        assert_same_step(network(4, dtype), loss, x, targets, weight, compiled=compiled)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (nn.MeanSquaredError(), draw(6, 2, 3)),
        (nn.SigmoidCrossEntropy([1, 2, 0.5]), draw(6, 2, 3) > 0),
        (nn.SigmoidCrossEntropy([[1, 2, 0.5], [3, 1, 1]]), draw(6, 2, 3) > 0),
        (nn.SoftmaxCrossEntropy([1, 2, 0.5]), np.stack([CLASSES, CLASSES[::-1]], axis=1)),
        (nn.SoftmaxCrossEntropy(), distributions(6, 2, 3)),
        (nn.Hinge(), np.stack([CLASSES, CLASSES[::-1]], axis=1)),
    ],
    ids=repr,
)
@each_weight
def test_losses_of_several_entries_or_classifications_a_row(loss, targets, weight, compiled):
    model = network(6, "float64", nn.Reshape((2, 3)))
    assert_same_step(model, loss, draw(6, 4), targets, weight, compiled=compiled)


@pytest.mark.parametrize("loss", [nn.SoftmaxCrossEntropy(), nn.SoftmaxCrossEntropy([1, 2, 3], 0.1)])
def test_certain_and_hopeless_classes_keep_their_digits(loss, compiled):
    model = nn.Sequential(nn.Affine(3, 3, bias=False)).astype("float64")
    model[0].W.value = np.eye(3)
    scores = np.array([[50, 0, -20], [0, 700, 0], [0, 0, 0], [1e4, -1e4, 0], [2, 2, -600.0]])
    targets = np.array([0, 1, 2, 1, 0])
    assert_same_step(model, loss, scores, targets, compiled=compiled, rtol=1e-14)


@pytest.mark.parametrize("gap", [1e-9, 30, 63, 64, 65, 300, 709, 711, 1e4, 1e30, -40, -800])
@each_weight
def test_losses_keep_their_digits_however_far_other_classes_are_above(gap, weight, compiled):
    model = nn.Sequential(nn.Affine(3, 3, bias=False)).astype("float64")
    model[0].W.value = np.eye(3)
    scores = np.array([[0, gap, 0], [gap, gap, 0], [gap, 1, gap], [3, 0.0, gap]])
    weight = None if weight is None else weight[:4]
    loss = nn.SoftmaxCrossEntropy([1, 2, 0.5])
    assert_same_step(model, loss, scores, [0, 2, 1, 1], weight, compiled=compiled, rtol=1e-14)


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (nn.SoftmaxCrossEntropy(), [0, 3, 1]),
        (nn.SoftmaxCrossEntropy(), [0, -1, 1]),
        (nn.SoftmaxCrossEntropy([1, 1, 1]), [0, 3, 1]),
        (nn.SoftmaxCrossEntropy(None, 0.1), [0, -1, 1]),
        (nn.SoftmaxCrossEntropy(), [[0, 0.5, 0.4], [0, 1, 0], [0, 0, 1]]),
        (nn.SoftmaxCrossEntropy(), [[1.5, -0.5, 0], [0, 1, 0], [0, 0, 1]]),
        (nn.Hinge(), [0, 3, 1]),
        (nn.Hinge(), [0, -1, 1]),
        (nn.MeanSquaredError(), [[0, np.nan, 0]] * 3),
        (nn.MeanAbsoluteError(), [[0, np.nan, 0]] * 3),
        (nn.Huber(), [[0, np.inf, 0]] * 3),
        (nn.Poisson(), [[0, -1, 0]] * 3),
        (nn.Poisson(), [[0, np.inf, 0]] * 3),
        (nn.KLDivergence(), [[0, 1.1, 0]] * 3),
        (nn.SigmoidCrossEntropy(), [[0, 1.1, 0]] * 3),
        (nn.SigmoidCrossEntropy([1, 2, 3]), [[0, -0.1, 0]] * 3),
    ],
)
@pytest.mark.parametrize("weight", [None, [1, 0, 1]])
def test_invalid_targets_stop_the_step(loss, targets, weight, compiled):
    model = network(3, "float64")
    assert not kernel_step(model, loss, draw(3, 4), targets, weight, compiled=compiled).is_done


@pytest.mark.parametrize("weight", [[1, -1, 1], [1, np.nan, 1], [1, np.inf, 1], [1e308] * 3])
@pytest.mark.parametrize("loss", [nn.MeanSquaredError(), nn.SoftmaxCrossEntropy()])
def test_invalid_weights_stop_the_step(loss, weight, compiled):
    targets = draw(3, 3) if loss.targets == "values" else [0, 1, 2]
    model = network(3, "float64")
    assert not kernel_step(model, loss, draw(3, 4), targets, weight, compiled=compiled).is_done


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", [nn.MeanSquaredError(), nn.SoftmaxCrossEntropy(), nn.Hinge()])
def test_predictions_that_are_not_finite_stop_the_step(loss, bad, compiled):
    targets = draw(3, 3) if loss.targets == "values" else [0, 1, 2]
    x = draw(3, 4)
    x[1, 2] = bad
    assert not kernel_step(network(3, "float64"), loss, x, targets, compiled=compiled).is_done


@pytest.mark.parametrize(
    ("loss", "shape", "dtype"),
    [
        (nn.MeanSquaredError(), (), float),
        (nn.SoftmaxCrossEntropy(), (2,), int),
        (nn.SoftmaxCrossEntropy(), (), float),
        (nn.SoftmaxCrossEntropy([1, 2]), (), int),
        (nn.SigmoidCrossEntropy([1, 2]), (3,), float),
        (nn.GaussianNLL(), (3,), float),
        (nn.Hinge(), (1,), int),
    ],
)
def test_targets_that_do_not_fit_are_left_to_numpy(loss, shape, dtype):
    build = ProgramBuilder(np.dtype("float32"), 2)
    none = build.rows((0,), np.float64)
    targets = Targets(shape, np.dtype(dtype), none, none, build.rows)
    with pytest.raises(UnsupportedError, match=type(loss).__name__):
        lower_loss(build, loss, build.rows((3,), needs_grad=True), targets)
