"""Records of an estimator's epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.layer import Layer
from nnlayers.training.state import split_state

__all__ = ["Records"]


@dataclass
class Records:
    """Losses, scores and best weights of all epochs since the network was built."""

    losses: list[float] = field(default_factory=list)
    scores: list[float] | None = None
    best_loss: float | None = None
    best_score: float | None = None
    best_state: dict[str, Array] | None = None
    stale_epochs: int = 0
    rows_seen: int = 0

    def state_dict(self) -> dict[str, Array]:
        """Return the records as arrays by name, without those that there are not."""
        values = {
            "losses": self.losses,
            "scores": self.scores,
            "best_loss": self.best_loss,
            "best_score": self.best_score,
            "stale_epochs": self.stale_epochs,
            "rows_seen": self.rows_seen,
        }
        arrays = {name: np.array(value) for name, value in values.items() if value is not None}
        best = {f"best_state.{name}": a.copy() for name, a in (self.best_state or {}).items()}
        return arrays | best

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        arrays = {name: np.asarray(array) for name, array in state.items()}
        for name in ("losses", "scores", "best_loss", "best_score", "stale_epochs", "rows_seen"):
            setattr(self, name, arrays[name].tolist() if name in arrays else None)
        best = split_state(arrays, ["best_state"])[0]["best_state"]
        self.best_state = {name: np.asarray(array) for name, array in best.items()} or None

    def start_fit(self, network: Layer, early_stopping: bool, has_scores: bool) -> None:
        """Prepare for a fit, which may continue an earlier one."""
        if early_stopping:
            self.best_loss = None
            self.best_state = self.best_state or network.state_dict()
        elif self.best_loss is None:
            self.best_loss = math.inf
        if has_scores and self.scores is None:
            self.scores = []
            self.best_score = -math.inf

    def add_score(self, score: float, network: Layer, early_stopping: bool) -> None:
        """Append a score and, with early stopping, store the weights if it is the best."""
        assert self.scores is not None
        assert self.best_score is not None
        self.scores.append(score)
        if score > self.best_score:
            self.best_score = score
            if early_stopping:
                self.best_state = network.state_dict()

    def count_stale(self, is_stale: bool) -> None:
        """Count the epochs in a row that were not better than the ones before."""
        self.stale_epochs = self.stale_epochs + 1 if is_stale else 0
