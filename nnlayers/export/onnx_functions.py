"""The layers that stand for ONNX's activations and normalizations."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from nnlayers.export.onnx_arguments import Arguments, OperatorError, Rule
from nnlayers.layer import Layer
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    BatchNorm,
    Clip,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    PReLU,
    RMSNorm,
    Softmax,
)

__all__ = ["FUNCTIONS"]

FUNCTIONS: dict[str, Rule] = {}


def _reads(*names: str) -> Callable[[Rule], Rule]:
    """Return the decorator of the function that reads these operators."""

    def decorate(rule: Rule) -> Rule:
        FUNCTIONS.update(dict.fromkeys(names, rule))
        return rule

    return decorate


@_reads("BatchNormalization")
def _batch_norm(a: Arguments) -> Any:
    if a.attributes.get("training_mode", 0):
        raise OperatorError("training_mode must be 0")
    if a.rank != 2:
        raise OperatorError(f"its input must have two axes, got {a.rank or 'an unknown number'}")
    gamma, beta, mean, var = [a.weights(index) for index in range(1, 5)]
    layer = BatchNorm(gamma.size, eps=a.number("epsilon", 1e-5), dtype=gamma.dtype)
    layer.load_state_dict({"gamma": gamma, "beta": beta, "running_mean": mean, "running_var": var})
    return layer(a.x)


@_reads("LayerNormalization")
def _layer_norm(a: Arguments) -> Any:
    _check_last_axis(a, a.attributes.get("axis", -1))
    gamma = a.weights(1)
    layer = LayerNorm(gamma.size, a.number("epsilon", 1e-5), dtype=gamma.dtype)
    layer.gamma.value = gamma
    if a.constant(2) is not None:
        layer.beta.value = a.weights(2)
    return layer(a.x)


@_reads("RMSNormalization")
def _rms_norm(a: Arguments) -> Any:
    _check_last_axis(a, a.attributes.get("axis", -1))
    gamma = a.weights(1)
    layer = RMSNorm(gamma.size, a.number("epsilon", 1e-5), dtype=gamma.dtype)
    layer.gamma.value = gamma
    return layer(a.x)


def _check_last_axis(a: Arguments, axis: int) -> None:
    if axis not in (-1, (a.rank or 0) - 1):
        raise OperatorError(f"its axis must be the last, got {axis}")


def _softmax(make: Callable[[int], Layer], a: Arguments) -> Any:
    axis = a.attributes.get("axis", -1 if a.version >= 13 else 1)
    if a.version < 13:  # All axes from this one on were one.
        _check_last_axis(a, axis)
    return make(axis)(a.x)


@_reads("Elu")
def _elu(a: Arguments) -> Any:
    return ELU(a.number("alpha", 1))(a.x)


@_reads("Selu")
def _selu(a: Arguments) -> Any:
    same = (a.number("alpha", SELU().alpha), a.number("gamma", SELU.scale))
    if not np.allclose(same, (SELU().alpha, SELU.scale), rtol=1e-6):
        raise OperatorError(f"alpha and gamma must be those of SELU, got {same}")
    return SELU()(a.x)


@_reads("Gelu")
def _gelu(a: Arguments) -> Any:
    return GELU(a.attributes.get("approximate", b"none").decode())(a.x)


@_reads("LeakyRelu")
def _leaky_relu(a: Arguments) -> Any:
    return LeakyReLU(a.number("alpha", 0.01))(a.x)


@_reads("PRelu")
def _prelu(a: Arguments) -> Any:
    slopes = a.weights(1)
    if slopes.size != 1 and (slopes.ndim != 1 or a.rank == 1):
        raise OperatorError(f"its slopes must be a number or a row, got shape {slopes.shape}")
    layer = PReLU(slopes.size, dtype=slopes.dtype)
    layer.a.value = slopes.reshape(-1)
    return layer(a.x)


@_reads("Clip")
def _clip(a: Arguments) -> Any:
    limits: list[float | None] = []
    for index, name in ((1, "min"), (2, "max")):
        limit = a.constant(index, a.attributes.get(name))
        number = math.inf if limit is None else float(np.reshape(limit, ()))
        limits.append(number if math.isfinite(number) else None)
    return a.x if limits == [None, None] else Clip(*limits)(a.x)


FUNCTIONS |= {"Softmax": partial(_softmax, Softmax), "LogSoftmax": partial(_softmax, LogSoftmax)}
