"""Contenders of a race, one library per file, each written as its documentation recommends.

A function of a :class:`Task` makes the network and returns ``run(n)``, which does at least n pieces
of work (steps, fits, predictions), waits for their end, and returns how many it did.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

# It is small, so that the network still learns at the last step: gradients that underflow are slow.
LEARNING_RATE = 1e-5
WEIGHT_DECAY = 1e-2
MOMENTUM = 0.9
# Of the average of squared gradients in RMSProp.
DECAY = 0.99
# Single steps go in turn through this many different batches.
BATCHES = 8


@dataclass(frozen=True)
class Task:
    """The task of a race: a network, its data, and the number of threads."""

    sizes: tuple[int, ...]
    rows: int
    activation: str = "relu"
    optimizer: str = "adam"
    threads: int = 1
    epochs: int = 1
    batch_size: int = 32
    data: str = "random"
    networks: int = 1

    def batches(self):
        """Return the batches of the race, float32 inputs and integer classes."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(BATCHES, self.rows, self.sizes[0])).astype(np.float32)
        y = rng.integers(self.sizes[-1], size=(BATCHES, self.rows))
        return x, y

    def rows_and_classes(self):
        """Return all rows of a fit."""
        if self.data == "digits":
            from sklearn.datasets import load_digits

            x, y = load_digits(return_X_y=True)
            return (x / 16).astype(np.float32), y
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.rows, self.sizes[0])).astype(np.float32)
        return x, (x @ rng.normal(size=(self.sizes[0], self.sizes[-1]))).argmax(axis=1)

    def epoch(self):
        """Return the batches of an epoch, which is long where steps are short."""
        turns = 1 if max(self.sizes) > 256 else 8
        return [np.concatenate([batches] * turns) for batches in self.batches()]

    def weights(self):
        """Return a W and a b for each layer."""
        rng = np.random.default_rng(1)
        return [
            (
                (rng.normal(size=(fan_in, fan_out)) * (2 / fan_in) ** 0.5).astype(np.float32),
                np.zeros(fan_out, np.float32),
            )
            for fan_in, fan_out in pairwise(self.sizes)
        ]


class UnsupportedError(Exception):
    """The library lacks an activation or an optimizer."""


def chosen(task, what, choices):
    """Return the library's name or object for the task's activation or optimizer."""
    name = getattr(task, what)
    if name not in choices:
        raise UnsupportedError(f"has no {name}")
    return choices[name]


def in_turn(step, batches):
    """Return ``run(n)``, which calls a function of one batch for n batches in turn."""

    def run(n):
        for i in range(n):
            step(*batches[i % BATCHES])
        return n

    return run


def repeated(work):
    """Return ``run(n)``, which calls a function n times."""

    def run(n):
        for _ in range(n):
            work()
        return n

    return run
