"""What a kernel computes does not depend on where its arrays lie in memory."""

import itertools

import numpy as np
import pytest

from nnlayers.engine.kernels import regression
from nnlayers.engine.program import Buffer, KernelCall, KernelProgram

pytest.importorskip("numba")


def arrange(arrays, order, gap):
    """Return copies of arrays that lie one behind another in one block of memory."""
    block, end, placed = np.zeros(2048, np.uint8), 0, {}
    for name in order:
        array = arrays[name]
        end += gap + -end % 8
        placed[name] = block[end : end + array.nbytes].view(array.dtype)
        placed[name][...] = array
        end += array.nbytes
    return placed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [8, 13])
def test_a_loss_has_the_same_bits_wherever_its_arrays_lie(dtype, rows):
    p, target, scale = np.random.default_rng(0).normal(size=(3, rows))
    arrays = {"p": p.astype(dtype), "target": target, "scale": scale}
    arrays |= {"dp": np.zeros(rows, dtype), "result": np.zeros(2)}
    seen = set()
    for order, gap in itertools.product(itertools.permutations(arrays), (0, 24)):
        placed = arrange(arrays, order, gap)
        batches = [Buffer(placed[name], ()) for name in ("p", "target", "scale")]
        operands = (*batches, placed["result"], Buffer(placed["dp"], ()))
        call = KernelCall(regression.squared_error.forward, operands)
        assert KernelProgram([call], np.dtype(dtype)).run(np.array([rows])) == 1
        seen.add((placed["result"].tobytes(), placed["dp"].tobytes()))
    assert len(seen) == 1
