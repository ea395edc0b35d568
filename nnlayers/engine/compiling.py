"""Compile kernels to machine code with Numba.

Each kernel gets an entry of one C signature, ``int64 entry(int64 *row, int64 *step)``, which reads
its arguments from a row of a program, so that one loop can call them all. The machine code refers
to nothing outside itself: it is loaded by llvmlite alone, in a process that never imports Numba.
"""

from __future__ import annotations

import types as python_types
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import cgutils
from numba.core.codegen import JITCPUCodegen
from numba.core.compiler import Compiler
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array, populate_array

from nnlayers.engine import intrinsics, products, runner
from nnlayers.engine.kernel import Helper, Kernel, Operand

__all__ = ["compile_kernel"]

# Numba's own model of errors checks each division, which keeps loops from being vectorised. The
# flags let sums be reordered; NaN and infinities keep their meaning.
OPTIONS: Any = {
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
    "_nrt": False,
}
INT64 = ir.IntType(64)
NUMBER_TYPES: dict[str, Any] = {
    f"{kind}{bits}": getattr(types, f"{kind}{bits}")
    for kind, sizes in {"float": (32, 64), "int": (8, 16, 32, 64), "uint": (8, 16, 32, 64)}.items()
    for bits in sizes
}


class _Codegen(JITCPUCodegen):
    """Generate code for the machine that the kernels are compiled for.

    Numba vectorizes loops before the object file is made, for a target machine of its own, which
    has half as long vectors where the processor has AVX-512: a step of 64-64-10 with 32 rows takes
    0.93 of the time with the longer ones.
    """

    def __init__(self, target: Any) -> None:
        super().__init__("nnlayers.engine")
        self._tm = target


def _pipeline(target: Any, distinct_arrays: bool) -> type[Compiler]:
    """Return a compiler of functions for a target machine.

    With `distinct_arrays`, the arrays of a function share no memory, with each other or with what
    it calls. Otherwise a vectorized loop would look first how far apart its arrays are, and run
    entry by entry where one begins shortly behind another. Sums would be rounded in another order
    then, and the last bits of a training would depend on where its memory happens to lie.
    """

    class Pipeline(Compiler):
        def __init__(self, typing: Any, context: Any, *arguments: Any) -> None:
            super().__init__(
                typing, context.subtarget(_internal_codegen=_Codegen(target)), *arguments
            )

        def define_pipelines(self) -> Any:
            self.state.flags.noalias = distinct_arrays
            return super().define_pipelines()

    return Pipeline


def compile_kernel(
    kernel: Kernel[Any, Any], operands: Sequence[Operand], dtype: Any, target: Any, name: str
) -> bytes:
    """Return an object file with a kernel's entry, named `name`, for a program of `dtype`."""
    # The loop over a program's rows calls kernels that read the state which it writes.
    pipeline = _pipeline(target, distinct_arrays=kernel is not runner.run)
    typed = _typed(kernel.function, None if kernel.double else dtype)
    function = njit(**OPTIONS, pipeline_class=pipeline)(typed)
    read = _reader(tuple(operands), np.dtype(dtype))

    def entry(row: Any, step: Any) -> Any:
        status = function(*read(row, step))
        return 0 if status is None else status

    return _object_file(entry, target, name)


def _object_file(entry: Callable[..., Any], target: Any, name: str) -> bytes:
    compiled = cfunc("int64(int64, int64)", **OPTIONS)(entry)
    text = compiled.inspect_llvm().replace(compiled.native_name, name)
    module = llvm.parse_assembly(text)
    # Only the entry is called from outside. What Numba adds, Python wrappers and errors that no
    # kernel raises, is dead code once it is internal.
    for item in (*module.functions, *module.global_variables):
        if not item.is_declaration and item.name != name:
            item.linkage = "internal"
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(3))
    builder.getModulePassManager().run(module, builder)
    module.verify()
    missing = [
        item.name
        for item in module.functions
        if item.is_declaration and not item.name.startswith("llvm.")
    ]
    if missing:
        raise RuntimeError(f"{name} refers to {', '.join(missing)} outside its object file")
    return bytes(target.emit_object(module))


def _typed(function: Callable[..., Any], dtype: Any) -> Callable[..., Any]:
    """Return a function whose floating-point constants have a dtype, for Numba.

    Constants of Python's float take part in NumPy's arithmetic without changing the dtype of the
    result. Numba would compute in float64 wherever one occurs.
    """

    def convert(value: Any) -> Any:
        if type(value) is float and dtype is not None:
            return np.dtype(dtype).type(value)
        if type(value) is tuple:
            return tuple(map(convert, value))
        return _resolve(value)

    code = function.__code__.replace(co_consts=tuple(map(convert, function.__code__.co_consts)))
    names = {name: value for name, value in function.__globals__.items() if name in code.co_names}
    namespace = {name: convert(value) for name, value in names.items()}
    cells = tuple(
        python_types.CellType(convert(cell.cell_contents)) for cell in function.__closure__ or ()
    )
    return python_types.FunctionType(
        code, function.__globals__ | namespace, function.__name__, function.__defaults__, cells
    )


def _resolve(value: Any) -> Any:
    """Return what stands for a value of Python in compiled code."""
    if isinstance(value, Helper):
        return _overloaded(value)
    if isinstance(value, python_types.FunctionType):
        return _intrinsics().get(value, value)
    return value


@cache
def _overloaded(helper: Helper[Any, Any]) -> Callable[..., Any]:
    """Return a helper's function, after telling Numba how to compile it for its arguments."""

    def choose(*arguments: Any) -> Callable[..., Any]:
        if arguments[0] == types.float32:
            return _typed(helper.single or helper.function, np.float32)
        return _typed(helper.function, np.float64)

    # Sums within a helper are not reordered, because rounding x is x + magic - magic. A loop that
    # calls it is vectorized only if the call is gone.
    options = OPTIONS | {"fastmath": {"contract", "nsz"}, "forceinline": True}
    overload(helper.function, jit_options=options, strict=False)(choose)
    return helper.function


def _reader(operands: tuple[Operand, ...], dtype: np.dtype[Any]) -> Any:
    """Return a function that reads a kernel's arguments from a row of a program.

    A row holds the kernel's address, its own length, and then the words of each operand. The second
    argument points to the index of the step and the number of its rows.
    """
    numbers = [
        NUMBER_TYPES[dtype.name if operand.dtype == "real" else operand.dtype]
        for operand in operands
    ]
    kinds = [
        types.Array(number, operand.ndim, "C") if operand.ndim else number
        for operand, number in zip(operands, numbers, strict=True)
    ]

    @intrinsic
    def read(typing: Any, row: Any, step: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            words, state = (builder.inttoptr(arg, INT64.as_pointer()) for arg in args)
            values, position = [], 2
            for operand, kind in zip(operands, kinds, strict=True):
                value = [_word(builder, words, position + k) for k in range(operand.words)]
                if operand.ndim:
                    value = _array(context, builder, operand, kind, value, state)
                else:
                    value = _number(context, builder, operand, kind, *value)
                values.append(value)
                position += operand.words
            return context.make_tuple(builder, signature.return_type, values)

        return types.Tuple(kinds)(row, step), generate

    return read


def _word(builder: Any, pointer: Any, index: int) -> Any:
    """Return the instruction that loads an integer."""
    return builder.load(builder.gep(pointer, [ir.Constant(INT64, index)]))


def _array(
    context: Any, builder: Any, operand: Operand, kind: Any, words: Sequence[Any], state: Any
) -> Any:
    """Return the array of Numba that the words of an operand describe, at this step."""
    number = kind.dtype
    address, stride, *lengths = words
    address = builder.add(address, builder.mul(_word(builder, state, runner.STEP), stride))
    if operand.is_batch:
        lengths[0] = builder.mul(lengths[0], _word(builder, state, runner.ROWS))
    itemsize = ir.Constant(INT64, number.bitwidth // 8)
    strides = [itemsize]
    for length in lengths[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.inttoptr(address, context.get_data_type(number).as_pointer())
    struct = make_array(kind)(context, builder)
    populate_array(struct, data, lengths, strides, itemsize, None)
    return struct._getvalue()


def _number(context: Any, builder: Any, operand: Operand, kind: Any, word: Any) -> Any:
    """Return the number that the word of an operand holds."""
    if operand.dtype == "int64":
        return word
    return context.cast(builder, builder.bitcast(word, ir.DoubleType()), types.float64, kind)


@cache
def _intrinsics() -> dict[Callable[..., Any], Any]:
    """Return what stands for functions that Python code cannot express, by these functions."""
    return {
        runner.call: _call,
        **intrinsics.INTRINSICS,
        products.product: _product(False, False, 0.0),
        products.product_nt: _product(False, True, 0.0),
        products.product_tn: _product(True, False, 0.0),
        products.add_product: _product(False, False, 1.0),
        products.add_product_tn: _product(True, False, 1.0),
        products.count_threads: _count_threads,
    }


@intrinsic
def _call(typing: Any, address: Any, row: Any, step: Any) -> Any:
    """Call the function at an address with two integers."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(INT64, [INT64, INT64])
        return builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])

    return types.int64(types.int64, types.int64, types.int64), generate


@intrinsic
def _count_threads(typing: Any, address: Any) -> Any:
    """Call the function at an address, which returns an integer of 32 bits."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = ir.FunctionType(ir.IntType(32), [])
        count = builder.call(builder.inttoptr(args[0], function.as_pointer()), [])
        return builder.sext(count, INT64)

    return types.int64(types.int64), generate


def _row_distance(builder: Any, array: Any, dtype: Any) -> Any:
    """Return the distance in entries from one row of a matrix to the next.

    The rows of a part of the columns are as far apart as those of the whole matrix.
    """
    stride = cgutils.unpack_tuple(builder, array.strides, 2)[0]
    return builder.sdiv(stride, ir.Constant(INT64, dtype.bitwidth // 8), flags=["exact"])


def _product(transpose_a: bool, transpose_b: bool, beta: float) -> Any:
    """Return an intrinsic that calls BLAS for row-major matrices."""
    gemm = products.find_gemm()
    integer = INT64 if gemm is None or gemm.has_long_integers else ir.IntType(32)
    row_major, no_transpose, transpose = 101, 111, 112

    @intrinsic
    def multiply(typing: Any, address: Any, a: Any, b: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            number = context.get_data_type(out.dtype)
            arrays = [
                make_array(kind)(context, builder, value)
                for kind, value in zip((a, b, out), args[1:], strict=True)
            ]
            shapes = [cgutils.unpack_tuple(builder, array.shape, 2) for array in arrays]
            distances = [_row_distance(builder, array, out.dtype) for array in arrays]

            def flag(value: int) -> Any:
                return ir.Constant(ir.IntType(32), value)

            def size(value: Any) -> Any:
                return builder.trunc(value, integer) if integer.width == 32 else value

            inner = shapes[0][0 if transpose_a else 1]
            arguments = [
                flag(row_major),
                flag(transpose if transpose_a else no_transpose),
                flag(transpose if transpose_b else no_transpose),
                size(shapes[2][0]),
                size(shapes[2][1]),
                size(inner),
                ir.Constant(number, 1.0),
                arrays[0].data,
                size(distances[0]),
                arrays[1].data,
                size(distances[1]),
                ir.Constant(number, beta),
                arrays[2].data,
                size(distances[2]),
            ]
            kind = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
            builder.call(builder.inttoptr(args[0], kind.as_pointer()), arguments)
            return context.get_dummy_value()

        return types.none(address, a, b, out), generate

    return multiply
