"""Names of other libraries and their counterparts here, as in ``docs/reference/names.md``."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType

__all__ = ["NAMES", "NOT_HERE", "missing_attribute"]

NAMES = {
    # PyTorch
    "Module": "Layer",
    "Linear": "Affine",
    "Hardtanh": "HardTanh",
    "BatchNorm1d": "BatchNorm",
    "Unflatten": "Reshape",
    "MSELoss": "MeanSquaredError",
    "L1Loss": "MeanAbsoluteError",
    "HuberLoss": "Huber",
    "PoissonNLLLoss": "Poisson",
    "GaussianNLLLoss": "GaussianNLL",
    "CrossEntropyLoss": "SoftmaxCrossEntropy",
    "NLLLoss": "SoftmaxCrossEntropy",
    "BCEWithLogitsLoss": "SigmoidCrossEntropy",
    "BCELoss": "SigmoidCrossEntropy",
    "MultiMarginLoss": "Hinge",
    "KLDivLoss": "KLDivergence",
    "RMSprop": "optim.RMSProp",
    "Adagrad": "optim.AdaGrad",
    "Adadelta": "optim.AdaDelta",
    "LBFGS": "optim.minimize_lbfgs",
    "StepLR": "optim.schedules.StepDecay",
    "ExponentialLR": "optim.schedules.ExponentialDecay",
    "CosineAnnealingLR": "optim.schedules.CosineDecay",
    "LinearLR": "optim.schedules.LinearWarmup",
    "OneCycleLR": "optim.schedules.OneCycle",
    "ReduceLROnPlateau": "callbacks.ReduceOnPlateau",
    # Keras
    "Dense": "Affine",
    "BatchNormalization": "BatchNorm",
    "LayerNormalization": "LayerNorm",
    "RMSNormalization": "RMSNorm",
    "SparseCategoricalCrossentropy": "SoftmaxCrossEntropy",
    "BinaryCrossentropy": "SigmoidCrossEntropy",
    "Permute": "Transpose",
    "CategoricalHinge": "Hinge",
    "Nadam": "optim.NAdam",
    "PiecewiseConstantDecay": "optim.schedules.StepDecay",
    "ModelCheckpoint": "callbacks.Checkpoint",
    "Model": "Trainer",
}

NOT_HERE = {
    "Conv1d": "convolution",
    "Conv2d": "convolution",
    "Conv2D": "convolution",
    "MaxPool2d": "pooling",
    "MaxPooling2D": "pooling",
    "RNN": "recurrent layer",
    "LSTM": "recurrent layer",
    "GRU": "recurrent layer",
    "MultiheadAttention": "attention",
    "MultiHeadAttention": "attention",
}


def missing_attribute(name: str, modules: Mapping[str, ModuleType]) -> str:
    """Return the message for a name that nnlayers does not have, but perhaps one of its modules.

    Examples
    --------
    >>> missing_attribute("Linear", {})
    "nnlayers has no 'Linear': here it is nn.Affine"
    """
    homes = (f"{path}.{name}" for path, module in modules.items() if name in module.__all__)
    here = NAMES.get(name) or next(homes, None)
    if here:
        return f"nnlayers has no {name!r}: here it is nn.{here}"
    if name in NOT_HERE:
        return f"nnlayers has no {name!r}: there is no {NOT_HERE[name]} here"
    return f"module 'nnlayers' has no attribute {name!r}"
