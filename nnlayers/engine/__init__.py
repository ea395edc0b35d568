"""Compiled engine: whole epochs of training in one call of machine code."""

from nnlayers.engine.batches import BatchKind
from nnlayers.engine.engine import CompiledTraining, missing_part, unknown_part
from nnlayers.engine.errors import MachineError, UnsupportedError
from nnlayers.engine.lowering import register_elementwise
from nnlayers.engine.training import TrainingProgram

__all__ = [
    "BatchKind",
    "CompiledTraining",
    "MachineError",
    "TrainingProgram",
    "UnsupportedError",
    "missing_part",
    "register_elementwise",
    "unknown_part",
]
