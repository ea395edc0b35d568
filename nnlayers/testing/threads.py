"""The promise that many threads may call ``predict`` at once."""

from __future__ import annotations

import sys
from collections import Counter
from concurrent.futures import Executor, ThreadPoolExecutor
from types import CodeType, FrameType
from typing import Any

from nnlayers.layer import Layer
from nnlayers.testing.case import Case, difference

__all__ = ["predict_serves_many_threads"]

PATIENCE = 0.2  # seconds
VISITS = 3  # of a line at which another call comes between, as a loop may run through it often


def predict_serves_many_threads(case: Case) -> None:
    """Let another thread call predict between any two lines of a call of it.

    Threads that just run side by side would meet at the wrong line once in thousands of calls.
    """
    layer, promise = case.make(), "predict must be safe to call from many threads at once"
    batches = [case.rolled(0), case.rolled(1)]
    expected = [layer.predict(*batch) for batch in batches]
    tracer = sys.gettrace()
    with case.promise(promise), ThreadPoolExecutor(1) as pool:
        interrupter = _Interrupter(layer, pool, batches[1], expected[1])
        try:
            sys.settrace(interrupter)
            y = layer.predict(*batches[0])
        finally:
            sys.settrace(tracer)
    wrong = interrupter.wrong or _difference(y, expected[0])
    if wrong:
        case.fail(promise, wrong)


class _Interrupter:
    """A tracer that has another thread predict before each line, until something goes wrong."""

    def __init__(self, layer: Layer, pool: Executor, batch: list[Any], expected: Any) -> None:
        self.layer, self.pool, self.batch, self.expected = layer, pool, batch, expected
        layers = layer.layers_by_name().items()
        self.attributes = {f"{name}.".lstrip("."): vars(inner) for name, inner in layers}
        self.before = {prefix: held.copy() for prefix, held in self.attributes.items()}
        self.visits: Counter[tuple[CodeType, int]] = Counter()
        self.wrong = ""
        self.waiting = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> _Interrupter:
        if event == "line" and not self.wrong and not self.waiting:
            self.visits[place := (frame.f_code, frame.f_lineno)] += 1
            if self.visits[place] <= VISITS:
                self.wrong = self._attribute_set() or self._other_call()
        return self

    def _attribute_set(self) -> str:
        for prefix, held in self.attributes.items():
            before = self.before[prefix]
            for name in held | before:
                if held.get(name) is not before.get(name):
                    return f"it sets {prefix}{name} while it runs"
        return ""

    def _other_call(self) -> str:
        call = self.pool.submit(self.layer.predict, *self.batch)
        try:
            return _difference(call.result(timeout=PATIENCE), self.expected)
        except TimeoutError:  # it waits for a lock that the interrupted call holds
            self.waiting = True
            return ""


def _difference(y: Any, expected: Any) -> str:
    differing = difference(y, expected)
    return differing and f"with another call meanwhile, its output {differing}"
