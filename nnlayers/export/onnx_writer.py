"""Write models and runs as ONNX files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnlayers._core.archives import one_line
from nnlayers._core.checks import check_path
from nnlayers._core.files import write_file
from nnlayers.export.onnx_builder import DOMAINS, IR_VERSION, OnnxBuilder
from nnlayers.export.onnx_rules import RULES
from nnlayers.export.program import Program, Value
from nnlayers.export.runs import HasModel, program_of
from nnlayers.export.shapes import InputShape
from nnlayers.layer import Layer

__all__ = ["onnx"]

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
    content = _content(program_of(model_or_run, input_shape))
    write_file(path, lambda file: file.write(content))
    return path


def _content(program: Program) -> bytes:
    """Return the bytes of the file, after the checker of the onnx package has passed it."""
    RULES.check(program)
    size = sum(parameter.value.nbytes for parameter in program.model.parameters())
    if size > _LARGEST:
        raise ValueError(f"an ONNX file holds at most 2 GiB, the weights are {size:,} bytes")
    builder = OnnxBuilder()
    # The names of a user come first, so that no other name takes them.
    inputs = [builder.name(value.name) for value in program.inputs]
    outputs = [builder.name(name) for name in program.output_names]
    names = add_instructions(builder, program, inputs)
    _name_outputs(builder, [names[value] for value in program.outputs], outputs)
    return _serialized(
        builder,
        [_tensor_info(builder, *pair) for pair in zip(inputs, program.inputs, strict=True)],
        [_tensor_info(builder, *pair) for pair in zip(outputs, program.outputs, strict=True)],
    )


def add_instructions(
    builder: OnnxBuilder, program: Program, inputs: Sequence[str]
) -> dict[Value, str]:
    """Add the nodes of a program, and return the names of all values."""
    names = dict(zip(program.inputs, inputs, strict=True))
    names |= {value: builder.array(value.array, value.name) for value in program.constants}
    for instruction in program.instructions:
        arguments = [names[value] for value in instruction.inputs]
        builder.scope = instruction.path
        rule = RULES[instruction.kind]
        names[instruction.output] = rule(builder, instruction, instruction.layer, *arguments)
    builder.scope = ""
    return names


def _name_outputs(builder: OnnxBuilder, present: Sequence[str], wishes: Sequence[str]) -> None:
    """Give the outputs their names."""
    computed = {name for node in builder.nodes for name in node.output}
    renamed: dict[str, str] = {}
    for name, wish in zip(present, wishes, strict=True):
        if name in computed and name not in renamed:
            builder.rename(name, wish)
            renamed[name] = wish
        else:
            # An input, a constant, or a value that is an output already is copied.
            node = builder.onnx.helper.make_node
            builder.nodes.append(node("Identity", [renamed.get(name, name)], [wish], name=wish))


def _tensor_info(builder: OnnxBuilder, name: str, value: Value) -> Any:
    """Return the description of an input or output; the axis of the rows is called "rows"."""
    helper = builder.onnx.helper
    kind = helper.np_dtype_to_tensor_dtype(value.dtype)
    # Of another axis that depends on the rows only the position is known.
    first = ["rows"] if value.shape[:1] == (None,) else list(value.shape[:1])
    return helper.make_tensor_value_info(name, kind, [*first, *value.shape[1:]])


def _serialized(builder: OnnxBuilder, inputs: Sequence[Any], outputs: Sequence[Any]) -> bytes:
    onnx, helper = builder.onnx, builder.onnx.helper
    used = {node.domain for node in builder.nodes}
    model = helper.make_model(
        helper.make_graph(builder.nodes, "nnlayers", inputs, outputs, builder.initializers),
        opset_imports=[helper.make_opsetid(d, DOMAINS[d]) for d in DOMAINS if d in used or not d],
        ir_version=IR_VERSION,
        producer_name="nnlayers",
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise ValueError(f"the model cannot be written as ONNX: {one_line(error)}") from error
    content: bytes = model.SerializeToString()
    return content
