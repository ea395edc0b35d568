"""The page's own passes, in a browser, give the numbers of the library."""

import base64
import json

import numpy as np
import pytest
from browser import needs_browser
from catalogue import ENTRIES

import nnlayers as nn
from nnlayers.drawing.operations import symbol
from nnlayers.drawing.program import page_data
from nnlayers.drawing.trace import trace
from nnlayers.graphs import as_graph
from nnlayers.layers.operation import Operation

pytestmark = needs_browser

# Layers with random results, with statistics, or made of other layers: the page has no formula.
BEYOND = {
    *("Dropout", "Dropout of rate 0", "GaussianNoise", "Sequential", "empty Sequential", "mlp"),
    *("BatchNorm", "BatchNorm of three axes", "LayerNorm", "RMSNorm", "Residual", "Graph"),
    *("Graph of two inputs",),
}
FOLLOWING = sorted(
    name
    for name, entry in ENTRIES.items()
    if isinstance(entry.make(), Operation | nn.Affine | nn.PReLU) and name not in BEYOND
)
RUN = """
const [data, inputs] = arguments;
const stored = data.arrays.map(decode);
const given = new Map(Object.entries(data.keys).map(([key, index]) => [key, stored[index]]));
const why = obstacle(data.nodes, given);
if (why) return [why, {}];
const changed = new Map(given);
for (const key in inputs) {
  const { type, shape } = given.get(key);
  const Data = type === "float32" ? Float32Array : Float64Array;
  changed.set(key, makeArray(shape, Data.from(inputs[key], Number), type));
}
const texts = ([key, array]) => [key, Array.from(array.data, String)];
return ["", Object.fromEntries([...run(data.nodes, changed)].map(texts))];
"""


@pytest.fixture(scope="module")
def page(browser, tmp_path_factory):
    graph = nn.Graph(nn.exp(nn.Input("x")))
    graph.backward(graph.forward(0.0))
    path = tmp_path_factory.mktemp("page") / "page.html"
    graph.to_html(path)
    browser.get(path.as_uri())
    return browser


def run(graph, inputs, douts):
    """Run both passes; return what the page gets to know of them."""
    results = graph.forward(*inputs)
    results = [results] if graph.single else results
    graph.backward(*[dout.reshape(np.shape(y)) for dout, y in zip(douts, results, strict=True)])
    return json.loads(json.dumps(page_data(trace(graph))))


def decoded(stored, keys):
    """Return the arrays by their keys."""
    arrays = []
    for array in stored:
        code = "<f4" if array["type"] == "float32" else "<f8"
        arrays.append(np.frombuffer(base64.b64decode(array["data"]), code))
    return {key: arrays[index] for key, index in keys.items()}


def assert_follows(page, graph, inputs, other_inputs, douts):
    """Assert that from one run the page computes the numbers of another."""
    data = run(graph, inputs, douts)
    expected = run(graph, other_inputs, douts)
    leaves = [f"v{graph.nodes.index(node)}" for node in graph.inputs]
    texts = [[repr(float(number)) for number in np.ravel(x)] for x in other_inputs]
    texts = [[t.replace("inf", "Infinity").replace("nan", "NaN") for t in text] for text in texts]
    why, results = page.execute_script(RUN, data, dict(zip(leaves, texts, strict=True)))
    assert why == ""
    arrays = decoded(expected["arrays"], expected["keys"])
    assert results.keys() == arrays.keys()
    for key, array in arrays.items():
        got = np.array([float(text.replace("Infinity", "inf")) for text in results[key]])
        rtol = 1e-9 if array.dtype == np.float64 else 2e-5
        np.testing.assert_allclose(got, array, rtol=rtol, atol=rtol * 1e-2, err_msg=key)


def graph_of(layer, count):
    return nn.Graph(layer(*[nn.Input(f"in{i}") for i in range(count)]))


@pytest.mark.parametrize(
    ("dtype", "names"),
    [
        (np.float64, FOLLOWING),
        (
            np.float32,
            ["Affine", "PReLU", "GELU", "Softmax", "Divide", "Mean of rows", "Sum of all"],
        ),
    ],
    ids=["float64", "float32"],
)
def test_every_arithmetic_layer_and_activation_follows_its_inputs(page, dtype, names):
    for name in names:
        entry = ENTRIES[name]
        graph = graph_of(entry.make().astype(dtype), len(entry.shapes))
        rng = np.random.default_rng(3)
        douts = [rng.normal(size=np.shape(entry.make().predict(*entry.draw(dtype)))).astype(dtype)]
        assert_follows(page, graph, entry.draw(dtype), entry.draw(dtype, seed=8), douts)


@pytest.mark.parametrize("name", sorted(BEYOND))
def test_a_layer_beyond_the_page_is_named_in_the_reason(page, name):
    entry = ENTRIES[name]
    graph = graph_of(entry.make(), len(entry.shapes))
    inputs = entry.draw()
    dout = np.ones(np.shape(entry.make().predict(*inputs)))
    why, _ = page.execute_script(RUN, run(graph, inputs, [dout]), {})
    # What a formula leaves open, such as drawn noise, shows in its results.
    reasons = (f"it cannot compute {symbol(graph.outputs[0].layer)}", "its results differ")
    assert why.startswith(reasons)


SHAPES = [
    *(((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4))),
    *(((5, 2, 3), (3, 4)), ((3,), (5, 3, 2))),
]


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=str)
def test_products_of_any_shapes_follow(page, a, b):
    rng = np.random.default_rng(1)
    one, two = ([rng.normal(size=shape) for shape in (a, b)] for _ in range(2))
    dout = rng.normal(size=np.shape(one[0] @ one[1]))
    assert_follows(page, graph_of(nn.MatMul(), 2), one, two, [dout])


def test_a_layer_that_shares_its_weights_follows(page):
    layer, x = nn.Affine(3, 3, rng=0, dtype=np.float64), nn.Input("x")
    graph = nn.Graph(nn.tanh(layer(nn.sigmoid(layer(x)) + x)))
    rng = np.random.default_rng(2)
    one, two, dout = (rng.normal(size=(2, 3)) for _ in range(3))
    assert_follows(page, graph, [one], [two], [dout])


def test_several_outputs_that_share_nodes_follow(page):
    x, y = nn.Input("x"), nn.Input("y")
    s = (x * y).named("s")
    graph = nn.Graph([s, nn.exp(s) / (s + 1), nn.where(x > y, x, 2 * y)])
    rng = np.random.default_rng(4)
    one, two, douts = ([rng.uniform(1, 2, size=(2, 2)) for _ in range(n)] for n in (2, 2, 3))
    assert_follows(page, graph, one, two, douts)


@pytest.mark.parametrize(
    "layer", [nn.Softplus, nn.Sigmoid, nn.Softmax, nn.LogSoftmax, nn.SiLU, nn.GELU]
)
def test_stable_layers_stay_stable_on_the_page(page, layer):
    one = np.array([-1.0, 0.5, 2.0])
    two = np.array([-900.0, 30.0, 800.0])
    assert_follows(page, graph_of(layer(), 1), [one], [two], [np.ones(3)])


@pytest.mark.parametrize("other", [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-310])
def test_arithmetic_follows_the_rules_of_floating_point(page, other):
    x = nn.Input("x")
    graph = nn.Graph([1 / x, nn.log(x), nn.sqrt(x), nn.exp(x), nn.abs(x)])
    assert_follows(page, graph, [np.array(2.0)], [np.array(other)], [np.ones(())] * 5)


def test_arrays_without_entries_follow(page):
    graph = as_graph(nn.Sequential(nn.Affine(3, 2, rng=0), nn.ReLU(), nn.Softmax()))
    assert_follows(page, graph, [np.zeros((0, 3))], [np.zeros((0, 3))], [np.zeros((0, 2))])


def test_a_formula_that_is_not_what_a_layer_computes_is_found_out(page):
    class Wrong(nn.Layer):
        formula = nn.Formula("x**2", "2 * x")

        def forward(self, x):
            self.x = x
            return x**3

        def backward(self, dout):
            return 3 * self.x**2 * dout

    graph = graph_of(Wrong(), 1)
    why, _ = page.execute_script(RUN, run(graph, [np.array(2.0)], [np.array(1.0)]), {})
    assert why == "its results differ from the library's"


def test_numbers_are_formatted_as_python_does(page):
    rng = np.random.default_rng(0)
    numbers = [*rng.normal(size=300) * 10.0 ** rng.integers(-320, 308, size=300)]
    numbers += [0.0, -0.0, 1.0, -1.5, 9999.5, 9999.4, 99995.0, 0.0001, 0.00009999, 123456, 5e-324]
    numbers += [0.5, 1e22, 100.0, 1000.0, 10000.0]
    shown = page.execute_script("return arguments[0].map(formatNumber)", numbers)
    assert shown == [f"{number + 0.0:.4g}" for number in numbers]
