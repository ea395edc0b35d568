"""Check gradients of layers and losses, and everything else that a layer promises."""

from nnlayers.testing.gradients import GradientError, LayerError, check_gradients
from nnlayers.testing.promises import check_layer

__all__ = ["GradientError", "LayerError", "check_gradients", "check_layer"]
