"""Programs: models as flat lists of instructions, from which every format is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array, as_floats
from nnlayers.data import Preprocessing
from nnlayers.layer import Layer, Parameter

__all__ = ["Cast", "Instruction", "Program", "RunParts", "Value"]


@dataclass(frozen=True, eq=False)
class Value:
    """An array that a program reads or computes.

    Attributes
    ----------
    name : str
        Unique within the program. It may hold any characters that a user chose.
    shape : tuple of int or None
        The lengths of the axes; None for one that depends on the number of rows.
    dtype : numpy.dtype
        The dtype, float32 or float64 but for ids of embeddings, which are int64.
    content : ndarray, Parameter or None
        The array of a constant, the weight of a graph, or None if the value is computed.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    content: Array | Parameter | None = None

    @property
    def array(self) -> Array:
        """The array of a constant or weight."""
        content = self.content
        return content.value if isinstance(content, Parameter) else np.asarray(content)


class Cast:
    """Conversion to float32 or float64, which programs state where NumPy converts silently."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype

    def predict(self, x: Array) -> Array:
        """Return x in the dtype."""
        with np.errstate(over="ignore"):
            return as_floats(x, self.dtype)

    def __repr__(self) -> str:
        return f"Cast({self.dtype})"


@dataclass(frozen=True, eq=False)
class Instruction:
    """A layer of the library applied to values.

    Attributes
    ----------
    kind : type
        The class whose rule writes it: the layer's class, or the one of the library that a user's
        class is derived from without a change of the function.
    layer : Layer or Cast
        The layer, with its arguments and weights.
    path : str
        The name of the layer in the model, such as ``"0.2"``; empty for the model itself.
    inputs : tuple of Value
        All of the dtype in which the layer computes.
    output : Value
        The result.
    """

    kind: type
    layer: Any
    path: str
    inputs: tuple[Value, ...]
    output: Value


@dataclass(frozen=True)
class RunParts:
    """The parts of a run around its model.

    Attributes
    ----------
    preprocessing : Preprocessing
        The fitted preprocessing, whose features are the program's input, and whose targets are
        what the program predicts.
    scores : Value
        The model's output.
    probabilities : Value or None
        A column for each class; None for a target of values, and for a loss whose outputs are not
        log-odds.
    """

    preprocessing: Preprocessing
    scores: Value
    probabilities: Value | None


@dataclass(frozen=True)
class Program:
    """A model as instructions, each after those that compute its inputs.

    Attributes
    ----------
    model : Layer
        The model.
    inputs, outputs : tuple of Value
        What the program takes and returns. An output may be an input or a constant.
    output_names : tuple of str
        The names of the outputs for a user: those of a graph's nodes, otherwise ``"y"``.
    constants : tuple of Value
        Constants and weights of graphs; those of layers are attributes of the layers.
    instructions : tuple of Instruction
        All steps, each after those that compute its inputs.
    run : RunParts or None
        For a run, its preprocessing. The program then takes features and returns what the loss
        decides from: encoded targets, which ``preprocessing`` decodes.
    """

    model: Layer
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    output_names: tuple[str, ...]
    constants: tuple[Value, ...]
    instructions: tuple[Instruction, ...]
    run: RunParts | None = None
