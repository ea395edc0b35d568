"""Instructions for the functions of :mod:`nnlayers.engine.primitives`."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nnlayers.engine import primitives

__all__ = ["INTRINSICS"]


@intrinsic
def _sqrt(typing: Any, x: Any) -> Any:
    """Return the square root by the processor's instruction."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.call(builder.module.declare_intrinsic("llvm.sqrt", [args[0].type]), args)

    return x(x), generate


@intrinsic
def _quotient(typing: Any, x: Any, y: Any) -> Any:
    """Return x / y by the processor's estimate of 1 / y, and a step of Newton's, for float32.

    A division of vectors takes several times as long. The result may be off by two units in the
    last place, where that of a division is off by half of one.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        # The flag allows the estimate, whose step would make NaN of an infinite y.
        quotient = builder.fdiv(*args, flags=["arcp", "contract", "ninf"])
        is_infinite = builder.fcmp_ordered("==", args[1], ir.Constant(args[1].type, math.inf))
        zero = builder.fmul(args[0], ir.Constant(args[0].type, 0.0))
        return builder.select(is_infinite, zero, quotient)

    return x(x, y), generate


@intrinsic
def _polynomial(typing: Any, x: Any, coefficients: Any) -> Any:
    """Evaluate a polynomial by Horner's rule, without a loop."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        y = builder.extract_value(args[1], 0)
        for k in range(1, len(coefficients)):
            y = builder.fmul(y, args[0], flags=["contract"])
            y = builder.fadd(y, builder.extract_value(args[1], k), flags=["contract"])
        return y

    return x(x, coefficients), generate


@intrinsic
def _power_of_two(typing: Any, t: Any) -> Any:
    """Shift the last bits of a number to where its exponent is."""
    layout = primitives.LAYOUTS[t.name]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = ir.IntType(t.bitwidth)
        shifted = builder.shl(builder.bitcast(args[0], bits), ir.Constant(bits, layout.digits))
        return builder.bitcast(shifted, args[0].type)

    return t(t), generate


@intrinsic
def _split(typing: Any, x: Any) -> Any:
    """Return the significand and the exponent of a number, both as numbers of its type."""
    _, digits, root, one, unit = layout = primitives.LAYOUTS[x.name]

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def constant(value: int) -> Any:
            return ir.Constant(ir.IntType(x.bitwidth), value)

        def number(bits: Any) -> Any:
            return builder.bitcast(bits, args[0].type)

        bits = builder.bitcast(args[0], ir.IntType(x.bitwidth))
        m = builder.and_(builder.sub(bits, constant(root)), constant((1 << digits) - 1))
        n = builder.ashr(builder.add(bits, constant(one - root)), constant(digits))
        n = number(builder.or_(n, constant(unit)))
        n = builder.fsub(n, ir.Constant(args[0].type, layout.offset))
        m = number(builder.add(m, constant(root)))
        return context.make_tuple(builder, signature.return_type, [m, n])

    return types.UniTuple(x, 2)(x), generate


# What stands for a function of Python in compiled code.
INTRINSICS: dict[Any, Any] = {
    primitives.polynomial: _polynomial,
    primitives.power_of_two: _power_of_two,
    primitives.quotient: _quotient,
    primitives.split: _split,
    primitives.sqrt: _sqrt,
}
