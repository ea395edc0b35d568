"""Rows held out of the training for validation, the same ones in every fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.state import read_scalar
from nnlayers.training.rows import Rows
from nnlayers.training.task import Task

__all__ = ["Holdout"]


class Holdout:
    """Split of the rows of a fit into those to train on and those for validation.

    The seed of a random split is stored, because the next fit must not train on the rows that were
    held out in this one.
    """

    state_names = ("split_seed",)

    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    def split(
        self, rows: Rows, validation: Any, task: Task, rng: np.random.Generator
    ) -> tuple[Rows, Rows | None]:
        """Return the rows to train on, and those for validation if there are any.

        Parameters
        ----------
        rows : Rows
            All rows of the fit.
        validation : float or Rows, optional
            The share of the rows to hold out, or other rows.
        task : Task
            The model and its loss, by whose kind of targets a random split is stratified.
        rng : numpy.random.Generator
            Source of the seed of the first random split.
        """
        if validation is None:
            return rows, None
        if isinstance(validation, Rows):
            return rows, validation
        if self.seed is None:
            self.seed = int(rng.integers(2**32))
        return rows.split_validation(validation, task.classes(rows), self.seed)

    @staticmethod
    def other_rows(validation: Any, task: Task) -> Any:
        """Return other rows of a user for validation as :class:`Rows`, anything else as it is."""
        if not (isinstance(validation, Sequence) and len(validation) in (2, 3)):
            return validation
        X, y, weight = (*validation, None)[:3]
        return task.rows(X, y, weight, names=("validation[0]", "validation[1]"))

    def state_dict(self) -> dict[str, Array]:
        """Return the seed, if there was a random split."""
        return {} if self.seed is None else {"split_seed": np.array(self.seed)}

    @classmethod
    def from_state(cls, state: Mapping[str, npt.ArrayLike]) -> Holdout:
        """Return the holdout of a :meth:`state_dict`.

        Raises
        ------
        ValueError
            If its entry is not an integer.
        """
        return cls(read_scalar(state, "split_seed", int) if "split_seed" in state else None)
