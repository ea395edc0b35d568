"""Graphs of several inputs or outputs, whose arrays, losses and metrics are given by name."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_instance, check_number, unknown_name
from nnlayers._core.naming import check_unique
from nnlayers._core.showing import shown
from nnlayers.graphs import Graph
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.training.metrics import EpochMeter, Metrics, measure_output
from nnlayers.training.rows import (
    Arrays,
    Rows,
    as_numbers,
    check_lengths,
    named_arrays,
    row_weight,
)
from nnlayers.training.state import join_states, split_state
from nnlayers.training.task import Task

__all__ = ["make_task"]


def make_task(model: Layer, loss: Any, metrics: Any, loss_weights: Any) -> Task:
    """Return the task of a trainer's arguments.

    Raises
    ------
    TypeError, ValueError
        If the arguments do not fit the model's inputs and outputs or each other.
    """
    check_instance("model", model, Layer)
    if isinstance(loss, Mapping):
        if not isinstance(model, Graph):
            raise TypeError(
                f"loss must be a Loss, got {shown(loss)}: only a Graph has losses by output"
            )
        return TaskByOutput(model, loss, metrics, loss_weights)
    if loss_weights is not None:
        raise TypeError(
            f"loss_weights needs a loss that is a dictionary by output, got the loss {shown(loss)}"
        )
    if isinstance(model, Graph):
        if len(model.outputs) > 1:
            known = ", ".join(map(repr, _output_names(model)))
            raise TypeError(f"loss must be a dictionary by output, of {known}, got {shown(loss)}")
        if len(model.inputs) > 1 or not model.single:
            return TaskByInput(model, loss, metrics)
        return TaskOfGraph(model, loss, metrics)
    return Task(model, loss, metrics)


class TaskOfGraph(Task):
    """A graph of one input and one output, whose input may be given by its name."""

    def inputs(self, X: Any, name: str) -> Array:
        if isinstance(X, Mapping):
            names = [str(node.own_name) for node in self.model.inputs]
            (X,) = _by_name(name, "input", X, names).values()
        inputs: Array = super().inputs(X, name)
        return inputs

    def batch(self, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        return self.inputs(x, "x") if isinstance(x, Mapping) else x, y, sample_weight


class TaskByInput(Task):
    """A graph of several inputs and one output, with the loss and the metrics of its output."""

    def __init__(self, model: Graph, loss: Any, metrics: Any) -> None:
        self.input_names = [str(node.own_name) for node in model.inputs]
        super().__init__(model, loss, metrics)

    def network_of(self, model: Any) -> Any:
        return NetworkByName(model)

    def inputs(self, X: Any, name: str) -> Arrays:
        arrays = _by_name(name, "input", X, self.input_names)
        return Arrays(
            {key: as_numbers(f"{name}[{key!r}]", x, self.dtype) for key, x in arrays.items()}
        )

    def batch(self, x: Any, y: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
        inputs, targets = self.inputs(x, "x"), self.targets(y, "y")
        check_lengths(named_arrays("x", inputs) | named_arrays("y", targets))
        return inputs, targets, self.weights(sample_weight, len(inputs))


class TaskByOutput(TaskByInput):
    """A graph of several outputs, with a loss and metrics for each."""

    def __init__(self, model: Graph, loss: Mapping[str, Loss], metrics: Any, weights: Any) -> None:
        self.output_names = _output_names(model)
        losses = _by_name("loss", "output", loss, self.output_names)
        super().__init__(model, LossByOutput(losses, weights), metrics)
        self.loss_weights = self.loss.weights

    def network_of(self, model: Any) -> Any:
        return NetworkByName(model, self.output_names)

    def resolve(self, metrics: Any) -> dict[str, Metrics]:
        if isinstance(metrics, list | tuple) and not metrics:
            metrics = {}
        if not isinstance(metrics, Mapping):
            raise TypeError(
                "metrics must be a dictionary by output, such as "
                f"{{{self.output_names[0]!r}: ['accuracy']}}, got {shown(metrics)}"
            )
        _check_known("metrics", "output", metrics, self.output_names)
        resolved: dict[str, Metrics] = {}
        for name, loss in self.loss.losses.items():
            try:
                resolved[name] = Metrics(metrics.get(name, ()), loss)
            except (TypeError, ValueError) as error:
                raise _output_error(name, error) from error
        columns = [f"loss_{name}" for name in self.output_names]
        columns += [f"{metric}_{name}" for name, own in resolved.items() for metric in own.names]
        if len(set(columns)) < len(columns):
            column = Counter(columns).most_common(1)[0][0]
            raise ValueError(
                f"metrics and losses must have different names, got {shown(column)} twice"
            )
        return resolved

    def targets(self, y: Any, name: str) -> Arrays:
        arrays = _by_name(name, "output", y, self.output_names)
        return Arrays({key: as_numbers(f"{name}[{key!r}]", t) for key, t in arrays.items()})

    def weights(self, sample_weight: Any, rows: int) -> Arrays | None:
        if sample_weight is None:
            return None
        if not isinstance(sample_weight, Mapping):
            sample_weight = dict.fromkeys(self.output_names, sample_weight)
        _check_known("sample_weight", "output", sample_weight, self.output_names)
        weights = {}
        for name, loss in self.loss.losses.items():
            try:
                weights[name] = row_weight(sample_weight.get(name), rows, loss)
            except (TypeError, ValueError) as error:
                raise _output_error(name, error) from error
        return Arrays(weights)

    def classes(self, rows: Rows) -> Array | None:
        for name, loss in self.loss.losses.items():
            if loss.targets == "classes":
                classes: Array = rows.y.by_name[name]
                return classes
        return None

    def meter(self) -> MeterByOutput:
        return MeterByOutput(self.loss, self.metrics)

    def measure_output(self, output: Any, y: Any, weight: Any) -> dict[str, float]:
        results = {}
        for name, loss, p, t, w in self.loss.parts(output, y, weight):
            try:
                results[name] = measure_output(loss, self.metrics[name], p, t, w)
            except (TypeError, ValueError) as error:
                raise _output_error(name, error) from error
        columns: dict[str, float] = self.loss.join(results)
        return columns

    def predict(self, X: Any) -> dict[str, Array]:
        return dict(super().predict(X).by_name)


class NetworkByName:
    """A graph that takes :class:`Arrays` by input and, given names of outputs, returns them too."""

    def __init__(self, graph: Graph, output_names: Sequence[str] | None = None) -> None:
        self._graph = graph
        self._output_names = output_names

    def forward(self, x: Arrays) -> Any:
        """Return the output, or outputs by name."""
        return self._named(self._graph.forward(*x))

    def predict(self, x: Arrays) -> Any:
        """Return the output for inference, or outputs by name."""
        return self._named(self._graph.predict(*x))

    def backward_parameters(self, dout: Any) -> None:
        """Run the graph's ``backward``."""
        self._graph.backward(*([dout] if self._output_names is None else dout))

    def _named(self, y: Any) -> Any:
        outputs = y if isinstance(y, tuple) else (y,)
        if self._output_names is None:
            return outputs[0]
        return Arrays(dict(zip(self._output_names, outputs, strict=True)))


class LossByOutput:
    r"""Weighted sum of the losses of several outputs, :math:`\sum_o w_o \ell_o`.

    Attributes
    ----------
    losses : dict of str to Loss
        The losses by output.
    weights : dict of str to float
        Their weights, which may change from step to step.
    """

    def __init__(self, losses: Mapping[str, Any], weights: Mapping[str, float] | None) -> None:
        seen: list[Loss] = []
        self.losses: dict[str, Loss] = {}
        for name, loss in losses.items():
            check_instance(f"loss[{name!r}]", loss, Loss)
            # A loss caches what its backward needs, and so each output needs another one.
            self.losses[name] = copy.copy(loss) if any(loss is other for other in seen) else loss
            seen.append(loss)
        if not isinstance(weights, Mapping | None):
            raise TypeError(f"loss_weights must be a dictionary by output, got {shown(weights)}")
        _check_known("loss_weights", "output", weights or {}, self.losses)
        self.weights = dict.fromkeys(self.losses, 1.0)
        for name, weight in (weights or {}).items():
            self.weights[name] = check_number(f"loss_weights[{name!r}]", weight, minimum=0)

    def forward(self, output: Arrays, y: Arrays, weight: Arrays | None) -> float:
        """Return the weighted sum."""
        self.values = {}
        for name, loss, p, t, w in self.parts(output, y, weight):
            try:
                self.values[name] = loss.forward(p, t, w)
            except (TypeError, ValueError) as error:
                raise _output_error(name, error) from error
        return self.total(self.values)

    def backward(self) -> list[Array]:
        """Return the gradients of the outputs, in their order."""
        gradients = []
        for name, loss in self.losses.items():
            weight, gradient = self.weights[name], loss.backward()
            # An output of weight 0 gets a gradient of 0, even where that of its loss is infinite.
            gradients.append(gradient * weight if weight else np.zeros_like(gradient))
        return gradients

    def parts(
        self, output: Arrays, y: Arrays, weight: Arrays | None
    ) -> Iterator[tuple[str, Loss, Array, Array, Array | None]]:
        """Yield the name of each output, its loss and the arguments of that."""
        for name, loss in self.losses.items():
            w = None if weight is None else weight.by_name[name]
            yield name, loss, output.by_name[name], y.by_name[name], w

    def total(self, values: Mapping[str, float]) -> float:
        """Return the weighted sum of the losses of all outputs."""
        return sum((w * values[name] for name, w in self.weights.items() if w), 0.0)

    def join(self, results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        """Return the weighted sum, and the losses and metrics of all outputs by column."""
        total = self.total({name: result["loss"] for name, result in results.items()})
        return {"loss": total} | _columns(results)


class MeterByOutput:
    """Loss and metrics of an epoch for each output, see :class:`EpochMeter`."""

    def __init__(self, loss: LossByOutput, metrics: Mapping[str, Metrics]) -> None:
        self._loss = loss
        self._meters = {name: EpochMeter(part, metrics[name]) for name, part in loss.losses.items()}

    def add(self, value: float, output: Arrays, y: Arrays, weight: Arrays | None) -> None:
        """Add a batch right after the loss's forward pass."""
        for name, _, p, t, w in self._loss.parts(output, y, weight):
            self._meters[name].add(self._loss.values[name], p, t, w)

    def state_dict(self) -> dict[str, Array]:
        """Return what was added so far, as arrays by name."""
        return join_states({str(i): meter for i, meter in enumerate(self._meters.values())})

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the state that :meth:`state_dict` returned."""
        parts, _ = split_state(state, map(str, range(len(self._meters))))
        for meter, part in zip(self._meters.values(), parts.values(), strict=True):
            meter.load_state_dict(part)

    def result(self) -> dict[str, float]:
        """Return the weighted sum, and the losses and metrics of all outputs by column."""
        return self._loss.join({name: meter.result() for name, meter in self._meters.items()})


def _output_names(graph: Graph) -> list[str]:
    """Return the names of a graph's outputs; raise an error if one occurs twice."""
    names = graph.names
    return check_unique([names[graph.nodes.index(output)] for output in graph.outputs])


def _by_name(name: str, kind: str, values: Any, known: Sequence[str]) -> dict[str, Any]:
    """Return a user's values for all inputs or outputs by their names, in order.

    Raises
    ------
    TypeError
        If the values are neither a dictionary nor as many as there are names.
    ValueError
        If a name is unknown or missing, or there are more or fewer values.
    """
    if isinstance(values, Mapping):
        _check_known(name, kind, values, known)
        missing = ", ".join(repr(key) for key in known if key not in values)
        if missing:
            raise ValueError(f"{name}: missing {kind} {missing}")
        return {key: values[key] for key in known}
    if len(known) == 1:
        return {known[0]: values}
    names = ", ".join(map(repr, known))
    if not isinstance(values, tuple | list):
        raise TypeError(
            f"{name} must be a dictionary by {kind}, of {names}, or a tuple in this order, "
            f"got {type(values).__name__}"
        )
    if len(values) != len(known):
        raise ValueError(f"{name} must have one entry for each of {names}, got {len(values)}")
    return dict(zip(known, values, strict=True))


def _check_known(name: str, kind: str, values: Mapping[Any, Any], known: Iterable[str]) -> None:
    for key in values:
        if key not in known:
            raise ValueError(f"{name}: {unknown_name(kind, key, known)}")


def _columns(results: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return the losses of all outputs, then their metrics, by column of the history."""
    names = [(metric, output) for output, result in results.items() for metric in result]
    names.sort(key=lambda pair: pair[0] != "loss")
    return {f"{metric}_{output}": results[output][metric] for metric, output in names}


def _output_error(name: str, error: Exception) -> Exception:
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"output {name!r}: {error}")
