"""From a config to everything that a training run needs, checked before anything is written."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlayers._core.checks import check_integer
from nnlayers._core.resolving import check_modules
from nnlayers.config.builder import Builder
from nnlayers.config.document import dumps
from nnlayers.config.families import CALLBACKS
from nnlayers.config.places import check_place
from nnlayers.config.predictor import Predictor
from nnlayers.config.sections import (
    build_loss,
    build_model,
    build_optimizer,
    read_parts,
    read_sections,
)
from nnlayers.config.signature import Argument, arguments_of
from nnlayers.data import Preprocessing, Table, batches
from nnlayers.training import Trainer

__all__ = ["Experiment", "prepare"]

# What the program passes to Trainer and to its fit, which a config therefore cannot set.
_SUPPLIED = frozenset(
    [
        "X",
        "loss",
        "model",
        "optimizer",
        "progress",
        "rng",
        "sample_weight",
        "self",
        "validation",
        "y",
    ]
)


@dataclass(frozen=True)
class Experiment:
    """A run before its first epoch.

    Attributes
    ----------
    source : str
        The config's file, for messages.
    config : dict
        The config with all defaults and the widths that follow from the data written out.
    parts : mapping of str to Table
        The rows of ``"train"``, ``"validation"`` and ``"test"``.
    predictor : Predictor
        The model, with its loss and its preprocessing fitted on the training rows.
    trainer : Trainer
        What trains it.
    rng : numpy.random.Generator
        The source of all draws.
    """

    source: str
    config: dict[str, Any]
    parts: Mapping[str, Table]
    predictor: Predictor
    trainer: Trainer
    rng: np.random.Generator

    @property
    def epochs(self) -> int:
        """How many epochs the run has in all."""
        return int(self.config["training"]["epochs"])

    def fit(self, *, progress: bool = False) -> None:
        """Train from where the trainer is up to the last epoch.

        Raises
        ------
        ConfigError
            If the trainer or a callback refuses an argument.
        DivergenceError
            If training diverges.
        """
        x, y = self.predictor.arrays(self.parts["train"])
        held_out = self.parts["validation"]
        known = _fit_arguments()
        training = self.config["training"]
        arguments = {name: training[name] for name in known if name in training} | {
            "epochs": self.epochs - len(self.trainer.history),
            "validation": self.predictor.arrays(held_out) if len(held_out) else None,
            "rng": self.rng,
            "progress": progress,
        }
        Builder(self.source).checked("training", known, lambda: self.trainer.fit(x, y, **arguments))


def prepare(config: Mapping[str, Any], source: str, modules: Iterable[str] = ()) -> Experiment:
    """Return the experiment that a config describes.

    Parameters
    ----------
    config : mapping
        What the file holds.
    source : str
        The file, for messages.
    modules : iterable of str
        Modules beside nnlayers whose classes and functions the config may name. Their code runs, so
        name those that you trust.

    Raises
    ------
    ConfigError
        If the config, its data or the model that it describes cannot be used.
    ModuleNotFoundError
        Without a library that only some configs need.
    """
    sections = read_sections(config, source)
    modules = check_modules(modules)
    builder = Builder(source, modules=modules)
    known = _trainer_arguments() | _fit_arguments()
    training = builder.arguments(known, sections.training, "training", CALLBACKS)
    loss = build_loss(sections, source, modules)
    data, parts = read_parts(sections, source, loss.value, modules)
    preprocessing = builder.construct(Preprocessing, sections.preprocessing, "preprocessing")
    train = parts.value["train"]
    builder.checked("data", (), lambda: preprocessing.value.fit(train, loss.value.targets))
    rng = np.random.default_rng(sections.seed)
    model = build_model(sections, source, preprocessing.value, rng, modules)
    predictor = Predictor(model.value, loss.value, preprocessing.value, sections.dtype)
    _check_outputs(builder, predictor, train)
    steps = builder.checked("training", known, lambda: _steps(len(train), training.value))
    optimizer = build_optimizer(sections, source, model.value, steps, modules)
    options = {
        name: training.value[name] for name in _trainer_arguments() if name in training.value
    }
    trainer = builder.checked(
        "training", known, lambda: Trainer(model.value, loss.value, optimizer.value, **options)
    )
    for index, callback in enumerate(trainer.callbacks):
        check_place(builder, f"training.callbacks.{index}.path", callback)
    completed = {
        "seed": sections.seed,
        "dtype": sections.dtype,
        "data": data.table,
        "split": parts.table,
        "preprocessing": preprocessing.table,
        "model": model.table,
        "loss": loss.table,
        "optimizer": optimizer.table,
        "training": training.table,
    }
    # As it will be read again, so that two configs compare whether they come from a file or not.
    written = tomllib.loads(dumps(completed))
    return Experiment(source, written, parts.value, predictor, trainer, rng)


def _trainer_arguments() -> dict[str, Argument]:
    return _open(arguments_of(Trainer))


def _fit_arguments() -> dict[str, Argument]:
    return _open(arguments_of(Trainer.fit))


def _open(arguments: Mapping[str, Argument]) -> dict[str, Argument]:
    return {name: argument for name, argument in arguments.items() if name not in _SUPPLIED}


def _steps(rows: int, training: Mapping[str, Any]) -> int:
    """Return the number of steps of a run, whose sizes a fit would refuse too late."""
    epochs = check_integer("epochs", training["epochs"], minimum=1)
    return epochs * sum(1 for _ in batches(rows, training["batch_size"]))


def _check_outputs(builder: Builder, predictor: Predictor, train: Table) -> None:
    """Raise an error if the loss cannot take what the model makes of a row."""
    x, y = predictor.arrays(train.rows([0]))
    output = builder.checked("model", (), lambda: predictor.model.predict(x))
    classes = predictor.preprocessing.outputs
    if predictor.loss.targets == "classes" and output.shape[1:] != (classes,):
        shape = output.shape[1:]
        raise builder.error("model", f"must give {classes} outputs, one a class, gives {shape}")
    builder.checked("model", (), lambda: predictor.loss.forward(output, y))
