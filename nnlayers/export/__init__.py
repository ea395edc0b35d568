"""Write trained models and runs in the formats of other programs, and read theirs."""

from nnlayers.export.onnx_writer import onnx
from nnlayers.export.program import Cast, Instruction, Program, RunParts, Value
from nnlayers.export.rules import Rules
from nnlayers.export.runs import HasModel, program_of
from nnlayers.export.tracing import HasLayers, trace

__all__ = [
    "Cast",
    "HasLayers",
    "HasModel",
    "Instruction",
    "Program",
    "Rules",
    "RunParts",
    "Value",
    "onnx",
    "program_of",
    "trace",
]
