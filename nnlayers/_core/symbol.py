"""Stand-ins for arrays in expressions, such as the nodes of a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

__all__ = ["S", "Symbol"]

S = TypeVar("S")


class Symbol(ABC, Generic[S]):
    """Base of objects with which a layer can be called in place of arrays.

    Its type argument is the class of the result of such a call.
    """

    @abstractmethod
    def apply(self, layer: Any, inputs: Sequence[Any]) -> S:
        """Return the symbol of ``layer.forward(*inputs)``, of which this one is an input."""
