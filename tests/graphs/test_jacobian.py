"""Full derivatives against central differences and closed forms."""

import copy

import numpy as np
import pytest

import nnlayers as nn


def differences(function, x, step=1e-6):
    """Return central differences of all entries of function(x) by all entries of x."""
    x = np.asarray(x, float)
    columns = []
    for i in range(x.size):
        shift = np.zeros(x.size)
        shift[i] = step
        shift = shift.reshape(x.shape)
        columns.append((function(x + shift) - function(x - shift)) / (2 * step))
    return np.stack(columns, axis=-1).reshape(*np.shape(columns[0]), *x.shape)


def assert_close(jacobian, expected):
    assert jacobian.shape == expected.shape
    np.testing.assert_allclose(jacobian, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Affine(3, 2, dtype="float64", rng=0),
        nn.Softmax(),
        nn.LayerNorm(3, dtype="float64"),
        nn.BatchNorm(3, dtype="float64"),
        nn.Sequential(nn.Affine(3, 4, dtype="float64", rng=0), nn.Tanh(), nn.Sum(axis=1)),
        nn.Graph(nn.exp(nn.Input("z")) @ [[1.0], [2.0], [-1.0]]),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("rows", [1, 4])
def test_the_jacobian_equals_central_differences_of_a_batch(layer, rows):
    if rows == 1 and isinstance(layer, nn.BatchNorm):
        rows = 2  # A single row has no variance.
    x = np.random.default_rng(0).normal(size=(rows, 3))
    run = copy.deepcopy(layer)
    assert_close(nn.jacobian(layer, x), differences(run.forward, x))


def test_the_jacobian_of_numbers_is_the_derivative():
    derivative = nn.jacobian(nn.Square(), 3.0)
    assert derivative.shape == ()
    assert derivative == 6
    assert nn.jacobian(nn.Graph(nn.Input("x") ** 3), 2.0) == 12


def test_the_jacobian_between_numbers_and_vectors_has_the_axes_of_both():
    x = np.array([1.0, -2.0, 0.5])
    assert nn.jacobian(nn.Sum(), x).tolist() == [1, 1, 1]
    s, v = nn.Input("s"), nn.Input("v")
    assert nn.jacobian(nn.Graph(s * v), (2.0, x), wrt="s").tolist() == x.tolist()
    np.testing.assert_array_equal(nn.jacobian(nn.ReLU(), x), np.diag([1, 0, 1]))


def test_the_jacobian_of_an_affine_layer_is_its_weights_and_by_them_a_tensor():
    layer = nn.Affine(3, 2, dtype="float64", rng=0)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(nn.jacobian(layer, x), layer.W.value.T)
    tensor = nn.jacobian(layer, x, wrt="W")
    assert tensor.shape == (2, 3, 2)
    for i in range(2):
        np.testing.assert_array_equal(tensor[i, :, i], x)
        np.testing.assert_array_equal(tensor[i, :, 1 - i], 0)
    np.testing.assert_array_equal(nn.jacobian(layer, x, wrt="b"), np.eye(2))


def test_parameters_go_by_their_names():
    model = nn.mlp([3, 4, 2], activation="tanh", dtype="float64", rng=0)
    x = np.random.default_rng(1).normal(size=(5, 3))
    for name, parameter in model.named_parameters().items():

        def output(value, parameter=parameter):
            before = parameter.value.copy()
            parameter.value[...] = value
            y = model.predict(x)
            parameter.value[...] = before
            return y

        assert_close(nn.jacobian(model, x, wrt=name), differences(output, parameter.value))


def test_a_weight_of_a_graph_goes_by_its_name_even_where_that_is_x():
    weight = nn.Input("x", value=nn.Parameter(np.array([2.0, 3.0]), name="x"))
    graph = nn.Graph(nn.Input("z") * weight)
    np.testing.assert_array_equal(nn.jacobian(graph, [5.0, 7.0], wrt="x"), np.diag([5, 7]))
    np.testing.assert_array_equal(nn.jacobian(graph, [5.0, 7.0], wrt="z"), np.diag([2, 3]))


def test_inputs_of_a_graph_go_by_their_names():
    rng = np.random.default_rng(0)
    W, x = rng.normal(size=(2, 3)), rng.normal(size=3)
    W_node, x_node = nn.Input("W"), nn.Input("x")
    graph = nn.Graph(nn.tanh(W_node @ x_node))
    for given in ((W, x), {"x": x, "W": W}):
        by_x, by_W = nn.jacobian(graph, given), nn.jacobian(graph, given, wrt="W")
        assert_close(by_x, differences(lambda x: np.tanh(W @ x), x))
        assert_close(by_W, differences(lambda W: np.tanh(W @ x), W))


def test_inputs_of_other_layers_go_by_their_numbers():
    a, b = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, -1.0]]), np.array([5.0, -1.0])
    assert_close(nn.jacobian(nn.MatMul(), (a, b), wrt="0"), differences(lambda a: a @ b, a))
    np.testing.assert_array_equal(nn.jacobian(nn.MatMul(), (a, b), wrt="1"), a)


def test_ids_and_integers_are_accepted_as_by_forward():
    table = nn.Embedding(3, 2, dtype="float64", rng=0)
    by_W = nn.jacobian(table, np.array([2, 2]), wrt="W")
    assert by_W.shape == (2, 2, 3, 2)
    assert by_W.sum() == 4
    assert by_W[:, :, 2].sum() == 4
    np.testing.assert_array_equal(nn.jacobian(nn.Sqrt(), [1, 4]), np.diag([0.5, 0.25]))


class Halved(nn.Layer):
    def forward(self, x):
        return x // 2

    def backward(self, dout):
        return dout / 2


def test_the_jacobian_of_an_integer_output_has_floats():
    assert nn.jacobian(Halved(), [4, 6]).tolist() == [[0.5, 0], [0, 0.5]]


def test_float32_gives_float32():
    layer = nn.Affine(3, 2, rng=0)
    x = np.ones((1, 3), np.float32)
    assert nn.jacobian(layer, x).dtype == nn.jacobian(layer, x, wrt="W").dtype == np.float32


def test_an_empty_batch_gives_an_empty_jacobian():
    assert nn.jacobian(nn.Affine(3, 2), np.zeros((0, 3))).shape == (0, 2, 0, 3)


def test_the_layer_its_gradients_and_its_state_stay_as_they_were():
    model = nn.Sequential(
        nn.Affine(3, 3, dtype="float64", rng=0),
        nn.BatchNorm(3, dtype="float64"),
        nn.Dropout(0.5, rng=0),
    )
    rng = np.random.default_rng(0)
    x, dout = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    model.forward(x)
    model.backward(dout)
    twin = copy.deepcopy(model)
    nn.jacobian(model, rng.normal(size=(2, 3)), wrt="0.W")
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        np.testing.assert_array_equal(ours.grad, theirs.grad)
    for name, value in twin.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name], value)
    np.testing.assert_array_equal(model.forward(x), twin.forward(x))
    np.testing.assert_array_equal(model.backward(dout), twin.backward(dout))


def test_backward_after_it_is_that_of_the_forward_before_it():
    layer = nn.Square()
    layer.forward(3.0)
    nn.jacobian(layer, 5.0)
    assert layer.backward(1.0) == 6


def test_nodes_keep_the_numbers_that_they_show():
    x = nn.Input("x")
    y = nn.square(x)
    graph = nn.Graph(y)
    graph.forward(3.0)
    graph.backward(1.0)
    nn.jacobian(graph, 5.0)
    assert (y.value, x.value, x.grad) == (9, 3, 6)


def test_the_jacobian_through_dropout_is_that_of_the_next_mask():
    dropout = nn.Dropout(0.5, rng=0)
    x = np.ones(20)
    derivative = nn.jacobian(dropout, x)
    np.testing.assert_array_equal(derivative, np.diag(dropout.forward(x)))
    np.testing.assert_array_equal(nn.jacobian(dropout.eval(), x), np.eye(20))


def test_batch_statistics_couple_rows_and_running_ones_do_not():
    norm = nn.BatchNorm(1, dtype="float64")
    x = np.array([[1.0], [2.0], [4.0]])
    coupled = nn.jacobian(norm, x)[:, 0, :, 0]
    np.testing.assert_allclose(coupled.sum(axis=1), 0, atol=1e-12)
    assert (coupled != 0).all()
    alone = nn.jacobian(norm.eval(), x)[:, 0, :, 0]
    np.testing.assert_allclose(alone, np.eye(3) / np.sqrt(1 + 1e-5), rtol=1e-12)


def test_an_unknown_name_is_reported_with_the_known_ones():
    with pytest.raises(ValueError, match=r"input or parameter 'V'\. Known: W, b, x"):
        nn.jacobian(nn.Affine(2, 2), [1.0, 2.0], wrt="V")
    a, b = nn.Input("a"), nn.Input("b")
    with pytest.raises(ValueError, match="'x'"):
        nn.jacobian(nn.Graph(a * b), (1.0, 2.0))


def test_a_layer_without_a_single_output_is_refused():
    x = nn.Input("x")
    with pytest.raises(TypeError, match=r"layer must have one output, .* has 2"):
        nn.jacobian(nn.Graph(outputs=[x + 1, x * 2]), 1.0)
    with pytest.raises(TypeError, match="layer must be a Layer object, got <built-in"):
        nn.jacobian(abs, 1.0)


class Stop(nn.Layer):
    """A user's layer that passes no gradient back."""

    def forward(self, x):
        return x.copy()

    def backward(self, dout):
        return None


def test_the_jacobian_by_an_input_without_a_gradient_is_zero():
    np.testing.assert_array_equal(nn.jacobian(Stop(), [1.0, 2.0]), np.zeros((2, 2)))
    table = nn.jacobian(nn.Embedding(4, 2, rng=0), [1, 2])
    np.testing.assert_array_equal(table, np.zeros((2, 2, 2)))
