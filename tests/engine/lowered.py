"""Run one step of a model and a loss by kernels and on the NumPy path."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np

import nnlayers as nn
from nnlayers.engine.lowering.builder import ProgramBuilder, Targets, lower_layer, lower_loss
from nnlayers.engine.program import Buffer, KernelProgram


class Step(NamedTuple):
    """The results of a forward and a backward pass."""

    is_done: bool
    loss: float
    total_weight: float | None
    output: Any
    gradients: dict[str, Any]
    state: dict[str, Any]


def numpy_step(model, loss, x, y, weight=None) -> Step:
    """Return the results of the NumPy path, for a copy of the model."""
    model, loss = copy.deepcopy((model, loss))
    model.zero_grad()
    output = model.forward(x)
    value = loss.forward(output, y, weight)
    model.backward_parameters(loss.backward())
    return Step(True, value, loss.total_weight, output, *_after(model))


def kernel_step(model, loss, x, y, weight=None, *, compiled=True) -> Step:
    """Return the results of kernels, for a copy of the model."""
    model, loss = copy.deepcopy((model, loss))
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1) if model.parameters() else None
    dtype = model.parameters()[0].dtype if optimizer else x.dtype
    build = ProgramBuilder(np.dtype(dtype), len(x), optimizer.layout.trained if optimizer else ())
    x_dtype = np.int64 if x.dtype.kind in "iu" else dtype
    inputs = Buffer(np.ascontiguousarray(x, x_dtype), x.shape[1:])
    if optimizer is None:
        inputs.grad = build.rows(x.shape[1:])
    output = lower_layer(build, model, inputs)
    result = Buffer(np.full((1, 2), -1.0), (2,))
    w = np.empty((len(x), 0)) if weight is None else np.asarray(weight, np.float64)
    y = np.asarray(y)
    targets = Targets(y.shape[1:], y.dtype, Buffer(w, w.shape[1:]), result, build.rows)
    lower_loss(build, loss, output, targets)
    instructions = build.forward_instructions + build.backward_instructions
    program = KernelProgram(instructions + build.final_instructions, build.dtype, compiled=compiled)
    program.bind(targets.buffer, np.ascontiguousarray(y, targets.buffer.memory.dtype))
    for draw in build.draws:
        drawn = draw.draw(draw.layer.rng, len(x))
        draw.buffer.memory.reshape(drawn.shape)[...] = drawn
    for state in build.states:
        state.array[...] = getattr(state.layer, state.name)
    is_done = program.run(np.array([len(x)])) == 1
    for state in build.states:
        setattr(state.layer, state.name, state.array)
    value, total = result.memory[0].tolist()
    shape = (len(x), *output.shape)
    y_hat = output.origin.memory.ravel()[: np.prod(shape, dtype=int)].reshape(shape)
    after = _after(model)
    if optimizer is None:
        after = {"x": inputs.grad.memory.copy()}, {}
    return Step(is_done, value, total, y_hat, *after)


def _after(model) -> tuple[dict[str, Any], dict[str, Any]]:
    gradients = {
        name: p.placement.grad.reshape(p.shape).copy() if p.placement.grad is not None else p.grad
        for name, p in model.named_parameters().items()
        if p.trainable
    }
    state = {
        f"{prefix}.{name}": getattr(layer, name)
        for prefix, layer in model.named_layers().items()
        for name in layer.state_names
    }
    return gradients, state


def assert_same_step(model, loss, x, y, weight=None, *, compiled=True, rtol=None) -> None:
    """Compare the results of kernels with those of the NumPy path."""
    expected = numpy_step(model, loss, x, y, weight)
    actual = kernel_step(model, loss, x, y, weight, compiled=compiled)
    single = any(p.dtype == np.float32 for p in model.parameters()) or x.dtype == np.float32
    rtol = rtol or (2e-6 if single else 1e-13)
    assert actual.is_done
    np.testing.assert_allclose(actual.loss, expected.loss, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(actual.total_weight, expected.total_weight, rtol=1e-13)
    assert actual.gradients.keys() == expected.gradients.keys()
    _assert_close([actual.output], [expected.output], rtol)
    # The gradient of a bias before a batch normalization is 0 but for rounding, so that all
    # gradients are measured by the largest.
    _assert_close(actual.gradients.values(), expected.gradients.values(), rtol)
    _assert_close(actual.state.values(), expected.state.values(), rtol)


def _assert_close(actual, expected, rtol) -> None:
    largest = max((np.abs(array).max(initial=0) for array in expected), default=0)
    for got, wanted in zip(actual, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=rtol * largest)
