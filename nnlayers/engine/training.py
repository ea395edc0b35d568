"""Programs that train: many steps of a model, a loss and an optimizer in one call."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers.engine.batches import Batch, BatchKind
from nnlayers.engine.fingerprint import fingerprint
from nnlayers.engine.kernels import copying
from nnlayers.engine.kernels import optimizers as kernels
from nnlayers.engine.lowering import (
    ProgramBuilder,
    UnsupportedError,
    UpdateRule,
    input_dtype,
    lower_layer,
    lower_loss,
    lower_optimizer,
)
from nnlayers.engine.program import Buffer, KernelCall, KernelProgram
from nnlayers.layer import Layer, Parameter
from nnlayers.losses import Loss
from nnlayers.optim import Optimizer
from nnlayers.optim.base import drops_subnormals
from nnlayers.optim.clipping import GradientBounds

__all__ = ["TrainingProgram"]

Ints = npt.NDArray[np.int64]

# The most memory, in bytes, for what is prepared for, or stored of, the steps of one call.
CHUNK_BYTES = 1 << 23
# The most rows of all epochs of one call, so that their orders stay in the second-level cache.
ORDER_ROWS = 1 << 17


class _Update(NamedTuple):
    """The numbers that depend on the step, of weights that move alike."""

    rule: UpdateRule
    skipped: int
    lr_scale: float
    smallest: float
    buffer: Buffer

    def coefficients(self, lr: Any, steps: Any) -> tuple[Any, ...]:
        """Return those of the rule, and last the number below which the state is set to 0."""
        t = steps - self.skipped
        last = drops_subnormals(t) * self.smallest
        return *self.rule.coefficients(lr * self.lr_scale, t), last


class TrainingProgram:
    """A program of the steps of a model, a loss and an optimizer.

    Parameters
    ----------
    model, loss, optimizer
        The parts of the training.
    bounds : GradientBounds
        The bounds of the gradient.
    kind : BatchKind
        The batches to train on.

    Raises
    ------
    UnsupportedError
        If a part is unknown.
    """

    def __init__(
        self,
        model: Layer,
        loss: Loss,
        optimizer: Optimizer,
        bounds: GradientBounds,
        kind: BatchKind,
    ) -> None:
        self.loss, self.optimizer, self.kind = loss, optimizer, kind
        self.layout = optimizer.layout
        self.is_current = fingerprint(model, loss, optimizer)
        parameters = {*model.parameters(), *optimizer.params}
        dtypes = {parameter.dtype for parameter in parameters}
        if len(dtypes) > 1:
            raise UnsupportedError("parameters of different dtypes")
        self.dtype = dtypes.pop()
        self._build = build = ProgramBuilder(self.dtype, kind.batch_size, self.layout.trained)
        self._result = Buffer(np.zeros((1, 2)), (2,), stride=16)
        self._begins_epoch = Buffer(np.zeros((1, 1), np.int64), (1,), stride=8)
        self._batch = batch = Batch(kind, input_dtype(model, self.dtype), self._result)
        self.takes = batch.takes
        output = lower_layer(build, model, batch.x)
        lower_loss(build, loss, output, batch.targets)
        self._updates: list[_Update] = []
        instructions = [
            *(KernelCall(kernels.check_weights, (p, self._begins_epoch)) for p in self._weights),
            *batch.gathers(),
            *build.forward_instructions,
            *build.backward_instructions,
            *self._checks(bounds),
            *build.final_instructions,
            *self._outputs(output),
            *self._moves(),
        ]
        self.program = KernelProgram(instructions, self.dtype)
        self._parameters = list(dict.fromkeys((*model.parameters(), *self.layout.trained)))
        self._unreached = [p for p in self.layout.trained if not build.reaches(p)]
        self._capacity = 1
        self._max_steps = self._steps_in_memory()
        self._seconds: float | None = None
        self._source: tuple[Array | None, ...] = ()

    @property
    def _weights(self) -> list[Array]:
        """The weights of each run of the optimizer's layout."""
        return [run.values for run in self.layout.runs]

    def _checks(self, bounds: GradientBounds) -> Iterator[KernelCall]:
        """Yield the instructions that check the gradient and keep it within its bounds."""
        grads = self.layout.grads
        if bounds.norm is None:
            for g in grads:
                yield KernelCall(kernels.check_finite, (g,))
            for g in grads if bounds.value is not None else ():
                yield KernelCall(kernels.clip_entries, (g, bounds.value))
            return
        norms, scale = np.zeros(1), np.ones(1, self.dtype)
        for g in grads:
            yield KernelCall(kernels.add_squares, (g, norms))
        yield KernelCall(kernels.clip, (norms, bounds.norm, scale))
        for g in grads:
            yield KernelCall(kernels.scale_gradient, (g, scale))

    def _outputs(self, output: Buffer) -> Iterator[KernelCall]:
        """Yield the instruction that stores the model's output, if it is kept."""
        memory = output.memory[np.newaxis].copy()
        self._output = Buffer(memory, output.shape, stride=memory.nbytes)
        if self.kind.keeps_outputs:
            yield KernelCall(copying.copy, (output, self._output))

    def _moves(self) -> Iterator[KernelCall]:
        """Yield the instructions that move the weights, and note what they need in each step."""
        updates: dict[tuple[int, float, bool], _Update] = {}
        for run in self.layout.runs:
            settings = run.skipped, run.lr_scale, run.decay
            if settings not in updates:
                rule = lower_optimizer(self.optimizer, run.decay)
                width = len(rule.coefficients(0.0, 1)) + 1
                memory = np.zeros((1, width), self.dtype)
                buffer = Buffer(memory, (width,), stride=memory.nbytes)
                smallest = float(np.finfo(self.dtype).tiny)
                updates[settings] = _Update(rule, run.skipped, run.lr_scale, smallest, buffer)
            rule, buffer = updates[settings].rule, updates[settings].buffer
            yield KernelCall(rule.kernel, rule.operands(self.optimizer, run, buffer))
            if run.state:
                yield KernelCall(kernels.drop_subnormals, (buffer, *run.state))
        self._updates = list(updates.values())

    def _steps_in_memory(self) -> int:
        """Return the number of steps of one call whose draws and outputs fit in the memory."""
        sizes = [draw.buffer.stride for draw in self._build.draws]
        if self.kind.keeps_outputs:
            sizes.append(self._output.stride)
        return max(1, CHUNK_BYTES // max(sum(sizes), 128))

    def load(self, X: Array, y: Array, weight: Array | None) -> None:
        """Take the data that steps select their batches from, unless these arrays are loaded."""
        source = X, y, weight
        if list(map(id, source)) != list(map(id, self._source)):
            self._batch.load(self.program, X, y, weight)
            self._source = source
        self._build.first_dtype = self.dtype if X.dtype.kind == "f" else np.dtype(np.float64)

    def release_data(self) -> None:
        """Forget the data, so that its memory can be used otherwise."""
        self._source = ()
        self._batch.release(self.program)

    def steps_within(self, seconds: float) -> int:
        """Return the number of steps that a call of about so many seconds can do, at least 1."""
        if self._seconds is None:
            return 1
        return max(1, min(self._max_steps, int(seconds / self._seconds)))

    def epochs_within(self, seconds: float, rows: int) -> int:
        """Return the number of epochs that a call of about so many seconds can do, at least 1.

        It is 1 where Python computes something for each step, such as a learning rate.
        """
        if self._build.draws or self.kind.keeps_outputs or self.optimizer.scheduled:
            return 1
        steps = -(-rows // self.kind.batch_size)
        return max(1, min(self.steps_within(seconds) // steps, ORDER_ROWS // rows))

    def run_epochs(self, orders: Sequence[Ints]) -> int:
        """Train for epochs, each in its own order of the rows; return how many steps were done.

        Fewer are done where :meth:`run` does fewer, and where an epoch would begin with a weight
        that is NaN or infinite.
        """
        epochs, rows, size = len(orders), len(orders[0]), self.kind.batch_size
        steps = -(-rows // size)
        # Each epoch begins at a whole number of batches.
        order = np.zeros((epochs, steps * size), np.int64)
        order[:, :rows] = orders
        counts = np.full((epochs, steps), size)
        counts[:, -1] = rows - (steps - 1) * size
        self._reserve(epochs * steps)
        try:
            self._begins_epoch.memory[steps::steps] = 1
            return self.run(order.ravel(), counts.ravel())
        finally:
            self._begins_epoch.memory.fill(0)

    def run(self, order: Ints | slice, counts: Ints) -> int:
        """Train on batches of `counts` rows; return how many steps were done.

        Fewer are done than asked for where they would take too much memory, or where the NumPy path
        must do a step, because it raises an error there or adds to gradients that the user left.
        Nothing of such a step remains.

        Parameters
        ----------
        order : array of int, or slice
            The rows of all batches, one batch after another. All but the last batch of an epoch
            have the batch size of the program.
        counts : array of int
            The number of rows of each batch.
        """
        if Parameter.have_pending_grads(self._parameters):
            return 0
        counts = counts[: self._max_steps]
        lrs = self._learning_rates(len(counts))
        counts = counts[: len(lrs)]
        if not counts.size:
            return 0
        self._reserve(len(counts))
        self._set_coefficients(lrs)
        self._batch.select(self.program, order)
        for parameter in self._unreached:
            assert parameter.placement.grad is not None
            parameter.placement.grad.fill(0)
        for state in self._build.states:
            state.array[...] = getattr(state.layer, state.name)
        generators = self._draw(counts)
        start = time.perf_counter()
        done = self.program.run(counts)
        if done:
            self._seconds = (time.perf_counter() - start) / done
        if done < len(counts):
            _restore(generators)
            self._draw(counts[:done])
        self.optimizer.steps += done
        if done:
            for state in self._build.states:
                setattr(state.layer, state.name, state.array.copy())
            self.loss.total_weight = float(self._result.memory[done - 1, 1])
        return done

    def step(self, x: Array, y: Array, weight: Array | None) -> float | None:
        """Train on one batch that the program takes, and return its loss.

        Returns None, with nothing changed, where the NumPy path must do the step.
        """
        optimizer, batch = self.optimizer, self._batch
        if self._unreached or Parameter.have_pending_grads(self._parameters):
            return None
        if self._source:
            self.release_data()
        batch.fill(x, y, weight)
        lr, t = optimizer.lr, optimizer.steps + 1
        for update in self._updates:
            update.buffer.memory[0] = update.coefficients(lr, t)
        for state in self._build.states:
            state.array[...] = getattr(state.layer, state.name)
        generators = []
        if self._build.draws:
            self._build.first_dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
            generators = self._draw(batch.count)
        if not self.program.run(batch.count):
            _restore(generators)
            return None
        optimizer.steps = t
        for state in self._build.states:
            setattr(state.layer, state.name, state.array.copy())
        result = self._result.memory
        self.loss.total_weight = result.item(1)
        return float(result.item(0))

    def results(self, steps: int) -> tuple[Array, Array]:
        """Return copies of the losses of the last steps, and of the divisors of their means."""
        values, totals = self._result.memory[:steps].T.copy()
        return values, totals

    def outputs(self, rows: int) -> Array:
        """Return a copy of the outputs of the last steps, `rows` rows in all."""
        memory = self._output.memory
        return memory.reshape(-1, *self._output.shape)[:rows].copy()

    def _learning_rates(self, steps: int) -> Array:
        """Return the learning rates of the next steps, up to one that cannot be had."""
        optimizer = self.optimizer
        if not optimizer.scheduled:
            return np.full(steps, optimizer.lr)
        lrs: list[float] = []
        for step in range(optimizer.steps, optimizer.steps + steps):
            try:
                lrs.append(optimizer.lr_at(step))
            except Exception:  # The NumPy path raises it again, at its step.
                break
        return np.array(lrs)

    def _set_coefficients(self, lrs: Array) -> None:
        first = self.optimizer.steps + 1
        steps = np.arange(first, first + len(lrs))
        for update in self._updates:
            for column, values in enumerate(update.coefficients(lrs, steps)):
                update.buffer.memory[: len(lrs), column] = values

    def _draw(self, counts: Ints) -> list[tuple[np.random.Generator, Any]]:
        """Draw the random numbers of steps; return the generators with their states before."""
        draws = self._build.draws
        if not draws:
            return []
        generators = {id(draw.layer.rng): draw.layer.rng for draw in draws}
        before = [(rng, rng.bit_generator.state) for rng in generators.values()]
        for step, rows in enumerate(counts.tolist()):
            for draw in draws:
                draw.buffer.memory[step, :rows] = draw.draw(draw.layer.rng, rows)
        return before

    def _reserve(self, steps: int) -> None:
        """Make room for what is prepared for, and stored of, some steps."""
        if steps <= self._capacity:
            return
        capacity = min(2 * steps, self._max_steps)
        buffers = [self._result, self._begins_epoch, *(update.buffer for update in self._updates)]
        buffers += [draw.buffer for draw in self._build.draws]
        if self.kind.keeps_outputs:
            buffers.append(self._output)
        for buffer in buffers:
            shape = capacity, *buffer.memory.shape[1:]
            self.program.bind(buffer, np.zeros(shape, buffer.memory.dtype))
        self._capacity = capacity


def _restore(generators: list[tuple[np.random.Generator, Any]]) -> None:
    """Set generators back to an earlier state."""
    for generator, state in generators:
        generator.bit_generator.state = state
