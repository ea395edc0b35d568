"""Elementwise layers of users, which register their two formulas with the compiled engine."""

import copy

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.engine import register_elementwise
from nnlayers.engine.functions import sigmoid


class Swish(nn.Layer):
    def __init__(self, beta=1.0):
        self.beta = beta

    def forward(self, x):
        self.x, self.s = x, 1 / (1 + np.exp(-self.beta * x))
        return x * self.s

    def backward(self, dout):
        return dout * self.s * (1 + self.beta * self.x * (1 - self.s))


def swish(x, beta):
    return x * sigmoid(beta * x)


def swish_slope(x, beta):
    s = sigmoid(beta * x)
    return s * (1.0 + beta * x * (1.0 - s))


register_elementwise(Swish, swish, swish_slope, ["beta"])


def fit(model, engine):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    model = copy.deepcopy(model)
    optimizer = nn.optim.Adam(model.parameters())
    trainer = nn.Trainer(model, nn.MeanSquaredError(), optimizer, engine=engine)
    trainer.fit(X, y, epochs=10, batch_size=8, rng=0)
    return trainer.engine, model.predict(X)


@pytest.mark.parametrize("jit", ["0", "1"], ids=["compiled", "uncompiled"])
@pytest.mark.parametrize(("dtype", "rtol"), [("float32", 1e-5), ("float64", 1e-12)])
def test_a_registered_layer_is_compiled_and_trains_as_with_numpy(jit, dtype, rtol, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", jit)
    layers = nn.Affine(3, 4, rng=0), Swish(0.7), nn.Affine(4, 4, rng=1), Swish(), nn.Affine(4, 2)
    model = nn.Sequential(*layers).astype(dtype)
    engine, prediction = fit(model, "auto")
    assert engine == "compiled"
    np.testing.assert_allclose(prediction, fit(model, "numpy")[1], rtol=rtol, atol=rtol)


def test_layers_of_one_name_do_not_get_each_others_code():
    pytest.importorskip("numba")

    def make(factor):
        class Scale(nn.Layer):
            def forward(self, x):
                return factor * x

            def backward(self, dout):
                return factor * dout

        register_elementwise(Scale, lambda x: factor * x, lambda x: factor)
        return Scale

    model = nn.Sequential(nn.Affine(3, 2, rng=0), make(2.0)(), make(3.0)())
    model = model.astype("float64")
    np.testing.assert_allclose(fit(model, "compiled")[1], fit(model, "numpy")[1], rtol=1e-12)


def test_a_subclass_of_a_registered_layer_is_left_to_numpy():
    class Other(Swish):
        def forward(self, x):
            return super().forward(-x)

    model = nn.Sequential(nn.Affine(3, 2), Other(), nn.Affine(2, 2))
    assert fit(model, "auto")[0] == "numpy"
    with pytest.raises((ValueError, ImportError), match=r"Other|Numba"):
        fit(model, "compiled")
