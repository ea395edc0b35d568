"""`check_layer` names broken promises of inputs and state."""

import numpy as np
import pytest
from broken_layers import Broken, assert_named
from plain_layers import Scale, Shift, Sigmoid, Square, X, reals, unguarded

import nnlayers as nn

breaks = Broken()


@breaks("strided and read-only inputs must give the same results as others: raised ValueError")
class NeedsContiguous(Sigmoid):
    def forward(self, x):
        if not x.flags.c_contiguous:
            raise ValueError("ndarray is not C-contiguous")
        return super().forward(x)


@breaks("integers must give the same as arrays of floats: raised AssertionError")
class NeedsFloats(Sigmoid):
    def forward(self, x):
        assert x.dtype.kind == "f"
        return super().forward(x)


@breaks(r"integers must give the same as arrays of floats: output at \(0, 0\) is 0, not")
class CutsIntegers(Sigmoid):
    def forward(self, x):
        return super().forward(x).astype(x.dtype) if x.dtype.kind == "i" else super().forward(x)


@breaks("an empty batch must give empty outputs, .*: raised ValueError: zero-size array")
class NotEmpty(Sigmoid):
    def forward(self, x):
        return super().forward(x - x.max() + x.max())


@breaks(r"an empty batch must give .*: gradient of parameter 's' at \(0,\) is nan, not 0.0")
class NanForEmpty(Scale):
    def backward(self, dout):
        if not len(dout):
            self.s.grad += np.nan
        return super().backward(dout)


@breaks("an empty batch must give .*: raised RuntimeWarning: Mean of empty slice")
class WarnsForEmpty(nn.Layer):
    def forward(self, x):
        self.x = x
        return x - x.mean()

    def backward(self, dout):
        return dout - dout.mean()


@breaks(r"gradient of input 0 must have shape \(1, 3\), got \(3,\), .* for a single row")
class OneRow(Scale):
    def forward(self, x):
        return super().forward(x.squeeze())


@breaks("forward in training mode must take the example inputs: raised RuntimeWarning")
class Overflows(Sigmoid):
    def forward(self, x):
        return super().forward(x) + 0 * np.exp(1e5 * abs(x)).clip(0, 1)


@breaks("must take the example inputs: raised ZeroDivisionError: of course")
class Crashes(Sigmoid):
    def forward(self, x):
        raise ZeroDivisionError("of course")


@breaks(r"state_dict must hold all that predict needs, .*: output of predict at \(0, 0\)")
class NoState(nn.Layer):
    def __init__(self):
        self.m = np.zeros(3)

    def forward(self, x):
        if self.training and len(x):
            self.m = x.mean(axis=0)
        return x - self.m.astype(x.dtype) if not self.training else x + 0

    def backward(self, dout):
        return dout


@breaks(r"state_dict must hold all that predict needs, .*: output of predict at \(0, 0\)")
class HiddenWeights(nn.Layer):
    def __init__(self):
        self.W = np.random.default_rng().normal(size=(3, 3)).astype(np.float32)

    def forward(self, x):
        return x @ (self.W if x.dtype == np.float32 else self.W.astype(float))

    def backward(self, dout):
        return dout @ (self.W if dout.dtype == np.float32 else self.W.astype(float)).T


@breaks("state_dict must hold all that predict needs")
class LoadsNothing(Scale):
    def load_state_dict(self, state):
        pass


@breaks("load_state_dict must refuse an unknown entry with an error that names it")
class LoadsAnything(Scale):
    def load_state_dict(self, state):
        for name, parameter in self.named_parameters().items():
            if name in state:
                parameter.value = state[name]


@breaks("load_state_dict must refuse an unknown entry .*: it raised AttributeError")
class CrashesOnLoading(Scale):
    def load_state_dict(self, state):
        for name, array in state.items():
            getattr(self, name).value = array


@breaks("state_dict and load_state_dict must copy")
class KeepsLoaded(nn.Layer):
    state_names = ("m",)

    def __init__(self):
        self.m = np.ones(3)

    def forward(self, x):
        return x * self.m

    def backward(self, dout):
        return dout * self.m

    def state_dict(self):
        return {"m": self.m}


@breaks("initialize must set every parameter, the same for one seed: s at")
class Unrepeatable(Scale):
    def initialize(self, rng=None):
        self.s.value = np.random.default_rng().normal(size=3)
        return self


@breaks("initialize must set every parameter, the same for one seed: s at")
class KeepsWeights(Scale):
    def initialize(self, rng=None):
        return self


@breaks("initialize must return the layer: got None")
class ReturnsNothing(Scale):
    def initialize(self, rng=None):
        super().initialize(rng)


@breaks("eval must return the layer: got None")
class EvalReturnsNothing(Scale):
    def eval(self):
        super().eval()


@breaks("a new layer must be in training mode: training is False")
class StartsInEvaluation(Scale):
    training = False


@breaks("named_parameters must give the same names in the same order")
class ShuffledNames(Scale):
    def named_parameters(self):
        return {f"s{id(object())}{np.random.default_rng().random()}": self.s}


@breaks("parameters must list what named_parameters names, .*: 0 listed, 1 named")
class Unlisted(Scale):
    def parameters(self):
        return []


@breaks("astype must return the layer: got None")
class AstypeReturnsNothing(Scale):
    def astype(self, dtype):
        super().astype(dtype)


@breaks("predict: complex inputs must be refused with a TypeError: it returned ndarray")
@unguarded
class TakesComplex(Square):
    def predict(self, x):
        return np.square(x)


@breaks("backward: a dout of complex must be refused with a TypeError")
@unguarded
class TakesComplexBack(Square):
    def backward(self, dout):
        return 2 * self._require_cache() * dout


@breaks("forward: complex inputs must be refused .*: it raised ValueError: no")
@unguarded
class OtherError(Square):
    def forward(self, x):
        if np.asarray(x).dtype.kind not in "fi":
            raise ValueError("no")
        return super().forward(x)


@breaks("lists must give the same as arrays of floats: raised")
@unguarded
class NoLists(Square):
    def forward(self, x):
        return super().forward(x[x.shape[0] :] if x.size == 0 else x)


@breaks("backward must return a new array: the gradient of input 0 shares memory with dout")
@unguarded
class ReturnsDout(Shift):
    def forward(self, x):
        return reals(x) + self.b.value

    def backward(self, dout):
        self.b.grad += reals(dout).sum(axis=0)
        return dout


@breaks("the gradient of input 1 shares memory with the gradient of input 0", X, 2 * X)
@unguarded
class ReturnsOneTwice(nn.Layer):
    def forward(self, a, b):
        return reals(a) + reals(b)

    def backward(self, dout):
        gradient = reals(dout).copy()
        return gradient, gradient


@breaks("backward before forward must raise a RuntimeError .*: it returned ndarray")
@unguarded
class Stateless(nn.Layer):
    def forward(self, x):
        return 2 * reals(x)

    def backward(self, dout):
        return 2 * reals(dout)


@breaks("backward before forward must raise a RuntimeError .*: it raised TypeError")
@unguarded
class NoForwardYet(Square):
    def backward(self, dout):
        return 2 * reals(dout) * self._cache


@breaks("backward before forward must .*: the message is 'forward first'")
@unguarded
class Nameless(Square):
    def backward(self, dout):
        if self._cache is None:
            raise RuntimeError("forward first")
        return super().backward(dout)


@breaks(r"a dout of shape \(4, 3, 2\) for an output of shape \(4, 3\) must be refused")
@unguarded
class AnyShape(Square):
    def backward(self, dout):
        return 2 * self._require_cache() * reals(dout)


@breaks("must be refused with a ValueError that names the layer: the message is 'wrong")
@unguarded
class NamelessShape(Square):
    def backward(self, dout):
        if self._require_cache().shape != np.shape(dout):
            raise ValueError("wrong shape")
        return super().backward(dout)


@pytest.mark.parametrize(("layer", "words", "inputs"), breaks.parameters)
def test_a_broken_promise_is_named(layer, words, inputs):
    assert_named(layer, words, inputs)
