"""Write models and runs as Python modules that need NumPy alone."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nnlayers._core.arrays import FLOAT32
from nnlayers._core.checks import check_path
from nnlayers._core.files import write_file
from nnlayers.export import numpy_functions as functions
from nnlayers.export.program import Program, Value
from nnlayers.export.python_builder import PythonBuilder, literal
from nnlayers.export.python_rules import RULES
from nnlayers.export.python_run import add_run
from nnlayers.export.runs import HasModel, program_of
from nnlayers.export.shapes import InputShape
from nnlayers.layer import Layer

__all__ = ["python"]


def python(
    model_or_run: Layer | HasModel,
    path: str | os.PathLike[str],
    *,
    input_shape: InputShape = None,
) -> Path:
    """Write a model or a run as a Python module that needs NumPy alone.

    The module has a function ``predict(x)``, which takes rows as the model's ``predict`` does; that
    of a model with several inputs takes them in their order, and of several outputs returns a
    tuple. That of a run takes raw rows as ``run.predict`` does, and returns classes or values;
    beside it are ``predict_proba``, and the names in ``COLUMNS`` and ``CLASSES``. Weights are the
    base64 code of their bytes, to the last bit. Numbers agree with ``predict`` to the rounding of
    the dtype.

    Parameters
    ----------
    model_or_run : Layer or run
        The model, or the run that :func:`nnlayers.load_run` returns.
    path : path
        The file to write; an earlier one is replaced.
    input_shape : tuple of int, or mapping of str to tuple of int, optional
        The shape of one row; for several inputs, a shape by name. It is needed only where the model
        does not say how wide its rows are.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    ValueError
        If a layer cannot be exported; the message names the layer and the reason. Nothing is
        written then.
    OSError
        If the file cannot be written; an earlier file stays as it was.

    Examples
    --------
    >>> import runpy
    >>> import tempfile
    >>> import nnlayers as nn
    >>> model = nn.mlp([2, 8, 1], rng=0)
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     module = runpy.run_path(str(python(model, f"{directory}/model.py")))
    >>> x = np.ones((3, 2))
    >>> bool(np.all(module["predict"](x) == model.predict(x)))
    True
    """
    path = check_path("path", path)
    text = _source(program_of(model_or_run, input_shape))
    write_file(path, lambda file: file.write(text.encode("utf-8")))
    return path


def _source(program: Program) -> str:
    """Return the text of the module."""
    RULES.check(program)
    builder = PythonBuilder()
    parameters = _parameters(program.inputs)
    returned = _add_instructions(builder, program, parameters)
    run = program.run
    parts = [_outputs(builder, "predict" if run is None else "outputs", parameters, returned)]
    if run is not None:
        parts = [*add_run(builder, run, program.inputs[0].dtype), *parts]
    parts += builder.functions()
    names = [name for name in _PUBLIC if re.search(rf"^(def )?{name}\b", "\n".join(parts), re.M)]
    uses = "\n".join(parts)
    imports = [f"import {name}\n" for name in _LIBRARIES if re.search(rf"\b{name}\.", uses)]
    head = _HEAD.replace("IMPORTS", "".join(imports)).replace("NAMES", literal(names))
    return "\n\n\n".join([head.strip(), *parts, _DECODE, "\n".join(builder.constants())]) + "\n"


def _parameters(inputs: Sequence[Value]) -> list[str]:
    """Return the names of the function's parameters: those of the inputs if they can be."""
    names = [value.name for value in inputs]
    if all(_is_parameter(name) for name in names):
        return names
    return ["x"] if len(names) == 1 else [f"x{index}" for index in range(len(names))]


def _is_parameter(name: str) -> bool:
    """Return whether a name can be that of a parameter without a clash in the module."""
    is_word = name.isidentifier() and name.isascii() and not keyword.iskeyword(name)
    known = {"np", "npt", "int", "len", "__debug__", *functions.__all__}
    taken = name in known or re.fullmatch(r"[A-Z]\w*|v\d+", name)
    return is_word and not taken


def _add_instructions(
    builder: PythonBuilder, program: Program, parameters: Sequence[str]
) -> list[str]:
    """Add the lines that compute all values, and return the names of the outputs."""
    names = {}
    for value, name in zip(program.inputs, parameters, strict=True):
        shape = tuple(length for length in value.shape[1:] if length is not None)
        if value.dtype.kind == "f":
            dtype = "float32" if value.dtype == FLOAT32 else "float64"
            check = f'{builder.use(functions.as_rows)}({name}, "{dtype}", {shape})'
        else:
            check = f"{builder.use(functions.as_ids)}({name}, {shape})"
        names[value] = builder.assign(check)
    names |= {value: builder.constant(np.asarray(value.array)) for value in program.constants}
    for instruction in program.instructions:
        inputs = [names[value] for value in instruction.inputs]
        expression = RULES[instruction.kind](builder, instruction, *inputs)
        names[instruction.output] = builder.assign(expression)
    return [names[value] for value in program.outputs]


def _outputs(
    builder: PythonBuilder, name: str, parameters: Sequence[str], returned: Sequence[str]
) -> str:
    """Return the function that computes the outputs of rows."""
    arguments = ", ".join(f"{parameter}: npt.ArrayLike" for parameter in parameters)
    # An output may be an input or a constant, which the caller must not change.
    copies = ", ".join(f"np.array({name})" for name in returned)
    hint = "Array" if len(returned) == 1 else f"tuple[{', '.join(['Array'] * len(returned))}]"
    return "\n".join(
        [
            f"def {name}({arguments}) -> {hint}:",
            '    """Return the outputs of the model for rows."""',
            '    with np.errstate(all="ignore"):',
            *[f"        {line}" for line in builder.lines],
            f"    return {copies}",
        ]
    )


_LIBRARIES = ("datetime", "math", "re", "warnings")
_PUBLIC = ("CLASSES", "COLUMNS", "predict", "predict_proba")

_HEAD = '''
"""Written by nnlayers, see nnlayers.export.python; it needs NumPy alone."""

from __future__ import annotations

import base64
IMPORTSfrom typing import Any

import numpy as np
import numpy.typing as npt

__all__ = NAMES

Array = npt.NDArray[Any]
'''

_DECODE = '''def decode(dtype: str, shape: tuple[int, ...], code: str) -> Array:
    """Return an array from the base64 code of its bytes."""
    return np.frombuffer(base64.b64decode(code), dtype).astype(dtype[1:]).reshape(shape)'''
