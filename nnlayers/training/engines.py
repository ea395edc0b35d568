"""Choose what runs the steps of a training: the compiled engine or NumPy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from nnlayers._core.checks import check_choice
from nnlayers.optim import Optimizer
from nnlayers.optim.clipping import GradientBounds
from nnlayers.training.rows import Rows
from nnlayers.training.task import Task

if TYPE_CHECKING:
    from nnlayers.engine import CompiledTraining, TrainingProgram

__all__ = ["ENGINES", "Engine", "EngineName"]

EngineName: TypeAlias = Literal["auto", "compiled", "numpy"]
CANNOT_RUN = "engine='compiled' cannot run here: {}"
ENGINES: list[EngineName] = ["auto", "compiled", "numpy"]


class Engine:
    """Engine of a trainer: NumPy, or compiled programs of its steps.

    Parameters
    ----------
    choice : {"auto", "compiled", "numpy"}
        The user's choice.
    task : Task
        The model and the loss.
    optimizer : Optimizer
        The optimizer.
    bounds : GradientBounds
        The bounds of the gradient.

    Raises
    ------
    ImportError
        If `choice` is "compiled" and this machine cannot run compiled programs.
    ValueError
        If `choice` is unknown, or "compiled" and a part is.
    """

    def __init__(
        self,
        choice: EngineName,
        task: Task,
        optimizer: Optimizer,
        bounds: GradientBounds,
    ) -> None:
        check_choice("engine", choice, ENGINES)
        self._choice = choice
        # Why NumPy runs all steps, and what the compiled engine did not know in the last fit.
        self._obstacle: str | None = None
        self._refused: str | None = None
        self._programs: CompiledTraining | None = None
        if choice == "numpy":
            return
        # The module costs a few milliseconds to import, which those who choose NumPy save.
        from nnlayers import engine

        self._machine_error = engine.MachineError
        problem = engine.missing_part()
        if problem is not None:
            if choice == "compiled":
                raise ImportError(CANNOT_RUN.format(problem))
            self._obstacle = problem
            return
        if type(task) is not Task:
            # A graph, of which batches are not arrays.
            self.leave_to_numpy(f"the layer {type(task.model).__name__}")
            return
        if choice == "compiled":
            self._refuse(engine.unknown_part(task.network, task.loss, optimizer))
        self._programs = engine.CompiledTraining(task.network, task.loss, optimizer, bounds)

    @property
    def name(self) -> Literal["compiled", "numpy"]:
        """The name of the engine that runs the steps."""
        return "numpy" if self._choice == "numpy" or self.reason else "compiled"

    @property
    def reason(self) -> str | None:
        """Why NumPy runs the steps instead of the compiled engine; None if nothing is wrong."""
        if self._obstacle is not None:
            return self._obstacle
        part = self._refused
        if part is None and self._programs is not None:
            part = self._programs.unknown_part()
        return None if part is None else f"the compiled engine does not know {part}"

    def program_for(
        self, rows: Rows, batch_size: int, is_gathered: bool, keeps_outputs: bool
    ) -> TrainingProgram | None:
        """Return the program that trains on batches of some rows, which it has loaded.

        It is None where NumPy trains.

        Raises
        ------
        ValueError, RuntimeError
            If the compiled engine is required, and does not know a part or cannot run.
        """
        if self._programs is None:
            return None
        from nnlayers.engine import BatchKind

        kind = BatchKind(
            rows.X.shape[1:],
            rows.y.shape[1:],
            np.dtype(np.uint8) if rows.X.dtype == bool else rows.X.dtype,
            rows.y.dtype,
            rows.weight is not None,
            min(batch_size, len(rows)),
            is_gathered,
            keeps_outputs,
        )
        try:
            program = self._programs.program_for(kind)
        except self._machine_error as error:
            self._give_up(error)
            return None
        if isinstance(program, str):
            self.leave_to_numpy(program)
            return None
        self._refused = None
        program.load(rows.X, rows.y, rows.weight)
        return program

    def step(self, x: Any, y: Any, sample_weight: Any) -> float | None:
        """Train on one batch and return its loss; None where NumPy must do it."""
        if self._programs is None:
            return None
        try:
            return self._programs.step(x, y, sample_weight)
        except self._machine_error as error:
            self._give_up(error)
            return None

    def release_data(self) -> None:
        """Let go of the data of a fit."""
        if self._programs is not None:
            self._programs.release_data()

    def _give_up(self, error: Exception) -> None:
        """Let NumPy train from here on, unless the compiled engine is required."""
        if self._choice == "compiled":
            raise RuntimeError(CANNOT_RUN.format(error)) from error
        self._obstacle, self._programs = str(error), None
        warnings.warn(
            f"NumPy trains instead of the compiled engine: {error}", RuntimeWarning, stacklevel=3
        )

    def leave_to_numpy(self, part: str) -> None:
        """Let NumPy do the steps of a fit, because the compiled engine does not know a part.

        Raises
        ------
        ValueError
            If the compiled engine is required.
        """
        self._refused = part
        if self._choice == "compiled":
            self._refuse(part)

    def _refuse(self, part: str | None) -> None:
        if part is not None:
            raise ValueError(
                f"engine='compiled' does not know {part}: engine='auto' trains it with NumPy"
            )
