"""Convert PyTorch modules to layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from nnlayers._core.arrays import Array
from nnlayers._core.rebuilding import rebuilding
from nnlayers._core.showing import shown
from nnlayers._core.tree import join
from nnlayers.export import torch_modules
from nnlayers.layer import Layer, Parameter
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Affine,
    BatchNorm,
    Clip,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    HardTanh,
    Identity,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Mish,
    PReLU,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)

__all__ = ["COUNTERPARTS", "from_module"]

Make: TypeAlias = Callable[[Any], Layer]

_DTYPES = {torch.float32: np.float32, torch.float64: np.float64}


def from_module(module: nn.Module) -> Sequential:
    """Return the layers of a module, see :func:`nnlayers.export.from_torch`."""
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a torch.nn.Module, got {shown(module)}")
    layer = _Reader().layer(module, "")
    tensors = [*module.parameters(), *module.buffers()]
    if {item.dtype for item in tensors if item.is_floating_point()} == {torch.float64}:
        layer.astype(np.float64)  # A normalization without weights does not say its dtype.
    return layer if type(layer) is Sequential else Sequential(layer)


class _Reader:
    """Convert modules, and refuse one that occurs twice."""

    def __init__(self) -> None:
        self._paths: dict[nn.Module, str] = {}

    def layer(self, module: nn.Module, path: str) -> Layer:
        """Return the layer of a module."""
        if module in self._paths:
            first = self._paths[module]
            raise ValueError(f"modules {first!r} and {path!r} are one object, layers are not")
        self._paths[module] = path
        if module._forward_hooks or module._forward_pre_hooks:
            raise _error(module, path, "it has hooks, which may change what it computes")
        if type(module) in (nn.Sequential, torch_modules.ResidualModule):
            children = module._modules.items()  # `named_children` leaves repeated ones out.
            inner = [self.layer(item, join(path, name)) for name, item in children]
            kind = Sequential if type(module) is nn.Sequential else Residual
            return kind(*inner)
        make = COUNTERPARTS.get(type(module))
        if make is None:
            raise _error(module, path, "nnlayers has no counterpart")
        try:
            layer = make(module)
        except ValueError as error:
            raise _error(module, path, str(error)) from None
        return layer.train() if module.training else layer.eval()


def _error(module: nn.Module, path: str, problem: str) -> ValueError:
    description = " ".join(repr(module).split())
    name = f"module {path!r}, {description:.200}," if path else f"module {description:.200}"
    return ValueError(f"{name} cannot be converted: {problem}")


def _set(layer: Layer, **tensors: torch.Tensor | None) -> Layer:
    """Give a layer the weights and state in tensors; without one, it keeps a frozen constant."""
    for name, tensor in tensors.items():
        item = getattr(layer, name)
        if tensor is None:
            item.trainable = False
        elif isinstance(item, Parameter):
            item.value = _array(tensor)
            item.trainable = tensor.requires_grad
        else:
            setattr(layer, name, _array(tensor).copy())
    return layer


def _array(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.detach().cpu().numpy())


def _dtype(tensor: torch.Tensor | None) -> Any:
    """Return NumPy's dtype of weights; without any, float32."""
    if tensor is None:
        return np.float32
    if tensor.dtype not in _DTYPES:
        raise ValueError(f"its weights must be float32 or float64, got {tensor.dtype}")
    return _DTYPES[tensor.dtype]


def _affine(m: nn.Linear) -> Layer:
    has_bias, dtype = m.bias is not None, _dtype(m.weight)
    with rebuilding((m.in_features + 1) * m.out_features):
        layer = Affine(m.in_features, m.out_features, bias=has_bias, dtype=dtype)
    return _set(layer, W=m.weight.T, **({} if m.bias is None else {"b": m.bias}))


def _batch_norm(m: nn.BatchNorm1d) -> Layer:
    if m.running_mean is None or m.running_var is None:
        raise ValueError("it has no running statistics")
    if m.momentum is None:
        raise ValueError("its momentum must be a number, got None")
    layer = BatchNorm(m.num_features, m.momentum, m.eps, dtype=_dtype(m.running_mean))
    mean, var = m.running_mean, m.running_var
    return _set(layer, gamma=m.weight, beta=m.bias, running_mean=mean, running_var=var)


def _layer_norm(m: nn.LayerNorm) -> Layer:
    layer = LayerNorm(_features(m.normalized_shape), m.eps, dtype=_dtype(m.weight))
    return _set(layer, gamma=m.weight, beta=m.bias)


def _rms_norm(m: nn.RMSNorm) -> Layer:
    layer = RMSNorm(_features(m.normalized_shape), m.eps, dtype=_dtype(m.weight))
    return _set(layer, gamma=m.weight)


def _features(shape: tuple[int, ...]) -> int:
    if len(shape) != 1:
        raise ValueError(f"it must normalize the last axis alone, got the shape {tuple(shape)}")
    return shape[0]


def _embedding(m: nn.Embedding) -> Layer:
    if m.max_norm is not None:
        raise ValueError(f"max_norm must be None, got {m.max_norm}")
    with rebuilding(m.weight.numel()):
        layer = Embedding(m.num_embeddings, m.embedding_dim, dtype=_dtype(m.weight))
    return _set(layer, W=m.weight)


def _prelu(m: nn.PReLU) -> Layer:
    return _set(PReLU(m.num_parameters, dtype=_dtype(m.weight)), a=m.weight)


def _hard_tanh(m: nn.Hardtanh) -> Layer:
    limits = m.min_val, m.max_val
    return HardTanh() if limits == (-1, 1) else Clip(*limits)


def _flatten(m: nn.Flatten) -> Layer:
    if (m.start_dim, m.end_dim) != (1, -1):
        raise ValueError("it must flatten all axes but the first")
    return Flatten()


def _unflatten(m: nn.Unflatten) -> Layer:
    if m.dim not in (1, -1) or not all(isinstance(length, int) for length in m.unflattened_size):
        raise ValueError("it must unflatten the second axis to a shape of integers")
    return Reshape(tuple(m.unflattened_size))


def _softplus(m: nn.Softplus) -> Layer:
    # Beyond its threshold PyTorch's is the identity, which from 20 on rounding hides in float32.
    if m.threshold < 20:
        raise ValueError(f"threshold must be at least 20, got {m.threshold}")
    return Softplus(m.beta)


def _axis(m: nn.Softmax | nn.LogSoftmax) -> int:
    if m.dim is None:
        raise ValueError("dim must be an integer, got None")
    return int(m.dim)


COUNTERPARTS: Mapping[type, Make] = {
    nn.BatchNorm1d: _batch_norm,
    nn.Dropout: lambda m: Dropout(m.p),
    nn.ELU: lambda m: ELU(m.alpha),
    nn.Embedding: _embedding,
    nn.Flatten: _flatten,
    nn.GELU: lambda m: GELU(m.approximate),
    nn.Hardtanh: _hard_tanh,
    nn.Identity: lambda m: Identity(),
    nn.LayerNorm: _layer_norm,
    nn.LeakyReLU: lambda m: LeakyReLU(m.negative_slope),
    nn.Linear: _affine,
    nn.LogSoftmax: lambda m: LogSoftmax(_axis(m)),
    nn.Mish: lambda m: Mish(),
    nn.PReLU: _prelu,
    nn.ReLU: lambda m: ReLU(),
    nn.ReLU6: lambda m: Clip(0, 6),
    nn.RMSNorm: _rms_norm,
    nn.SELU: lambda m: SELU(),
    nn.SiLU: lambda m: SiLU(),
    nn.Sigmoid: lambda m: Sigmoid(),
    nn.Softmax: lambda m: Softmax(_axis(m)),
    nn.Softplus: _softplus,
    nn.Softsign: lambda m: Softsign(),
    nn.Tanh: lambda m: Tanh(),
    nn.Unflatten: _unflatten,
    torch_modules.BatchNormModule: _batch_norm,
    torch_modules.GaussianNoiseModule: lambda m: GaussianNoise(m.std),
    torch_modules.PReLUModule: _prelu,
}
