"""Activations y = f(x), with their formulas in mpmath and in PyTorch."""

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath
from mpmath import exp, expm1, log1p, ncdf, npdf, sech, tanh

import nnlayers as nn


def sigmoid(x):
    return 1 / (1 + exp(-x))


def leaky(slope):
    slope = mpmath.mpf(slope)
    return lambda x: x if x > 0 else slope * x, lambda x: [1 if x > 0 else slope]


def exponential_linear(alpha, scale=1.0):
    alpha, scale = mpmath.mpf(alpha), mpmath.mpf(scale)
    return (
        lambda x: scale * (x if x > 0 else alpha * expm1(x)),
        lambda x: [scale * (1 if x > 0 else alpha * exp(x))],
    )


def softplus(beta):
    beta = mpmath.mpf(beta)
    return lambda x: log1p(exp(beta * x)) / beta, lambda x: [sigmoid(beta * x)]


def tanh_gate(x):
    with mpmath.extradps(20):
        c, cubic = mpmath.sqrt(2 / mpmath.pi), mpmath.mpf(0.044715)
        g = sigmoid(2 * c * (x + cubic * x**3))
        h = sigmoid(-2 * c * (x + cubic * x**3))
        return g, x * g * h * 2 * c * (1 + 3 * cubic * x**2)


class Case(NamedTuple):
    """The layer, its value, the terms whose sum is its derivative, and PyTorch's function."""

    make: Callable[[], nn.Layer]
    value: Callable[[Any], Any]
    slope_terms: Callable[[Any], list[Any]]
    torch: Callable[[Any, Any], Any]


CASES = {
    "Identity": Case(nn.Identity, lambda x: x, lambda x: [1], lambda F, x: 1 * x),
    "Sigmoid": Case(
        nn.Sigmoid, sigmoid, lambda x: [sech(x / 2) ** 2 / 4], lambda F, x: F.sigmoid(x)
    ),
    "Tanh": Case(nn.Tanh, tanh, lambda x: [sech(x) ** 2], lambda F, x: F.tanh(x)),
    "Softsign": Case(
        nn.Softsign,
        lambda x: x / (1 + abs(x)),
        lambda x: [(1 + abs(x)) ** -2],
        lambda F, x: F.softsign(x),
    ),
    "HardTanh": Case(
        nn.HardTanh,
        lambda x: max(-1, min(x, 1)),
        lambda x: [int(abs(x) < 1)],
        lambda F, x: F.hardtanh(x),
    ),
    "ReLU": Case(nn.ReLU, *leaky(0), lambda F, x: F.relu(x)),
    "LeakyReLU": Case(nn.LeakyReLU, *leaky(0.01), lambda F, x: F.leaky_relu(x)),
    "ELU": Case(nn.ELU, *exponential_linear(1), lambda F, x: F.elu(x)),
    "ELU of alpha 1.9": Case(
        lambda: nn.ELU(1.9), *exponential_linear(1.9), lambda F, x: F.elu(x, 1.9)
    ),
    "SELU": Case(
        nn.SELU,
        *exponential_linear(1.6732632423543772, 1.0507009873554805),
        lambda F, x: F.selu(x),
    ),
    "GELU": Case(
        nn.GELU, lambda x: x * ncdf(x), lambda x: [ncdf(x), x * npdf(x)], lambda F, x: F.gelu(x)
    ),
    "GELU by tanh": Case(
        lambda: nn.GELU("tanh"),
        lambda x: x * tanh_gate(x)[0],
        tanh_gate,
        lambda F, x: F.gelu(x, approximate="tanh"),
    ),
    "SiLU": Case(
        nn.SiLU,
        lambda x: x * sigmoid(x),
        lambda x: [sigmoid(x), x * sech(x / 2) ** 2 / 4],
        lambda F, x: F.silu(x),
    ),
    "Mish": Case(
        nn.Mish,
        lambda x: x * tanh(log1p(exp(x))),
        lambda x: [tanh(log1p(exp(x))), x * sech(log1p(exp(x))) ** 2 * sigmoid(x)],
        lambda F, x: F.mish(x),
    ),
}

for beta in (1.0, 2.0, 0.1, 7.3, 1e-3, 1e6):
    CASES[f"Softplus of beta {beta:g}"] = Case(
        lambda beta=beta: nn.Softplus(beta),
        *softplus(beta),
        lambda F, x, beta=beta: F.softplus(x, beta=beta, threshold=99),
    )
