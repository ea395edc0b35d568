"""Run a kernel on its own, as machine code and as plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnlayers.engine.kernel import Kernel
from nnlayers.engine.program import Buffer, KernelCall, KernelProgram


def run_kernel(
    kernel: Kernel[Any, Any], *operands: Any, dtype: Any = np.float32, compiled: bool = True
) -> bool:
    """Run a kernel once on arrays and numbers; return whether it let the step go on.

    An array whose operand belongs to a batch has the batch's rows as its first axis, and all of
    these the same number.
    """
    kinds = kernel.operands_for(len(operands))
    rows = {len(v) for v, kind in zip(operands, kinds, strict=True) if kind.is_batch}
    assert len(rows) <= 1, "the arrays of a batch have different numbers of rows"
    values = tuple(
        Buffer(value, value.shape[1:]) if kind.is_batch else value
        for value, kind in zip(operands, kinds, strict=True)
    )
    program = KernelProgram([KernelCall(kernel, values)], np.dtype(dtype), compiled=compiled)
    return program.run(np.array([rows.pop() if rows else 1])) == 1
