"""Check the inputs that a layer accepts and refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.layer import Layer
from nnlayers.testing.case import MODES, Case, layer_copies

__all__ = ["INPUTS"]


def any_memory_layout_is_accepted(case: Case) -> None:
    promise = "strided and read-only inputs must give the same results as others"
    for training in MODES.values():
        layer = case.make(training=training)
        with case.promise(promise):
            expected = case.run(layer_copies(layer)["copy.deepcopy"], case.arguments())
            results = case.run(layer, [_as_strided(x) for x in case.arguments()])
        case.require_equal(results, expected, promise)


def lists_are_accepted(case: Case) -> None:
    _require_same_as_floats(case, "lists", case.arguments(), lambda x: x.tolist())


def integers_are_accepted(case: Case) -> None:
    if all(x.dtype.kind == "f" for x in case.inputs):
        counts = [(np.arange(x.size) % 3 + 1.0).reshape(x.shape) for x in case.inputs]
        _require_same_as_floats(case, "integers", counts, lambda x: x.astype(np.int64))


def complex_numbers_and_objects_are_refused(case: Case) -> None:
    layer, inputs = case.make(), case.arguments()
    for kind in (complex, object):
        for index, x in enumerate(inputs):
            bad = [*inputs[:index], x.astype(kind), *inputs[index + 1 :]]
            promise = f"{kind.__name__} inputs must be refused with a TypeError"
            _require_error(case, f"forward: {promise}", layer.forward, bad, TypeError)
            _require_error(case, f"predict: {promise}", layer.predict, bad, TypeError)
        dout = case.dout(layer.forward(*inputs)).astype(kind)
        promise = f"backward: a dout of {kind.__name__} must be refused with a TypeError"
        _require_error(case, promise, layer.backward, [dout], TypeError)


def an_empty_batch_is_accepted(case: Case) -> None:
    if case.inputs[0].ndim == 0:
        return
    rows, promise = len(case.inputs[0]), "an empty batch must give empty outputs, zero gradients"
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments(rows=0)
        with case.promise(promise):
            full = case.make(training=training).forward(*case.arguments())
            y = layer.predict(*inputs)
            results = case.run(layer, inputs)
        shapes = {"output": full.shape}
        if full.shape[:1] == (rows,):
            shapes["output"] = (0, *full.shape[1:])
        shapes |= {f"gradient of input {index}": x.shape for index, x in enumerate(inputs)}
        results["output of predict"], shapes["output of predict"] = y, shapes["output"]
        for name, shape in shapes.items():
            actual = np.shape(results.get(name, np.empty(shape)))
            case.require(actual == shape, promise, f"{name} has shape {actual}, not {shape}")
        if results["output"].size == 0:
            zeros = {name: np.zeros_like(array) for name, array in results.items()}
            case.require_equal(results, zeros, promise)


def backward_needs_a_forward(case: Case) -> None:
    for condition in ("", " with only predict before"):
        layer = case.make()
        dout = case.dout(case.make().forward(*case.arguments()))
        if condition:
            layer.predict(*case.arguments())
        promise = f"backward before forward{condition} must raise a RuntimeError"
        _require_error(
            case,
            f"{promise} that names the layer",
            layer.backward,
            [dout],
            RuntimeError,
            names=layer,
        )


def a_dout_of_another_shape_is_refused(case: Case) -> None:
    layer = case.make()
    y = layer.forward(*case.arguments())
    for shape in ((*y.shape, 2), y.shape[1:]):
        if shape != y.shape:
            _require_error(
                case,
                f"backward: a dout of shape {shape} for an output of shape {y.shape} must be "
                "refused with a ValueError that names the layer",
                layer.backward,
                [np.ones(shape)],
                ValueError,
                names=layer,
            )


def _as_strided(x: Array) -> Array:
    """Return a read-only array of the same entries, every second one of a larger array."""
    strided = np.stack([x, x], axis=-1)[..., 0]
    strided.flags.writeable = False
    return strided


def _require_same_as_floats(
    case: Case, kind: str, inputs: list[Array], convert: Callable[[Array], Any]
) -> None:
    """Fail unless converted inputs give the same as arrays of floats."""
    layer, promise = case.make(training=False), f"{kind} must give the same as arrays of floats"
    try:
        with np.errstate(all="ignore"):
            expected = {"output": layer.forward(*inputs)}
    except (ArithmeticError, ValueError, IndexError):
        return  # The layer is not defined for such numbers.
    with case.promise(promise), np.errstate(all="ignore"):
        converted = [convert(x) for x in inputs]
        results = {"output": layer.forward(*converted)}
        predictions = {"output": layer.predict(*converted)}
    case.require_equal(results, expected, promise)
    case.require_equal(predictions, expected, f"{promise}, by predict too")


def _require_error(
    case: Case,
    promise: str,
    call: Callable[..., Any],
    arguments: list[Any],
    error: type[Exception],
    names: Layer | None = None,
) -> None:
    """Fail unless a call raises an error, which names a layer or one of its inner layers."""
    try:
        returned = call(*arguments)
    except error as raised:
        layers = names.named_layers().values() if names else ()
        if names and not any(type(layer).__name__ in str(raised) for layer in layers):
            case.fail(promise, f"the message is {str(raised)!r}")
    except Exception as other:
        case.fail(promise, f"it raised {type(other).__name__}: {other}")
    else:
        case.fail(promise, f"it returned {type(returned).__name__}")


INPUTS: list[Callable[[Case], None]] = [
    any_memory_layout_is_accepted,
    lists_are_accepted,
    integers_are_accepted,
    complex_numbers_and_objects_are_refused,
    an_empty_batch_is_accepted,
    backward_needs_a_forward,
    a_dout_of_another_shape_is_refused,
]
