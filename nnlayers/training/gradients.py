"""Gradients that the optimizer does not consume, which would add up from step to step."""

from __future__ import annotations

from nnlayers._core.showing import shown
from nnlayers.layer import Layer, Parameter
from nnlayers.optim import Optimizer

__all__ = ["discard_gradients", "unoptimized_parameters"]


def unoptimized_parameters(model: Layer, optimizer: Optimizer) -> list[Parameter]:
    """Return the parameters of the model that are frozen or not held by the optimizer.

    Raises
    ------
    ValueError
        If the optimizer holds no parameter of the model, or parameters that have been replaced.
    """
    named = model.named_parameters()
    optimized = {id(parameter) for parameter in optimizer.params}
    models_own = {id(parameter) for parameter in named.values()}
    if not models_own & optimized:
        raise ValueError(f"optimizer must hold parameters of the model, got {shown(optimizer)}")
    left_out = [name for name, p in named.items() if p.trainable and id(p) not in optimized]
    if left_out and not optimized <= models_own:
        raise ValueError(
            f"optimizer must hold the model's parameter {left_out[0]!r}, got one that is not the "
            "model's: create the optimizer after replacing parameters"
        )
    return [p for p in named.values() if id(p) not in optimized or not p.trainable]


def discard_gradients(model: Layer, optimizer: Optimizer) -> None:
    """Set all gradients to zero."""
    for parameter in (*model.parameters(), *optimizer.params):
        parameter.zero_grad()
