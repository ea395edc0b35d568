"""Check parameters, modes, state dictionaries and copies of a layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnlayers._core.arrays import FLOAT32, FLOAT64, Array
from nnlayers.testing.case import Case, layer_copies

__all__ = ["BASICS", "STATE", "copies_give_the_same_results"]


def parameters_have_a_fixed_order(case: Case) -> None:
    layer = case.make()
    names = list(layer.named_parameters())
    for other in (layer, case.make()):
        other_names = list(other.named_parameters())
        promise = "named_parameters must give the same names in the same order"
        case.require(other_names == names, promise, f"{other_names}, not {names}")
    listed = [id(parameter) for parameter in layer.parameters()]
    named = [id(parameter) for parameter in layer.named_parameters().values()]
    promise = "parameters must list what named_parameters names, in the same order"
    case.require(listed == named, promise, f"{len(listed)} listed, {len(named)} named")


def modes_switch(case: Case) -> None:
    layer = case.make_layer()
    case.require(layer.training, "a new layer must be in training mode", "training is False")
    for call, training in (("eval", False), ("train", True)):
        returned = getattr(layer, call)()
        case.require(returned is layer, f"{call} must return the layer", f"got {returned!r}")
        for name, inner in layer.named_layers().items():
            attribute = f"layer {name!r}.training" if name else "training"
            promise = f"{call} must switch the layer and all within"
            case.require(inner.training is training, promise, f"{attribute} is {inner.training}")


def astype_converts_parameters_and_state(case: Case) -> None:
    layer = case.make_layer()
    for dtype in (FLOAT64, FLOAT32):
        returned = layer.astype(dtype)
        case.require(returned is layer, "astype must return the layer", f"got {returned!r}")
        for name, array in layer.state_dict().items():
            promise = "astype must convert parameters and state"
            case.require(array.dtype == dtype, promise, f"{name!r} is {array.dtype}, not {dtype}")


def copies_give_the_same_results(case: Case) -> None:
    """Check that a layer can be copied and pickled, and that the copies compute the same."""
    layer, inputs = case.make(), case.arguments()
    with case.promise("forward and backward must take the example inputs"):
        layer.forward(*inputs)
    with case.promise("a layer must be copied by copy.deepcopy and by pickle"):
        copies = layer_copies(layer)
    expected = case.run(layer, inputs)
    for function, copied in copies.items():
        promise = f"a copy by {function} must give the same"
        with case.promise(promise):
            results = case.run(copied, inputs)
        case.require_equal(results, expected, promise)


def state_loads_into_a_new_layer(case: Case) -> None:
    layer, other, inputs = case.make(), case.make(), case.arguments()
    for parameter in layer.parameters():
        parameter.value *= 1.25
    layer.forward(*inputs)
    promise = "load_state_dict must accept the state_dict of another layer"
    with case.promise(promise):
        state = layer.state_dict()
        other.load_state_dict(state)
        expected, y = layer.predict(*inputs), other.predict(*inputs)
        for array in state.values():
            array[...] = np.nan
        after_change = {"layer": layer.predict(*inputs), "other": other.predict(*inputs)}
    case.require_equal(
        {"output of predict": y},
        {"output of predict": expected},
        "state_dict must hold all that predict needs, in parameters and in the attributes that "
        "state_names lists",
    )
    case.require_equal(
        after_change,
        {"layer": expected, "other": expected},
        "state_dict and load_state_dict must copy",
    )


def state_that_does_not_fit_is_refused(case: Case) -> None:
    layer = case.make()
    state = layer.state_dict()
    case.require(
        state.keys() >= layer.named_parameters().keys(),
        "state_dict must hold every parameter",
        f"it holds {sorted(state)}",
    )
    bad_states = {"an unknown entry": ("no such entry", state | {"no such entry": np.zeros(1)})}
    for name, array in state.items():
        rest = {other: value for other, value in state.items() if other != name}
        shape = (*array.shape, 2)
        bad_states[f"state without {name!r}"] = (name, rest)
        bad_states[f"a shape {shape} for {name!r}"] = (name, rest | {name: np.zeros(shape)})
    for fault, (name, bad_state) in bad_states.items():
        promise = f"load_state_dict must refuse {fault} with an error that names it"
        try:
            layer.load_state_dict(bad_state)
        except (ValueError, KeyError) as error:
            case.require(name in str(error), promise, f"the message is {str(error)!r}")
        except Exception as error:
            case.fail(promise, f"it raised {type(error).__name__}: {error}")
        else:
            case.fail(promise, "it was loaded")


def initialize_repeats_with_the_seed(case: Case) -> None:
    layer = case.make()
    states: list[dict[str, Array]] = []
    for rng in (3, 3, np.random.default_rng(3)):
        with case.promise("initialize must take a seed or a numpy.random.Generator"):
            returned = layer.initialize(rng)
        case.require(returned is layer, "initialize must return the layer", f"got {returned!r}")
        states.append(layer.state_dict())
        for parameter in layer.parameters():
            parameter.value += 1
    promise = "initialize must set every parameter, the same for one seed"
    for repeated in states[1:]:
        case.require_equal(repeated, states[0], promise)


BASICS: list[Callable[[Case], None]] = [
    parameters_have_a_fixed_order,
    modes_switch,
    astype_converts_parameters_and_state,
]

STATE: list[Callable[[Case], None]] = [
    state_loads_into_a_new_layer,
    state_that_does_not_fit_is_refused,
    initialize_repeats_with_the_seed,
]
