"""The promises of ``forward``, ``backward`` and ``predict``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array
from nnlayers.layer import Layer
from nnlayers.testing.case import MODES, Case, copies, difference, pickled
from nnlayers.testing.errors import GradientError
from nnlayers.testing.gradients import check_gradients, input_gradients

__all__ = ["PASSES", "nothing_given_is_written_to"]


class _Result(NamedTuple):
    """What a call returned, in words and as it is, and a copy of it made at once."""

    call: str
    what: str
    array: Array
    copy: Array


def nothing_given_is_written_to(case: Case) -> None:
    """Check that the example inputs are taken, and neither they nor `dout` change."""
    for mode, training in MODES.items():
        layer, inputs = case.make(training=training), case.arguments()
        given = {f"input {index}": x for index, x in enumerate(inputs)}
        given |= {f"parameter {n!r}": p.value for n, p in layer.named_parameters().items()}
        for call in ("forward", "predict"):
            promise = f"{call} in {mode} mode must take the example inputs"
            with case.promise(promise), _unchanged(case, call, given):
                y = getattr(layer, call)(*inputs)
            if isinstance(y, tuple):  # as a graph of several outputs
                case.fail(f"{call} must return one array", f"a tuple of {len(y)}")
        with case.promise(f"backward in {mode} mode must take an array of the output's shape"):
            y = layer.forward(*inputs)
            dout = case.dout(y)
            with _unchanged(case, "backward", {"dout": dout} | given):
                layer.backward(dout)


def gradients_agree_with_differences(case: Case) -> None:
    for mode, training in MODES.items():
        for rows in (None, 1):
            layer, inputs = case.make(training=training), case.arguments(rows=rows)
            which = f"in {mode} mode" + (", for a single row" if rows else "")
            with case.promise(f"backward must be the gradient {which}"):
                try:
                    check_gradients(layer, *inputs, rtol=case.rtol, atol=case.atol)
                except GradientError as error:
                    raise GradientError(f"{error}, {which}") from None


def dtypes_stay(case: Case) -> None:
    if all(x.dtype.kind != "f" for x in case.inputs) and not case.make().parameters():
        return  # nothing says which dtype
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
        taken = _held(layer) | {f"input {index}": x for index, x in enumerate(inputs)}
        returned: list[_Result] = []
        for given in (inputs, case.rolled(1)):
            with case.promise("forward, backward and predict must serve one batch after another"):
                results = list(_results(case, layer, given, taken))
            for call, what, array, _ in results:
                for other, memory in taken.items():
                    case.require(
                        not np.shares_memory(array, memory),
                        f"{call} must return a new array",
                        f"{what} shares memory with {other}; return a copy",
                    )
                taken[what] = array
            taken = {f"{what} of the call before": array for what, array in taken.items()}
            returned += results
        for call, what, array, before in returned:
            changed = difference(array, before)
            if changed:
                case.fail(f"what {call} returned must never change later", f"{what} {changed}")


def backward_adds_to_gradients(case: Case) -> None:
    layer, inputs = case.make(training=False), case.arguments()
    with case.promise("backward must run twice after one forward"):
        once = case.run(layer, inputs)
        gradients = input_gradients(layer, [case.dout(once["output"])], len(inputs))
    again = {f"gradient of input {index}": gradient for index, gradient in enumerate(gradients)}
    dx = {name: once[name] for name in again if name in once}
    case.same(again, dx, "a second backward must return the same")
    for name, parameter in layer.named_parameters().items():
        twice = difference(parameter.grad, 2 * once[f"gradient of parameter {name!r}"])
        if twice:
            case.fail(
                "backward must add to the gradient of each parameter",
                f"after two backwards that of {name!r} {twice}",
            )
    layer.zero_grad()
    for name, parameter in layer.named_parameters().items():
        found = f"gradient of parameter {name!r} is not 0"
        case.require(not parameter.grad.any(), "zero_grad must discard gradients", found)


def backward_is_linear(case: Case) -> None:
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        for factor in (-1e4, 1e-4):
            promise = f"backward must be linear in dout, so that of {factor:g} times dout"
            one, other = copies(layer).values()
            with case.promise(promise):
                expected = case.run(one, inputs)
                found = case.run(other, inputs, scale=factor)
            del expected["output"]
            scaled = {name: found[name] / factor for name in expected}
            case.same(scaled, expected, f"{promise} must be as many times the gradient")


def predict_is_inference(case: Case) -> None:
    promise = "predict must be forward in evaluation mode"
    for training in MODES.values():
        layer, inputs = case.make(), case.arguments()
        with case.promise(promise):
            layer.forward(*inputs)
            layer.train() if training else layer.eval()
            twin = copies(layer)["copy.deepcopy"].eval()
            predicted = {"output": layer.predict(*inputs)}
            again = {"output": layer.predict(*inputs)}
            expected = {"output": twin.forward(*inputs)}
        case.same(again, predicted, f"{promise}, the same at each call")
        case.same(predicted, expected, promise)


def predict_keeps_nothing(case: Case) -> None:
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        with case.promise("predict must leave the layer as it is"):
            before = _attributes(layer)
            layer.predict(*inputs)
            after = _attributes(layer)
        changed = [name for name in after | before if after.get(name) != before.get(name)]
        if changed:
            case.fail("predict must leave the layer as it is", f"it changed {', '.join(changed)}")
        promise = "predict between forward and backward must change neither"
        with case.promise(promise):
            expected = case.run(copies(layer)["copy.deepcopy"], inputs)
            found = case.run(layer, inputs, between=partial(layer.predict, *case.rolled(1)))
        case.same(found, expected, promise)


@contextmanager
def _unchanged(case: Case, call: str, given: dict[str, Array]) -> Iterator[None]:
    """Fail if a call writes to one of the arrays that it was given."""
    kept = {name: array.copy() for name, array in given.items()}
    yield
    for name, array in given.items():
        changed = np.argwhere((array != kept[name]) & ~np.isnan(kept[name]))
        if len(changed):
            index = tuple(map(int, changed[0]))
            what = "its input" if name.startswith("input") else name
            case.fail(
                f"{call} must not write to {what}",
                f"{name} changed at {index} from {kept[name][index].item()!r} "
                f"to {array[index].item()!r}",
            )


def _held(layer: Layer) -> dict[str, Array]:
    """Return the arrays that belong to a layer, by the words for them."""
    arrays = {}
    for name, parameter in layer.named_parameters().items():
        arrays[f"parameter {name!r}"] = parameter.value
        arrays[f"the gradient of parameter {name!r}"] = parameter.grad
    for prefix, inner in layer.layers_by_name().items():
        for name in inner.state_names:
            arrays[f"state {f'{prefix}.{name}'.lstrip('.')!r}"] = getattr(inner, name)
    return arrays


def _results(
    case: Case, layer: Layer, inputs: list[Any], taken: dict[str, Array]
) -> Iterator[_Result]:
    """Yield what each call returns; note `dout` as taken."""

    def result(call: str, what: str, array: Array) -> _Result:
        return _Result(call, what, array, array.copy())

    y = layer.forward(*inputs)
    yield result("forward", "the output of forward", y)
    taken["dout"] = dout = case.dout(y)
    for index, gradient in enumerate(input_gradients(layer, [dout], len(inputs))):
        if gradient is not None:
            yield result("backward", f"the gradient of input {index}", gradient)
    yield result("predict", "the output of predict", layer.predict(*inputs))


def _attributes(layer: Layer) -> dict[str, bytes]:
    """Return what a layer and those within hold, as bytes by name."""
    return {
        f"{prefix}.{name}".lstrip("."): pickled(item)[0]
        for prefix, inner in layer.layers_by_name().items()
        for name, item in vars(inner).items()
    }


PASSES: list[Callable[[Case], None]] = [
    gradients_agree_with_differences,
    dtypes_stay,
    results_are_new_arrays,
    backward_adds_to_gradients,
    backward_is_linear,
    predict_is_inference,
    predict_keeps_nothing,
]
