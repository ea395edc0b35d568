"""Gradients that the optimizer does not consume, which would add up from step to step."""

from __future__ import annotations

from nnlayers._core.showing import shown
from nnlayers.layer import Layer, Parameter
from nnlayers.optim import Optimizer

__all__ = ["discard_gradients", "refuse_replaced", "split_parameters"]


def split_parameters(model: Layer, optimizer: Optimizer) -> tuple[list[Parameter], list[Parameter]]:
    """Return the model's parameters that the optimizer moves, and those that it does not.

    It does not move those that are frozen, or that it does not hold.

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
    moved = [p for p in named.values() if id(p) in optimized and p.trainable]
    return moved, [p for p in named.values() if id(p) not in optimized or not p.trainable]


def refuse_replaced(model: Layer, optimizer: Optimizer) -> None:
    """Raise ``ValueError`` if the model has another parameter in the place of an optimizer's.

    The gradients are discarded then.
    """
    try:
        split_parameters(model, optimizer)
    except ValueError:
        discard_gradients(model, optimizer)
        raise


def discard_gradients(model: Layer, optimizer: Optimizer) -> None:
    """Set all gradients to zero."""
    for parameter in (*model.parameters(), *optimizer.params):
        parameter.zero_grad()
