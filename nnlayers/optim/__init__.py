"""Optimizers, learning rate schedules and gradient clipping."""

from nnlayers.optim import schedules
from nnlayers.optim.adam import Adam, AdamW, NAdam
from nnlayers.optim.adaptive import AdaDelta, AdaGrad, RMSProp
from nnlayers.optim.base import LearningRate, NonfiniteGradientError, Optimizer
from nnlayers.optim.clipping import clip_grad_norm, clip_grad_value
from nnlayers.optim.lbfgs import minimize_lbfgs
from nnlayers.optim.lion import Lion
from nnlayers.optim.sgd import SGD

__all__ = [
    "SGD",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "LearningRate",
    "Lion",
    "NAdam",
    "NonfiniteGradientError",
    "Optimizer",
    "RMSProp",
    "clip_grad_norm",
    "clip_grad_value",
    "minimize_lbfgs",
    "schedules",
]
