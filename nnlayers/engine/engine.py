"""The compiled engine as a trainer uses it."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from nnlayers.engine.batches import ARRAYS, BatchKind
from nnlayers.engine.lowering import (
    UnsupportedError,
    input_dtype,
    unknown_layer,
    unknown_loss,
    unknown_optimizer,
)
from nnlayers.engine.products import find_gemm
from nnlayers.engine.program import is_uncompiled
from nnlayers.engine.training import TrainingProgram
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import Optimizer
from nnlayers.optim.clipping import GradientBounds

__all__ = ["CompiledTraining", "unknown_part"]


@cache
def has_numba() -> bool:
    """Return whether Numba is installed, by a search that takes as long as twenty steps."""
    return find_spec("numba") is not None


def missing_part() -> str | None:
    """Return what this machine lacks to run compiled programs, and what to do; None if nothing."""
    if not has_numba() and not is_uncompiled():
        return 'Numba is not installed: pip install "nnlayers[fast]"'
    if find_gemm() is None:
        return "this build of NumPy has no BLAS whose matrix products can be called"
    return None


def unknown_part(model: Layer, loss: Loss, optimizer: Optimizer) -> str | None:
    """Return a description of the first part of a training that the engine does not know."""
    part = unknown_layer(model) or unknown_loss(loss) or unknown_optimizer(optimizer)
    if part is not None:
        return part
    if len({parameter.dtype for parameter in (*model.parameters(), *optimizer.params)}) > 1:
        return "parameters of different dtypes in one training"
    return None


# Batches of ever new sizes each need a program, and the memory of its activations.
_MOST_PROGRAMS = 16


class CompiledTraining:
    """The programs that train a model, one for each kind of batch.

    Parameters
    ----------
    model, loss, optimizer
        The parts of the training.
    bounds : GradientBounds
        The bounds of the gradient.
    """

    def __init__(
        self, model: Layer, loss: Loss, optimizer: Optimizer, bounds: GradientBounds
    ) -> None:
        self._parts = model, loss, optimizer
        self._bounds = bounds
        self._programs: dict[BatchKind, TrainingProgram] = {}
        self._step_program: TrainingProgram | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return all but the programs, which consist of addresses in this process."""
        return vars(self) | {"_programs": {}, "_step_program": None}

    def unknown_part(self) -> str | None:
        """Return a description of the first part that the engine does not know."""
        return unknown_part(*self._parts)

    def program_for(self, kind: BatchKind) -> TrainingProgram | str:
        """Return the program for a kind of batches, lowered anew if a part has changed.

        Where it cannot be lowered, return a description of the part that is unknown.
        """
        program = self._programs.get(kind)
        if program is not None:
            if program.is_current():
                return program
            del self._programs[kind]
            program.release_data()
        part = self.unknown_part()
        if part is not None:
            return part
        if len(self._programs) >= _MOST_PROGRAMS:
            del self._programs[next(iter(self._programs))]
        try:
            program = self._programs[kind] = TrainingProgram(*self._parts, self._bounds, kind)
        except UnsupportedError as error:
            return str(error)
        return program

    def step(self, x: Any, y: Any, weight: Any) -> float | None:
        """Train on one batch and return its loss; None where the NumPy path must do it."""
        program = self._step_program
        if program is None or not (program.takes(x, y, weight) and program.is_current()):
            program = self._step_program = self._program_for_step(x, y, weight)
            if program is None:
                return None
        return program.step(x, y, weight)

    def _program_for_step(self, x: Any, y: Any, weight: Any) -> TrainingProgram | None:
        if not (type(x) in ARRAYS and type(y) in ARRAYS and x.ndim and y.ndim):
            return None
        if not len(x) == len(y) > 0 or y.dtype.kind not in "fiub":
            return None
        is_weighted = type(weight) is np.ndarray
        kind = BatchKind(
            x.shape[1:],
            y.shape[1:],
            self._input_dtype(),
            y.dtype,
            is_weighted,
            len(x),
            is_gathered=False,
            keeps_outputs=False,
        )
        program = self.program_for(kind)
        if isinstance(program, str) or not program.takes(x, y, weight):
            return None
        return program

    def _input_dtype(self) -> np.dtype[Any]:
        """Return the dtype to which a single batch is converted before a program reads it."""
        model, _, optimizer = self._parts
        return input_dtype(model, optimizer.params[0].dtype)

    def release_data(self) -> None:
        """Let go of the data of a fit."""
        for program in self._programs.values():
            program.release_data()
