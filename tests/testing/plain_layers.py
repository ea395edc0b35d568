"""Correct layers of a few lines, as users write them."""

import threading
from typing import ClassVar

import numpy as np

import nnlayers as nn

X = np.array([[0.5, -1.0, 2.0], [3.0, 0.3, -0.1], [-0.4, 1.5, 0.7], [0.2, -2.0, 1.1]])


class Scale(nn.Layer):
    """y = s x, as a user writes it."""

    def __init__(self, features=3):
        self.s = nn.Parameter(np.linspace(1, 2, features), name="s")

    def forward(self, x):
        self.x = x
        return x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


class Sigmoid(nn.Layer):
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dout):
        return dout * self.y * (1 - self.y)


class Shift(nn.Layer):
    """y = x + b, whose gradient is `dout` itself."""

    def __init__(self):
        self.b = nn.Parameter(np.zeros(3, np.float32), name="b")

    def forward(self, x):
        return x + self.b.value

    def backward(self, dout):
        self.b.grad += dout.sum(axis=0)
        return dout


class Total(nn.Layer):
    def forward(self, x):
        self.x = x
        return x.sum()

    def backward(self, dout):
        return np.full_like(self.x, dout)


class Plus(nn.Layer):
    def forward(self, a, b):
        return a + b

    def backward(self, dout):
        return [dout, dout]


class Drop(nn.Layer):
    """Dropout with a rate of 1/2."""

    def __init__(self):
        self.rng = np.random.default_rng()

    def forward(self, x):
        self.m = 2.0 * (self.rng.random(x.shape) < 0.5) if self.training else np.ones_like(x)
        self.m = self.m.astype(x.dtype)
        return x * self.m

    def backward(self, dout):
        return dout * self.m


class Locked(Scale):
    """Cache results of inference behind a lock."""

    lock = threading.Lock()
    slots: ClassVar = {}

    def predict(self, x):
        with self.lock:
            self.slots["x"] = x
            return self.slots.pop("x") * self.s.value


class Lookup(nn.Layer):
    def __init__(self):
        self.table = nn.Parameter(np.random.default_rng().normal(size=(5, 2)), name="table")

    def forward(self, ids):
        self.ids = ids
        return self.table.value[ids]

    def backward(self, dout):
        np.add.at(self.table.grad, self.ids, dout)


class OneHot(nn.Layer):
    """One-hot encoding of ids, without a parameter that determines the dtype."""

    def forward(self, ids):
        return np.eye(5)[ids]

    def backward(self, dout):
        return None


class Logit(nn.Layer):
    """y = log(x / (1 - x)), which raises an error outside its domain."""

    def forward(self, x):
        if ((x <= 0) | (x >= 1)).any():
            raise ValueError("x must be above 0 and below 1")
        self.x = x
        return np.log(x) - np.log1p(-x)

    def backward(self, dout):
        return dout / (self.x * (1 - self.x))


class Net(nn.Layer):
    """Layers within a layer."""

    def __init__(self):
        self.layers = [nn.Affine(3, 4), Scale(4), Drop(), Sigmoid()]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


def unguarded(layer):
    """Remove the checks that the base class puts around the methods."""
    for name in ("forward", "predict", "backward"):
        if hasattr(vars(layer).get(name), "guarded"):
            setattr(layer, name, vars(layer)[name].__wrapped__)
    return layer


def reals(x):
    x = np.asarray(x)
    if x.dtype.kind not in "fi":
        raise TypeError(f"reals, not {x.dtype}")
    return x


@unguarded
class Square(nn.Layer):
    def forward(self, x):
        self._cache = reals(x)
        return self._cache**2

    def backward(self, dout):
        dout = reals(dout)
        if self._cache is None:
            raise RuntimeError(f"{type(self).__name__} needs a forward")
        if dout.shape != self._cache.shape:
            raise ValueError(f"{type(self).__name__} got {dout.shape}")
        return 2 * self._cache * dout
