"""Check the promises of ``predict``, including thread safety."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from types import CodeType, FrameType
from typing import Any

from nnlayers.layer import Layer
from nnlayers.testing.case import (
    MODES,
    Case,
    describe_difference,
    layer_copies,
    pickle_by_reference,
)

__all__ = ["PREDICT"]

LOCK_TIMEOUT = 0.2  # After so many seconds the other call is assumed to wait for a lock.
VISITS = 3  # A line in a loop may run many times, so its interruptions are limited.


def predict_is_inference(case: Case) -> None:
    promise = "predict must be forward in evaluation mode"
    for training in MODES.values():
        layer, inputs = case.make(), case.arguments()
        with case.promise(promise):
            layer.forward(*inputs)
            layer.train() if training else layer.eval()
            evaluated = layer_copies(layer)["copy.deepcopy"].eval()
            first = {"output": layer.predict(*inputs)}
            second = {"output": layer.predict(*inputs)}
            expected = {"output": evaluated.forward(*inputs)}
        case.require_equal(second, first, f"{promise}, the same at each call")
        case.require_equal(first, expected, promise)


def predict_leaves_the_layer_unchanged(case: Case) -> None:
    for training in MODES.values():
        layer, inputs = case.make(training=training), case.arguments()
        with case.promise("predict must leave the layer unchanged"):
            before = _pickled_attributes(layer)
            layer.predict(*inputs)
            after = _pickled_attributes(layer)
        changed = [name for name in after | before if after.get(name) != before.get(name)]
        if changed:
            case.fail("predict must leave the layer unchanged", f"it changed {', '.join(changed)}")
        promise = "predict between forward and backward must change neither"
        with case.promise(promise):
            expected = case.run(layer_copies(layer)["copy.deepcopy"], inputs)
            results = case.run(layer, inputs, between=partial(layer.predict, *case.roll(1)))
        case.require_equal(results, expected, promise)


def predict_serves_many_threads(case: Case) -> None:
    """Check that another thread may call predict between any two lines of a call.

    Threads that merely run side by side would meet at the wrong line once in thousands of calls.
    """
    layer, promise = case.make(), "predict must be safe to call from many threads at once"
    batches = [case.roll(0), case.roll(1)]
    expected = [layer.predict(*batch) for batch in batches]
    tracer = sys.gettrace()
    with case.promise(promise), ThreadPoolExecutor(1) as pool:
        interrupter = _Interrupter(layer, pool, batches[1], expected[1])
        try:
            sys.settrace(interrupter)
            y = layer.predict(*batches[0])
        finally:
            sys.settrace(tracer)
    fault = interrupter.fault or _output_fault(y, expected[0])
    if fault:
        case.fail(promise, fault)


class _Interrupter:
    """Tracer that calls predict in another thread before each line, until it finds a fault."""

    def __init__(self, layer: Layer, pool: Executor, batch: list[Any], expected: Any) -> None:
        self.layer, self.pool, self.batch, self.expected = layer, pool, batch, expected
        layers = layer.named_layers().items()
        self.attributes = {f"{name}.".lstrip("."): vars(inner) for name, inner in layers}
        self.originals = {prefix: items.copy() for prefix, items in self.attributes.items()}
        self.visits: Counter[tuple[CodeType, int]] = Counter()
        self.fault = ""
        self.is_locked = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> _Interrupter:
        if event == "line" and not self.fault and not self.is_locked:
            self.visits[line := (frame.f_code, frame.f_lineno)] += 1
            if self.visits[line] <= VISITS:
                self.fault = self._attribute_fault() or self._other_call_fault()
        return self

    def _attribute_fault(self) -> str:
        for prefix, items in self.attributes.items():
            originals = self.originals[prefix]
            for name in items | originals:
                if items.get(name) is not originals.get(name):
                    return f"it sets {prefix}{name} while it runs"
        return ""

    def _other_call_fault(self) -> str:
        call = self.pool.submit(self.layer.predict, *self.batch)
        try:
            return _output_fault(call.result(timeout=LOCK_TIMEOUT), self.expected)
        except TimeoutError:  # It waits for a lock that the interrupted call holds.
            self.is_locked = True
            return ""


def _output_fault(y: Any, expected: Any) -> str:
    difference = describe_difference(y, expected)
    return difference and f"with another call meanwhile, its output {difference}"


def _pickled_attributes(layer: Layer) -> dict[str, bytes]:
    """Return the attributes of a layer and its inner layers, pickled, by name."""
    return {
        f"{prefix}.{name}".lstrip("."): pickle_by_reference(item)[0]
        for prefix, inner in layer.named_layers().items()
        for name, item in vars(inner).items()
    }


PREDICT: list[Callable[[Case], None]] = [
    predict_is_inference,
    predict_leaves_the_layer_unchanged,
    predict_serves_many_threads,
]
