"""Exchange models and weights with PyTorch, which is imported when one of these is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nnlayers._core.checks import check_instance, optional_library
from nnlayers._core.state import check_finite
from nnlayers.layer import Layer
from nnlayers.layers import Sequential

if TYPE_CHECKING:
    import torch

__all__ = ["from_torch", "from_torch_state", "to_torch", "to_torch_state"]


def to_torch(model: Layer) -> torch.nn.Module:
    """Convert a model to a PyTorch module with the same weights, which can be trained there.

    A :class:`~nnlayers.Sequential` becomes a ``torch.nn.Sequential``, each layer PyTorch's own
    module of the same function if there is one. The module is in evaluation mode, so that it
    gives what ``predict`` gives; ``module.train()`` before training. Frozen weights are frozen, and
    the weights are copies.

    Parameters
    ----------
    model : Layer
        The model, with weights of one dtype.

    Returns
    -------
    torch.nn.Module
        It takes the inputs of the model in their order, and returns its outputs.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.
    ValueError
        If a layer cannot be converted; the message names it and the reason.

    Examples
    --------
    ::

        module = nn.export.to_torch(nn.mlp([4, 8, 3], rng=0))
        module(torch.zeros(5, 4)).shape  # (5, 3)
        module.state_dict().keys()  # "0.weight", "0.bias", "2.weight", "2.bias"
    """
    return _torch("torch_writer").to_module(model)


def from_torch(module: torch.nn.Module, *, allow_nonfinite: bool = False) -> Sequential:
    """Convert a PyTorch module to layers with the same weights.

    Parameters
    ----------
    module : torch.nn.Module
        A ``torch.nn.Sequential``, nested ones too, or a single module.
    allow_nonfinite : bool
        Whether weights may be NaN or infinite.

    Returns
    -------
    Sequential
        Its layers are in the modes of the modules, and weights without ``requires_grad`` frozen.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.
    TypeError
        If the argument is not a module.
    ValueError
        If a module has no counterpart, or arguments that its counterpart does not have, or a weight
        is not finite; the message names it.

    Examples
    --------
    ::

        model = nn.export.from_torch(torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh()))
        model[0].W.shape  # (4, 3)
    """
    layers: Sequential = _torch("torch_reader").from_module(module)
    if not allow_nonfinite:
        check_finite(layers.state_dict())
    return layers


def to_torch_state(model: Layer) -> dict[str, torch.Tensor]:
    """Return the state dictionary of the PyTorch module that :func:`to_torch` makes of a model.

    Raises
    ------
    ModuleNotFoundError, ValueError
        As :func:`to_torch` does.
    """
    state: dict[str, torch.Tensor] = to_torch(model).state_dict()
    return state


def from_torch_state(
    model: Layer, state: Mapping[str, Any], *, allow_nonfinite: bool = False
) -> None:
    """Set a model's weights and state to those of its PyTorch module, after training there.

    Parameters
    ----------
    model : Layer
        The model.
    state : mapping of str to Tensor
        The state dictionary of a module like the one that :func:`to_torch` makes of the model.
    allow_nonfinite : bool
        Whether its entries may be NaN or infinite.

    Raises
    ------
    ModuleNotFoundError
        If PyTorch is not installed.
    ValueError
        If an entry is missing, unknown, of another shape or not finite; then nothing has changed.

    Examples
    --------
    ::

        module = nn.export.to_torch(model)
        ...  # Train the module.
        nn.export.from_torch_state(model, module.state_dict())
    """
    check_instance("state", state, Mapping)
    _torch("torch_writer").load_state(model, state, allow_nonfinite)


def _torch(name: str) -> Any:
    """Import a module of this room that needs PyTorch."""
    optional_library("torch", "torch")
    return optional_library(f"nnlayers.export.{name}", "torch")
