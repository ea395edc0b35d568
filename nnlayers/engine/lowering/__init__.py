"""Lower networks, losses and optimizers to the instructions of a program."""

from nnlayers.engine.lowering import (
    activations,
    ensemble,
    graphs,
    layers,
    losses,
    normalization,
    shaping,
)
from nnlayers.engine.lowering.activations import register_elementwise
from nnlayers.engine.lowering.builder import (
    ProgramBuilder,
    Targets,
    UnsupportedError,
    lower_layer,
    lower_loss,
    unknown_layer,
    unknown_loss,
)
from nnlayers.engine.lowering.layers import input_dtype
from nnlayers.engine.lowering.optimizers import UpdateRule, lower_optimizer, unknown_optimizer

__all__ = [
    "ProgramBuilder",
    "Targets",
    "UnsupportedError",
    "UpdateRule",
    "activations",
    "ensemble",
    "graphs",
    "input_dtype",
    "layers",
    "losses",
    "lower_layer",
    "lower_loss",
    "lower_optimizer",
    "normalization",
    "register_elementwise",
    "shaping",
    "unknown_layer",
    "unknown_loss",
    "unknown_optimizer",
]
