"""Check the promises of ``forward`` and ``backward``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array
from nnlayers.layer import Layer
from nnlayers.optim import SGD
from nnlayers.testing.case import MODES, Case, describe_difference, layer_copies
from nnlayers.testing.gradients import GradientError, check_gradients, input_gradients

__all__ = ["INDEPENDENCE", "PASSES", "nothing_is_overwritten"]


def nothing_is_overwritten(case: Case) -> None:
    """Check that the example inputs are accepted, and that no array argument changes."""
    for mode, training in MODES.items():
        layer, inputs = case.make(training=training), case.arguments()
        arrays = {f"input {index}": x for index, x in enumerate(inputs)}
        arrays |= {f"parameter {n!r}": p.value for n, p in layer.named_parameters().items()}
        for call in ("forward", "predict"):
            promise = f"{call} in {mode} mode must take the example inputs"
            with case.promise(promise), _unchanged(case, call, arrays):
                y = getattr(layer, call)(*inputs)
            if isinstance(y, tuple):  # A graph of several outputs returns one.
                case.fail(f"{call} must return one array", f"a tuple of {len(y)}")
        with case.promise(f"backward in {mode} mode must take an array of the output's shape"):
            y = layer.forward(*inputs)
            dout = case.dout(y)
            with _unchanged(case, "backward", {"dout": dout} | arrays):
                layer.backward(dout)


def gradients_agree_with_differences(case: Case) -> None:
    for mode, training in MODES.items():
        for rows in (None, 1):
            layer, inputs = case.make(training=training), case.arguments(rows=rows)
            condition = f"in {mode} mode" + (", for a single row" if rows else "")
            _require_gradients(case, layer, inputs, "backward must be the gradient", condition)


def dtypes_stay(case: Case) -> None:
    if all(x.dtype.kind != "f" for x in case.inputs) and not case.make().parameters():
        return  # Neither inputs nor parameters have a floating-point dtype.
    for dtype in (FLOAT32, FLOAT64):
        for mode, training in MODES.items():
            layer, inputs = case.make(dtype, training), case.arguments(dtype)
            promise = f"{dtype} must stay {dtype} in {mode} mode"
            with case.promise(promise):
                results = case.run(layer, inputs) | {"output of predict": layer.predict(*inputs)}
            for name, array in results.items():
                case.require(
                    isinstance(array, np.ndarray),
                    "forward, predict and backward must return arrays",
                    f"{name} is {array!r}",
                )
                case.require(array.dtype == dtype, promise, f"{name} is {array.dtype}")


def results_are_new_arrays(case: Case) -> None:
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        in_use = _layer_arrays(layer) | {f"input {index}": x for index, x in enumerate(inputs)}
        results: list[_Result] = []
        for batch in (inputs, case.roll(1)):
            with case.promise("forward, backward and predict must serve one batch after another"):
                new_results = list(_results(case, layer, batch, in_use))
            for call, name, array, _ in new_results:
                for other, memory in in_use.items():
                    case.require(
                        not np.shares_memory(array, memory),
                        f"{call} must return a new array",
                        f"{name} shares memory with {other}; return a copy",
                    )
                in_use[name] = array
            in_use = {f"{name} of the call before": array for name, array in in_use.items()}
            results += new_results
        for call, name, array, original in results:
            change = describe_difference(array, original)
            if change:
                case.fail(f"the result of {call} must never change later", f"{name} {change}")


def backward_adds_to_gradients(case: Case) -> None:
    layer, inputs = case.make(training=False), case.arguments()
    with case.promise("backward must run twice after one forward"):
        first = case.run(layer, inputs)
        gradients = input_gradients(layer, [case.dout(first["output"])], len(inputs))
    second = {f"gradient of input {index}": gradient for index, gradient in enumerate(gradients)}
    expected = {name: first[name] for name in second if name in first}
    case.require_equal(second, expected, "a second backward must return the same")
    for name, parameter in layer.named_parameters().items():
        twice = 2 * first[f"gradient of parameter {name!r}"]
        difference = describe_difference(parameter.grad, twice)
        if difference:
            case.fail(
                "backward must add to the gradient of each parameter",
                f"after two backwards that of {name!r} {difference}",
            )
    layer.zero_grad()
    for name, parameter in layer.named_parameters().items():
        finding = f"gradient of parameter {name!r} is not 0"
        case.require(not parameter.grad.any(), "zero_grad must discard gradients", finding)


def backward_is_linear(case: Case) -> None:
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        for factor in (-1e4, 1e-4):
            promise = f"backward must be linear in dout, so that of {factor:g} times dout"
            one, other = layer_copies(layer).values()
            with case.promise(promise):
                expected = case.run(one, inputs)
                results = case.run(other, inputs, scale=factor)
            del expected["output"]
            scaled = {name: results[name] / factor for name in expected}
            case.require_equal(scaled, expected, f"{promise} must be as many times the gradient")


def backward_belongs_to_the_last_forward(case: Case) -> None:
    condition = "after a forward of another batch of the same shape"
    for mode, training in MODES.items():
        layer, promise = case.make(training=training), "backward must belong to the last forward"
        with case.promise(f"{promise} {condition}"):
            layer.forward(*case.other_batch())
        _require_gradients(case, layer, case.arguments(), promise, f"in {mode} mode, {condition}")


def backward_uses_the_mode_of_forward(case: Case) -> None:
    promise = "backward must use the mode of forward, even if the mode is switched in between"
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        with case.promise(promise):
            expected = case.run(layer_copies(layer)["copy.deepcopy"], inputs)
            switch_mode = layer.eval if training else layer.train
            results = case.run(layer, inputs, between=switch_mode)
        case.require_equal(results, expected, promise)


def inputs_changed_in_place_are_new_inputs(case: Case) -> None:
    promise = "results must follow from the entries of the inputs, which may change in place"
    layer, inputs, other = case.make(training=False), case.arguments(), case.other_batch()
    with case.promise(promise):
        fresh = layer_copies(layer)["copy.deepcopy"]
        case.run(layer, inputs)
        layer.predict(*inputs)
        for x, new in zip(inputs, other, strict=True):
            x[...] = new
        results = case.run(layer, inputs) | {"output of predict": layer.predict(*inputs)}
        expected = case.run(fresh, other) | {"output of predict": fresh.predict(*other)}
    case.require_equal(results, expected, promise)


def gradients_start_from_zero_after_a_step(case: Case) -> None:
    layer, inputs = case.make(training=False), case.arguments()
    # An optimizer leaves the gradients of frozen parameters as they are.
    parameters = {name: p for name, p in layer.named_parameters().items() if p.trainable}
    if not parameters:
        return
    promise = "after an optimizer's step gradients must start from zero"
    with case.promise(promise):
        weights = [parameter.value.copy() for parameter in parameters.values()]
        expected = case.run(layer, inputs)
        SGD(layer.parameters(), lr=1.0).step()
        for parameter, value in zip(parameters.values(), weights, strict=True):
            parameter.value = value
        y = layer.forward(*inputs)
        input_gradients(layer, [case.dout(y)], len(inputs))
    labels = {name: f"gradient of parameter {name!r}" for name in parameters}
    results = {labels[name]: parameter.grad for name, parameter in parameters.items()}
    case.require_equal(results, {label: expected[label] for label in labels.values()}, promise)


def frozen_parameters_get_their_gradients(case: Case) -> None:
    promise = "a frozen parameter must get its gradient like any other"
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        with case.promise(promise):
            expected = case.run(layer_copies(layer)["copy.deepcopy"], inputs)
            for parameter in layer.parameters():
                parameter.trainable = False
            results = case.run(layer, inputs)
        case.require_equal(results, expected, promise)


class _Result(NamedTuple):
    """An array that a call returned, and a copy from before any other call."""

    call: str
    name: str
    array: Array
    original: Array


def _results(
    case: Case, layer: Layer, inputs: list[Any], in_use: dict[str, Array]
) -> Iterator[_Result]:
    """Yield the arrays that each call returns, and add `dout` to the arrays in use."""

    def result(call: str, name: str, array: Array) -> _Result:
        return _Result(call, name, array, array.copy())

    y = layer.forward(*inputs)
    yield result("forward", "the output of forward", y)
    in_use["dout"] = dout = case.dout(y)
    for index, gradient in enumerate(input_gradients(layer, [dout], len(inputs))):
        if gradient is not None:
            yield result("backward", f"the gradient of input {index}", gradient)
    yield result("predict", "the output of predict", layer.predict(*inputs))


def _layer_arrays(layer: Layer) -> dict[str, Array]:
    """Return a layer's parameters, gradients and state, under the names that errors use."""
    arrays = {}
    for name, parameter in layer.named_parameters().items():
        arrays[f"parameter {name!r}"] = parameter.value
        arrays[f"the gradient of parameter {name!r}"] = parameter.grad
    for prefix, inner in layer.named_layers().items():
        for name in inner.state_names:
            arrays[f"state {f'{prefix}.{name}'.lstrip('.')!r}"] = getattr(inner, name)
    return arrays


def _require_gradients(
    case: Case, layer: Layer, inputs: list[Array], promise: str, condition: str
) -> None:
    """Fail unless gradients agree with differences; errors name the condition of the check."""
    with case.promise(f"{promise} {condition}"):
        try:
            check_gradients(layer, *inputs, rtol=case.rtol, atol=case.atol)
        except GradientError as error:
            raise GradientError(f"{error}, {condition}") from None


@contextmanager
def _unchanged(case: Case, call: str, arrays: dict[str, Array]) -> Iterator[None]:
    """Fail if a call writes to one of its arguments or to a parameter."""
    originals = {name: array.copy() for name, array in arrays.items()}
    yield
    for name, array in arrays.items():
        original = originals[name]
        changes = np.argwhere((array != original) & ~np.isnan(original))
        if len(changes):
            index = tuple(map(int, changes[0]))
            target = "its input" if name.startswith("input") else name
            case.fail(
                f"{call} must not write to {target}",
                f"{name} changed at {index} from {original[index].item()!r} "
                f"to {array[index].item()!r}",
            )


PASSES: list[Callable[[Case], None]] = [
    gradients_agree_with_differences,
    dtypes_stay,
    results_are_new_arrays,
    backward_adds_to_gradients,
    backward_is_linear,
]

# Checks of what a pass must not depend on; one of them compares results of predict.
INDEPENDENCE: list[Callable[[Case], None]] = [
    backward_belongs_to_the_last_forward,
    backward_uses_the_mode_of_forward,
    inputs_changed_in_place_are_new_inputs,
    gradients_start_from_zero_after_a_step,
    frozen_parameters_get_their_gradients,
]
