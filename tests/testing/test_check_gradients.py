import pickle
import re

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.testing import GradientError, check_gradients


class OwnLayer(nn.Layer):
    """A user's layer: the derivative of `function` is `slope`."""

    def __init__(self, function, slope):
        self.function, self.slope = function, slope

    def forward(self, x):
        self.x = x
        return self.function(x)

    def backward(self, dout):
        return dout * self.slope(self.x)


class Scale(nn.Layer):
    """y = s x, with errors added to the gradients of s and x."""

    def __init__(self, s, error=0.0, input_error=0.0):
        self.s = nn.Parameter(s, name="s")
        self.error, self.input_error = error, input_error

    def forward(self, x):
        self.x = x
        return x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0) + self.error
        return dout * self.s.value + self.input_error


class Product(nn.Layer):
    def __init__(self, returned=lambda *gradients: gradients):
        self.returned = returned

    def forward(self, a, b):
        self.a, self.b = a, b
        return a * b

    def backward(self, dout):
        return self.returned(dout * self.b, dout * self.a)


class Lookup(nn.Layer):
    """Rows of a table by integer ids; the gradient with respect to the ids is None."""

    def __init__(self):
        self.table = nn.Parameter([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], name="table")

    def forward(self, ids):
        self.ids = np.asarray(ids)
        assert self.ids.dtype.kind == "i"
        return self.table.value[self.ids]

    def backward(self, dout):
        np.add.at(self.table.grad, self.ids, dout)


SMOOTH = {
    "exp": (np.exp, np.exp),
    "sin": (np.sin, np.cos),
    "log": (np.log, lambda x: 1 / x),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "tanh of 30x": (
        lambda x: np.tanh(30 * x),
        lambda x: 30 / np.cosh(np.minimum(30 * x, 300)) ** 2,
    ),
}


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("x", [1e-3, 0.02, 0.3, 1.0, 7.0, 30.0])
def test_right_gradients_of_smooth_functions_pass(name, x):
    check_gradients(OwnLayer(*SMOOTH[name]), np.array([[x, 1.5 * x]]))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("relative", [1 - 1e-5, 1 + 1e-5])
def test_a_gradient_off_by_ten_tolerances_fails(name, relative):
    function, slope = SMOOTH[name]
    with pytest.raises(GradientError):
        check_gradients(OwnLayer(function, lambda x: slope(x) * relative), np.array([0.02]))


def test_tolerances_are_those_of_the_call():
    layer = OwnLayer(np.exp, lambda x: np.exp(x) * (1 + 1e-4))
    check_gradients(layer, np.array([0.3]), rtol=1e-3)
    check_gradients(layer, np.array([0.3]), atol=1e-2)
    with pytest.raises(ValueError, match="rtol must be a finite number of at least 0, got -1"):
        check_gradients(layer, np.array([0.3]), rtol=-1)


def test_a_wrong_input_gradient_is_named_with_index_and_values():
    layer = OwnLayer(np.square, lambda x: np.where(x > 2.5, 7.0, 2 * x))
    with pytest.raises(GradientError) as caught:
        check_gradients(layer, np.array([[1.0, 2.0], [3.0, 0.5]]))
    pattern = (
        r"OwnLayer: gradient of input 0 at \(1, 0\) is (\S+), "
        r"central differences say (\S+) \(1 of 4 entries differ\)"
    )
    given, expected = map(float, re.fullmatch(pattern, str(caught.value)).groups())
    assert given / expected == pytest.approx(7 / 6)


def test_a_wrong_parameter_gradient_is_named():
    with pytest.raises(GradientError, match=r"Scale: gradient of parameter 's' at \(\d,\) is"):
        check_gradients(Scale([1.0, 2.0], error=0.1), np.ones((3, 2)))
    with pytest.raises(GradientError, match=r"gradient of parameter '1.s' at \(\d,\) is"):
        check_gradients(nn.Sequential(nn.Tanh(), Scale([1.0, 2.0], error=0.1)), np.ones((3, 2)))


def test_the_second_of_two_inputs_is_named():
    check_gradients(Product(), [1.0, 2.0], [3.0, 4.0])
    wrong = Product(lambda da, db: (da, 2 * db))
    with pytest.raises(GradientError, match="gradient of input 1 at"):
        check_gradients(wrong, [1.0, 2.0], [3.0, 4.0])


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (lambda da, db: da, "a gradient for each of 2 inputs"),
        (lambda da, db: (da,), "a gradient for each of 2 inputs"),
        (lambda da, db: (da, db[:1]), r"gradient of input 1 must have shape \(2,\), got \(1,\)"),
        (lambda da, db: (da.reshape(1, 2), db), r"input 0 must have shape \(2,\), got \(1, 2\)"),
        (lambda da, db: (None, db), "gradient of input 0 must hold real numbers, got dtype object"),
    ],
)
def test_a_missing_or_misshapen_gradient_is_refused(returned, words):
    with pytest.raises(GradientError, match=words):
        check_gradients(Product(returned), [1.0, 2.0], [3.0, 4.0])


def test_lists_and_scalars_may_be_returned():
    class Total(nn.Layer):
        def forward(self, x):
            self.shape = np.shape(x)
            return float(np.sum(x))

        def backward(self, dout):
            return np.full(self.shape, float(dout)).tolist()

    check_gradients(Total(), [[1.0, 2.0], [3.0, 4.0]])
    check_gradients(OwnLayer(lambda x: (2 * x).tolist(), lambda x: 2.0), np.array([1.0, 3.0]))
    check_gradients(OwnLayer(lambda x: float(x) ** 2, lambda x: 2 * float(x)), 3.0)


def test_integers_are_passed_on_and_not_differentiated():
    check_gradients(Lookup(), [0, 2, 2])
    check_gradients(Lookup(), np.array([[1, 0]], dtype=np.int32))


def test_random_draws_repeat_and_modes_stay():
    dropout = nn.Dropout(0.5, rng=0)
    check_gradients(dropout, np.ones((4, 5)))
    check_gradients(dropout.eval(), np.ones((4, 5)))


@pytest.mark.parametrize("calls", [0, 1, 2, 5])
def test_every_evaluation_starts_from_the_state_of_the_layer(calls):
    class Switch(nn.Layer):
        """y = x, and twice that after a number of calls."""

        calls = 0

        def forward(self, x):
            self.calls += 1
            return x * (1 + (self.calls > calls + 1))

        def backward(self, dout):
            return dout * (1 + (self.calls > calls + 1))

    check_gradients(Switch(), np.array([1.0, 2.0]))


def test_a_layer_that_writes_to_its_input_is_differentiated_at_the_given_point():
    class Halve(nn.Layer):
        def forward(self, x):
            x[x > 1] /= 2
            return x

        def backward(self, dout):
            return dout * [0.5, 1.0]

    check_gradients(Halve(), np.array([3.0, 0.5]))


def test_layer_and_inputs_do_not_change():
    model = nn.mlp([3, 4, 2], dropout=0.5, rng=0)
    model.forward(np.ones((2, 3)))
    model.backward(np.ones((2, 2)))
    x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(3, 2).T
    before, x_before = pickle.dumps(model), x.copy()
    check_gradients(model, x)
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(x, x_before)
    assert model.parameters()[0].dtype == np.float32


def test_earlier_gradients_do_not_count():
    layer = Scale([1.0, 2.0])
    layer.s.grad += 5.0
    check_gradients(layer, np.ones((3, 2)))
    np.testing.assert_array_equal(layer.s.grad, [5.0, 5.0])


def test_frozen_and_shared_parameters_are_checked():
    frozen = Scale([1.0], error=1.0)
    frozen.s.trainable = False
    with pytest.raises(GradientError, match="parameter 's'"):
        check_gradients(frozen, np.ones((3, 1)))
    first, second = Scale([1.5]), Scale([1.0])
    second.s = first.s
    check_gradients(nn.Sequential(first, nn.Tanh(), second), np.array([[0.2], [0.4]]))


@pytest.mark.parametrize("distance", [3e-6, -3e-6, 1e-3])
def test_entries_close_to_a_kink_pass(distance):
    check_gradients(nn.ReLU(), np.array([distance, 1.0]))


def within(x, end):
    """Return x from the end of the domain on, and NaN before it."""
    return np.where(x >= end, x, np.nan)


@pytest.mark.parametrize("end", [0.0, 0.5, 1e3, -1e5])
@pytest.mark.parametrize("function", [np.maximum, within])
def test_a_kink_or_end_of_the_domain_is_allowed_at_the_documented_distance(function, end):
    layer = OwnLayer(lambda x: function(x, end), lambda x: np.ones_like(x))
    reach = 2e-6 * max(1, abs(end))
    check_gradients(layer, np.array([end + 1.1 * reach]))
    with pytest.raises(GradientError):
        check_gradients(layer, np.array([end + 0.5 * reach]))


def test_an_unexpected_nan_fails():
    with pytest.raises(GradientError, match="is nan"):
        check_gradients(OwnLayer(np.square, lambda x: np.nan), np.array([1.0]))


def test_a_right_loss_passes_with_and_without_weights():
    rng = np.random.default_rng(0)
    prediction = rng.normal(size=(4, 3)).astype(np.float32)
    check_gradients(nn.MeanSquaredError(), prediction, rng.normal(size=(4, 3)))
    check_gradients(
        nn.MeanSquaredError(), prediction, rng.normal(size=(4, 3)), [0.0, 1.0, 2.0, 3.0]
    )
    check_gradients(nn.MeanSquaredError(reduction="sum"), [[1, 2]], [[3, 5]])
    check_gradients(nn.SoftmaxCrossEntropy(), prediction, [0, 2, 1, 1])


def test_a_wrong_loss_is_named():
    class Halved(nn.MeanSquaredError):
        def backward(self):
            return super().backward() / 2

    with pytest.raises(
        GradientError, match=r"Halved: gradient of prediction at \(0, 0\) is 2\.0, "
    ):
        check_gradients(Halved(), [[3.0]], [[1.0]])


@pytest.mark.parametrize("thing", [np.tanh, nn.Affine, None, "Affine"])
def test_an_argument_that_is_neither_layer_nor_loss_is_refused(thing):
    with pytest.raises(TypeError, match="layer must be a Layer or Loss object, got "):
        check_gradients(thing, np.ones(2))


def test_the_error_is_an_assertion():
    assert issubclass(GradientError, AssertionError)
    assert nn.testing.check_gradients is check_gradients
