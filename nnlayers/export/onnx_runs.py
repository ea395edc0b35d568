"""Write runs as ONNX: raw columns in, labels and probabilities or values out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from nnlayers._core.arrays import FLOAT64
from nnlayers.data.encoders import Numbers
from nnlayers.data.targets import Classes, Values
from nnlayers.export.onnx_builder import OnnxBuilder
from nnlayers.export.onnx_columns import ENCODERS, SCALERS, dtype_of
from nnlayers.export.onnx_rules import add_instructions
from nnlayers.export.program import Program, RunParts

__all__ = ["run_content"]

_INT64 = np.dtype(np.int64)


def run_content(builder: OnnxBuilder, program: Program, run: RunParts) -> bytes:
    """Return the bytes of a run's file.

    Raises
    ------
    ValueError
        If a column or the target is encoded in a way that has no rule.
    """
    encoders = run.preprocessing.encoders
    _check_encoders(encoders)
    # The columns come first, so that no other name takes theirs.
    columns = {builder.name(name): encoder for name, encoder in encoders.items()}
    blocks = [ENCODERS[type(encoder)](builder, encoder, x) for x, encoder in columns.items()]
    x = builder.cast(builder.op("Concat", *blocks, axis=1), program.inputs[0].dtype)
    names = add_instructions(builder, program, [x])
    results = _results(builder, program, run, names)
    return builder.serialized(
        [builder.tensor_info(name, dtype_of(item), ["rows"]) for name, item in columns.items()],
        [builder.tensor_info(name, *kind) for name, kind in results.items()],
        {"target": run.preprocessing.target_name}
        | ({"classes": json.dumps(run.preprocessing.classes)} if run.preprocessing.classes else {}),
    )


def _check_encoders(encoders: Mapping[str, Any]) -> None:
    for name, encoder in encoders.items():
        has_scaler = not isinstance(encoder, Numbers) or type(encoder.scaler) in SCALERS
        if type(encoder) not in ENCODERS or not has_scaler:
            raise ValueError(f"column {name!r}, {encoder!r:.200}, cannot be written as ONNX")


def _results(
    builder: OnnxBuilder, program: Program, run: RunParts, names: Mapping[Any, str]
) -> dict[str, tuple[np.dtype[Any], list[Any]]]:
    """Add what the outputs mean, and return the outputs by name with dtype and shape."""
    target = run.preprocessing.target
    if isinstance(target, Values):
        (decision,) = program.outputs
        y = names[decision]
        y = y if decision.dtype == FLOAT64 else builder.cast(y, FLOAT64)
        y = builder.op("Mul", y, builder.number(target.standardizer.scale, FLOAT64))
        y = builder.op("Add", y, builder.number(target.standardizer.mean, FLOAT64))
        y = builder.op("Reshape", y, builder.integers([-1]))
        return {builder.output(y, "prediction"): (FLOAT64, ["rows"])}
    if not isinstance(target, Classes):
        raise ValueError(f"the target, {target!r:.200}, cannot be written as ONNX")
    scores = names[run.scores]
    if run.preprocessing.target_kind == "binary":
        is_second = builder.op("Greater", scores, builder.number(0, run.scores.dtype))
        codes = builder.op("Reshape", builder.cast(is_second, _INT64), builder.integers([-1]))
    else:
        codes = builder.op("ArgMax", scores, axis=-1, keepdims=0)
    is_text = isinstance(target.values[0], str)
    classes = np.array(target.values, object if is_text else np.int64)
    label = builder.op("Gather", builder.array(classes, "classes"), codes)
    results: dict[str, tuple[np.dtype[Any], list[Any]]] = {}
    results[builder.output(label, "label")] = classes.dtype, ["rows"]
    if run.probabilities is not None:
        name = builder.output(names[run.probabilities], "probabilities")
        results[name] = run.probabilities.dtype, ["rows", len(target.values)]
    return results
