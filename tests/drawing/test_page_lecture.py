"""The examples of the lecture as pages, in a browser: every number of every step can be read."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from browser import needs_browser, shown_arrays

from nnlayers.drawing.trace import trace

pytestmark = needs_browser
FOLDER = Path(__file__).parents[2] / "examples"
RNG = np.random.default_rng(6)
W, X, COLUMN = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=(2, 1))


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def composition(functions):
    module = load("chain_rule")
    g, f = getattr(module, functions)()
    return module.compose(f, g)


RECURRENT = load("recurrent_step").draw_values(np.random.default_rng(2))
CASES = {
    "product of vectors": (load("product").dot_product, [[1.0, 2.0], [3.0, -1.5]]),
    "product of numbers": (load("product").product_of_numbers, [2.5, -3.0]),
    "softplus": (load("softplus_graph").softplus_graph, [0.5]),
    "softplus that overflows": (load("softplus_graph").softplus_graph, [1000.0]),
    "sigmoid": (load("sigmoid_graph").sigmoid_graph, [[2.0, -3.0], [-1.0, -1.0]]),
    "layer": (load("layer_as_graph").layer_graph, [W, X, COLUMN]),
    "recurrent step": (load("recurrent_step").recurrent_graph, RECURRENT),
    "three recurrent steps": (lambda: load("recurrent_step").recurrent_graph(3), RECURRENT),
    "tensor derivative": (load("tensor_derivative").product_graph, [W, X[:, 0]]),
    "chain rule of numbers": (lambda: composition("scalar_functions"), [0.75]),
    "chain rule of vectors": (lambda: composition("vector_functions"), [X[:, 1]]),
    "order of a product": (lambda: load("order_of_a_product").product_graph("W x"), [W, X[:, 1]]),
}


def expected_arrays(graph):
    """Return the library's values, gradients, sent gradients and local derivatives by key."""
    arrays = {}
    for i, node in enumerate(graph.nodes):
        arrays[f"v{i}"], arrays[f"g{i}"] = node.value, node.grad
        if node.layer is not None:
            for slot, sent in enumerate(graph.contributions(node)):
                arrays[f"c{i}.{slot}"] = sent
    for visit in trace(graph).visits:
        for sent in visit.contributions:
            arrays[f"d{visit.node}.{sent.slot}"] = sent.local.factor
            arrays[f"t{visit.node}.{sent.slot}"] = sent.part.total
            arrays[f"b{visit.node}.{sent.slot}"] = sent.part.before
    return arrays | {f"s{i}": start for i, start in graph.output_grads().items()}


@pytest.mark.parametrize("name", CASES)
def test_every_number_of_every_step_can_be_read(open_page, name):
    make, inputs = CASES[name]
    graph = make()
    y = graph.forward(*inputs)
    graph.backward(np.random.default_rng(1).uniform(0.5, 2, size=np.shape(y)))
    expected, seen = expected_arrays(graph), set()
    page = open_page(graph)
    for array in [array for step in shown_arrays(page, all_steps=True) for array in step]:
        numbers = np.ravel(expected[array["key"]])
        np.testing.assert_allclose(array["numbers"], numbers, rtol=6e-4, err_msg=array["key"])
        seen.add(array["key"])
    operations = [i for i, node in enumerate(graph.nodes) if node.layer is not None]
    sent = [f"{i}.{slot}" for i in operations for slot in slots(graph, i)]
    assert seen >= {f"v{i}" for i in range(len(graph.nodes))}
    assert seen >= {f"g{i}" for i in operations}
    assert seen >= {f"{kind}{key}" for kind in "dc" for key in sent}
    assert page.get_log("browser") == []


def slots(graph, index):
    """Return the positions of the inputs of a node that get a gradient."""
    parents = graph.nodes[index].parents
    return [slot for slot, parent in enumerate(parents) if parent.kind != "constant"]
