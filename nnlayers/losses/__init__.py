"""Losses, one family per file."""

from nnlayers.losses.base import Loss
from nnlayers.losses.cross_entropy import SigmoidCrossEntropy, SoftmaxCrossEntropy
from nnlayers.losses.ensemble import EnsembleLoss
from nnlayers.losses.hinge import Hinge
from nnlayers.losses.likelihood import GaussianNLL, KLDivergence, Poisson
from nnlayers.losses.regression import Huber, MeanAbsoluteError, MeanSquaredError, Quantile

__all__ = [
    "EnsembleLoss",
    "GaussianNLL",
    "Hinge",
    "Huber",
    "KLDivergence",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "Poisson",
    "Quantile",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
]
