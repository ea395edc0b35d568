"""`check_layer` names broken promises of forward, backward and predict."""

import threading
from typing import ClassVar

import numpy as np
import pytest
from broken_layers import Broken, assert_named
from plain_layers import Drop, Plus, Scale, Shift, Sigmoid, Total, X

import nnlayers as nn

breaks = Broken()


@breaks(r"Slope: gradient of input 0 at \(\d, \d\) is \S+, central .*, in training mode")
class Slope(Sigmoid):
    def backward(self, dout):
        return dout * self.y


@breaks(r"gradient of parameter 's' at \(\d,\) is 0.0, central differences say")
class Forgotten(Scale):
    def backward(self, dout):
        return dout * self.s.value


@breaks("gradient of input 0 at .*, in evaluation mode")
class EvaluationOnly(Drop):
    def backward(self, dout):
        return dout * self.m if self.training else 2 * dout


@breaks(r"gradient of input 0 must have shape \(4, 3\), got \(3,\)")
class Misshapen(Sigmoid):
    def backward(self, dout):
        return super().backward(dout).sum(axis=0)


@breaks("backward must return a gradient for each of 2 inputs, got one ndarray", X, 2 * X)
class OneOfTwo(Plus):
    def backward(self, dout):
        return dout


@breaks(r"backward must add to .* after two backwards that of 's' at \(0,\) is")
class Assigned(Scale):
    def backward(self, dout):
        self.s.grad = (dout * self.x).sum(axis=0)
        return dout * self.s.value


@breaks("backward must add to the gradient of each parameter")
class Consumed(Scale):
    def backward(self, dout):
        dx = super().backward(dout)
        self.x = 0 * self.x
        return dx


@breaks(r"forward must not write to its input: input 0 changed at \(0, 1\) from -1.0 to -0.5")
class Overwriting(Sigmoid):
    def forward(self, x):
        x[x < 0] *= 0.5
        return super().forward(x)


@breaks("backward must not write to dout: dout changed at")
class OverwritingDout(Scale):
    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        dout *= self.s.value
        return dout


@breaks("backward must not write to parameter 's'")
class OverwritingWeights(Scale):
    def backward(self, dout):
        dx = super().backward(dout)
        self.s.value -= 0.1 * self.s.grad
        return dx


@breaks("forward must return a new array: the output of forward shares memory with input 0")
class ReturnsInput(Shift):
    def forward(self, x):
        return x

    def backward(self, dout):
        return dout


@breaks("forward must return a new array: the output of forward shares memory with input 0")
class ReturnsView(Total):
    def forward(self, x):
        return x.reshape(len(x), -1)

    def backward(self, dout):
        return dout


@breaks("predict must return a new array: .* shares memory with the output of forward")
class Buffered(Scale):
    def forward(self, x):
        self.x = x.copy()
        if getattr(self, "y", np.empty(0)).shape != x.shape:
            self.y = np.empty_like(x)
        return np.multiply(x, self.s.value, out=self.y)


@breaks("the result of forward must never change later: the output of forward at")
class ChangesItsOutput(Sigmoid):
    def forward(self, x):
        self.returned = super().forward(x)
        self.y = self.y.copy()
        return self.returned

    def backward(self, dout):
        self.returned[...] = 0
        return super().backward(dout)


@breaks("forward must return a new array: .* shares memory with parameter 'W'")
class ReturnsWeights(nn.Layer):
    def __init__(self):
        self.W = nn.Parameter(np.ones((4, 3)))

    def forward(self, x):
        self.n = len(x)
        return self.W.value[: len(x)]

    def backward(self, dout):
        self.W.grad[: self.n] += dout
        return np.zeros_like(dout)


@breaks(
    r"gradient of input 0 at .*, in training mode, after a forward of another batch of the same"
)
class KeepsTheFirst(Sigmoid):
    def forward(self, x):
        y = 1 / (1 + np.exp(-x))
        if getattr(self, "y", np.empty(0)).shape != x.shape:
            self.y = y
        return y.copy()


@breaks(r"gradient of parameter 's' .*, in evaluation mode, after a forward of another batch of")
class KeepsTheFirstInEvaluation(Scale):
    def forward(self, x):
        y = super().forward(x)
        if self.training or getattr(self, "kept", np.empty(0)).shape != x.shape:
            self.kept = x
        self.x = self.kept
        return y


@breaks(r"after an optimizer's step gradients must start from zero: gradient of parameter 's'")
class Accumulates(Scale):
    def __init__(self):
        super().__init__()
        self.total = np.zeros(3)

    def zero_grad(self):
        super().zero_grad()
        self.total = np.zeros(3)

    def backward(self, dout):
        self.total = self.total + (dout * self.x).sum(axis=0)
        self.s.grad = self.total
        return dout * self.s.value


@breaks("a frozen parameter must get its gradient like any other: gradient of parameter 's' at")
class SkipsFrozen(Scale):
    def backward(self, dout):
        if self.s.trainable:
            self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


@breaks("backward must be linear in dout, so that of -10000 times dout must .*: gradient")
class ClipsGradients(Sigmoid):
    def backward(self, dout):
        return super().backward(dout.clip(-5, 5))


@breaks("backward must be linear in dout, so that of 0.0001 times dout must be .* 's' at")
class DropsSmallGradients(Scale):
    def backward(self, dout):
        self.s.grad += (dout * (abs(dout) > 1e-3) * self.x).sum(axis=0)
        return dout * self.s.value


@breaks("backward must use the mode of forward, .*: gradient of input 0 at")
class LooksAtTheModeLate(Sigmoid):
    def forward(self, x):
        y = super().forward(x)
        return y if self.training else 2 * y

    def backward(self, dout):
        return super().backward(dout) * (1 if self.training else 2)


@breaks("must follow from the entries of the inputs, which may change in place: output at")
class Memoises(Sigmoid):
    def forward(self, x):
        if getattr(self, "key", None) != id(x):
            self.key = id(x)
            self.y = 1 / (1 + np.exp(-x))
        return self.y.copy()


@breaks(
    "must follow from the entries of the inputs, which may change in place: output of predict at"
)
class MemoisesPredictions(Sigmoid):
    memory: ClassVar = {}

    def predict(self, x):
        if id(x) not in self.memory or self.memory[id(x)][0] is not x:
            self.memory[id(x)] = (x, 1 / (1 + np.exp(-x)))
        return self.memory[id(x)][1].copy()


@breaks("float32 must stay float32 in training mode: output is float64")
class Leaking(Sigmoid):
    def forward(self, x):
        return super().forward(x * np.ones(1))


@breaks("float32 must stay float32 in training mode: gradient of input 0 is float64")
class LeakingBack(Sigmoid):
    def backward(self, dout):
        return super().backward(dout) * np.ones(1)


@breaks("gradient of input 0")
class Rounding(Sigmoid):
    def forward(self, x):
        self.y = (1 / (1 + np.exp(-x))).astype(np.float32)
        return self.y


@breaks("float32 must stay")
class AsList(Sigmoid):
    def backward(self, dout):
        return super().backward(dout).tolist()


@breaks("a layer must be copied by copy.deepcopy and by pickle: raised .*lambda")
class HoldsLambda(Scale):
    def __init__(self):
        super().__init__()
        self.function = lambda x: x


@breaks("a layer must be copied by copy.deepcopy and by pickle: raised .*lock")
class HoldsLock(Scale):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@breaks("a copy by copy.deepcopy must give the same: output at")
class CopiesDiffer(Drop):
    def __getstate__(self):
        return super().__getstate__() | {"rng": np.random.default_rng()}


@breaks("predict must leave the layer unchanged: it changed scratch")
class Scratch(Sigmoid):
    def predict(self, x):
        self.scratch = np.exp(-x)
        return 1 / (1 + self.scratch)


@breaks("predict must leave the layer unchanged: it changed log")
class Logs(Sigmoid):
    def __init__(self):
        self.log = []

    def forward(self, x):
        self.log.append(float(np.sum(x)))
        return super().forward(x)


@breaks("predict must leave the layer unchanged: it changed _cache")
class HiddenScratch(Sigmoid):
    def predict(self, x):
        self._cache = np.exp(-x)
        return 1 / (1 + self._cache)


@breaks("predict must be safe .* many threads at once: it sets scratch while it runs")
class TidiesUp(Sigmoid):
    def predict(self, x):
        self.scratch = np.exp(-x)
        y = 1 / (1 + self.scratch)
        del self.scratch
        return y


@breaks("predict must be safe .* many threads at once: it sets training while it runs")
class SwitchesMode(Drop):
    def predict(self, x):
        training = self.training
        self.training = False
        y = x * self.rate()
        self.training = training
        return y

    def rate(self):
        return 2.0 if self.training else 1.0


@breaks("predict must be safe .* with another call meanwhile, its output has shape")
class SharedScratch(Sigmoid):
    shared: ClassVar = {}

    def predict(self, x):
        self.shared["e"] = np.exp(-x)
        return 1 / (1 + self.shared["e"])


@breaks("predict must leave the layer unchanged: it changed .*y")
class ForwardInPredict(Sigmoid):
    def predict(self, x):
        return self.forward(x)


@breaks("predict must be forward in evaluation mode, the same at each call: output at")
class DrawsInPredict(Drop):
    def predict(self, x):
        return x * (self.rng.random(x.shape) < 0.5)


@breaks("predict must be forward in evaluation mode, the same at each call: output at")
class AlwaysDraws(Drop):
    def forward(self, x):
        self.m = 2.0 * (self.rng.random(x.shape) < 0.5).astype(x.dtype)
        return x * self.m


@breaks(r"predict must be forward in evaluation mode: output at \(0, 0\) is 1.0, not 0.5")
class OtherPredict(Scale):
    def predict(self, x):
        return x * 2


@breaks("predict must leave the layer unchanged: it changed calls")
class Counting(Scale):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def predict(self, x):
        self.calls += 1
        return x * self.s.value


@pytest.mark.parametrize(("layer", "words", "inputs"), breaks.parameters)
def test_a_broken_promise_is_named(layer, words, inputs):
    assert_named(layer, words, inputs)
