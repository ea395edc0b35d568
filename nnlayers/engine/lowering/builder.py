"""Lower layers, losses and optimizers to the instructions of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import isfunction
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.engine.errors import UnsupportedError
from nnlayers.engine.kernel import Kernel
from nnlayers.engine.kernels.affine import add_bias
from nnlayers.engine.products import find_gemm
from nnlayers.engine.program import Buffer, KernelCall
from nnlayers.layer import Layer, Parameter
from nnlayers.losses import Loss

__all__ = [
    "Draw",
    "ProgramBuilder",
    "State",
    "Targets",
    "UnsupportedError",
    "lower_layer",
    "lower_loss",
    "lowers",
    "lowers_loss",
    "replaced_method",
    "unknown_layer",
    "unknown_loss",
]

LayerLowering: TypeAlias = Callable[..., Buffer]
LossLowering: TypeAlias = Callable[["ProgramBuilder", Any, Buffer, "Targets"], None]
_LAYERS: dict[type, LayerLowering] = {}
_LOSSES: dict[type, LossLowering] = {}


def lowers(cls: type[Layer]) -> Callable[[LayerLowering], LayerLowering]:
    """Register a function that adds the instructions of a layer and returns its output."""

    def register(function: LayerLowering) -> LayerLowering:
        _LAYERS[cls] = function
        return function

    return register


def unknown_layer(model: Layer) -> str | None:
    """Return a description of the first layer, in the order of the model, that is unknown."""
    problems = map(_problem_of, model.named_layers().values())
    return next((problem for problem in problems if problem is not None), None)


def _problem_of(layer: Layer) -> str | None:
    if type(layer) not in _LAYERS:
        return f"the layer {type(layer).__name__}"
    return replaced_method(layer)


def replaced_method(part: Any) -> str | None:
    """Return a description of the first method of a part that an attribute of it replaces."""
    cls = type(part)
    names = (name for name in vars(part) if isfunction(getattr(cls, name, None)))
    return next((f"the replaced method {name!r} of {cls.__name__}" for name in names), None)


def lower_layer(build: ProgramBuilder, layer: Layer, *inputs: Buffer) -> Buffer:
    """Add the instructions of a layer, of exactly a known class; return its output.

    Raises
    ------
    UnsupportedError
        If the layer, or one within, is unknown.
    """
    problem = _problem_of(layer)
    if problem is not None:
        raise UnsupportedError(problem)
    build.open_group()
    return _LAYERS[type(layer)](build, layer, *inputs)


@dataclass(eq=False)
class Targets:
    """The targets of a batch, and where a loss writes what it computes.

    Attributes
    ----------
    shape : tuple of int
        The shape of one row of the targets.
    dtype : numpy.dtype
        Their dtype, as the user gave them.
    weight : Buffer
        The weight of each row in float64; without sample weights it has no entries.
    result : Buffer
        Two float64, the loss and the divisor of its mean (``loss.total_weight``).
    allocate : callable
        Returns memory for a batch of the data, by the shape of a row and its dtype.
    buffer : Buffer or None
        The targets as the loss reads them.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weight: Buffer
    result: Buffer
    allocate: Callable[[tuple[int, ...], Any], Buffer]
    buffer: Buffer | None = None

    def read_as(self, dtype: type) -> Buffer:
        """Return the targets, which the program will find converted to a dtype."""
        self.buffer = self.allocate(self.shape, np.dtype(dtype))
        return self.buffer


@dataclass(eq=False)
class Draw:
    """Random numbers of each step, as the NumPy path draws them from a layer's generator."""

    buffer: Buffer
    layer: Any
    draw: Callable[[np.random.Generator, int], Array]


@dataclass(eq=False)
class State:
    """An array of a layer's state that a program changes."""

    layer: Layer
    name: str
    array: Array


def lowers_loss(cls: type[Loss]) -> Callable[[LossLowering], LossLowering]:
    """Register a function that adds the instructions of a loss and of its gradient."""

    def register(function: LossLowering) -> LossLowering:
        _LOSSES[cls] = function
        return function

    return register


def unknown_loss(loss: Loss) -> str | None:
    """Return a description of what is unknown of a loss and the losses that it is made of."""
    if type(loss) not in _LOSSES:
        return f"the loss {type(loss).__name__}"
    parts = [part for part in vars(loss).values() if isinstance(part, Loss)]
    return replaced_method(loss) or next(filter(None, map(unknown_loss, parts)), None)


def lower_loss(build: ProgramBuilder, loss: Loss, prediction: Buffer, targets: Targets) -> None:
    """Add the instructions of a loss, of exactly a known class.

    Raises
    ------
    UnsupportedError
        If the loss is unknown, or these are not targets that it takes.
    """
    problem = unknown_loss(loss)
    if problem is not None:
        raise UnsupportedError(problem)
    _LOSSES[type(loss)](build, loss, prediction, targets)


class ProgramBuilder:
    """Instructions of one step, collected layer by layer.

    Parameters
    ----------
    dtype : numpy.dtype
        The program's dtype.
    batch_size : int
        The largest number of rows in a step.
    trained : iterable of Parameter
        The parameters that need a gradient.
    is_training : bool or None
        The mode of all layers; None takes that of each.
    """

    def __init__(
        self,
        dtype: np.dtype[Any],
        batch_size: int,
        trained: Iterable[Parameter] = (),
        is_training: bool | None = None,
    ) -> None:
        self.dtype = dtype
        self.batch_size = batch_size
        self.is_training = is_training
        self.forward_instructions: list[KernelCall] = []
        self.final_instructions: list[KernelCall] = []
        self.draws: list[Draw] = []
        self.states: list[State] = []
        self._backward_groups: list[list[KernelCall]] = []
        self._trained = {id(parameter) for parameter in trained}
        self._seen: set[int] = set()
        # The dtype in which the NumPy path computes up to the first layer with parameters.
        self.first_dtype: np.dtype[Any] = dtype
        gemm = find_gemm()
        if gemm is None:
            raise UnsupportedError("the BLAS of this NumPy, whose matrix products are not found")
        self.gemm = gemm.single if dtype == np.float32 else gemm.double
        self.blas = gemm

    def rows(self, shape: tuple[int, ...], dtype: Any = None, needs_grad: bool = False) -> Buffer:
        """Return memory for a batch, with a gradient if `needs_grad`."""
        memory = np.zeros((self.batch_size, *shape), self.dtype if dtype is None else dtype)
        grad = self.rows(shape) if needs_grad else None
        return Buffer(memory, shape, grad=grad)

    def like(self, x: Buffer) -> Buffer:
        """Return memory for an output of x's shape, which shares its gradient with x.

        The backward kernel turns the gradient of the output into that of the input in place.
        """
        return Buffer(np.zeros_like(x.memory), x.shape, grad=x.grad)

    def forward(self, kernel: Kernel[Any, Any], *operands: Any) -> None:
        """Add a kernel to the forward pass."""
        self.forward_instructions.append(KernelCall(kernel, operands))

    def take_bias(self, x: Buffer) -> Array | None:
        """Return the bias that the last instruction adds to x, which is then left to the caller.

        One pass over memory does both. What x was before is needed nowhere else, so that the caller
        may overwrite it. Without such an instruction, return None.
        """
        last = self.forward_instructions[-1:]
        if not last or last[0].kernel is not add_bias or last[0].operands[0] is not x:
            return None
        bias: Array = self.forward_instructions.pop().operands[1]
        return bias

    def backward(self, kernel: Kernel[Any, Any], *operands: Any) -> None:
        """Add a kernel to the backward pass.

        The kernels of one layer run in the order in which they are added, the layers in reverse.
        """
        self._backward_groups[-1].append(KernelCall(kernel, operands))

    def take_backward(self, kernel: Kernel[Any, Any], *operands: Any) -> bool:
        """Remove the last instruction of the layer before, and return whether it was this one.

        The caller adds one that does the work of both.
        """
        before = self._backward_groups[-2] if len(self._backward_groups) > 1 else []
        if before[-1:] != [KernelCall(kernel, operands)]:
            return False
        before.pop()
        return True

    def after_backward(self, kernel: Kernel[Any, Any], *operands: Any) -> None:
        """Add a kernel that runs after the backward pass of all layers."""
        self._backward_groups.insert(0, [KernelCall(kernel, operands)])

    def finally_(self, kernel: Kernel[Any, Any], *operands: Any) -> None:
        """Add a kernel that changes what outlives the step, such as running statistics.

        It runs after all that may stop the step.
        """
        self.final_instructions.append(KernelCall(kernel, operands))

    def draw(
        self,
        layer: Any,
        shape: tuple[int, ...],
        dtype: Any,
        draw: Callable[[np.random.Generator, int], Array],
    ) -> Buffer:
        """Return random numbers of shape ``(rows, *shape)``, which ``draw(layer.rng, rows)`` draws.

        They are drawn before a program runs some steps, by the calls that the NumPy path makes, in
        its order; a kernel only reads them.
        """
        memory = np.zeros((1, self.batch_size, *shape), dtype)
        buffer = Buffer(memory, shape, stride=memory.nbytes)
        self.draws.append(Draw(buffer, layer, draw))
        return buffer

    def state(self, layer: Layer, name: str) -> Array:
        """Return an array of a layer's state, which kernels of the final instructions may change.

        It is copied from the layer before a program runs some steps, and given to the layer as a
        new array afterwards, because ``predict`` in another thread may be reading the old one.
        """
        array = np.array(getattr(layer, name))
        self.states.append(State(layer, name, array))
        return array

    def open_group(self) -> None:
        """Let the following backward kernels run before those added so far."""
        self._backward_groups.append([])

    @property
    def backward_instructions(self) -> list[KernelCall]:
        """The backward pass, from the last layer to the first."""
        return [instruction for group in reversed(self._backward_groups) for instruction in group]

    def trains(self, layer: Layer) -> bool:
        """Return whether a layer is in training mode."""
        return layer.training if self.is_training is None else self.is_training

    def reaches(self, parameter: Parameter) -> bool:
        """Return whether the backward pass writes the gradient of a parameter."""
        return id(parameter) in self._seen

    @property
    def has_parameters(self) -> bool:
        """Whether a layer lowered so far has parameters."""
        return bool(self._seen)

    def gradient(self, parameter: Parameter | None) -> Array | None:
        """Return the memory of a parameter's gradient, or None if it is not trained.

        Raises
        ------
        UnsupportedError
            If the parameter was asked for before: the gradients of its uses would have to be added.
        """
        if parameter is None:
            return None
        if id(parameter) in self._seen:
            raise UnsupportedError(f"the parameter {parameter!r}, which is used twice")
        self._seen.add(id(parameter))
        return parameter.placement.grad if id(parameter) in self._trained else None
