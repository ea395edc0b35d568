"""Error messages of graphs and nodes."""

import numpy as np
import pytest

import nnlayers as nn


def test_an_input_that_nothing_uses_is_named():
    x, z = nn.Input("x"), nn.Input("z")
    with pytest.raises(ValueError, match="nothing in the graph uses the input 'z'"):
        nn.Graph(nn.exp(x), inputs=[x, z])


def test_the_argument_inputs_must_hold_each_input_once():
    x, z = nn.Input("x"), nn.Input("z")
    with pytest.raises(ValueError, match="inputs must hold 'z' once, got it 0 times"):
        nn.Graph(x + z, inputs=[x])
    with pytest.raises(ValueError, match="inputs must hold 'x' once, got it 2 times"):
        nn.Graph(x + z, inputs=[x, x, z])
    with pytest.raises(TypeError, match="inputs must be Input nodes without a value, got <node"):
        nn.Graph(x + z, inputs=[x + z])
    with pytest.raises(TypeError, match="inputs must be a list of Input nodes, got <node 'x'"):
        nn.Graph(nn.exp(x), inputs=x)
    constant = nn.Input("c", value=1.0)
    with pytest.raises(TypeError, match="inputs must be Input nodes without a value, got <node"):
        nn.Graph(x + constant, inputs=[x, constant])


@pytest.mark.parametrize("method", ["forward", "predict", "__call__"])
def test_missing_and_unknown_names_are_reported_with_the_known_ones(method):
    weight, x = nn.Input("weight"), nn.Input("x")
    call = getattr(nn.Graph((weight @ x).named("y")), method)
    one = np.ones(2)
    with pytest.raises(ValueError, match=r"Graph\(weight, x -> y, 3 nodes\): missing input 'x'"):
        call(weight=one)
    with pytest.raises(ValueError, match=r"missing input 'weight', 'x'"):
        call()
    with pytest.raises(ValueError, match=r"unknown input 'wieght', did you mean 'weight'"):
        call(wieght=one, x=one)
    with pytest.raises(TypeError, match=r"got two values for the input 'weight'"):
        call(one, weight=one)
    with pytest.raises(TypeError, match=r"expected 2 inputs, got 3"):
        call(one, one, one)


def test_shapes_that_do_not_fit_are_reported_with_node_operation_and_shapes():
    w, x = nn.Input("w"), nn.Input("x")
    graph = nn.Graph(nn.exp(((w @ x) + 1).named("score")))
    for call in (graph.forward, graph.predict):
        with pytest.raises(ValueError, match=r"node 'matmul' of w \(2, 3\), x \(2,\): MatMul\(\)"):
            call(w=np.ones((2, 3)), x=np.ones(2))
    affine = nn.Graph(nn.Affine(3, 2, rng=0)(x).named("h"))
    with pytest.raises(ValueError, match=r"node 'h' of x \(4, 2\): Affine\(3, 2\) expected x of"):
        affine.forward(np.ones((4, 2)))


def test_a_refused_input_leaves_no_unfinished_run():
    graph = nn.Graph(nn.Input("a") + nn.Input("b"))
    graph.forward(1.0, 2.0)
    with pytest.raises(ValueError, match="shapes that broadcast"):
        graph.forward(np.ones(2), np.ones(3))
    with pytest.raises(RuntimeError, match="before forward"):
        graph.backward(1.0)


def test_backward_before_forward_is_refused():
    graph = nn.Graph(nn.exp(nn.Input("x")))
    with pytest.raises(RuntimeError, match=r"Graph\.backward was called before forward"):
        graph.backward(1.0)
    with pytest.raises(RuntimeError, match=r"Graph\.gradients was called before forward"):
        _ = graph.gradients
    assert graph["x"].grad is None


def test_a_dout_of_another_shape_is_refused():
    graph = nn.Graph(nn.exp(nn.Input("x")))
    graph.forward(np.ones(3))
    with pytest.raises(ValueError, match=r"Graph\(.*\) expected dout of shape \(3,\), got \(2,\)"):
        graph.backward(np.ones(2))


@pytest.mark.parametrize("bad", [[1j], [object()], ["a"]])
def test_an_input_that_is_not_a_real_number_is_named(bad):
    graph = nn.Graph(nn.exp(nn.Input("speed")))
    with pytest.raises(TypeError, match="speed must hold real numbers, got dtype"):
        graph.forward(bad)
    with pytest.raises(TypeError, match="value must hold real numbers, got dtype"):
        nn.Input("c", value=bad)


def test_a_node_of_another_graph_is_not_found():
    x = nn.Input("x")
    graph = nn.Graph(nn.exp(x).named("growth"))
    assert graph["growth"].layer is not None
    with pytest.raises(KeyError, match="unknown node 'growht', did you mean 'growth'"):
        graph["growht"]
    other = nn.Graph(nn.exp(nn.Input("z")))
    graph.forward(1.0)
    graph.backward(1.0)
    with pytest.raises(
        ValueError, match=r"<node 'exp': Exp\(\)> is not a node of Graph\(x -> growth"
    ):
        graph.contributions(other["exp"])


def test_a_loop_is_found():
    x = nn.Input("x")
    a = nn.exp(x)
    b = nn.log(a)
    a.parents = (b,)
    with pytest.raises(ValueError, match="the graph has a loop: <node"):
        nn.Graph(b)


def test_two_nodes_of_the_same_name_are_refused():
    with pytest.raises(ValueError, match="the graph has 2 nodes named 'x'"):
        nn.Graph(nn.Input("x") + nn.Input("x"))
    x = nn.Input("x")
    with pytest.raises(ValueError, match="the graph has 2 nodes named 'x'"):
        nn.Graph(nn.exp(x).named("x"))


def test_outputs_must_be_nodes():
    for bad in (1.0, "y", nn.ReLU(), [nn.Input("x"), 3]):
        with pytest.raises(TypeError, match="outputs must be "):
            nn.Graph(bad)
    with pytest.raises(ValueError, match="outputs must hold at least one node, got none"):
        nn.Graph([])


def test_a_name_must_be_a_string_of_moderate_length():
    with pytest.raises(TypeError, match="name must be a string, got 3"):
        nn.Input(3)
    with pytest.raises(ValueError, match="name must not be empty"):
        nn.exp(nn.Input("x")).named("")


def test_an_exponent_must_be_a_number():
    x = nn.Input("x")
    with pytest.raises(TypeError, match=r"the exponent must be a number, got a node; a\*\*b is"):
        x**x
    with pytest.raises(TypeError, match="exponent must be"):
        x ** np.ones(2)
    with pytest.raises(TypeError, match=r"the base must be a node, got 2; a\*\*x is exp"):
        2**x


def test_none_is_not_a_constant():
    with pytest.raises(TypeError, match="expected a node, a number or an array, got None"):
        nn.Input("x") + None


def test_only_a_graph_knows_its_inputs_by_name():
    x = nn.Input("x")
    with pytest.raises(TypeError, match=r"Exp\(\) takes nodes by position, got 'x' by name"):
        nn.Exp()(x=x)
    with pytest.raises(ValueError, match=r"missing input 'b'"):
        nn.Graph(nn.Input("a") * nn.Input("b"))(a=x)


def test_a_node_cannot_be_used_as_an_array():
    no_array = r"<node 'x': input> is not an array: call the layer, as in layer\(node\)"
    for call in (nn.Affine(2, 2).forward, nn.ReLU().predict, np.asarray, lambda x: np.array([x])):
        with pytest.raises(TypeError, match=no_array):
            call(nn.Input("x"))


# NumPy calls these functions for operators too.
OPERATORS = {"matmul", "power"}


@pytest.mark.parametrize("name", sorted(({*nn.graphs.functions.__all__} & {*dir(np)}) - OPERATORS))
def test_functions_of_numpy_name_the_function_of_the_library(name):
    x = nn.Input("x")
    arguments = {
        "concatenate": [[x, x]],
        "reshape": [x, (2,)],
        "maximum": [[1.0], x],
        "minimum": [[1.0], x],
        "clip": [x, 0.0, 1.0],
        "where": [[True], x, x],
    }.get(name, [x])
    with pytest.raises(TypeError, match=rf"np\.{name} does not take nodes .*: use nn\.{name}"):
        getattr(np, name)(*arguments)


@pytest.mark.parametrize(
    "call",
    [
        np.cbrt,
        np.add.reduce,
        np.std,
        lambda x: np.floor_divide(2, x),
        lambda x: np.hypot(np.ones(2), x),
    ],
)
def test_other_functions_of_numpy_name_the_functions_that_exist(call):
    with pytest.raises(
        TypeError, match=r"does not take nodes .*; these functions do: nn\.abs, nn\.clip"
    ):
        call(nn.Input("x"))


@pytest.mark.parametrize("left", [np.array([2.0, 3.0]), np.float64(2), np.float32(3), np.int64(2)])
def test_operators_with_numpy_on_their_left_build_nodes(left):
    x = nn.Input("x")
    given = np.array([0.5, 4.0])
    for written in (
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
    ):
        graph = nn.Graph(written(left, x))
        np.testing.assert_array_equal(graph.forward(given), written(left, given))
        assert len(graph.nodes) == 3
    assert (left == x, left != x) == (False, True)
    with pytest.raises(TypeError, match="the base must be a node"):
        left**x


def test_an_array_takes_a_node_by_its_operators():
    x, W = nn.Input("x"), np.eye(2)
    assert nn.Graph(W @ x).forward([1.0, 2.0]).tolist() == [1, 2]
    total = left = np.zeros(2)
    total += x
    assert nn.Graph(total).forward([1.0, 2.0]).tolist() == [1, 2]
    assert left.tolist() == [0, 0]


def test_a_node_cannot_be_iterated_over():
    x = nn.Input("x")
    for call in (iter, list, lambda x: 1 in x, lambda x: [*x]):
        with pytest.raises(TypeError, match=r"is not (iterable|a container)"):
            call(x)


def test_an_index_that_does_not_fit_is_reported_with_node_and_shape():
    x = nn.Input("x")
    graph = nn.Graph(x[:, 3].named("third"))
    for call in (graph.forward, graph.predict):
        with pytest.raises(
            ValueError, match=r"node 'third' of x \(5, 2\): Index\(.* got x of shape"
        ):
            call(np.ones((5, 2)))


@pytest.mark.parametrize("key", [1.5, "a", True, [0.5], slice(0, 1.5), (0, nn.Input("i"))])
def test_a_key_that_is_no_index_is_refused_where_it_is_written(key):
    with pytest.raises(TypeError, match="key must "):
        nn.Input("x")[key]


def test_a_node_is_neither_true_nor_false():
    x = nn.Input("x")
    for call in (bool, lambda x: 0 < x < 1, lambda x: x > 0 and x < 1, lambda x: not x):
        with pytest.raises(TypeError, match=r"<node.*> is neither true nor false: nn\.where choo"):
            call(x)
