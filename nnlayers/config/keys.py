"""The keys of configs, for completion on a command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nnlayers.config.builder import arguments_of
from nnlayers.config.experiment import training_arguments
from nnlayers.config.families import LOSSES, OPTIMIZERS, SOURCES
from nnlayers.data import Preprocessing, split_table
from nnlayers.layers import Sequential, mlp

__all__ = ["known_keys"]

# The arguments that the program passes.
_SUPPLIED = {"categorical", "dtype", "frame", "params", "rng", "stratify", "table"}
_SECTIONS: Mapping[str, Iterable[Callable[..., Any]]] = {
    "data": SOURCES.known.values(),
    "split": [split_table],
    "preprocessing": [Preprocessing],
    "model": [mlp, Sequential],
    "loss": LOSSES.known.values(),
    "optimizer": OPTIMIZERS.known.values(),
}
# The sections of objects, which name a constructor.
_TYPED = ("data", "model", "loss", "optimizer")


def known_keys() -> list[str]:
    """Return the keys that a config may have, without those of the layers of a model.

    Which of them fit depends on the types that the config names.

    Examples
    --------
    >>> keys = known_keys()
    >>> [key for key in keys if key.startswith(("seed", "model", "training.ep"))]
    ['seed', 'model.type', 'model.sizes', 'model.activation', 'model.dropout', 'model.norm', \
'model.layers', 'training.epochs']
    """
    keys = ["seed", "dtype"]
    for section, constructors in _SECTIONS.items():
        names = ["type"] if section in _TYPED else []
        for constructor in constructors:
            names += [name for name in arguments_of(constructor) if name not in _SUPPLIED]
        keys += [f"{section}.{name}" for name in dict.fromkeys(names)]
    return keys + [f"training.{name}" for name in training_arguments()]
