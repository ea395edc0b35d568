"""Describe a trainer by what it is made of, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nnlayers._core.showing import shown
from nnlayers.layer import Layer

if TYPE_CHECKING:
    from nnlayers.training.history import History
    from nnlayers.training.metrics import Metrics
    from nnlayers.training.trainer import Trainer

__all__ = ["describe_history", "describe_model", "entries_of"]


def entries_of(trainer: Trainer) -> dict[str, str]:
    """Return the parts of a trainer, and how far it is, as texts by name.

    Examples
    --------
    >>> import nnlayers as nn
    >>> model = nn.Affine(2, 1)
    >>> nn.Trainer(model, nn.Huber(), nn.optim.SGD(model.parameters(), lr=0.1), engine="numpy")
    Trainer(
      model: Affine(2, 1), 3 weights
      loss: Huber()
      optimizer: SGD(3 weights in 2 parameters)
      engine: numpy
      trained: 0 epochs
    )
    """
    entries = {
        "model": describe_model(trainer.model),
        "loss": shown(trainer.loss),
        "optimizer": shown(trainer.optimizer),
        "metrics": ", ".join(_metric_names(trainer.metrics)),
        "callbacks": ", ".join(map(shown, trainer.callbacks)),
        "engine": trainer.engine,
        "trained": describe_history(trainer.history),
    }
    return {name: text for name, text in entries.items() if text}


def _metric_names(metrics: Metrics | Mapping[str, Metrics]) -> list[str]:
    if isinstance(metrics, Mapping):
        return [f"{name}_{output}" for output, inner in metrics.items() for name in inner.names]
    return list(metrics.names)


def describe_model(model: Layer) -> str:
    """Return a model in a line: a container by its number of layers, and its number of weights."""
    layers = model.named_layers().values()
    weights = sum(parameter.size for parameter in model.parameters())
    inner = sum(len(layer.named_layers()) == 1 for layer in layers)
    is_container = len(layers) > 1
    name = f"{type(model).__name__} of {_count(inner, 'layer')}" if is_container else shown(model)
    return f"{name}, {_count(weights, 'weight')}"


def describe_history(history: History) -> str:
    """Return the number of epochs, and the losses and metrics of the last one."""
    return repr(history).removeprefix("History(").removesuffix(")")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
