"""Tell whether the parts of a program have changed since it was lowered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

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
    "_lr",
    "_parameters",
    "_products",
    "_steps",
    "rng",
    "steps",
    "total_weight",
}

# A copy of an owner's attributes, the attributes, and the name of one that is transient.
_Transient: TypeAlias = tuple[dict[str, Any], dict[str, Any], str]


def fingerprint(model: Layer, loss: Loss, optimizer: Optimizer) -> Callable[[], bool]:
    """Return a function that tells whether all that a program was lowered from is the same."""
    layout = optimizer.layout
    others = [p for p in model.parameters() if p not in set(optimizer.params)]
    placements = [parameter.placement for parameter in others]
    parts_of_loss = [part for part in vars(loss).values() if isinstance(part, Loss)]
    owners: list[Any] = [*model.named_layers().values(), loss, *parts_of_loss, optimizer]
    classes = list(map(type, owners))
    before = list(map(_lasting_attributes, owners))
    attributes = list(map(vars, owners))
    copies, transient = _copies(owners)

    def is_current() -> bool:
        nonlocal copies, transient
        if (
            optimizer.layout is not layout
            or (others and [parameter.placement for parameter in others] != placements)
            or list(map(type, owners)) != classes
        ):
            return False
        # Dictionaries are compared as wholes, which takes half the time of reading what is lasting.
        for copy, of_owner, name in transient:
            copy[name] = of_owner.get(name)
        try:
            if attributes == copies:
                return True
            if list(map(_lasting_attributes, owners)) != before:
                return False
        except ValueError:  # An array is another.
            return False
        copies, transient = _copies(owners)
        return True

    return is_current


def _lasting_attributes(owner: Any) -> dict[str, Any]:
    """Return the attributes that a program depends on; a replaced method is one of them."""
    changing = _transient_names(owner)
    return {name: value for name, value in vars(owner).items() if name not in changing}


def _copies(owners: list[Any]) -> tuple[list[dict[str, Any]], list[_Transient]]:
    """Return copies of all attributes, and those among them that no program depends on."""
    copies = [dict(vars(owner)) for owner in owners]
    transient = [
        (copy, vars(owner), name)
        for copy, owner in zip(copies, owners, strict=True)
        for name in copy.keys() & _transient_names(owner)
    ]
    return copies, transient


def _transient_names(owner: Any) -> set[str]:
    return _TRANSIENT | set(owner.state_names if isinstance(owner, Layer) else ())
