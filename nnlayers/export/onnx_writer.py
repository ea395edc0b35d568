"""Write models and runs as ONNX files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nnlayers._core.checks import check_path
from nnlayers._core.files import write_file
from nnlayers.export.onnx_builder import OnnxBuilder
from nnlayers.export.onnx_rules import RULES, add_instructions
from nnlayers.export.onnx_runs import run_content
from nnlayers.export.program import Program, Value
from nnlayers.export.runs import HasModel, program_of
from nnlayers.export.shapes import InputShape
from nnlayers.layer import Layer
from nnlayers.saving import archive_format, model_file

__all__ = ["ARCHITECTURE", "onnx", "onnx_content"]

# The property of a file that holds the layers.
ARCHITECTURE = "nnlayers"
_LARGEST = 2**31 - 1


def onnx(
    model_or_run: Layer | HasModel,
    path: str | os.PathLike[str],
    *,
    input_shape: InputShape = None,
) -> Path:
    """Write a model or a run as an ONNX file, which many programs run.

    The inputs have the names of the model's, ``"x"`` for a Sequential; the outputs those of a
    graph's nodes, otherwise ``"y"``. Of a name, letters that are not printable become ``_``. The
    first axis is the rows, of any number. The operators are those of opset 18. Inputs and outputs
    have the dtype of the model, and numbers agree with ``predict`` to its rounding.

    Parameters
    ----------
    model_or_run : Layer or run
        The model, or the run that :func:`nnlayers.load_run` returns. The file of a run takes the
        columns of raw rows, each by its name, and returns labels and probabilities, or values.
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
    ModuleNotFoundError
        If the extra `onnx` is not installed.
    ValueError
        If a layer cannot be exported, or the weights are larger than 2 GiB; the message names the
        layer and the reason. Nothing is written then.
    OSError
        If the file cannot be written; an earlier file stays as it was.

    References
    ----------
    ONNX, "Operator schemas", https://onnx.ai/onnx/operators.
    """
    path = check_path("path", path)
    content = onnx_content(program_of(model_or_run, input_shape))
    write_file(path, lambda file: file.write(content))
    return path


def onnx_content(program: Program) -> bytes:
    """Return the bytes of the file, after the checker of the onnx package has passed it."""
    RULES.check(program)
    size = sum(parameter.value.nbytes for parameter in program.model.parameters())
    if size > _LARGEST:
        raise ValueError(f"an ONNX file holds at most 2 GiB, the weights are {size:,} bytes")
    builder = OnnxBuilder()
    if program.run is not None:
        return run_content(builder, program, program.run)
    # The names of a user come first, so that no other name takes them.
    inputs = [builder.name(value.name) for value in program.inputs]
    outputs = [builder.name(name) for name in program.output_names]
    names = add_instructions(builder, program, inputs)
    for value, wish in zip(program.outputs, outputs, strict=True):
        builder.output(names[value], wish, is_reserved=True)
    return builder.serialized(
        [_tensor_info(builder, *pair) for pair in zip(inputs, program.inputs, strict=True)],
        [_tensor_info(builder, *pair) for pair in zip(outputs, program.outputs, strict=True)],
        _architecture(program.model),
    )


def _architecture(model: Layer) -> dict[str, str]:
    """Return the layers as a model file describes them, from which `from_onnx` rebuilds them."""
    try:
        contents = archive_format.unpack(model_file.dumps(model))
    except ValueError:  # A layer outside the library may not say how it is made.
        return {}
    description = {"table": contents.table, "state": [*contents.state]}
    return {} if contents.arguments else {ARCHITECTURE: json.dumps(description)}


def _tensor_info(builder: OnnxBuilder, name: str, value: Value) -> Any:
    """Return the description of an input or output; the axis of the rows is called "rows"."""
    first = ["rows"] if value.shape[:1] == (None,) else list(value.shape[:1])
    return builder.tensor_info(name, value.dtype, [*first, *value.shape[1:]])
