"""Prepare a training run from a config, with all checks before the first file is written."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer
from nnlayers._core.display import Described
from nnlayers._core.resolving import check_modules
from nnlayers.config.builder import Argument, Builder, BuildResult, arguments_of
from nnlayers.config.checkpoint_clock import CheckpointClock
from nnlayers.config.checks import check_callback_path, check_metrics, check_model
from nnlayers.config.document import dumps
from nnlayers.config.families import CALLBACKS, LAYERS, LOSSES, OPTIMIZERS
from nnlayers.config.filming import is_recorded
from nnlayers.config.parts import read_parts
from nnlayers.config.predictor import Predictor
from nnlayers.config.run_entries import entries_of_experiment
from nnlayers.config.scoring import Baseline, Scores, score
from nnlayers.config.settings import set_parameters, split_settings
from nnlayers.data import Preprocessing, Table, batches
from nnlayers.layer import Layer
from nnlayers.layers import EntityEmbedding
from nnlayers.training import Trainer
from nnlayers.training.callbacks.progress import Progress
from nnlayers.training.metrics import Metric

__all__ = [
    "Experiment",
    "Sections",
    "build_loss",
    "prepare",
    "read_metrics",
    "read_sections",
    "training_arguments",
]

# The arguments of Trainer and of its fit that the program passes, so that a config cannot set them.
_SUPPLIED = frozenset(
    [
        "X",
        "loss",
        "loss_weights",
        "model",
        "optimizer",
        "resume",
        "progress",
        "rng",
        "sample_weight",
        "self",
        "validation",
        "y",
    ]
)


@dataclass(frozen=True)
class Sections:
    """The tables of a config.

    Parameters
    ----------
    data : table
        The data source: ``type`` and its arguments. A relative path in it is relative to the
        working directory.
    model, loss, optimizer : table
        Constructors: ``type`` and arguments. The schedules ``CosineDecay`` and ``OneCycle`` last as
        long as the run unless they state their steps. The tables ``scale`` and ``decay`` of the
        optimizer set ``lr_scale`` and ``decay`` of the parameters whose names match a pattern.
    training : table
        Arguments of :class:`~nnlayers.training.Trainer` and of its ``fit``, and
        ``checkpoint_every``, the interval between two checkpoints: ``"auto"`` is after every epoch,
        but for at most 3 % of the time; or ``"5 epochs"``, or ``"30 s"``; and ``record``, whether
        a :class:`~nnlayers.callbacks.Recorder` films the training for ``nnlayers replay``.
    split : table
        Arguments of :func:`nnlayers.data.split_table`.
    preprocessing : table
        Arguments of :class:`nnlayers.data.Preprocessing`.
    seed : int
        The seed of the one generator behind initial weights, dropout and shuffling.
    dtype : {"float32", "float64"}
        The dtype of features and weights.
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
        check_integer("seed", self.seed, minimum=0, maximum=None)


@dataclass(frozen=True, repr=False)
class Experiment(Described):
    """A training run before its first epoch.

    Attributes
    ----------
    source : str
        The file of the config, for messages.
    config : dict
        The config, completed with all defaults and the widths that follow from the data.
    parts : mapping of str to Table
        The rows of ``"train"``, ``"validation"`` and ``"test"``.
    arrays : mapping of str to (ndarray, ndarray)
        The features and targets of ``"train"`` and ``"validation"``.
    predictor : Predictor
        The model with its loss and its preprocessing, which is fitted on the training rows.
    metrics : sequence of str or callable
        The metrics of the config.
    baseline : Baseline
        The constant prediction that the model should beat.
    trainer : Trainer
        The trainer of the model.
    rng : numpy.random.Generator
        The source of all draws.
    """

    source: str
    config: dict[str, Any]
    parts: Mapping[str, Table]
    arrays: Mapping[str, tuple[Array, Array]]
    predictor: Predictor
    metrics: Sequence[str | Metric]
    baseline: Baseline
    trainer: Trainer
    rng: np.random.Generator

    def _entries(self) -> dict[str, str]:
        return entries_of_experiment(self)

    @property
    def epochs(self) -> int:
        """The number of epochs of the whole run."""
        return int(self.config["training"]["epochs"])

    def fit(self, *, progress: Progress = False) -> None:
        """Train from the trainer's epoch to the last one.

        Raises
        ------
        ConfigError
            If the trainer or a callback refuses an argument.
        DivergenceError
            If training diverges.
        """
        x, y = self.arrays["train"]
        held_out = self.parts["validation"]
        known = _fit_arguments()
        training = self.config["training"]
        arguments = {name: training[name] for name in known if name in training} | {
            "epochs": self.epochs - len(self.trainer.history),
            "validation": (
                (*self.arrays["validation"], held_out.weights) if len(held_out) else None
            ),
            "sample_weight": self.parts["train"].weights,
            "rng": self.rng,
            "progress": progress,
        }
        Builder(self.source).attempt("training", known, lambda: self.trainer.fit(x, y, **arguments))

    def score(self, table: Table) -> Scores:
        """Return the loss and the metrics of rows, beside those of the baseline."""
        return score(self.predictor, table, self.metrics, self.baseline)


def prepare(
    config: Mapping[str, Any],
    source: str,
    modules: Iterable[str] = (),
    *,
    table: Table | None = None,
) -> Experiment:
    """Return the experiment that a config describes.

    Parameters
    ----------
    config : mapping
        The tables of the file.
    source : str
        The file, for messages.
    modules : iterable of str
        Modules besides nnlayers whose classes and functions the config may name. Their code runs,
        so name only modules that you trust.
    table : Table, optional
        The rows, such as those of :func:`nnlayers.data.from_frame`, in place of a section ``data``.
        They are not in the run directory: to resume, pass them again.

    Raises
    ------
    ConfigError
        If the config, its data or its model cannot be used.
    ModuleNotFoundError
        If an optional library that the config needs is missing.
    """
    sections = read_sections(config if table is None else {"data": {}} | dict(config), source)
    modules = check_modules(modules)
    builder = Builder(source, modules=modules)
    training = builder.arguments(training_arguments(), sections.training, "training", CALLBACKS)
    loss = build_loss(sections, source, modules)
    preprocessing = builder.construct(Preprocessing, sections.preprocessing, "preprocessing")
    data, parts = read_parts(
        sections.data, sections.split, source, loss.value, preprocessing.value, modules, table
    )
    train = parts.value["train"]
    builder.attempt("data", (), lambda: preprocessing.value.fit(train, loss.value.targets))
    rng = np.random.default_rng(sections.seed)
    model = _build_model(sections, source, preprocessing.value, rng, modules)
    predictor = Predictor(model.value, loss.value, preprocessing.value, sections.dtype)
    arrays = builder.attempt("data", (), lambda: _encode(predictor, parts.value))
    check_model(builder, predictor, *arrays["train"])
    trainer, optimizer = _build_trainer(sections, builder, training.value, predictor, len(train))
    metrics = training.value.get("metrics", ())
    check_metrics(builder, metrics, predictor, *arrays["train"])
    baseline = Baseline.fit(preprocessing.value, loss.value, arrays["train"][1], train.weights)
    completed = {
        "seed": sections.seed,
        "dtype": sections.dtype,
        "data": data.table,
        "split": parts.table,
        "preprocessing": preprocessing.table,
        "model": model.table,
        "loss": loss.table,
        "optimizer": optimizer,
        # A resumed run must go on with the engine that "auto" chose here.
        "training": training.table | {"engine": trainer.engine},
    }
    # Through text, so that this config compares equal to the one read from the run directory.
    config_of_run = tomllib.loads(dumps(completed))
    return Experiment(
        source, config_of_run, parts.value, arrays, predictor, metrics, baseline, trainer, rng
    )


def read_sections(config: Mapping[str, Any], source: str) -> Sections:
    """Return the sections of a config that was read from the file `source`.

    Raises
    ------
    ConfigError
        If a section is missing, unknown or of the wrong type.
    """
    sections: Sections = Builder(source).construct(Sections, config, "").value
    return sections


def build_loss(sections: Sections, source: str, modules: Iterable[str] = ()) -> BuildResult:
    """Return the loss, and its section completed."""
    return Builder(source, modules=modules).build(sections.loss, "loss", LOSSES)


def read_metrics(
    sections: Sections, source: str, modules: Iterable[str] = ()
) -> Sequence[str | Metric]:
    """Return the metrics of a config.

    Raises
    ------
    ConfigError
        If one is a function of a module that is not allowed.
    """
    known = {"metrics": _trainer_arguments()["metrics"]}
    table = {name: value for name, value in sections.training.items() if name in known}
    builder = Builder(source, modules=modules)
    metrics: Sequence[str | Metric] = builder.arguments(known, table, "training", CALLBACKS).value[
        "metrics"
    ]
    return metrics


def _build_model(
    sections: Sections,
    source: str,
    preprocessing: Preprocessing,
    rng: np.random.Generator,
    modules: Iterable[str],
) -> BuildResult:
    """Return the model for the width of the preprocessed data, and its section completed."""
    builder = Builder(
        source,
        {"rng": rng, "dtype": np.dtype(sections.dtype).type},
        modules=modules,
        width=preprocessing.width,
        outputs=preprocessing.outputs,
        ids=preprocessing.ids,
    )
    model = builder.build(sections.model, "model", LAYERS)
    layers = model.value.named_layers().values()
    if preprocessing.ids and not any(isinstance(layer, EntityEmbedding) for layer in layers):
        raise builder.error("preprocessing.embed", "needs a model that begins with EntityEmbedding")
    return model


def _build_optimizer(
    sections: Sections, source: str, model: Layer, steps: int, modules: Iterable[str]
) -> BuildResult:
    """Return the optimizer for a run of so many steps, and its section completed."""
    builder = Builder(source, {"params": model.parameters()}, modules=modules, steps=steps)
    constructor, tables = split_settings(sections.optimizer)
    settings = set_parameters(model, tables, builder)
    built = builder.build(constructor, "optimizer", OPTIMIZERS)
    return BuildResult(built.value, built.table | settings)


def _build_trainer(
    sections: Sections,
    builder: Builder,
    training: Mapping[str, Any],
    predictor: Predictor,
    rows: int,
) -> tuple[Trainer, dict[str, Any]]:
    """Return the trainer for so many rows, and the optimizer's section completed."""
    known, model = training_arguments(), predictor.model
    builder.attempt("training", known, lambda: CheckpointClock(training["checkpoint_every"]))
    steps = builder.attempt("training", known, lambda: _steps(rows, training))
    optimizer = _build_optimizer(sections, builder.source, model, steps, builder.modules)
    options = {name: training[name] for name in _trainer_arguments() if name in training}
    trainer = builder.attempt(
        "training", known, lambda: Trainer(model, predictor.loss, optimizer.value, **options)
    )
    trainer.metrics.units = predictor.preprocessing.decode
    for index, callback in enumerate(trainer.callbacks):
        check_callback_path(builder, f"training.callbacks.{index}.path", callback)
    return trainer, dict(optimizer.table)


def training_arguments() -> dict[str, Argument]:
    """Return the arguments that the section ``training`` may have, by name."""
    others = arguments_of(CheckpointClock) | arguments_of(is_recorded)
    return _trainer_arguments() | _fit_arguments() | others


def _trainer_arguments() -> dict[str, Argument]:
    return _settable_arguments(arguments_of(Trainer))


def _fit_arguments() -> dict[str, Argument]:
    return _settable_arguments(arguments_of(Trainer.fit))


def _settable_arguments(arguments: Mapping[str, Argument]) -> dict[str, Argument]:
    return {name: argument for name, argument in arguments.items() if name not in _SUPPLIED}


def _steps(rows: int, training: Mapping[str, Any]) -> int:
    """Return the number of steps of a run, whose sizes a fit would check too late."""
    epochs = check_integer("epochs", training["epochs"], minimum=1)
    return epochs * sum(1 for _ in batches(rows, training["batch_size"]))


def _encode(predictor: Predictor, parts: Mapping[str, Table]) -> dict[str, tuple[Array, Array]]:
    """Return the features and targets of the rows that are trained on or held out."""
    with warnings.catch_warnings():
        # A value that cannot be tested must show before the training; what is merely unusual is
        # said at the test.
        warnings.simplefilter("ignore")
        predictor.arrays(parts["test"])
    return {name: predictor.arrays(parts[name]) for name in ("train", "validation")}
