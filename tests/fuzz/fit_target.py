"""Checkpoints of a program's own fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import nnlayers as nn
from nnlayers.training import DivergenceError

from .measuring import BrokenPromiseError
from .mutations import altered
from .run_targets import altered_archive
from .targets import Case, Target, choose

X, Y = np.linspace(-1, 1, 20).reshape(10, 2), np.arange(10) % 2


class Fit(Target):
    """Files of ``nn.callbacks.Checkpoint``; one that is altered gives the same end or an error."""

    name = "fit"
    errors = (TypeError, ValueError)

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        kept = directory / "kept"
        checkpoint = nn.callbacks.Checkpoint(kept, every="3 steps", keep=9, monitor="loss")
        self.end = self._fit([checkpoint])
        self.seeds = [path.read_bytes() for path in sorted(kept.glob("*.npz"))]

    def _fit(
        self, callbacks: list[nn.callbacks.Callback], resume: Path | None = None
    ) -> dict[str, bytes]:
        model = nn.mlp([2, 3, 2], dropout=0.1, norm="batch", rng=0)
        optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
        callbacks = [*callbacks, nn.callbacks.EarlyStopping("loss", patience=9)]
        trainer = nn.Trainer(
            model, nn.SoftmaxCrossEntropy(), optimizer, callbacks=callbacks, engine="numpy"
        )
        trainer.fit(X, Y, epochs=3, batch_size=4, rng=0, resume=resume)
        return {name: array.tobytes() for name, array in model.state_dict().items()}

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a checkpoint with other bytes, or with other arrays."""
        seed = choose(rng, self.seeds)
        if rng.random() < 0.4:
            return Case(altered(seed, rng, self.seeds), False)
        return Case(altered_archive(seed, rng), True)

    def read(self, case: Case) -> None:
        """Train on."""
        other = nn.callbacks.Checkpoint(self.directory / "other", monitor="loss")
        for path in (self.directory / "other").glob("*"):
            path.unlink()
        try:
            end = self._fit([other], self.path("checkpoint.npz", case.content))
        except DivergenceError:  # Its message has a second line, of advice.
            end = {}
        is_forged = case.way
        if not is_forged and end != self.end:
            raise BrokenPromiseError("an altered checkpoint is read as another")
