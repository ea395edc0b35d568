"""Where a config's callbacks write: within the run directory, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from nnlayers.config.builder import Builder
from nnlayers.config.document import shown
from nnlayers.training.callbacks import Callback, Checkpoint, CSVLogger

__all__ = [
    "CHECKPOINT",
    "CONFIG",
    "CURVES",
    "METRICS",
    "MODEL",
    "PREPROCESSING",
    "TEST",
    "check_place",
    "place",
]

CONFIG = "config.toml"
PREPROCESSING = "preprocessing.json"
CHECKPOINT = "checkpoint.npz"
MODEL = "model.npz"
METRICS = "metrics.csv"
CURVES = "curves.png"
TEST = "test.json"
_OWN = frozenset([CONFIG, PREPROCESSING, CHECKPOINT, MODEL, METRICS, CURVES, TEST])

_WRITERS = (Checkpoint, CSVLogger)
# What may stand in a path's braces; anything else could lead elsewhere once it is filled in.
_EPOCH = re.compile(r"\{epoch(:\d*d?)?\}")


def check_place(builder: Builder, key: str, callback: Callback) -> None:
    """Raise an error if a callback would write outside the run directory, or over its files.

    Raises
    ------
    ConfigError
        If its path is absolute, leads upwards, or is the name of a file of the run.
    """
    if not isinstance(callback, _WRITERS):
        return
    path = Path(_EPOCH.sub("0", str(callback.path)))
    within = not path.is_absolute() and ".." not in path.parts and not set("{}") & set(str(path))
    if not within or not path.name or str(path) in _OWN:
        problem = "must be a new file within the run directory, got"
        raise builder.error(key, f"{problem} {shown(str(callback.path))}")


def place(callbacks: Iterable[Callback], directory: Path) -> None:
    """Let callbacks that write files write them into a directory, which is there."""
    for callback in callbacks:
        if isinstance(callback, _WRITERS):
            callback.path = directory / callback.path
            callback.path.parent.mkdir(parents=True, exist_ok=True)
