"""Load kernels as machine code into this process."""

from __future__ import annotations

import ctypes
import sys
import threading
from typing import Any

import numpy as np

from nnlayers.engine.cache import CodeCache, default_directory, sources_digest
from nnlayers.engine.errors import MachineError
from nnlayers.engine.kernel import Kernel
from nnlayers.engine.products import find_gemm

__all__ = ["ENTRY", "load_kernel"]

ENTRY = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


def load_kernel(kernel: Kernel[Any, Any], operands: int, dtype: np.dtype[Any]) -> int:
    """Return the address of the compiled entry of a kernel with so many operands.

    It is compiled if it is found neither in this process nor on disk.

    Raises
    ------
    MachineError
        If it cannot be compiled on this machine.
    """
    try:
        return _loader().load(kernel, operands, dtype)
    except Exception as error:
        # Whatever an untried version of Numba or an unknown processor raises, NumPy can train.
        summary = " ".join(str(error).split())[:200]
        advice = 'pip install "nnlayers[fast]" may help'
        raise MachineError(f"its kernels cannot be compiled; {advice}: {summary}") from error


class _Loader:
    """Machine code in the memory of this process."""

    def __init__(self) -> None:
        # Importing llvmlite takes some hundredths of a second, Numba several times as long.
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        self._llvm = llvm
        self._processor = llvm.get_host_cpu_name(), _features(llvm.get_host_cpu_features())
        self._triple = llvm.Target.from_default_triple()
        gemm = find_gemm()
        has_long_integers = gemm is None or gemm.has_long_integers
        machine = f"{self._processor} {self._triple} {has_long_integers}".encode()
        self._cache = CodeCache(default_directory(), sources_digest() + machine)
        self._loaded: dict[tuple[Kernel[Any, Any], int, np.dtype[Any]], tuple[int, Any]] = {}
        self._compiling = threading.RLock()
        self._has_compiled = False

    def load(self, kernel: Kernel[Any, Any], operands: int, dtype: np.dtype[Any]) -> int:
        """Return the address of a kernel's entry."""
        key = kernel, operands, dtype
        # Without a lock, an interrupt at any line leaves nothing that another thread waits for. Two
        # threads may load the same code; the second copy is dropped.
        if key not in self._loaded:
            name = f"{kernel.name}_{operands}_{dtype.name}"
            code = self._cache.read(name) if kernel.is_stored else None
            if code is None:
                code = self._compile(kernel, operands, dtype, name)
            engine = self._llvm.create_mcjit_compiler(self._llvm.parse_assembly(""), self._target())
            engine.add_object_file(self._llvm.ObjectFileRef.from_data(code))
            engine.finalize_object()
            self._loaded.setdefault(key, (int(engine.get_function_address(name)), engine))
        return self._loaded[key][0]

    def _compile(
        self, kernel: Kernel[Any, Any], operands: int, dtype: np.dtype[Any], name: str
    ) -> bytes:
        with self._compiling:
            # Another thread may have compiled it in the meantime.
            code = self._cache.read(name) if kernel.is_stored else None
            if code is not None:
                return code
            if not self._has_compiled:
                print("nnlayers compiles kernels for this processor, once ...", file=sys.stderr)
                self._has_compiled = True
            from nnlayers.engine.compiling import compile_kernel

            types = kernel.operands_for(operands)
            code = compile_kernel(kernel, types, dtype, self._target(), name)
            if kernel.is_stored:
                self._cache.write(name, code)
            return code

    def _target(self) -> Any:
        """Return a description of this processor for LLVM, which each engine takes as its own."""
        cpu, features = self._processor
        return self._triple.create_target_machine(cpu=cpu, features=features, opt=3, jit=True)


def _features(features: Any) -> str:
    """Return the features of this processor, as LLVM takes them."""
    text = str(features.flatten())
    # Vectors of 512 bits lower the clock of early processors that have them, and LLVM avoids them
    # on later ones too. The matrix products between the kernels use them anyway. A step of
    # 64-128-64-10 with tanh takes 5 to 10 % less with them.
    return f"{text},-prefer-256-bit" if features.get("avx512f") else text


# The loader of this process, once there is one.
_LOADERS: dict[str, _Loader] = {}


def _loader() -> _Loader:
    if "process" not in _LOADERS:
        # Threads that load their first kernels at once must share one loader, because the machine
        # code of another would vanish with it.
        _LOADERS.setdefault("process", _Loader())
    return _LOADERS["process"]
