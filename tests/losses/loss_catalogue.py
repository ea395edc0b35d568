"""A catalogue of losses and settings for tests of properties that every loss has."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest

import nnlayers as nn

COLUMNS = 4
CLASS_WEIGHT = [0.5, 2.0, 1.0, 0.25]
POS_WEIGHT = [2.0, 0.5, 1.0, 3.0]


class Entry(NamedTuple):
    """A function that makes a loss, one that draws targets, and the smallest number of axes."""

    make: Callable[..., nn.losses.Loss]
    draw_target: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
    fewest_axes: int = 1


def values(rng, shape):
    return rng.normal(size=shape)


def means(rng, shape):
    return rng.normal(size=(*shape[:-1], shape[-1] // 2))


def counts(rng, shape):
    return rng.poisson(2.0, shape)


def binary(rng, shape):
    return rng.integers(2, size=shape)


def classes(rng, shape):
    return rng.integers(shape[-1], size=shape[:-1])


def probabilities(rng, shape):
    return rng.dirichlet(np.ones(shape[-1]), shape[:-1])


def cross_entropy(**settings):
    return lambda **reduction: nn.SoftmaxCrossEntropy(**settings, **reduction)


LOSSES = {
    "MeanSquaredError": Entry(nn.MeanSquaredError, values),
    "MeanAbsoluteError": Entry(nn.MeanAbsoluteError, values),
    "Huber": Entry(lambda **k: nn.Huber(0.7, **k), values),
    "Quantile": Entry(lambda **k: nn.Quantile(0.8, **k), values),
    "Poisson": Entry(nn.Poisson, counts),
    "GaussianNLL": Entry(nn.GaussianNLL, means, 2),
    "SoftmaxCrossEntropy": Entry(nn.SoftmaxCrossEntropy, classes, 2),
    "weighted classes": Entry(cross_entropy(class_weight=CLASS_WEIGHT), classes, 2),
    "smoothed classes": Entry(cross_entropy(label_smoothing=0.2), classes, 2),
    "weighted and smoothed classes": Entry(
        cross_entropy(class_weight=CLASS_WEIGHT, label_smoothing=0.2), classes, 2
    ),
    "probabilities": Entry(nn.SoftmaxCrossEntropy, probabilities, 2),
    "weighted and smoothed probabilities": Entry(
        cross_entropy(class_weight=CLASS_WEIGHT, label_smoothing=0.2), probabilities, 2
    ),
    "SigmoidCrossEntropy": Entry(nn.SigmoidCrossEntropy, binary),
    "SigmoidCrossEntropy of probabilities": Entry(nn.SigmoidCrossEntropy, probabilities, 2),
    "weighted SigmoidCrossEntropy": Entry(
        lambda **k: nn.SigmoidCrossEntropy(POS_WEIGHT, **k), binary, 2
    ),
    "Hinge": Entry(lambda **k: nn.Hinge(0.6, **k), classes, 2),
    "KLDivergence": Entry(nn.KLDivergence, probabilities, 2),
}
every_loss = pytest.mark.parametrize("entry", LOSSES.values(), ids=LOSSES)
both_reductions = pytest.mark.parametrize("reduction", ["mean", "sum"])


def draw(entry, shape, seed=0):
    """Return a prediction and a target."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape), entry.draw_target(rng, shape)
