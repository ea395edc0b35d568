"""Tell whether the parts of a program have changed since it was lowered."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any

from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.optim import Optimizer

__all__ = ["fingerprint"]

# What the NumPy path leaves on layers, losses and optimizers, or a program reads in every call.
_TRANSIENT = {
    "_cache",
    "_first_trained",
    "_has_failed",
    "_last_forward",
    "_layout",
    "_lr",
    "_parameters",
    "_products",
    "_steps",
    "rng",
    "steps",
    "total_weight",
}


def fingerprint(model: Layer, loss: Loss, optimizer: Optimizer) -> Callable[[], bool]:
    """Return a function that tells whether all that a program was lowered from is the same."""
    layout = optimizer.layout
    others = [p for p in model.parameters() if p not in set(optimizer.params)]
    placements = [parameter.placement for parameter in others]
    parts_of_loss = [part for part in vars(loss).values() if isinstance(part, Loss)]
    owners: list[Any] = [*model.named_layers().values(), loss, *parts_of_loss, optimizer]
    classes = list(map(type, owners))
    names = list(map(_attributes, owners))
    # Reading dictionaries takes half the time of reading attributes, and every step does it.
    attributes = list(map(vars, owners))
    reading = [
        (itemgetter(*own), of_owner) for own, of_owner in zip(names, attributes, strict=True) if own
    ]
    before = [read(of_owner) for read, of_owner in reading]
    # A replaced method is a new attribute. Counting them is faster than looking at each.
    sizes = list(map(len, attributes))

    def is_current() -> bool:
        if (
            optimizer.layout is not layout
            or [parameter.placement for parameter in others] != placements
            or list(map(type, owners)) != classes
        ):
            return False
        if list(map(len, attributes)) != sizes:
            if list(map(_attributes, owners)) != names:
                return False
            sizes[:] = map(len, attributes)
        try:
            return [read(of_owner) for read, of_owner in reading] == before
        except (KeyError, ValueError):  # An attribute is gone, or an array is another.
            return False

    return is_current


def _attributes(owner: Any) -> list[str]:
    """Return the names of the attributes that a program depends on."""
    changing = _TRANSIENT | set(owner.state_names if isinstance(owner, Layer) else ())
    return sorted(vars(owner).keys() - changing)
