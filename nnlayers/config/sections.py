"""The sections of a config, and the object that each of them describes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from nnlayers._core.checks import check_integer
from nnlayers.config.builder import Builder, Built
from nnlayers.config.document import ConfigError
from nnlayers.config.families import LAYERS, LOSSES, OPTIMIZERS, SOURCES
from nnlayers.data import DataError, Preprocessing, Split, Table, split
from nnlayers.layer import Layer
from nnlayers.losses import Loss

__all__ = [
    "Sections",
    "build_loss",
    "build_model",
    "build_optimizer",
    "read_parts",
    "read_sections",
]


@dataclass(frozen=True)
class Sections:
    """The tables of a config.

    Parameters
    ----------
    data : table
        A data source: ``type`` and its arguments. A relative path in it is relative to the
        working directory.
    model, loss, optimizer : table
        Constructors: ``type`` and arguments. The schedules ``CosineDecay`` and ``OneCycle`` last as
        long as the run if they do not state their steps.
    training : table
        Arguments of :class:`~nnlayers.training.Trainer` and of its ``fit``.
    split : table
        Arguments of :func:`nnlayers.data.split`.
    preprocessing : table
        Arguments of :class:`nnlayers.data.Preprocessing`.
    seed : int
        Of the one generator behind initial weights, dropout and shuffling.
    dtype : {"float32", "float64"}
        Of features and weights.
    """

    data: dict[str, Any]
    model: dict[str, Any]
    loss: dict[str, Any]
    optimizer: dict[str, Any]
    training: dict[str, Any]
    split: dict[str, Any] = field(default_factory=dict)
    preprocessing: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    dtype: Literal["float32", "float64"] = "float32"

    def __post_init__(self) -> None:
        check_integer("seed", self.seed, minimum=0)


def read_sections(config: Mapping[str, Any], source: str) -> Sections:
    """Return the sections of a config that was read from the file `source`.

    Raises
    ------
    ConfigError
        If one is missing, unknown or of the wrong type.
    """
    sections: Sections = Builder(source).construct(Sections, config, "").value
    return sections


def build_loss(sections: Sections, source: str, modules: Iterable[str] = ()) -> Built:
    """Return the loss, and its section completed."""
    return Builder(source, modules=modules).build(sections.loss, "loss", LOSSES)


def build_model(
    sections: Sections,
    source: str,
    preprocessing: Preprocessing,
    rng: np.random.Generator,
    modules: Iterable[str] = (),
) -> Built:
    """Return the model for data prepared in this way, and its section completed.

    Raises
    ------
    ConfigError
        If an argument is refused, or the layers do not fit together.
    """
    given = {"rng": rng, "dtype": np.dtype(sections.dtype).type}
    builder = Builder(
        source,
        given,
        modules=modules,
        width=preprocessing.width,
        outputs=preprocessing.outputs,
    )
    return builder.build(sections.model, "model", LAYERS)


def build_optimizer(
    sections: Sections, source: str, model: Layer, steps: int, modules: Iterable[str] = ()
) -> Built:
    """Return the optimizer of a model's parameters, and its section completed.

    `steps` is the number of steps of the run, which a schedule of the learning rate may need.
    """
    builder = Builder(source, {"params": model.parameters()}, modules=modules, steps=steps)
    return builder.build(sections.optimizer, "optimizer", OPTIMIZERS)


def read_parts(
    sections: Sections, source: str, loss: Loss, modules: Iterable[str] = ()
) -> tuple[Built, Built]:
    """Return the data as a table, and its rows by part; each with its section completed.

    Raises
    ------
    ConfigError
        If the data cannot be read, or not be split.
    """
    builder = Builder(source, modules=modules)
    data = builder.build(sections.data, "data", SOURCES)
    table: Table = data.value
    if table.target is None:
        raise builder.error("data", f"{table.origin}: there is no target")
    if isinstance(data.table.get("path"), str):
        # A run directory can be used from anywhere.
        data.table["path"] = os.path.abspath(data.table["path"])
    stratify = None if loss.targets == "values" else table.target
    supplied = {"rows": len(table), "stratify": stratify}
    try:
        rows = builder.construct(split, sections.split, "split", supplied=supplied)
    except ConfigError as error:
        if isinstance(error.__cause__, DataError):  # which does not know where the rows are from
            raise builder.error("split", f"{table.origin}: {error.__cause__}") from None
        raise
    parts = {
        name: table.rows(indices) for name, indices in zip(Split._fields, rows.value, strict=True)
    }
    return data, Built(parts, rows.table)
