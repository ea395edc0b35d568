"""What a check raises."""

from __future__ import annotations

__all__ = ["GradientError", "LayerError"]


class LayerError(AssertionError):
    """A layer breaks one of the promises that every layer makes."""


class GradientError(LayerError):
    """A gradient differs from what differences of the outputs say."""
