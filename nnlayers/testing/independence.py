"""The promises that a call does not depend on others before it, nor on modes set after it."""

from __future__ import annotations

from collections.abc import Callable

from nnlayers.optim import SGD
from nnlayers.testing.case import MODES, Case, copies
from nnlayers.testing.errors import GradientError
from nnlayers.testing.gradients import check_gradients, input_gradients

__all__ = ["INDEPENDENCE"]


def backward_is_that_of_the_last_forward(case: Case) -> None:
    which = "after a forward of another batch of the same shape"
    for mode, training in MODES.items():
        layer = case.make(training=training)
        with case.promise(f"backward must be that of the last forward {which}"):
            layer.forward(*case.other_batch())
            try:
                check_gradients(layer, *case.arguments(), rtol=case.rtol, atol=case.atol)
            except GradientError as error:
                raise GradientError(f"{error}, in {mode} mode, {which}") from None


def backward_is_in_the_mode_of_forward(case: Case) -> None:
    promise = "backward must be in the mode in which forward was, also if it is switched since"
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        with case.promise(promise):
            expected = case.run(copies(layer)["copy.deepcopy"], inputs)
            switch = layer.eval if training else layer.train
            found = case.run(layer, inputs, between=switch)
        case.same(found, expected, promise)


def entries_and_not_arrays_are_looked_at(case: Case) -> None:
    promise = "what is returned must follow from the inputs' entries, which may change in place"
    layer, inputs, other = case.make(training=False), case.arguments(), case.other_batch()
    with case.promise(promise):
        fresh = copies(layer)["copy.deepcopy"]
        case.run(layer, inputs)
        layer.predict(*inputs)
        for x, new in zip(inputs, other, strict=True):
            x[...] = new
        found = case.run(layer, inputs) | {"output of predict": layer.predict(*inputs)}
        expected = case.run(fresh, other) | {"output of predict": fresh.predict(*other)}
    case.same(found, expected, promise)


def gradients_start_anew_after_a_step(case: Case) -> None:
    layer, inputs = case.make(training=False), case.arguments()
    parameters = layer.named_parameters()
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
    names = {name: f"gradient of parameter {name!r}" for name in parameters}
    found = {names[name]: parameter.grad for name, parameter in parameters.items()}
    case.same(found, {name: expected[name] for name in names.values()}, promise)


def frozen_parameters_get_their_gradients(case: Case) -> None:
    promise = "a frozen parameter must get its gradient as others do"
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        with case.promise(promise):
            expected = case.run(copies(layer)["copy.deepcopy"], inputs)
            for parameter in layer.parameters():
                parameter.trainable = False
            found = case.run(layer, inputs)
        case.same(found, expected, promise)


INDEPENDENCE: list[Callable[[Case], None]] = [
    backward_is_that_of_the_last_forward,
    backward_is_in_the_mode_of_forward,
    entries_and_not_arrays_are_looked_at,
    gradients_start_anew_after_a_step,
    frozen_parameters_get_their_gradients,
]
