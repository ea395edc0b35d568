"""Trace runs: the model of a run, and what its loss and preprocessing make of the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

from nnlayers._core.arrays import FLOAT64, float_dtype
from nnlayers.data import Preprocessing
from nnlayers.export.program import Cast, Program, RunParts, Value
from nnlayers.export.shapes import InputShape, Probe
from nnlayers.export.tracing import Tracer, trace
from nnlayers.layer import Layer
from nnlayers.layers import Concatenate, Exp, Identity, Index, Mean, Negative, Sigmoid, Softmax
from nnlayers.losses import (
    EnsembleLoss,
    GaussianNLL,
    Loss,
    Poisson,
    SigmoidCrossEntropy,
    SoftmaxCrossEntropy,
)

__all__ = ["HasModel", "program_of"]

# What a loss for values decides from a model's output, as a layer of the output's width: see
# `Loss.decide`.
_DECISIONS: Mapping[type[Loss], Callable[[int], Layer]] = {
    GaussianNLL: lambda width: Index((..., slice(width // 2))),
    Poisson: lambda width: Exp(),
}


@runtime_checkable
class HasModel(Protocol):
    """A run: a trained model with its loss and its fitted preprocessing."""

    @property
    def model(self) -> Layer:
        """The model, from features to outputs."""

    @property
    def loss(self) -> Loss:
        """The loss, which decides what the outputs predict."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The encoding of raw rows as features, and the decoding of predictions."""

    @property
    def dtype(self) -> str:
        """The dtype of the features."""


def program_of(model_or_run: Layer | HasModel, input_shape: InputShape = None) -> Program:
    """Return the program of a model, see :func:`~nnlayers.export.tracing.trace`, or of a run.

    Raises
    ------
    TypeError
        If the argument is neither.
    ValueError
        If a layer or the loss cannot be exported, or a shape is given for a run.
    """
    if isinstance(model_or_run, Layer) or not isinstance(model_or_run, HasModel):
        return trace(model_or_run, input_shape)
    if input_shape is not None:
        raise ValueError("input_shape must be left out for a run, which says the width of its rows")
    return _trace_run(model_or_run)


def _trace_run(run: HasModel) -> Program:
    tracer = Tracer()
    rng = np.random.default_rng(0)
    small, large = (
        rng.normal(size=(rows, run.preprocessing.width)).astype(float_dtype(run.dtype))
        for rows in (2, 3)
    )
    for ids in run.preprocessing.ids:
        small[:, ids] = large[:, ids] = 0
    x = tracer.add_input(Probe("features", (small, large)))
    (scores,) = tracer.apply(run.model, "", [x])
    loss = run.loss
    if type(loss) is EnsembleLoss:  # The members of an ensemble decide together.
        scores, loss = tracer.record(Mean, Mean(axis=1), "members", [scores]), loss.loss
    probabilities = _probabilities(tracer, loss, scores)
    if run.preprocessing.classes:
        output = scores if probabilities is None else probabilities
    else:
        decision = _decision(loss, int(scores.shape[-1] or 0))
        output = tracer.record(type(decision), decision, "decision", [scores])
    parts = RunParts(run.preprocessing, scores, probabilities)
    return tracer.program(run.model, [x], [output], parts)


def _decision(loss: Loss, width: int) -> Layer:
    """Return the layer that does what a loss for values does to decide from outputs of a width."""
    for cls, make in _DECISIONS.items():
        if type(loss).decide is cls.decide:
            return make(width)
    if type(loss).decide is not Loss.decide:
        raise ValueError(f"{loss!r} cannot be exported, because it decides by code of its own")
    return Identity()


def _probabilities(tracer: Tracer, loss: Loss, scores: Value) -> Value | None:
    """Return the probability of each class; None for a loss whose outputs are not log-odds."""
    if not isinstance(loss, SoftmaxCrossEntropy | SigmoidCrossEntropy):
        return None

    def apply(layer: Any, *inputs: Value) -> Value:
        return tracer.record(type(layer), layer, "probabilities", inputs)

    wide = scores if scores.dtype == FLOAT64 else apply(Cast(FLOAT64), scores)
    if isinstance(loss, SoftmaxCrossEntropy):
        return apply(Softmax(), wide)
    return apply(Concatenate(), apply(Sigmoid(), apply(Negative(), wide)), apply(Sigmoid(), wide))
