"""Checks of what a trainer is given."""

from __future__ import annotations

from nnlayers.layer import Layer, Parameter
from nnlayers.optim import Optimizer

__all__ = ["check_kind", "parameters_not_moved"]


def check_kind(name: str, value: object, kind: type) -> None:
    """Raise ``TypeError`` unless `value` is of a class.

    Examples
    --------
    >>> check_kind("optimizer", 3, Optimizer)
    Traceback (most recent call last):
    TypeError: optimizer must be an Optimizer, got 3
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {value!r}")


def parameters_not_moved(model: Layer, optimizer: Optimizer) -> list[Parameter]:
    """Return the model's parameters that the optimizer leaves alone: frozen or not its own.

    Raises
    ------
    ValueError
        If the optimizer holds none of the model's, or others in their stead.
    """
    named = model.named_parameters()
    own, held = ({id(p) for p in params} for params in (named.values(), optimizer.params))
    if not own & held:
        raise ValueError(f"optimizer holds no parameter of the model, got {optimizer!r}")
    left_out = [name for name, p in named.items() if p.trainable and id(p) not in held]
    if left_out and not held <= own:
        raise ValueError(
            f"optimizer must hold the model's parameter {left_out[0]!r}, got one that is not the "
            "model's: after a parameter is replaced, make the optimizer anew"
        )
    return [p for p in named.values() if id(p) not in held or not p.trainable]
