"""Describe what must be the same when a fit is resumed, and say what differs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.archives import one_line
from nnlayers._core.fingerprint import data_fingerprint
from nnlayers.graphs import Graph
from nnlayers.layer import Layer
from nnlayers.optim import Optimizer
from nnlayers.training.rows import Rows, named_arrays

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = [
    "check_same_settings",
    "describe_array",
    "describe_rows",
    "describe_training",
    "describe_value",
    "dump_settings",
    "load_settings",
]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+", re.IGNORECASE)


def describe_training(trainer: Trainer) -> dict[str, str]:
    """Return the model, the loss, the optimizer and the callbacks of a trainer as texts by name."""
    callbacks = [type(callback).__name__ for callback in trainer.callbacks]
    # Checkpoints of earlier versions do not have it.
    clip_value = {} if trainer.clip_value is None else {"clip_value": str(trainer.clip_value)}
    return {
        **_describe_model(trainer.model),
        "loss": describe_value(trainer.loss),
        "optimizer": _describe_optimizer(trainer.optimizer),
        "clip_norm": str(trainer.clip_norm),
        **clip_value,
        "callbacks": ", ".join(callbacks) or "none",
    }


def describe_rows(names: tuple[str, str, str], rows: Rows) -> dict[str, str]:
    """Return inputs, targets and weights, by these names, as texts."""
    parts = dict(zip(names, (rows.X, rows.y, rows.weight), strict=True))
    arrays: dict[str, Any] = {}
    for name, part in parts.items():
        arrays |= named_arrays(name, part)
    return {name: describe_array(array) for name, array in arrays.items()}


def describe_array(array: Any) -> str:
    """Return the dtype, the shape and a fingerprint of an array or a sparse matrix.

    Examples
    --------
    >>> describe_array(np.zeros((2, 3)))
    'float64 of shape (2, 3) with the fingerprint 9de080d9c5b4d593'
    """
    if array is None:
        return "none"
    is_sparse = not isinstance(array, np.ndarray)
    parts = [array.data, array.indices, array.indptr] if is_sparse else [array]
    kind = f"{'sparse ' if is_sparse else ''}{array.dtype} of shape {array.shape}"
    return f"{kind} with the fingerprint {data_fingerprint(parts)[:16]}"


def describe_value(value: Any) -> str:
    """Return the repr of a value on one line, without addresses.

    Examples
    --------
    >>> describe_value([object()])
    '[<object object>]'
    """
    return " ".join(_ADDRESS.sub("", repr(value)).split())


def check_same_settings(now: Mapping[str, str], was: Mapping[str, str], source: object) -> None:
    """Raise ``ValueError`` that names the first setting that differs from that of a checkpoint."""
    for name in [*now, *was]:
        new, old = now.get(name, "none"), was.get(name, "none")
        if new != old:
            raise ValueError(
                f"resume: {name} is {one_line(new)}, but {one_line(old)} in {source}; model, loss, "
                "optimizer, callbacks, data and batch size must be the same to continue"
            )


def dump_settings(settings: Mapping[str, str]) -> npt.NDArray[np.str_]:
    """Return settings as JSON text in an array."""
    return np.array(json.dumps(settings))


def load_settings(array: npt.ArrayLike) -> dict[str, str]:
    """Return the settings of :func:`dump_settings`.

    Raises
    ------
    ValueError
        If it is something else.
    """
    try:
        settings = json.loads(str(np.asarray(array)))
    except RecursionError as error:
        raise ValueError(f"settings must be a table: {error}") from None
    if not isinstance(settings, dict):
        raise ValueError("settings must be a table")
    return settings


def _describe_model(model: Layer) -> dict[str, str]:
    """Return the layers of a model and the names of the nodes of graphs."""
    layers = model.named_layers()
    described = {}
    for name, layer in layers.items():
        is_container = len(layer.named_layers()) > 1
        text = type(layer).__name__ if is_container else describe_value(layer)
        if isinstance(layer, Graph):
            text += f" of {_describe_nodes(layer)}"
        described[f"model[{name!r}]" if name else "model"] = text
    dtypes = sorted({str(parameter.dtype) for parameter in model.parameters()})
    return described | {"dtype": ", ".join(dtypes) or "none"}


def _describe_nodes(graph: Graph) -> str:
    """Return the nodes of a graph, each with those that it is computed from."""
    names = dict(zip(map(id, graph.nodes), graph.names, strict=True))
    parents = [", ".join(names[id(parent)] for parent in node.parents) for node in graph.nodes]
    return ", ".join(f"{name}({of})" for name, of in zip(names.values(), parents, strict=True))


def _describe_optimizer(optimizer: Optimizer) -> str:
    """Return the class of an optimizer with its public settings."""
    settings = {"lr": optimizer.schedule or optimizer.lr} | {
        name: value
        for name, value in vars(optimizer).items()
        if isinstance(value, bool | int | float | str | tuple)
        and not name.startswith("_")
        and name != "steps"
    }
    arguments = ", ".join(f"{name}={describe_value(value)}" for name, value in settings.items())
    return f"{type(optimizer).__name__}({arguments})"
