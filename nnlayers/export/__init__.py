"""Write trained models and runs in the formats of other programs, and read theirs."""

from nnlayers.export.c_writer import CSizes, c
from nnlayers.export.onnx_reader import from_onnx
from nnlayers.export.onnx_writer import onnx
from nnlayers.export.program import Cast, Instruction, Program, RunParts, Value
from nnlayers.export.python_writer import python
from nnlayers.export.pytorch import from_torch, from_torch_state, to_torch, to_torch_state
from nnlayers.export.rules import Rules
from nnlayers.export.runs import HasModel, program_of
from nnlayers.export.tracing import HasLayers, trace

__all__ = [
    "CSizes",
    "Cast",
    "HasLayers",
    "HasModel",
    "Instruction",
    "Program",
    "Rules",
    "RunParts",
    "Value",
    "c",
    "from_onnx",
    "from_torch",
    "from_torch_state",
    "onnx",
    "program_of",
    "python",
    "to_torch",
    "to_torch_state",
    "trace",
]
