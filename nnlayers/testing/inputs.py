"""The promises about what a layer takes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers.layer import Layer
from nnlayers.testing.case import MODES, Case, copies

__all__ = ["INPUTS"]


def any_memory_layout_is_taken(case: Case) -> None:
    promise = "strided and read-only inputs must give the same as others"
    for training in MODES.values():
        layer = case.make(training=training)
        with case.promise(promise):
            expected = case.run(copies(layer)["copy.deepcopy"], case.arguments())
            found = case.run(layer, [_strided(x) for x in case.arguments()])
        case.same(found, expected, promise)


def lists_are_taken(case: Case) -> None:
    _taken_like_floats(case, "lists", case.arguments(), lambda x: x.tolist())


def integers_are_taken(case: Case) -> None:
    if all(x.dtype.kind == "f" for x in case.inputs):
        counts = [(np.arange(x.size) % 3 + 1.0).reshape(x.shape) for x in case.inputs]
        _taken_like_floats(case, "integers", counts, lambda x: x.astype(np.int64))


def complex_numbers_and_objects_are_refused(case: Case) -> None:
    layer, inputs = case.make(), case.arguments()
    for kind in (complex, object):
        for index, x in enumerate(inputs):
            bad = [*inputs[:index], x.astype(kind), *inputs[index + 1 :]]
            promise = f"{kind.__name__} inputs must be refused with a TypeError"
            _refuses(case, f"forward: {promise}", layer.forward, bad, TypeError)
            _refuses(case, f"predict: {promise}", layer.predict, bad, TypeError)
        dout = case.dout(layer.forward(*inputs)).astype(kind)
        promise = f"backward: a dout of {kind.__name__} must be refused with a TypeError"
        _refuses(case, promise, layer.backward, [dout], TypeError)


def an_empty_batch_is_taken(case: Case) -> None:
    if case.inputs[0].ndim == 0:
        return
    rows, promise = len(case.inputs[0]), "an empty batch must give empty outputs, zero gradients"
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments(rows=0)
        with case.promise(promise):
            full = case.make(training=training).forward(*case.arguments())
            predicted = layer.predict(*inputs)
            results = case.run(layer, inputs)
        shapes = {"output": full.shape}
        if full.shape[:1] == (rows,):
            shapes["output"] = (0, *full.shape[1:])
        shapes |= {f"gradient of input {index}": x.shape for index, x in enumerate(inputs)}
        results["output of predict"], shapes["output of predict"] = predicted, shapes["output"]
        for name, shape in shapes.items():
            found = np.shape(results.get(name, np.empty(shape)))
            case.require(found == shape, promise, f"{name} has shape {found}, not {shape}")
        if results["output"].size == 0:
            case.same(results, {name: np.zeros_like(a) for name, a in results.items()}, promise)


def backward_needs_a_forward(case: Case) -> None:
    for before in ("", " with only predict before"):
        layer = case.make()
        dout = case.dout(case.make().forward(*case.arguments()))
        if before:
            layer.predict(*case.arguments())
        _refuses(
            case,
            f"backward before forward{before} must raise a RuntimeError that names the layer",
            layer.backward,
            [dout],
            RuntimeError,
            layer,
        )


def a_dout_of_another_shape_is_refused(case: Case) -> None:
    layer = case.make()
    y = layer.forward(*case.arguments())
    for shape in ((*y.shape, 2), y.shape[1:]):
        if shape != y.shape:
            _refuses(
                case,
                f"backward: a dout of shape {shape} for an output of shape {y.shape} must be "
                "refused with a ValueError that names the layer",
                layer.backward,
                [np.ones(shape)],
                ValueError,
                layer,
            )


def _strided(x: Array) -> Array:
    """Return the same entries with others between them, read-only."""
    strided = np.stack([x, x], axis=-1)[..., 0]
    strided.flags.writeable = False
    return strided


def _taken_like_floats(
    case: Case, what: str, inputs: list[Array], convert: Callable[[Array], Any]
) -> None:
    layer, promise = case.make(training=False), f"{what} must be taken as arrays of floats are"
    try:
        with np.errstate(all="ignore"):
            expected = {"output": layer.forward(*inputs)}
    except (ArithmeticError, ValueError, IndexError):
        return  # the layer is not defined for such numbers
    with case.promise(promise), np.errstate(all="ignore"):
        given = [convert(x) for x in inputs]
        found = {"output": layer.forward(*given)}
        predicted = {"output": layer.predict(*given)}
    case.same(found, expected, promise)
    case.same(predicted, expected, f"{promise}, by predict too")


def _refuses(
    case: Case,
    promise: str,
    call: Callable[..., Any],
    given: list[Any],
    error: type[Exception],
    layer: Layer | None = None,
) -> None:
    """Fail unless a call raises an error, one that names `layer` or a layer within."""
    try:
        returned = call(*given)
    except error as raised:
        within = layer.layers_by_name().values() if layer else ()
        if layer and not any(type(inner).__name__ in str(raised) for inner in within):
            case.fail(promise, f"the message is {str(raised)!r}")
    except Exception as other:
        case.fail(promise, f"it raised {type(other).__name__}: {other}")
    else:
        case.fail(promise, f"it returned {type(returned).__name__}")


INPUTS: list[Callable[[Case], None]] = [
    any_memory_layout_is_taken,
    lists_are_taken,
    integers_are_taken,
    complex_numbers_and_objects_are_refused,
    an_empty_batch_is_taken,
    backward_needs_a_forward,
    a_dout_of_another_shape_is_refused,
]
