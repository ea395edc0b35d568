"""Rules for PyTorch: the module of each layer, and the names of its weights there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import torch

from nnlayers.export import torch_modules as modules
from nnlayers.export.rules import Rules
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Add,
    Affine,
    BatchNorm,
    Clip,
    Compare,
    Concatenate,
    Cos,
    Divide,
    Dropout,
    Embedding,
    EntityEmbedding,
    Exp,
    Flatten,
    GaussianNoise,
    HardTanh,
    Identity,
    Index,
    LayerNorm,
    LeakyReLU,
    Log,
    LogSoftmax,
    MatMul,
    Maximum,
    Mean,
    Minimum,
    Mish,
    Multiply,
    Negative,
    Power,
    PReLU,
    Reciprocal,
    ReLU,
    Reshape,
    RMSNorm,
    Sigmoid,
    SiLU,
    Sin,
    Softmax,
    Softplus,
    Softsign,
    Sqrt,
    Square,
    Subtract,
    Sum,
    Tanh,
    Transpose,
    Where,
)

__all__ = ["RULES", "WEIGHT_NAMES", "Rule"]

# A rule returns the module of a layer. Its weights are set afterwards, so it has none in memory.
Rule: TypeAlias = Callable[[Any], torch.nn.Module]
RULES: Rules[Rule] = Rules("a PyTorch module")

# The names of weights and state in PyTorch. A matrix of Affine is transposed there.
_NORM = {"gamma": "weight", "beta": "bias"}
_STATE = {"running_mean": "running_mean", "running_var": "running_var"}
WEIGHT_NAMES: Mapping[type, Mapping[str, str]] = {
    Affine: {"W": "weight", "b": "bias"},
    BatchNorm: _NORM | _STATE,
    Embedding: {"W": "weight"},
    LayerNorm: _NORM,
    PReLU: {"a": "weight"},
    RMSNorm: {"gamma": "weight"},
}

# Modules without arguments.
_PLAIN: dict[type, Callable[[], torch.nn.Module]] = {
    HardTanh: torch.nn.Hardtanh,
    Identity: torch.nn.Identity,
    Flatten: torch.nn.Flatten,
    Mish: torch.nn.Mish,
    ReLU: torch.nn.ReLU,
    SELU: torch.nn.SELU,
    Sigmoid: torch.nn.Sigmoid,
    SiLU: torch.nn.SiLU,
    Softsign: torch.nn.Softsign,
    Tanh: torch.nn.Tanh,
}
_FUNCTIONS: dict[type, Callable[..., torch.Tensor]] = {
    Abs: torch.abs,
    Add: torch.add,
    Cos: torch.cos,
    Divide: torch.div,
    Exp: torch.exp,
    Log: torch.log,
    MatMul: torch.matmul,
    Maximum: torch.maximum,
    Minimum: torch.minimum,
    Multiply: torch.mul,
    Negative: torch.neg,
    Reciprocal: torch.reciprocal,
    Sin: torch.sin,
    Sqrt: torch.sqrt,
    Square: torch.square,
    Subtract: torch.sub,
    Where: modules.choose,
}


@RULES.add(*_PLAIN)
def _plain(layer: Any) -> torch.nn.Module:
    return next(make for kind, make in _PLAIN.items() if isinstance(layer, kind))()


@RULES.add(*_FUNCTIONS)
def _function(layer: Any) -> torch.nn.Module:
    function = next(item for kind, item in _FUNCTIONS.items() if isinstance(layer, kind))
    return modules.FunctionModule(function)


@RULES.add(Affine)
def _affine(layer: Affine) -> torch.nn.Module:
    has_bias = layer.b is not None
    return torch.nn.Linear(layer.in_features, layer.out_features, has_bias, device="meta")


@RULES.add(Embedding)
def _embedding(layer: Embedding) -> torch.nn.Module:
    return torch.nn.Embedding(layer.num_embeddings, layer.dim, device="meta")


@RULES.add(EntityEmbedding)
def _entity_embedding(layer: EntityEmbedding) -> torch.nn.Module:
    vectors = [torch.nn.Parameter(torch.empty(0)) for _ in layer.W]
    return modules.EntityEmbeddingModule(layer.columns, vectors)


@RULES.add(BatchNorm)
def _batch_norm(layer: BatchNorm) -> torch.nn.Module:
    module = modules.BatchNormModule(layer.features, layer.eps, layer.momentum, device="meta")
    module.num_batches_tracked = torch.tensor(0)
    return module


@RULES.add(LayerNorm)
def _layer_norm(layer: LayerNorm) -> torch.nn.Module:
    return torch.nn.LayerNorm(layer.features, layer.eps, device="meta")


@RULES.add(RMSNorm)
def _rms_norm(layer: RMSNorm) -> torch.nn.Module:
    return torch.nn.RMSNorm(layer.features, layer.eps, device="meta")


@RULES.add(PReLU)
def _prelu(layer: PReLU) -> torch.nn.Module:
    return modules.PReLUModule(layer.features, device="meta")


@RULES.add(LeakyReLU)
def _leaky_relu(layer: LeakyReLU) -> torch.nn.Module:
    return torch.nn.LeakyReLU(layer.negative_slope)


@RULES.add(ELU)
def _elu(layer: ELU) -> torch.nn.Module:
    return torch.nn.ELU(layer.alpha)


@RULES.add(GELU)
def _gelu(layer: GELU) -> torch.nn.Module:
    return torch.nn.GELU(layer.approximate)


@RULES.add(Softplus)
def _softplus(layer: Softplus) -> torch.nn.Module:
    # Above the threshold PyTorch returns x, which must be right to the last digit of float64.
    return torch.nn.Softplus(layer.beta, threshold=40)


@RULES.add(Softmax)
def _softmax(layer: Softmax) -> torch.nn.Module:
    return torch.nn.Softmax(layer.axis)


@RULES.add(LogSoftmax)
def _log_softmax(layer: LogSoftmax) -> torch.nn.Module:
    return torch.nn.LogSoftmax(layer.axis)


@RULES.add(Dropout)
def _dropout(layer: Dropout) -> torch.nn.Module:
    return torch.nn.Dropout(layer.rate)


@RULES.add(GaussianNoise)
def _gaussian_noise(layer: GaussianNoise) -> torch.nn.Module:
    return modules.GaussianNoiseModule(layer.std)


@RULES.add(Clip)
def _clip(layer: Clip) -> torch.nn.Module:
    return modules.FunctionModule(modules.clip, layer.low, layer.high)


@RULES.add(Power)
def _power(layer: Power) -> torch.nn.Module:
    return modules.FunctionModule(torch.pow, layer.exponent)


@RULES.add(Sum)
def _sum(layer: Sum) -> torch.nn.Module:
    return modules.FunctionModule(modules.add_up, layer.axis, layer.keepdims)


@RULES.add(Mean)
def _mean(layer: Mean) -> torch.nn.Module:
    return modules.FunctionModule(modules.average, layer.axis, layer.keepdims)


@RULES.add(Compare)
def _compare(layer: Compare) -> torch.nn.Module:
    return modules.FunctionModule(modules.compare, layer.sign)


@RULES.add(Concatenate)
def _concatenate(layer: Concatenate) -> torch.nn.Module:
    return modules.FunctionModule(modules.concatenate, layer.axis)


@RULES.add(Reshape)
def _reshape(layer: Reshape) -> torch.nn.Module:
    return modules.FunctionModule(modules.reshape, layer.shape)


@RULES.add(Transpose)
def _transpose(layer: Transpose) -> torch.nn.Module:
    return modules.FunctionModule(modules.transpose, layer.axes)


@RULES.add(Index)
def _index(layer: Index) -> torch.nn.Module:
    return modules.IndexModule(layer.key)
