"""Nodes that several graphs hold, or that are named after a graph has them."""

import numpy as np
import pytest

import nnlayers as nn


def towers():
    """Two affine layers of the same input, and their outputs."""
    A, B = nn.Affine(3, 2, dtype="float64", rng=0), nn.Affine(3, 2, dtype="float64", rng=1)
    x = nn.Input("x")
    return A, B, A(x), B(x)


def values_and_grads(graph):
    """Return everything that depends on the names of nodes."""
    return (
        graph.names,
        [graph[name] for name in graph.names],
        list(graph.named_parameters()),
        list(graph.state_dict()),
        repr(graph),
        graph.to_dot(),
    )


@pytest.mark.parametrize("others", [lambda a, b: b, lambda a, b: a, lambda a, b: [b, a]])
def test_another_graph_changes_nothing_of_the_first(others):
    _, _, a, b = towers()
    graph = nn.Graph([a, b])
    x = np.random.default_rng(0).normal(size=(4, 3))
    graph.forward(x)
    graph.backward(np.ones((4, 2)), np.ones((4, 2)))
    before, names = values_and_grads(graph), [node.name for node in graph.nodes]
    numbers = [(node.value, node.grad) for node in graph.nodes]
    text = graph.explain()
    nn.Graph(others(a, b))
    assert values_and_grads(graph) == before
    assert graph.explain() == text
    assert [node.name for node in graph.nodes] == names
    for node, (value, grad) in zip(graph.nodes, numbers, strict=True):
        np.testing.assert_array_equal(node.value, value)
        np.testing.assert_array_equal(node.grad, grad)


def test_an_optimizer_made_after_a_second_graph_trains_all_of_the_first():
    A, B, a, b = towers()
    graph = nn.Graph([a, b])
    nn.Graph(b)
    before = A.W.value.copy(), B.W.value.copy()
    optimizer = nn.optim.SGD(graph.parameters(), lr=0.1)
    graph.forward(np.ones((1, 3)))
    graph.backward(np.ones((1, 2)), np.ones((1, 2)))
    optimizer.step()
    for layer, old in zip((A, B), before, strict=True):
        np.testing.assert_allclose(layer.W.value, old - 0.1)


def test_each_graph_has_its_names_and_draws_with_them():
    _, _, a, b = towers()
    both = nn.Graph([a, b])
    second = nn.Graph(b)
    assert both.names == ["x", "affine", "affine_2"]
    assert second.names == ["x", "affine"]
    assert second["affine"] is both["affine_2"] is b
    assert list(second.named_parameters()) == ["affine.W", "affine.b"]
    second.forward(np.ones((1, 3)))
    second.backward(np.ones((1, 2)))
    assert "affine_2" not in second.explain() + second.to_dot()
    assert b.name == "affine_2"  # that of the first


def test_graphs_of_graphs_tell_nodes_of_the_same_name_apart():
    x, z = nn.Input("x"), nn.Input("z")
    a, b = nn.exp(x), nn.exp(z)
    assert nn.Graph(a).names == ["x", "exp"]
    assert nn.Graph(b).names == ["z", "exp"]
    graph = nn.Graph(a * b)
    graph.forward(0.0, 0.0)
    graph.backward(1.0)
    assert graph.names == ["x", "exp", "z", "exp_2", "multiply"]
    assert "multiply = exp × exp_2" in graph.explain()


def test_a_name_given_later_is_the_node_s_in_every_graph():
    _, _, a, b = towers()
    graph, other = nn.Graph([a, b]), nn.Graph(b)
    b.named("right")
    assert graph["right"] is other["right"] is b
    assert list(graph.named_parameters()) == ["affine.W", "affine.b", "right.W", "right.b"]
    a.named("left")
    assert graph.names == ["x", "left", "right"]


def test_a_name_given_later_that_another_node_has_is_an_error():
    _, _, a, b = towers()
    graph = nn.Graph([a, b])
    b.named("affine")
    for call in (graph.parameters, graph.state_dict, lambda: graph["affine"]):
        with pytest.raises(ValueError, match="the graph has 2 nodes named 'affine'"):
            call()
    one, two = nn.Input("one"), nn.Input("two")
    graph = nn.Graph(one - two)
    two.named("one")
    with pytest.raises(ValueError, match="the graph has 2 nodes named 'one'"):
        graph.forward(one=1.0)


def test_nodes_show_the_graph_whose_forward_or_backward_ran_last():
    x = nn.Input("x")
    a = nn.square(x)
    first, second = nn.Graph(a), nn.Graph(a * 10.0)
    first.forward(3.0)
    assert (a.value, second.value_at(0)) == (9, None)
    second.forward(4.0)
    assert (a.value, a.grad) == (16, None)
    first.backward(1.0)
    assert (a.value, a.grad, x.grad) == (9, 1, 6)
    second.backward(1.0)
    assert (a.value, a.grad, x.grad) == (16, 10, 80)
    assert (first.gradients, second.gradients) == ({"x": 6.0}, {"x": 80.0})
    first.predict(5.0)
    assert a.value == 16


def test_copies_of_graphs_that_share_nodes_keep_their_names(tmp_path):
    _, _, a, b = towers()
    nn.Graph(b)
    graph = nn.Graph([a, b])
    a.named("first")
    loaded = nn.load(nn.save(graph, tmp_path / "graph.nn"))
    assert loaded.names == graph.names == ["x", "first", "affine_2"]
    assert list(loaded.state_dict()) == list(graph.state_dict())


def test_error_messages_have_the_name_that_an_input_got_later():
    x = nn.Input("x")
    graph = nn.Graph(nn.exp(x))
    x.named("time")
    with pytest.raises(TypeError, match="time must hold real numbers"):
        graph.forward("now")
