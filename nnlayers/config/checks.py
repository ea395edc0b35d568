"""Check the parts of an experiment with each other, before the first epoch."""

from __future__ import annotations

from collections.abc import Iterable

from nnlayers._core.arrays import Array
from nnlayers._core.toml_text import toml_text
from nnlayers.config.builder import Builder
from nnlayers.config.predictor import Predictor
from nnlayers.config.run_files import RUN_FILES
from nnlayers.saving import model_file
from nnlayers.training.callbacks import Callback, Checkpoint, CSVLogger, TensorBoard
from nnlayers.training.metrics import Metric, Metrics

__all__ = ["FILE_WRITERS", "check_callback_path", "check_metrics", "check_model"]

# The callbacks that write files.
FILE_WRITERS = (Checkpoint, CSVLogger, TensorBoard)


def check_model(builder: Builder, predictor: Predictor, x: Array, y: Array) -> None:
    """Raise an error if the loss cannot take the model's outputs, or a file cannot hold it."""
    outputs = builder.attempt("model", (), lambda: predictor.check_model(x[:1]))
    builder.attempt("model", (), lambda: predictor.loss.forward(outputs, y[:1]))
    content = builder.attempt("model", (), lambda: model_file.dumps(predictor.model))
    builder.attempt("model", (), lambda: model_file.loads(content, modules=builder.modules))


def check_metrics(
    builder: Builder, metrics: Iterable[str | Metric], predictor: Predictor, x: Array, y: Array
) -> None:
    """Raise an error if a metric known by name does not fit the number of classes."""
    names = [metric for metric in metrics if isinstance(metric, str)]
    outputs = predictor.check_model(x[:1])
    known = Metrics(names, predictor.loss)
    builder.attempt("training.metrics", (), lambda: known.measure(y[:1], outputs))


def check_callback_path(builder: Builder, key: str, callback: Callback) -> None:
    """Raise an error if a callback would write outside the run directory, or over its files."""
    if not isinstance(callback, FILE_WRITERS):
        return
    path = callback.path
    is_inside = not path.is_absolute() and ".." not in path.parts
    if not is_inside or not path.name or str(path) in RUN_FILES:
        problem = "must be a new file within the run directory, got"
        raise builder.error(key, f"{problem} {toml_text(str(callback.path))}")
