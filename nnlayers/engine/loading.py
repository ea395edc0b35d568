"""Load kernels as machine code into this process."""

from __future__ import annotations

import ctypes
import sys
import threading
from functools import cache
from typing import Any

import numpy as np

from nnlayers.engine.cache import CodeCache, default_directory, sources_digest
from nnlayers.engine.errors import MachineError
from nnlayers.engine.kernel import Kernel
from nnlayers.engine.products import find_gemm

__all__ = ["ENTRY", "load_kernel"]

# Threads that load their first kernels at once must share one loader: the machine code of another
# would vanish with it.
_LOCK = threading.Lock()
ENTRY = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def load_kernel(kernel: Kernel[Any, Any], count: int, dtype: np.dtype[Any]) -> int:
    """Return the address of the compiled entry of a kernel with `count` arguments.

    It is compiled if it is found neither in this process nor on disk.

    Raises
    ------
    MachineError
        If it cannot be compiled on this machine.
    """
    try:
        with _LOCK:
            return _loader().load(kernel, count, dtype)
    except Exception as error:
        # Whatever an untried version of Numba or an unknown processor raises, NumPy can train.
        summary = " ".join(str(error).split())[:200]
        raise MachineError(f"its kernels cannot be compiled: {summary}") from error


class _Loader:
    """Machine code in the memory of this process."""

    def __init__(self) -> None:
        # Importing llvmlite takes some hundredths of a second, Numba several times as long.
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
        triple = llvm.Target.from_default_triple()
        self._target = triple.create_target_machine(cpu=cpu, features=features, opt=3, jit=True)
        self._llvm = llvm
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._target)
        gemm = find_gemm()
        has_long_integers = gemm is None or gemm.has_long_integers
        machine = f"{cpu} {features} {self._target.triple} {has_long_integers}".encode()
        self._cache = CodeCache(default_directory(), sources_digest() + machine)
        self._addresses: dict[tuple[Kernel[Any, Any], int, str], int] = {}
        self._has_compiled = False

    def load(self, kernel: Kernel[Any, Any], count: int, dtype: np.dtype[Any]) -> int:
        """Return the address of a kernel's entry."""
        key = kernel, count, dtype.name
        if key not in self._addresses:
            name, code = f"{kernel.name}_{count}_{dtype.name}", None
            if kernel.is_stored:
                code = self._cache.read(name)
            else:
                name += f"_{len(self._addresses)}"  # Users may give two kernels one name.
            if code is None:
                code = self._compile(kernel, count, dtype, name)
            self._engine.add_object_file(self._llvm.ObjectFileRef.from_data(code))
            self._engine.finalize_object()
            self._addresses[key] = int(self._engine.get_function_address(name))
        return self._addresses[key]

    def _compile(
        self, kernel: Kernel[Any, Any], count: int, dtype: np.dtype[Any], name: str
    ) -> bytes:
        if not self._has_compiled:
            print("nnlayers compiles kernels for this processor, once ...", file=sys.stderr)
            self._has_compiled = True
        from nnlayers.engine.compiling import compile_kernel

        code = compile_kernel(kernel, kernel.operands_for(count), dtype, self._target, name)
        if kernel.is_stored:
            self._cache.write(name, code)
        return code


@cache
def _loader() -> _Loader:
    return _Loader()
