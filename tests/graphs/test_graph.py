"""Graphs: values, gradients, dtypes, names and copies."""

import copy
import pickle

import numpy as np
import pytest
from expressions import expressions
from hypothesis import given, settings

import nnlayers as nn
from nnlayers.config.families import OPTIMIZERS
from nnlayers.testing import LayerError, check_gradients, check_layer


def sigmoid_of_a_product():
    w, x = nn.Input("w"), nn.Input("x")
    return nn.Graph(1 / (1 + nn.exp(-(w @ x))))


@settings(max_examples=60, deadline=None)
@given(expressions())
def test_any_expression_agrees_with_differences(expression):
    graph, inputs = expression.graph()
    check_gradients(graph, *inputs)


@settings(max_examples=60, deadline=None)
@given(expressions())
def test_any_expression_gives_pytorch_s_values_and_gradients(expression):
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(x, requires_grad=True) for x in expression.inputs]
    y = expression.with_torch(torch, tensors)
    y.sum().backward()
    graph, inputs = expression.graph()
    np.testing.assert_allclose(graph.forward(*inputs), y.detach().numpy(), rtol=1e-10, atol=1e-12)
    graph.backward(np.ones(y.shape))
    for name, gradient in graph.gradients.items():
        expected = tensors[int(name[1:])].grad.numpy()
        scale = 1 + np.abs(expected).max()
        np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-12 * scale)


def test_a_sigmoid_of_a_product_takes_its_inputs_by_position_or_name():
    graph = sigmoid_of_a_product()
    w, x = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    y = graph.forward(w=w, x=x)
    assert y == pytest.approx(1 / (1 + np.exp(-1.0)))
    dw, dx = graph.backward(1.0)
    np.testing.assert_allclose(dw, y * (1 - y) * x)
    np.testing.assert_allclose(dx, y * (1 - y) * w)
    assert list(graph.gradients) == ["w", "x"]
    np.testing.assert_array_equal(graph.gradients["w"], dw)
    assert graph.forward(w, x) == graph.forward(w, x=x) == graph.predict(x=x, w=w) == y


def test_every_node_shows_its_value_and_gradient():
    graph = sigmoid_of_a_product()
    assert graph["exp"].value is None
    graph.forward([1.0, 2.0], [3.0, -1.0])
    assert graph["exp"].value == np.exp(-1.0)
    assert graph["exp"].grad is None
    graph.backward(1.0)
    a = 1 + np.exp(-1.0)
    assert graph["exp"].grad == graph["add"].grad == pytest.approx(-1 / a**2)
    assert {type(node.value) for node in graph.nodes} == {np.ndarray}
    assert {type(node.grad) for node in graph.nodes} == {np.ndarray}


def test_a_new_forward_clears_the_gradients():
    graph = sigmoid_of_a_product()
    graph.forward([1.0], [1.0])
    graph.backward(1.0)
    graph.forward([1.0], [2.0])
    assert graph["exp"].grad is None
    with pytest.raises(RuntimeError, match=r"Graph\.gradients was called before backward"):
        _ = graph.gradients


def test_a_node_used_twice_gets_the_sum_of_its_gradients():
    x = nn.Input("x")
    a = nn.exp(x)
    graph = nn.Graph(a * a + a)
    graph.forward(x=0.5)
    graph.backward(1.0)
    assert a.grad == pytest.approx(2 * np.exp(0.5) + 1)
    assert x.grad == pytest.approx(a.grad * np.exp(0.5))


def test_several_outputs_give_a_tuple_and_take_a_gradient_each():
    x = nn.Input("x")
    a = nn.square(x)
    graph = nn.Graph(outputs=[a, nn.sum(a), x])
    y, total, same = graph.forward(x=[1.0, 2.0])
    assert (y.tolist(), total, same.tolist()) == ([1, 4], 5, [1, 2])
    assert graph.backward([1.0, 0.0], 10.0, [0.5, 0.5]).tolist() == [22.5, 40.5]
    with pytest.raises(TypeError, match="expected 3 dout, got 1"):
        graph.backward(1.0)
    check_gradients(graph, [0.5, -1.5])
    with pytest.raises(LayerError, match="Graph: forward must return one array: a tuple of 3"):
        check_layer(lambda: nn.Graph(outputs=[a, nn.sum(a), x]), [[1.0], [2.0]])


def test_inputs_are_in_the_order_of_their_creation_or_of_the_argument():
    a, b, c = nn.Input("a"), nn.Input("b"), nn.Input("c")
    y = (b - a) * c
    assert [node.name for node in nn.Graph(y).inputs] == ["a", "b", "c"]
    assert nn.Graph(y).forward(1, 3, 10) == 20
    graph = nn.Graph(y, inputs=[c, b, a])
    assert graph.forward(10, 3, 1) == 20
    assert [float(g) for g in graph.backward(1.0)] == [2, 10, -10]


def test_constants_take_the_dtype_of_the_values_beside_them():
    x = nn.Input("x")
    graph = nn.Graph(0.1 * x + 1 - np.float32(3) / x)
    y = graph.forward(x=np.ones(3, np.float32))
    assert y.dtype == graph.backward(y).dtype == np.float32
    assert graph.forward(x=np.ones(3)).dtype == np.float64
    assert graph.forward(x=np.float32(2)).dtype == np.float32
    assert nn.Graph(x + nn.Input("half", value=0.5)).forward(np.float32(1)).dtype == np.float32


FLOAT32 = np.ones((2, 2), np.float32)


def scaled(x, y):
    """A graph within the graph, that multiplies its inputs."""
    return nn.Graph(nn.Input("a") * nn.Input("b"))(x, y)


@pytest.mark.parametrize(
    "expression",
    [
        lambda x, c: x * (c(2) * c(3)),
        lambda x, c: x + nn.exp(c(0)),
        lambda x, c: x - -c(2.0),
        lambda x, c: x / c(4) ** 2,
        lambda x, c: x * (nn.exp(c(0.5)) + c(1)) * c(0.5),
        lambda x, c: nn.maximum(x, nn.sqrt(c(2))),
        lambda x, c: nn.minimum(c(1), x),
        lambda x, c: nn.where(x > c(0.3), x, c(2)) + (c(1) >= x),
        lambda x, c: nn.where(x, c(0.5), x) + nn.where([True, False], x, c(2)),
        lambda x, c: nn.where(c(1), c(0.5), c(2)) * x,
        lambda x, c: nn.where(c([[1], [0]]), x[:, 0], c([3, 4])),
        lambda x, c: nn.clip(nn.abs(x.T), 0.3, 1.7),
        lambda x, c: scaled(x, c(3)),
        lambda x, c: scaled(x, c(0.3)),
        lambda x, c: scaled(c(True), x),
        lambda x, c: x @ c([[1.0], [2.0]]),
        lambda x, c: x @ c([[1], [2]]),
        lambda x, c: x + c(np.arange(2)),
        lambda x, c: nn.concatenate(x, nn.log(c([[1.0], [2.0]]))),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_without_a_dtype_do_not_change_that_of_the_arrays(expression, dtype, tmp_path):
    x = np.array([[0.5, -1.5], [2.0, 0.25]], dtype)

    def constant(value):
        names.append(f"c{len(names)}")
        return nn.Input(names[-1], value=value)

    names = []
    graph = nn.Graph(expression(nn.Input("x"), constant))
    loaded = nn.load(nn.save(graph, tmp_path / "graph.nn"))
    for run in (graph, loaded):
        y = run.forward(x)
        gradient = run.backward(np.ones_like(y))
        assert y.dtype == gradient.dtype == run.predict(x).dtype == dtype
        assert {node.value.dtype for node in run.nodes if node.layer} == {np.dtype(dtype)}
        assert {node.grad.dtype for node in run.nodes if node.layer} == {np.dtype(dtype)}
    names = []
    fed = nn.Graph(expression(nn.Input("x"), lambda value: nn.Input(constant(value).name)))
    values = {node.name: graph[node.name].constant for node in fed.inputs if node.name != "x"}
    for call in (fed.forward, fed.predict):
        y = call(x=x, **values)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, graph.predict(x))


def test_arrays_of_floats_keep_their_dtype_as_in_numpy():
    x = nn.Input("x")
    assert nn.Graph(x * np.ones(2)).forward(FLOAT32).dtype == np.float64
    assert nn.Graph(x * np.ones(2, np.float16)).forward(FLOAT32).dtype == np.float32
    assert nn.Graph(nn.Input("a") * nn.Input("b")).forward(FLOAT32, np.ones(2)).dtype == np.float64
    assert nn.Graph(nn.exp(x)).forward(1).dtype == np.float64
    assert nn.Graph(nn.exp(x)).forward([1.0]).dtype == np.float64


@pytest.mark.parametrize("given", [[[1, 2], [3, 4]], [[1.0, 2.0]], np.eye(2, dtype=np.int8)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_graph_with_parameters_takes_numbers_to_their_dtype(given, dtype):
    x, W = nn.Input("x"), nn.Input("W", value=nn.Parameter(np.eye(2, dtype=dtype), name="W"))
    affine = nn.Affine(2, 2, dtype=dtype, rng=0)
    for expression in (x @ W, affine(x) + x, nn.relu(x) - affine(x), affine(nn.exp(x)) * x):
        graph = nn.Graph(expression)
        y = graph.forward(given)
        assert y.dtype == graph.predict(given).dtype == graph.backward(y).dtype == dtype
        exact = nn.Graph(expression).predict(np.asarray(given, dtype))
        np.testing.assert_array_equal(y, exact)


def test_ids_stay_integers_beside_operations_on_them():
    ids, table = nn.Input("ids"), nn.Embedding(5, 2, rng=0)
    graph = nn.Graph(nn.sum(table(ids), axis=1) * nn.sqrt(ids))
    for call in (graph.forward, graph.predict):
        y = call([0, 4])
        assert y.dtype == np.float32
        np.testing.assert_allclose(y, table.W.value[[0, 4]].sum(axis=1) * [0, 2], rtol=1e-6)


def test_constants_alone_are_a_graph():
    graph = nn.Graph(nn.exp(nn.Input("c", value=0)) + nn.Input("d", value=[1, 2]))
    assert graph.forward().tolist() == [2.0, 3.0]
    assert graph.backward([1.0, 1.0]) == ()
    assert graph["c"].grad == 2.0


def test_an_array_beside_a_node_is_a_constant():
    x = nn.Input("x")
    graph = nn.Graph(np.array([1.0, 2.0]) * x)
    assert graph.forward(x=3.0).tolist() == [3.0, 6.0]
    assert graph.backward([1.0, 1.0]) == 3.0


def test_a_constant_does_not_change_with_the_array_that_it_was_made_from():
    c = np.ones(2)
    graph = nn.Graph(nn.Input("x") + c)
    c[...] = 5
    assert graph.forward(x=0.0).tolist() == [1.0, 1.0]


def test_outputs_and_gradients_never_change_later():
    x = nn.Input("x")
    a = x + 1.0
    graph = nn.Graph(a)
    y = graph.forward(x=[1.0, 2.0])
    dx = graph.backward([1.0, 1.0])
    y[...] = dx[...] = 7
    a.value[...] = 7
    assert a.value.tolist() == [2.0, 3.0]
    assert a.grad.tolist() == x.grad.tolist() == [1.0, 1.0]


def affine_graph(W, b):
    weights = nn.Input("W", value=W), nn.Input("b", value=b)
    return nn.Graph(nn.relu(nn.Input("x") @ weights[0] + weights[1]))


@pytest.mark.parametrize("optimizer", OPTIMIZERS.known.values(), ids=OPTIMIZERS.known)
def test_a_graph_of_operations_trains_to_the_numbers_of_the_layers(optimizer):
    layers = nn.Sequential(nn.Affine(4, 3, dtype="float64", rng=0), nn.ReLU())
    W, b = (nn.Parameter(p.value.copy(), name=p.name) for p in layers.parameters())
    graph = affine_graph(W, b)
    assert list(graph.named_parameters()) == ["W", "b"]
    rng = np.random.default_rng(1)
    x, t = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    for model in (layers, graph):
        moves = optimizer(model.parameters(), lr=0.05)
        # NumPy trains graphs, and the compiled engine rounds in another order.
        trainer = nn.Trainer(model, nn.MeanSquaredError(), moves, engine="numpy")
        trainer.fit(x, t, epochs=5, batch_size=7, rng=3)
    np.testing.assert_allclose(W.value, layers[0].W.value, rtol=1e-12)
    np.testing.assert_allclose(b.value, layers[0].b.value, rtol=1e-12)


def test_layers_with_weights_are_nodes():
    dense = nn.Affine(3, 2, dtype="float64", rng=0)
    graph = nn.Graph(nn.tanh(dense(nn.Input("x"))).named("h"))
    assert list(graph.named_parameters()) == ["affine.W", "affine.b"]
    check_gradients(graph, np.random.default_rng(0).normal(size=(4, 3)))


def test_a_layer_used_many_times_keeps_its_uses_apart():
    cell = nn.Affine(3, 3, dtype="float64", rng=0)
    x = nn.Input("x")
    h = x
    for _ in range(4):
        h = nn.tanh(cell(h)) + x
    graph = nn.Graph(h)
    assert list(graph.named_parameters()) == ["affine.W", "affine.b"]
    check_gradients(graph, np.random.default_rng(0).normal(size=(2, 3)))


def test_a_shared_layer_moves_its_running_statistics_at_each_use():
    norm = nn.BatchNorm(2, dtype="float64")
    a, b = nn.Input("a"), nn.Input("b")
    graph = nn.Graph(norm(a) + norm(b))
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=(4, 2)), rng.normal(size=(4, 2))
    graph.forward(one, two)
    alone = nn.BatchNorm(2, dtype="float64")
    alone.forward(one)
    alone.forward(two)
    np.testing.assert_array_equal(norm.running_mean, alone.running_mean)
    np.testing.assert_array_equal(norm.running_var, alone.running_var)


def test_dropout_draws_again_at_each_use_and_is_off_in_predict():
    dropout = nn.Dropout(0.5, rng=0)
    x = nn.Input("x")
    graph = nn.Graph(outputs=[dropout(x), dropout(x)])
    one, two = graph.forward(np.ones(50))
    assert (one != two).any()
    gradient = graph.backward(np.ones(50), np.ones(50))
    np.testing.assert_array_equal(gradient, one + two)
    np.testing.assert_array_equal(graph.predict(np.ones(50))[0], np.ones(50))
    np.testing.assert_array_equal(graph.eval().forward(np.ones(50))[0], np.ones(50))


def test_graphs_nest_in_sequentials_and_graphs():
    rng = np.random.default_rng(0)
    inner = affine_graph(nn.Parameter(rng.normal(size=(3, 3))), nn.Parameter(rng.normal(size=3)))
    x = nn.Input("x")
    outer = nn.Graph(inner(inner(x)) * x)
    network = nn.Sequential(outer, nn.Affine(3, 2, dtype="float64", rng=0))
    assert list(network.named_parameters()) == ["0.graph.W", "0.graph.b", "1.W", "1.b"]
    check_gradients(network, rng.normal(size=(4, 3)))


def test_a_graph_within_takes_nodes_by_name_too():
    ratio = nn.Graph(nn.Input("a") / nn.Input("b"))
    x, z = nn.Input("x"), nn.Input("z")
    graph = nn.Graph(ratio(b=x, a=z), inputs=[x, z])
    assert graph.forward(x=2.0, z=6.0) == 3.0


def test_a_graph_of_several_outputs_cannot_be_a_node():
    x = nn.Input("x")
    graph = nn.Graph(nn.Graph(outputs=[x, x + 1])(nn.Input("z")))
    with pytest.raises(TypeError, match=r"node 'graph' of z \(\): a node has one value"):
        graph.forward(1.0)


def test_ids_reach_an_embedding_as_integers():
    table = nn.Embedding(5, 2, rng=0)
    graph = nn.Graph(nn.sum(table(nn.Input("ids")), axis=1))
    y = graph.forward(ids=[[0, 1], [4, 4]])
    assert y.shape == (2, 2)
    graph.backward(np.ones((2, 2)))
    assert table.W.grad[:, 0].tolist() == [1, 1, 0, 0, 2]


class Doubled(nn.ReLU):
    """A user's layer that changes a pass of a layer of the library."""

    def forward(self, x):
        return 2 * super().forward(x)

    def backward(self, dout):
        return super().backward(2 * dout)


def test_the_passes_of_a_user_s_subclass_run():
    graph = nn.Graph(Doubled()(nn.Input("x")))
    assert graph.forward([1.0, -1.0]).tolist() == graph.predict([1.0, -1.0]).tolist() == [2.0, 0.0]
    assert graph.backward([1.0, 1.0]).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_graph_keeps_every_promise_of_a_layer(dtype):
    def make():
        x, cell = nn.Input("x"), nn.Affine(3, 3, dtype=dtype, rng=0)
        scale = nn.Input("scale", value=nn.Parameter(np.ones(3, dtype), name="scale"))
        return nn.Graph(nn.tanh(cell(nn.tanh(cell(x)))) * scale + 0.5)

    check_layer(make, np.random.default_rng(0).normal(size=(5, 3)).astype(dtype))


def test_a_graph_of_two_inputs_keeps_every_promise_of_a_layer():
    def make():
        a, b = nn.Input("a"), nn.Input("b")
        return nn.Graph(nn.maximum(a, b) * a)

    rng = np.random.default_rng(0)
    check_layer(make, rng.normal(size=(5, 3)), rng.normal(size=(5, 3)))


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda graph: pickle.loads(pickle.dumps(graph))]
)
def test_copies_compute_the_same_with_new_nodes(copied):
    cell = nn.Affine(3, 3, dtype="float64", rng=0)
    x = nn.Input("x")
    graph = nn.Graph((cell(cell(x)) + 0.5).named("y"), inputs=[x])
    twin = copied(graph)
    given_x = np.ones((2, 3))
    np.testing.assert_array_equal(twin.forward(given_x), graph.forward(given_x))
    assert twin["y"] is not graph["y"]
    assert repr(twin) == repr(graph)
    twin.backward(np.ones((2, 3)))
    assert graph["y"].grad is None


def test_a_saved_and_loaded_graph_predicts_the_same(tmp_path):
    cell = nn.Affine(3, 3, rng=0)
    x, c = nn.Input("x"), nn.Input("c", value=[1.0, 2.0, 3.0])
    W = nn.Input("W", value=nn.Parameter(np.eye(3, dtype=np.float32), name="W"))
    h = nn.relu(cell(cell(x)) @ W).named("h")
    graph = nn.Graph(outputs=[h + c, nn.Graph(nn.Input("z") ** 2)(h) - 0.5])
    loaded = nn.load(nn.save(graph, tmp_path / "graph.nn"))
    given_x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for ours, theirs in zip(graph.predict(given_x), loaded.predict(given_x), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)
    assert [node.name for node in loaded.nodes] == [node.name for node in graph.nodes]
    assert list(loaded.state_dict()) == list(graph.state_dict()) == ["W", "affine.W", "affine.b"]


def test_a_chain_longer_than_python_s_stack_runs_and_is_copied():
    x = nn.Input("x")
    node = x
    for _ in range(2_000):
        node = node * 1.0001 + 0.0001
    graph = nn.Graph(node)
    assert len(graph.nodes) == 8_001
    assert graph.forward(1.0) == pytest.approx(2 * 1.0001**2_000 - 1)
    assert graph.backward(1.0) == pytest.approx(1.0001**2_000)
    assert pickle.loads(pickle.dumps(graph)).predict(1.0) == graph.predict(1.0)
    assert "node" in repr(node)


class Lookup(nn.Layer):
    """A user's layer without a gradient for its input, such as a lookup of ids."""

    def forward(self, x):
        return 2.0 * np.asarray(x)

    def backward(self, dout):
        return None


def test_a_layer_without_a_gradient_adds_none():
    x = nn.Input("x")
    for expression in (Lookup()(x) + x, x + Lookup()(x)):
        graph = nn.Graph(expression)
        graph.forward([1.0, 2.0])
        assert graph.backward([1.0, 1.0]).tolist() == [1.0, 1.0]


def test_output_grads_are_the_arguments_of_backward_to_the_last_bit():
    x = nn.Input("x")
    a = x * 0.1
    graph = nn.Graph([a, a * 1e16, a])
    graph.forward(1.0)
    graph.backward(0.3, 1.0, 0.0)
    outputs = [graph.nodes.index(output) for output in graph.outputs[:2]]
    assert list(graph.output_grads()) == outputs
    assert graph.output_grads()[outputs[0]] == 0.3
    assert a.grad == 1e16


def test_contributions_are_the_gradients_that_each_use_sends_back():
    x, cell = nn.Input("x"), nn.Affine(2, 2, dtype="float64", rng=0)
    h = cell(x)
    y = h * x
    graph = nn.Graph(y)
    graph.forward([[1.0, 2.0]])
    with pytest.raises(RuntimeError, match=r"Graph\.contributions was called before backward"):
        graph.contributions(y)
    dx = graph.backward([[1.0, 1.0]])
    weight_gradient = cell.W.grad.copy()
    to_h, to_x = graph.contributions(y)
    np.testing.assert_array_equal(to_h, [[1.0, 2.0]])
    np.testing.assert_array_equal(to_x, h.value)
    (through_h,) = graph.contributions(h)
    np.testing.assert_array_equal(to_x + through_h, dx)
    np.testing.assert_array_equal(cell.W.grad, weight_gradient)
    assert graph.contributions(x) == ()


def test_indices_slices_and_transposes_are_those_of_numpy():
    x, given = nn.Input("x"), np.arange(24.0).reshape(2, 3, 4)
    for key in [
        0,
        -1,
        slice(1, None),
        (slice(None), 0),
        (..., slice(None, None, -2)),
        (0, None, ..., -1),
        [1, 0, 1],
        ([0, 1], slice(None), [3, 3]),
        (slice(None), [[0, 2], [1, 1]]),
        [True, False],
        (slice(None), np.array([True, False, True])),
        np.zeros((2, 3, 4), bool),
        [],
        (),
        ...,
        None,
        np.int64(1),
    ]:
        graph = nn.Graph(x[key])
        y = graph.forward(given)
        np.testing.assert_array_equal(y, given[key])
        check_gradients(graph, given)
    np.testing.assert_array_equal(nn.Graph(x.T).forward(given), given.T)
    check_gradients(nn.Graph(x.T[1:, :, 0]), given)
    assert nn.Graph(abs(x)).forward(-2.0) == 2.0


def test_an_index_does_not_change_with_the_array_that_it_was_made_from():
    ids = np.array([0, 1])
    graph = nn.Graph(nn.Input("x")[ids])
    ids[...] = 0
    assert graph.forward([5.0, 6.0]).tolist() == [5, 6]


def test_a_choice_keeps_what_is_not_chosen_out_of_the_gradients():
    x = nn.Input("x")
    graph = nn.Graph(nn.where([True, False], nn.log(x), 0.0))
    assert graph.forward([1.0, 0.0]).tolist() == [0, 0]
    graph.backward([1.0, 1.0])
    assert graph["log"].grad.tolist() == [1, 0]


def test_nodes_compare_with_nodes_numbers_and_arrays_on_either_side():
    x, z, array = nn.Input("x"), nn.Input("z"), np.array([1.0, 2.0])
    x0, z0 = np.array([1.0, 3.0]), np.array([1.5, 2.5])
    for compare in (
        lambda x, z: x > z,
        lambda x, z: x <= z,
        lambda x, z: x > 1,
        lambda x, z: x <= 2.5,
        lambda x, z: array < x,
        lambda x, z: array >= x,
        lambda x, z: x > array,
        lambda x, z: np.float64(2) <= x,
        lambda x, z: np.float32(2) > x,
    ):
        node = compare(x, z)
        graph = nn.Graph([node, z])
        values = graph.forward(**{n.name: {"x": x0, "z": z0}[n.name] for n in graph.inputs})
        np.testing.assert_array_equal(values[0], compare(x0, z0))


def test_a_choice_by_a_comparison_is_a_leaky_rectifier():
    x, x0 = nn.Input("x"), np.array([-2.0, 0.0, 3.0])
    graph, layer = nn.Graph(nn.where(x > 0, x, 0.01 * x)), nn.LeakyReLU()
    np.testing.assert_array_equal(graph.forward(x0), layer.forward(x0))
    np.testing.assert_array_equal(graph.backward(np.ones(3)), layer.backward(np.ones(3)))


def test_the_condition_of_a_choice_may_enter_the_graph():
    mask, x = nn.Input("mask"), nn.Input("x")
    graph = nn.Graph(nn.sum(nn.where(mask, x, -x)))
    x0 = np.array([1.0, 2.0], np.float32)
    assert graph.forward(mask=[True, False], x=x0).dtype == np.float32
    dmask, dx = graph.backward(1.0)
    assert (dmask.tolist(), dx.tolist()) == ([0, 0], [1, -1])


@pytest.mark.parametrize("of_number", [lambda x: x + 0.5, lambda x: nn.where([1, 0], x, 0.5)])
def test_a_number_takes_the_dtype_of_the_array_beside_it_whatever_else_is_in_the_graph(of_number):
    x, z = nn.Input("x"), nn.Input("z")
    graph = nn.Graph([of_number(x), of_number(z)])
    y = graph.forward(np.ones(2, np.float32), np.ones(2))
    assert [a.dtype for a in y] == [np.float32, np.float64]
