"""Machine code fits the processor, and is loaded once, by whichever thread is first."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from nnlayers.engine import loading
from nnlayers.engine.kernel import Flat, kernel
from nnlayers.engine.kernels.copying import gather
from nnlayers.engine.program import is_uncompiled


def test_threads_that_load_their_first_kernels_at_once_share_one_loader(monkeypatch):
    both = threading.Barrier(2)

    class Loader:
        def __init__(self):
            with suppress(threading.BrokenBarrierError):
                both.wait(1)  # Both threads make a loader before either is shared.

        def load(self, kernel, count, dtype):
            return id(self)

    monkeypatch.setattr(loading, "_Loader", Loader)
    monkeypatch.setattr(loading, "_LOADERS", {})
    with ThreadPoolExecutor(2) as threads:
        addresses = threads.map(lambda _: loading.load_kernel(gather, 3, np.float32), range(2))
        assert len(set(addresses)) == 1


def test_kernels_use_the_longest_vectors_of_the_processor(monkeypatch):
    pytest.importorskip("numba")
    llvm = pytest.importorskip("llvmlite.binding")
    if is_uncompiled() or not llvm.get_host_cpu_features().get("avx512f"):
        pytest.skip("no compiled kernels, or a processor without vectors of 512 bits")
    emit_object, modules = llvm.TargetMachine.emit_object, []

    def emit(target, module):
        modules.append(str(module))
        return emit_object(target, module)

    @kernel
    def add_one(x: Flat) -> None:
        for i in range(x.size):
            x[i] += 1.0

    monkeypatch.setattr(llvm.TargetMachine, "emit_object", emit)
    loading.load_kernel(add_one, 1, np.dtype(np.float32))
    assert "fadd" in modules[0]
    assert "<16 x float>" in modules[0]
