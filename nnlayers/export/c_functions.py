"""Write functions of single entries in C."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nnlayers._core.arrays import FLOAT64
from nnlayers.export.c_builder import CBuilder
from nnlayers.export.c_text import literal
from nnlayers.export.program import Cast
from nnlayers.layers import (
    ELU,
    GELU,
    SELU,
    Abs,
    Add,
    Clip,
    Compare,
    Cos,
    Divide,
    Exp,
    HardTanh,
    LeakyReLU,
    Log,
    Maximum,
    Minimum,
    Mish,
    Multiply,
    Negative,
    Power,
    Reciprocal,
    ReLU,
    Sigmoid,
    SiLU,
    Sin,
    Softplus,
    Softsign,
    Sqrt,
    Square,
    Subtract,
    Tanh,
    Where,
)

__all__ = ["EXPRESSIONS", "ExpressionRule"]

# A function that returns the expression of an entry of the output, see `CBuilder.pointwise`.
ExpressionRule = Callable[[CBuilder, Any, np.dtype[Any]], str]

# In these, and in the functions below, $ stands for f in float32: expf for exp. A comparison with
# NaN is false, and each choice is written so that NaN stays NaN.
_PLAIN: Mapping[type, str] = {
    Add: "{0} + {1}",
    Subtract: "{0} - {1}",
    Multiply: "{0} * {1}",
    Divide: "{0} / {1}",
    Negative: "-{0}",
    Reciprocal: "1 / {0}",
    Square: "{0} * {0}",
    Where: "{0} != 0 ? {1} : {2}",
    Exp: "exp$({0})",
    Log: "log$({0})",
    Sqrt: "sqrt$({0})",
    Sin: "sin$({0})",
    Cos: "cos$({0})",
    Tanh: "tanh$({0})",
    Abs: "fabs$({0})",
}

_HELPERS: Mapping[type, tuple[str, str]] = {
    ReLU: (
        "relu",
        """
static T NAME(T x)
{
    return x < 0 ? 0 : x;
}
""",
    ),
    Sigmoid: (
        "sigmoid",
        """
static T NAME(T x)
{
    const T e = exp$(-fabs$(x));
    return (x > 0 ? 1 : e) / (1 + e);
}
""",
    ),
    Softsign: (
        "softsign",
        """
static T NAME(T x)
{
    const T c = x < -1e30$ ? -1e30$ : x > 1e30$ ? 1e30$ : x;
    return c / (1 + fabs$(c));
}
""",
    ),
    HardTanh: (
        "hard_tanh",
        """
static T NAME(T x)
{
    return x < -1 ? -1 : x > 1 ? 1 : x;
}
""",
    ),
    Maximum: (
        "maximum",
        """
static T NAME(T a, T b)
{
    return (a > b || a != a) ? a : b;
}
""",
    ),
    Minimum: (
        "minimum",
        """
static T NAME(T a, T b)
{
    return (a < b || a != a) ? a : b;
}
""",
    ),
}

# Rectifiers x g(x) with a gate g, of which GATE is the expression: in double, because in float the
# gate underflows where the product does not.
_GATED = """
static T NAME(T x)
{
    const double t = x < -1000 ? -1000 : x > 40 ? 40 : x;
    GATE
    return (T)((x < -1000 ? -1000 : x) * gate);
}
"""
_LOGISTIC_GATE = """const double n = exp(u > 40 ? 40 : u);
    const double gate = n / (1 + n);"""


def _gelu(builder: CBuilder, layer: GELU, dtype: np.dtype[Any]) -> str:
    if layer.approximate == "none":
        gate = f"const double gate = 0.5 * erfc(-t * {literal(math.sqrt(0.5), FLOAT64)});"
        return f"{builder.helper('gelu', dtype, _GATED.replace('GATE', gate))}({{0}})"
    twice, cubic = (literal(x, FLOAT64) for x in (2 * math.sqrt(2 / math.pi), 0.044715))
    gate = f"const double u = {twice} * (1 + {cubic} * t * t) * t;\n    {_LOGISTIC_GATE}"
    return f"{builder.helper('gelu_tanh', dtype, _GATED.replace('GATE', gate))}({{0}})"


def _silu(builder: CBuilder, layer: SiLU, dtype: np.dtype[Any]) -> str:
    gate = _LOGISTIC_GATE.replace("u > 40 ? 40 : u", "t")
    return f"{builder.helper('silu', dtype, _GATED.replace('GATE', gate))}({{0}})"


def _mish(builder: CBuilder, layer: Mish, dtype: np.dtype[Any]) -> str:
    gate = """const double n = exp(t), p = n * (n + 2);
    const double gate = p / (p + 2);"""
    return f"{builder.helper('mish', dtype, _GATED.replace('GATE', gate))}({{0}})"


def _leaky_relu(builder: CBuilder, layer: LeakyReLU, dtype: np.dtype[Any]) -> str:
    slope = layer.negative_slope
    if not slope:  # 0 times infinity would be NaN.
        return _helper_call(builder, ReLU, dtype)
    sign = ">" if slope <= 1 else "<"
    source = f"""
static T NAME(T x, T slope)
{{
    const T below = slope * x;
    return x {sign} below ? x : below;
}}
"""
    name = builder.helper("leaky_relu" if slope <= 1 else "steep_relu", dtype, source)
    return f"{name}({{0}}, {literal(slope, dtype)})"


_ELU = """
static T NAME(T x, T alpha)
{
    return (x < 0 ? 0 : x) + alpha * expm1$(x > 0 ? 0 : x);
}
"""


def _elu(builder: CBuilder, layer: ELU, dtype: np.dtype[Any]) -> str:
    return f"{builder.helper('elu', dtype, _ELU)}({{0}}, {literal(layer.alpha, dtype)})"


def _selu(builder: CBuilder, layer: SELU, dtype: np.dtype[Any]) -> str:
    return f"{literal(layer.scale, dtype)} * {_elu(builder, layer, dtype)}"


def _softplus(builder: CBuilder, layer: Softplus, dtype: np.dtype[Any]) -> str:
    if layer.beta == 1:
        source = """
static T NAME(T x)
{
    return (x < 0 ? 0 : x) + log1p$(exp$(-fabs$(x)));
}
"""
        return f"{builder.helper('softplus', dtype, source)}({{0}})"
    source = """
static T NAME(T x, double beta)
{
    return (T)((x < 0 ? 0 : x) + log1p(exp(-fabs(beta * x))) / beta);
}
"""
    name = builder.helper("sharp_softplus", dtype, source)
    return f"{name}({{0}}, {literal(layer.beta, FLOAT64)})"


def _clip(builder: CBuilder, layer: Clip, dtype: np.dtype[Any]) -> str:
    text = "{0}"
    for sign, limit in ((">", layer.high), ("<", layer.low)):
        if limit is not None:
            text = f"{{0}} {sign} {literal(limit, dtype)} ? {literal(limit, dtype)} : {text}"
    return text


def _compare(builder: CBuilder, layer: Compare, dtype: np.dtype[Any]) -> str:
    return f"{{0}} {layer.sign} {{1}} ? 1 : 0"


def _power(builder: CBuilder, layer: Power, dtype: np.dtype[Any]) -> str:
    # NumPy does not take the power with these exponents, and neither does this.
    known = {-1.0: "1 / {0}", 0.0: "1", 0.5: "sqrt$({0})", 1.0: "{0}", 2.0: "{0} * {0}"}
    return known.get(layer.exponent, f"pow$({{0}}, {literal(layer.exponent, dtype)})")


def _cast(builder: CBuilder, layer: Cast, dtype: np.dtype[Any]) -> str:
    return "{0}" if dtype == FLOAT64 else "(float){0}"


def _plain_rule(text: str) -> ExpressionRule:
    return lambda builder, layer, dtype: text


def _helper_rule(kind: type) -> ExpressionRule:
    return lambda builder, layer, dtype: _helper_call(builder, kind, dtype)


def _helper_call(builder: CBuilder, kind: type, dtype: np.dtype[Any]) -> str:
    name, source = _HELPERS[kind]
    arguments = ", ".join(f"{{{i}}}" for i in range(source.partition(")")[0].count("T ") - 1))
    return f"{builder.helper(name, dtype, source)}({arguments})"


EXPRESSIONS: dict[type, ExpressionRule] = {
    **{kind: _plain_rule(text) for kind, text in _PLAIN.items()},
    **{kind: _helper_rule(kind) for kind in _HELPERS},
    Cast: _cast,
    Clip: _clip,
    Compare: _compare,
    ELU: _elu,
    GELU: _gelu,
    LeakyReLU: _leaky_relu,
    Mish: _mish,
    Power: _power,
    SELU: _selu,
    SiLU: _silu,
    Softplus: _softplus,
}
