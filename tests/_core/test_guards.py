import numpy as np
import pytest

import nnlayers as nn


class Scale(nn.Layer):
    """y = s x."""

    def __init__(self):
        self.s = nn.Parameter(np.ones(2, np.float32) * 3, name="s")

    def forward(self, x):
        self.x = x
        return x * self.s.value

    def backward(self, dout):
        self.s.grad += (dout * self.x).sum(axis=0)
        return dout * self.s.value


class Last(Scale):
    """The sum of what `Scale` gives, back through its backward."""

    def forward(self, x):
        return super().forward(x).sum(axis=1)

    def backward(self, dout):
        return super().backward(np.repeat(dout[:, None], 2, axis=1))


class Copy(nn.Layer):
    def forward(self, x):
        return x.copy()

    def backward(self, dout):
        return dout


X = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], np.float32)


@pytest.mark.parametrize("make", [Scale, Last, Copy])
def test_backward_of_a_user_s_layer_needs_a_forward(make):
    layer = make()
    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"{make.__name__}.backward was called before"):
            layer.backward(np.ones((3, 2)))
        layer.predict(X)


@pytest.mark.parametrize("call", ["forward", "predict"])
@pytest.mark.parametrize("bad", [X * 1j, X.astype(object), [["a", "b"]]])
def test_input_that_is_not_real_never_reaches_a_user_s_layer(call, bad):
    with pytest.raises(TypeError, match="x must hold real numbers, got dtype"):
        getattr(Copy(), call)(bad)
    layer = Copy()
    layer.forward(X)
    with pytest.raises(TypeError, match="dout must hold real numbers, got dtype"):
        layer.backward(bad)


def test_several_inputs_and_named_ones_are_called_by_their_names():
    class Plus(nn.Layer):
        def forward(self, a, b):
            return a + b

        def backward(self, dout):
            return dout, dout

    with pytest.raises(TypeError, match="input 1 must hold real numbers"):
        Plus().forward(X, X * 1j)
    with pytest.raises(TypeError, match="b must hold real numbers"):
        Plus().forward(a=X, b=X * 1j)
    layer = Plus()
    np.testing.assert_array_equal(layer.forward([1], b=[2]), [3])
    da, db = layer.backward([1])
    da += 1
    np.testing.assert_array_equal(db, [1])


@pytest.mark.parametrize(("make", "shape"), [(Scale, (3, 2)), (Last, (3,))])
def test_a_dout_of_another_shape_is_refused(make, shape):
    layer = make()
    layer.forward(X)
    layer.backward(np.ones(shape))
    for wrong in ((), (3, 1), (2,), (3, 2, 1)):
        with pytest.raises(ValueError, match=rf"{make.__name__}\(\) expected dout of shape .*got"):
            layer.backward(np.ones(wrong))


def test_lists_become_arrays_and_integers_stay():
    seen = []

    class Look(Copy):
        def forward(self, x):
            seen.append(x.dtype)
            return x + 0.5

    look = Look()
    np.testing.assert_array_equal(look.forward([1, 2]), [1.5, 2.5])
    np.testing.assert_array_equal(look.predict([1.0]), [1.5])
    assert [dtype.kind for dtype in seen] == ["i", "f"]


def test_dout_comes_in_the_dtype_of_the_output():
    layer = Scale()
    layer.forward(X)
    assert layer.backward(np.ones((3, 2), np.float64)).dtype == np.float32
    np.testing.assert_array_equal(layer.backward([[1, 1]] * 3), np.full((3, 2), 3))


def test_numbers_come_out_as_arrays():
    class Total(Copy):
        def forward(self, x):
            return float(x.sum())

    assert isinstance(Total().forward([1.0]), np.ndarray)
    assert isinstance(Total().predict([1.0]), np.ndarray)


def test_a_gradient_is_never_dout_itself():
    layer, dout = Copy(), np.ones((3, 2), np.float32)
    layer.forward(X)
    layer.backward(dout)[...] = 7
    np.testing.assert_array_equal(dout, np.ones((3, 2)))


def test_a_gradient_of_none_stays_none():
    class Ids(Copy):
        def backward(self, dout):
            return None

    layer = Ids()
    layer.forward([1, 2])
    assert layer.backward([0.0, 0.0]) is None


def test_options_of_forward_pass_through():
    class Masked(Copy):
        def forward(self, x, mask=None, how="zero"):
            return x.copy() if mask is None else np.where(mask, x, {"zero": 0, "one": 1}[how])

    layer = Masked()
    np.testing.assert_array_equal(layer.forward([1, 2], None), [1, 2])
    np.testing.assert_array_equal(layer.forward([1, 2], mask=[True, False], how="one"), [1, 1])
    np.testing.assert_array_equal(layer.predict([1, 2], [True, False]), [1, 0])


def test_methods_from_a_mixin_are_guarded_too():
    class Half:
        def forward(self, x):
            return x / 2

    class Halved(Half, nn.Layer):
        def backward(self, dout):
            return dout / 2

    layer = Halved()
    with pytest.raises(RuntimeError, match=r"Halved\.backward was called before forward"):
        layer.backward(X)
    layer.forward(X)
    np.testing.assert_array_equal(layer.backward(X), X / 2)


def test_methods_keep_their_names_and_documentation():
    class Documented(Copy):
        def forward(self, x):
            """Say so."""
            return x.copy()

    assert Documented.forward.__doc__ == "Say so."
    assert Documented.forward.__qualname__.endswith("Documented.forward")


@pytest.mark.parametrize("name", ["forward", "predict", "backward"])
def test_the_library_s_layers_pay_nothing(name):
    for layer in (nn.Affine, nn.ReLU, nn.Sequential, nn.BatchNorm):
        assert not hasattr(getattr(layer, name), "guarded")


def test_options_of_backward_pass_through():
    class Clipped(nn.Sequential):
        def forward(self, x):
            return super().forward(x)

        def backward(self, dout, input_grad=True):
            return super().backward(np.clip(dout, -1, 1), input_grad=input_grad)

    model = Clipped(nn.Affine(2, 1, rng=0))
    model.forward(X)
    assert model.backward(np.full((3, 1), 9.0), input_grad=False) is None
    np.testing.assert_array_equal(model[0].b.grad, [3])


class Product(nn.Layer):
    """y = W x, and a way back that a test makes wrong."""

    def __init__(self, input_gradient):
        self.W = nn.Parameter(np.ones((2, 3)), name="W")
        self.input_gradient = input_gradient

    def forward(self, x):
        return self.W.value @ x

    def backward(self, dout):
        return self.input_gradient(self.W.value, dout)


def test_factors_in_the_wrong_order_are_shown_with_all_shapes():
    layer = Product(lambda W, dout: dout @ W.T)
    layer.forward(np.ones((3, 1)))
    with pytest.raises(
        ValueError, match=r"backward of dout \(2, 1\), input 0 \(3, 1\), W \(2, 3\): matmul: "
    ):
        layer.backward(np.ones((2, 1)))
