"""States that training goes on from, and stored machine code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nnlayers as nn
from nnlayers.engine.cache import CodeCache

from .measuring import BrokenPromiseError
from .mutations import VALUES, altered
from .run_targets import other_array
from .targets import Case, Target, choose

X, Y = np.linspace(-1, 1, 12).reshape(6, 2), np.arange(6) % 2


OPTIMIZERS = [nn.optim.SGD, nn.optim.Adam, nn.optim.AdamW, nn.optim.NAdam, nn.optim.RMSProp]
OPTIMIZERS += [nn.optim.AdaGrad, nn.optim.AdaDelta, nn.optim.Lion]


def trainers() -> list[nn.Trainer]:
    """Return trainers with every kind of optimizer and every callback that has a state."""
    found = []
    for index, make in enumerate(OPTIMIZERS):
        model = nn.mlp([2, 3, 2], dropout=0.1, norm="batch", rng=0)
        callbacks = [
            nn.callbacks.EarlyStopping("loss", restore_best=True),
            nn.callbacks.ReduceOnPlateau("loss"),
        ]
        optimizer = make(model.parameters(), lr=0.01)
        trainer = nn.Trainer(
            model, nn.SoftmaxCrossEntropy(), optimizer, callbacks=callbacks, engine="numpy"
        )
        trainer.fit(X, Y, epochs=2, batch_size=4, rng=index)
        found.append(trainer)
    return found


class State(Target):
    """State dictionaries of trainers; one that is refused changes nothing."""

    name = "state"
    errors = (TypeError, ValueError)

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.trainers = trainers()
        self.states = [trainer.state_dict() for trainer in self.trainers]

    def draw(self, rng: np.random.Generator) -> Case:
        """Return the index of a trainer, and a dictionary of which some entries are other ones."""
        index = int(rng.integers(len(self.trainers)))
        state: dict[str, Any] = dict(self.states[index])
        for _ in range(int(rng.integers(1, 4))):
            name = choose(rng, sorted(state))
            kind = rng.random()
            if kind < 0.6:
                state[name] = other_array(np.asarray(self.states[index].get(name, 0)), rng)
            elif kind < 0.8:
                state[name] = choose(
                    rng, [value for value in VALUES if not isinstance(value, dict)]
                )
            elif kind < 0.9:
                state[choose(rng, ["x", "model.x", "callbacks.7.best", "history.x"])] = state[name]
            else:
                del state[name]
        return Case(b"", (index, state))

    def read(self, case: Case) -> None:
        """Load the state, and take a step from it."""
        index, state = case.way
        trainer, whole = self.trainers[index], self.states[index]
        try:
            trainer.load_state_dict(state)
        except Exception:
            if not is_same(trainer.state_dict(), whole):
                raise BrokenPromiseError("a state that is refused changes the trainer") from None
            raise
        try:
            trainer.step(X, Y)
        except (ArithmeticError, RuntimeError, ValueError):  # Weights may be of any size.
            pass
        finally:
            trainer.model.zero_grad()
            trainer.load_state_dict(whole)


def is_same(state: Any, other: Any) -> bool:
    """Return whether two states are equal to the last bit."""
    return state.keys() == other.keys() and all(
        np.asarray(state[name]).tobytes() == np.asarray(other[name]).tobytes() for name in state
    )


class Code(Target):
    """Files of machine code: one that was altered is not read, and compiled again."""

    name = "code"
    errors = ()

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.cache = CodeCache(directory / "code", b"key")
        self.code = np.random.default_rng(0).bytes(500)
        self.cache.write("kernel", self.code)
        (self.file,) = self.cache.directory.iterdir()
        self.whole = self.file.read_bytes()

    def draw(self, rng: np.random.Generator) -> Case:
        """Return a file with other bytes."""
        return Case(altered(self.whole, rng))

    def read(self, case: Case) -> None:
        """Read the code."""
        self.file.write_bytes(case.content)
        found = self.cache.read("kernel")
        if found is not None and found != self.code:
            raise BrokenPromiseError("altered code is read")
