import re
import sys
from pathlib import Path

import numpy as np
import pytest
from plain_layers import (
    Drop,
    Locked,
    Logit,
    Lookup,
    Net,
    OneHot,
    Plus,
    Scale,
    Shift,
    Sigmoid,
    Square,
    Total,
    X,
)

import nnlayers as nn
from nnlayers.testing import GradientError, LayerError, check_layer


@pytest.mark.parametrize(
    ("make", "inputs"),
    [
        (Scale, [X]),
        (Scale, [X.astype(np.float32)]),
        (Scale, [X.tolist()]),
        (Sigmoid, [X]),
        (Sigmoid, [X[0]]),
        (Sigmoid, [3.0]),
        (Shift, [X]),
        (Total, [X]),
        (Plus, [X, 2 * X]),
        (Drop, [X]),
        (Lookup, [np.array([0, 3, 3, 1])]),
        (Lookup, [np.array([[0, 3], [3, 4]], np.uint8)]),
        (OneHot, [[0, 3, 3, 1]]),
        (Logit, [1 / (1 + np.exp(-X))]),
        (Net, [X]),
        (Square, [X]),
        (Locked, [X]),
        (lambda: nn.Sequential(Scale(), nn.Affine(3, 2), Sigmoid()), [X]),
    ],
)
def test_correct_layers_of_a_few_lines_pass(make, inputs):
    check_layer(make, *inputs)


def test_layers_defined_in_a_function_pass():
    class Cube(nn.Layer):
        def forward(self, x):
            self.x = x
            return x**3

        def backward(self, dout):
            return dout * 3 * self.x**2

    check_layer(Cube, X)


def test_inputs_and_settings_do_not_change():
    x, settings, interval = X.copy(), np.geterr(), sys.getswitchinterval()
    check_layer(Scale, x)
    np.testing.assert_array_equal(x, X)
    assert np.geterr() == settings
    assert sys.getswitchinterval() == interval


ONE = Scale()


@pytest.mark.parametrize(
    ("make", "inputs", "error", "words"),
    [
        (ONE, [X], TypeError, r"such as lambda: Scale\(\.\.\.\), got the layer Scale\(\)"),
        ("relu", [X], TypeError, "must be a function that makes a new layer, got 'relu'"),
        (lambda: 3, [X], TypeError, "make_layer must return a Layer object, got 3"),
        (lambda: ONE, [X], ValueError, r"a new layer at each call, got the same Scale\(\) twice"),
        (Scale, [], TypeError, "inputs must be at least one example array, got none"),
        (Scale, [X * 1j], TypeError, "input 0 must hold real numbers, got dtype complex128"),
        (Plus, [X, []], ValueError, r"input 1 must have entries, got shape \(0,\)"),
        (Scale, [[[1.0], [1.0, 2.0]]], ValueError, "input 0 must be an array or lists of equal"),
    ],
)
def test_bad_arguments_are_named(make, inputs, error, words):
    with pytest.raises(error, match=words):
        check_layer(make, *inputs)


def test_tolerances_are_those_of_the_gradients():
    class Rough(Sigmoid):
        def backward(self, dout):
            return super().backward(dout) * (1 + 1e-4)

    check_layer(Rough, X, rtol=1e-3)
    check_layer(Rough, X, atol=1e-2)
    with pytest.raises(GradientError, match="Rough: gradient of input 0"):
        check_layer(Rough, X)
    with pytest.raises(ValueError, match="atol must be a finite number of at least 0, got -1"):
        check_layer(Rough, X, atol=-1)


def test_the_error_is_an_assertion_and_a_wrong_gradient_is_a_layer_error():
    assert issubclass(LayerError, AssertionError)
    assert issubclass(GradientError, LayerError)


def test_an_input_without_a_batch_axis_stays_whole():
    class Product(nn.Layer):
        def forward(self, a, b):
            self.a, self.b = a, b
            return a @ b

        def backward(self, dout):
            return dout @ self.b.T, self.a.T @ dout

    check_layer(Product, X, np.arange(6.0).reshape(3, 2))


def test_the_page_on_testing_holds_a_test_that_passes():
    page = (Path(__file__).parents[2] / "docs" / "howto" / "testing.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names = {"__name__": "test_scale"}
    exec(code, names)
    names["test_scale"]()
