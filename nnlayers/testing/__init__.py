"""Checks of layers and losses of your own: their gradients, and all that a layer promises."""

from nnlayers.testing.errors import GradientError, LayerError
from nnlayers.testing.gradients import check_gradients
from nnlayers.testing.promises import check_layer

__all__ = ["GradientError", "LayerError", "check_gradients", "check_layer"]
