"""Subclasses of Graph with other constructors, in copies and in files."""

import copy
import pickle

import numpy as np
import pytest

import nnlayers as nn


class Gate(nn.Graph):
    """x * tanh(x W + b), with attributes of every kind."""

    def __init__(self, features, rng=None):
        self.features = features
        self.cell = nn.Affine(features, features, dtype="float64", rng=rng)
        x = nn.Input("x")
        self.gate = nn.tanh(self.cell(x)).named("gate")
        super().__init__(self.gate * x)
        self.note = {"words": ["kept"]}


class Scaled(nn.Graph):
    """A graph with other arguments that changes a pass."""

    def __init__(self, outputs, factor):
        super().__init__(outputs)
        self.factor = factor

    def forward(self, x):
        return super().forward(x) * self.factor

    def backward(self, dout):
        return super().backward(dout * self.factor)


class Forgetful(nn.Graph):
    """A graph that does not store its constructor's argument."""

    def __init__(self, power):
        super().__init__(nn.Input("x") ** power)


class Plain(nn.Graph):
    """A subclass without a constructor."""


copies = pytest.mark.parametrize(
    "copied", [copy.deepcopy, copy.copy, lambda graph: pickle.loads(pickle.dumps(graph))]
)
X = np.random.default_rng(0).normal(size=(4, 3))


@copies
def test_copies_keep_the_class_its_attributes_and_their_nodes(copied):
    graph = Gate(3, rng=0)
    graph.eval()
    twin = copied(graph)
    assert type(twin) is Gate
    assert (twin.features, twin.note, twin.training) == (3, {"words": ["kept"]}, False)
    assert twin.gate is twin["gate"] is not graph.gate
    assert twin.cell is twin["affine"].layer
    assert repr(twin) == repr(graph) == "Gate(x -> multiply, 4 nodes)"
    np.testing.assert_array_equal(twin.forward(X), graph.forward(X))
    np.testing.assert_array_equal(twin.backward(X), graph.backward(X))
    np.testing.assert_array_equal(twin.gate.value, graph.gate.value)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
def test_deep_copies_share_no_weights(copied):
    graph = Gate(3, rng=0)
    twin = copied(graph)
    weights = graph.cell.W.value.copy()
    twin.cell.W.value += 1
    assert twin.parameters()[0] is twin.cell.W
    np.testing.assert_array_equal(graph.cell.W.value, weights)
    shallow = copy.copy(graph)
    assert shallow.cell is graph.cell


@copies
def test_copies_keep_other_constructors_and_passes(copied):
    graph = Scaled(nn.square(nn.Input("x")), 3.0)
    twin = copied(graph)
    assert twin.forward(2.0) == 12
    assert twin.backward(1.0) == nn.jacobian(twin, 2.0) == nn.jacobian(graph, 2.0) == 12


def test_the_jacobian_is_that_of_the_closed_form():
    graph = Gate(3, rng=0)
    x = X[0]
    gate = np.tanh(x @ graph.cell.W.value + graph.cell.b.value)
    expected = np.diag(gate) + (x * (1 - gate**2))[:, None] * graph.cell.W.value.T
    np.testing.assert_allclose(nn.jacobian(graph, x), expected, rtol=1e-12)
    assert nn.jacobian(graph, x, wrt="affine.W").shape == (3, 3, 3)


def test_a_file_keeps_the_constructor_s_arguments(tmp_path):
    graph = Gate(3, rng=0)
    loaded = nn.load(nn.save(graph, tmp_path / "gate.nn"), **known(Gate))
    assert type(loaded) is Gate
    assert loaded.features == 3
    np.testing.assert_array_equal(loaded.predict(X), graph.predict(X))


def test_a_file_keeps_the_nodes_where_there_is_no_constructor(tmp_path):
    graph = Plain(nn.Affine(3, 2, rng=0)(nn.Input("x")))
    loaded = nn.load(nn.save(graph, tmp_path / "plain.nn"), **known(Plain))
    assert type(loaded) is Plain
    np.testing.assert_array_equal(loaded.predict(X), graph.predict(X))


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Forgetful(3), "Forgetful does not store its constructor's argument 'power'"),
        (Scaled(nn.Input("x") + 1, 2.0), "Scaled cannot be saved: outputs: a file cannot hold"),
    ],
)
def test_an_attribute_that_a_file_cannot_hold_is_reported_in_one_line(graph, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        nn.save(graph, tmp_path / "graph.nn")
    assert "\n" not in str(caught.value)


def test_layers_that_a_subclass_holds_beside_its_nodes_are_found():
    class Extended(nn.Graph):
        def __init__(self):
            inner = nn.Affine(3, 3, rng=0)
            super().__init__(inner(nn.Input("x")))
            self.inner = inner
            self.after = nn.Affine(3, 2, rng=1)

    assert list(Extended().named_parameters()) == ["affine.W", "affine.b", "after.W", "after.b"]


def known(cls):
    """Return the argument of `load` for a class that it cannot import."""
    return {"classes": {f"{cls.__module__}:{cls.__qualname__}": cls}}
