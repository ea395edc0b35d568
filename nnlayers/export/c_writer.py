"""Write models and runs as C99 source files."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64
from nnlayers._core.checks import check_path
from nnlayers._core.files import write_file
from nnlayers.export.c_builder import CBuilder, Place
from nnlayers.export.c_loops import Access, contiguous, loop_nest
from nnlayers.export.c_rules import RULES
from nnlayers.export.c_run import (
    add_columns,
    add_decoding,
    column_notes,
    name_functions,
    name_prototypes,
)
from nnlayers.export.c_shaping import check_rows, row_shape
from nnlayers.export.c_text import check_identifier, comment_text
from nnlayers.export.program import Program, Value
from nnlayers.export.runs import HasModel, program_of
from nnlayers.export.shapes import InputShape
from nnlayers.layer import Layer, Parameter

__all__ = ["CSizes", "c"]


@dataclass(frozen=True)
class CSizes:
    """The sizes of a C file: what a device needs to hold and to compute.

    Attributes
    ----------
    weights : int
        The bytes of the model's weights, which are constant and may lie in flash memory.
    tables : int
        The bytes of other constant arrays, such as means and scales of a run's columns.
    stack : int
        The bytes of the arrays that a call needs on the stack.
    products : int
        The number of products that a call adds up.
    """

    weights: int
    tables: int
    stack: int
    products: int

    def __str__(self) -> str:
        return (
            f"{self.weights:,} bytes of weights, {self.tables:,} of tables, {self.stack:,} on the "
            f"stack, {self.products:,} products a row"
        )


def c(
    model_or_run: Layer | HasModel,
    path: str | os.PathLike[str],
    *,
    name: str = "model",
    input_shape: InputShape = None,
) -> CSizes:
    """Write a model or a run as one C99 file, which needs nothing but ``math.h``.

    The file defines

    .. code-block:: c

        #define MODEL_INPUTS 4   /* the number of floats that a row has */
        #define MODEL_OUTPUTS 3  /* the number of floats that it gives */
        void model_predict(const float *x, float *y);

    which reads one row and writes its outputs. Several inputs of a model lie in `x` one after the
    other, and so do several outputs in `y`; each has its entries in C order. The function keeps
    nothing between calls and allocates nothing, so that threads can share it, and compiles without
    a warning under ``-std=c99 -Wall -Wextra -pedantic``. Weights are hexadecimal constants, which a
    compiler reads back to the last bit in any locale.

    A model of float64 computes in double, from and to floats. Outputs agree with ``predict`` to
    1e-5 of the largest entry of a row.

    The function of a run takes raw values, one for each column, in the order in the comment at the
    beginning of the file: a number; a date as days since 1970, with a fraction for the time; a
    category as its code. NAN is a missing value. It gives the probability of each class, or a value
    in the units of the data. For the names there are

    .. code-block:: c

        int model_category(int column, const char *text);  /* the code, -1 if unknown */
        int model_decide(const float *y);                  /* the index of the class */
        const char *model_class(int index);                /* its name, in UTF-8 */

    Parameters
    ----------
    model_or_run : Layer or run
        The model, or the run that :func:`nnlayers.load_run` returns.
    path : path
        The file to write; an earlier one is replaced.
    name : str
        The beginning of all names in the file, so that a program can hold several models.
    input_shape : tuple of int, or mapping of str to tuple of int, optional
        The shape of one row; for several inputs, a shape by name. It is needed only where the model
        does not say how wide its rows are.

    Returns
    -------
    CSizes
        What the weights take, what else is constant, and what a call needs on the stack.

    Raises
    ------
    TypeError, ValueError
        If `name` is not a word of C.
    ValueError
        If a layer cannot be exported, because there is no rule for it or because it mixes the rows
        of a batch; the message names the layer and the reason. Nothing is written then.
    OSError
        If the file cannot be written; an earlier file stays as it was.

    References
    ----------
    ISO/IEC 9899:1999, *Programming languages - C*, 6.4.4.2 on hexadecimal constants.

    Examples
    --------
    >>> import tempfile
    >>> import nnlayers as nn
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     sizes = c(nn.mlp([6, 64, 8, 4], rng=0), f"{directory}/model.c")
    >>> print(sizes)
    4,016 bytes of weights, 0 of tables, 288 on the stack, 928 products a row
    """
    path = check_path("path", path)
    check_identifier(name)
    text, sizes = _source(program_of(model_or_run, input_shape), name)
    write_file(path, lambda file: file.write(text.encode("ascii")))
    return sizes


def _source(program: Program, name: str) -> tuple[str, CSizes]:
    """Return the text of the file, and its sizes."""
    RULES.check(program)
    builder = CBuilder(name)
    run = program.run
    if run is None:
        places = _add_inputs(builder, program.inputs)
        inputs = sum(math.prod(row_shape(value)) for value in program.inputs)
    else:
        places = {program.inputs[0]: add_columns(builder, program, run.preprocessing)}
        inputs = len(run.preprocessing.encoders)
    _add_instructions(builder, program, places)
    outputs = [places[value] for value in program.outputs]
    if run is not None:
        outputs = [add_decoding(builder, run.preprocessing, outputs[0])]
    count = _add_outputs(builder, outputs)
    lines, stack = builder.body()
    definitions, weights, tables = builder.definitions(lines)
    head = f"void {name}_predict(const float *x, float *y)"
    prototypes = [f"{head};"]
    functions: list[str] = []
    text_bytes = 0
    if run is not None:
        prototypes += name_prototypes(name, run.preprocessing)
        functions, text_bytes = name_functions(name, run.preprocessing, count)
    sizes = CSizes(weights, tables + text_bytes, stack, builder.products)
    lines += [f"(void){letter};" for letter, size in (("x", inputs), ("y", count)) if not size]
    parts = [
        _introduction(program, name, sizes),
        f"#define {name.upper()}_INPUTS {inputs}\n#define {name.upper()}_OUTPUTS {count}",
        "\n".join(prototypes),
        "#include <math.h>",
        *definitions,
        *builder.functions(lines),
        "\n".join([head, "{", *[f"    {line}" for line in lines], "}"]),
        *functions,
    ]
    return "\n\n".join(parts) + "\n", sizes


def _introduction(program: Program, name: str, sizes: CSizes) -> str:
    """Return the comment that says what lies where in x and y."""
    lines = [f"{name}_predict: written by nnlayers, see nnlayers.export.c.", ""]
    if program.run is None:
        names = [value.name for value in program.inputs]
        lines += _ranges("x", zip(names, map(row_shape, program.inputs), strict=True))
        shapes = map(row_shape, program.outputs)
        lines += _ranges("y", zip(program.output_names, shapes, strict=True))
    else:
        preprocessing, probabilities = program.run.preprocessing, program.run.probabilities
        notes = enumerate(column_notes(preprocessing))
        lines += [f"x[{index}]: {comment_text(note)}" for index, note in notes]
        noun = "score" if probabilities is None else "probability"
        named = [f"{noun} of class {label}" for label in preprocessing.classes]
        if not named or len(named) > math.prod(row_shape(program.outputs[0])):
            named = [f"{preprocessing.target_name}"]
        lines += [f"y[{index}]: {comment_text(text)}" for index, text in enumerate(named)]
    body = "\n".join(f" * {line}".rstrip() for line in [*lines, "", f"{sizes}."])
    return f"/*\n{body}\n */"


def _ranges(array: str, parts: Iterable[tuple[str, tuple[int, ...]]]) -> list[str]:
    """Return a line for each part of an array."""
    lines, start = [], 0
    for name, shape in parts:
        size = math.prod(shape)
        last = f" to {array}[{start + size - 1}]" if size > 1 else ""
        lines.append(
            f"{array}[{start}]{last}: {comment_text(name)}, {' x '.join(map(str, shape)) or 1}"
        )
        start += size
    return lines


def _add_inputs(builder: CBuilder, inputs: Sequence[Value]) -> dict[Value, Place]:
    """Return the places of the inputs, which lie in x one after the other."""
    places, start = {}, 0
    for value in inputs:
        shape = row_shape(value)
        place = Place("x", shape, FLOAT32, start)
        if value.dtype == FLOAT64:
            place = builder.pointwise(shape, FLOAT64, [place], "{0}")
        places[value] = place
        start += math.prod(shape)
    return places


def _add_instructions(builder: CBuilder, program: Program, places: dict[Value, Place]) -> None:
    """Add what computes all values of a program, and their places."""
    for value in program.constants:
        is_weight = isinstance(value.content, Parameter)
        places[value] = builder.constant(value.array, value.name, is_weight=is_weight)
    for instruction in program.instructions:
        inputs = [places[value] for value in instruction.inputs]
        if all(place.content is not None for place in inputs):
            with np.errstate(all="ignore"):
                y = instruction.layer.predict(*[place.content for place in inputs])
            places[instruction.output] = builder.constant(y, instruction.path)
            continue
        check_rows(instruction)
        rule = RULES[instruction.kind]
        places[instruction.output] = rule(builder, instruction, *inputs)


def _add_outputs(builder: CBuilder, outputs: Sequence[Place]) -> int:
    """Add what copies the outputs to y, one after the other, and return their size."""
    start = 0
    # Where x and y overlap, an output that is an input would be overwritten by those before it.
    copies = [
        builder.copy(place, place.shape, contiguous(place.shape), 0) if place.name == "x" else place
        for place in outputs
    ]
    for place in copies:
        y = Access("y", contiguous(place.shape), start)
        cast = "(float)" if place.dtype == FLOAT64 else ""
        lines = loop_nest(place.shape, {"y": y, "x": place.access()}, f"{{y}} = {cast}{{x}};")
        builder.add(lines, [place])
        start += place.size
    return start
