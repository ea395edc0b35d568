"""Layers read from ONNX files."""

import json
import tracemalloc

import numpy as np
import pytest
from catalogue import ENTRIES
from rows import shapes_of
from test_onnx import onnx, onnxruntime

import nnlayers as nn

helper, FLOAT = onnx.helper, onnx.TensorProto.FLOAT
RNG = np.random.default_rng(0)


def write(path, nodes, weights=None, *, version=18, shape=("N", 4), domains=(), **changes):
    """Write a file of nodes from x to y."""
    tensors = [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in (weights or {}).items()]
    x, y = (
        helper.make_tensor_value_info(name, FLOAT, form)
        for name, form in (("x", shape), ("y", None))
    )
    graph = helper.make_graph(nodes, "graph", [x], [y], tensors)
    opsets = [helper.make_opsetid(name, number) for name, number in [("", version), *domains]]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, **changes)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def run(path, x):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def assert_same(path, *kinds, shape=(50, 4), rtol=1e-5):
    """Fail unless the layers of a file are of some kinds, and predict what onnxruntime does."""
    model = nn.export.from_onnx(path)
    assert isinstance(model, nn.Sequential)
    assert tuple(type(layer) for layer in model) == kinds
    x = RNG.normal(size=shape).astype(np.float32) * 3
    np.testing.assert_allclose(model.predict(x), run(path, x), rtol=rtol, atol=1e-6)
    return model


@pytest.mark.parametrize("name", [name for name in ENTRIES if len(ENTRIES[name].shapes) == 1])
def test_a_file_written_here_gives_its_layers_again(name, path):
    entry = ENTRIES[name]
    model = entry.make()
    nn.export.onnx(model, path, input_shape=shapes_of(entry))
    loaded = nn.export.from_onnx(path)
    x = entry.draw(np.float32)
    np.testing.assert_array_equal(loaded.predict(*x), model.predict(*x))
    if name != "Index of columns":  # Its key is an array, which the properties of a file are not.
        same = (
            loaded
            if isinstance(model, nn.Sequential) and type(model) is nn.Sequential
            else loaded[0]
        )
        assert repr(same) == repr(model)


def test_a_description_that_is_not_that_of_the_graph_is_not_believed(path):
    nn.export.onnx(nn.Sequential(nn.Affine(2, 2, rng=0), nn.Tanh()), path)
    proto = onnx.load(path)
    proto.metadata_props[0].value = proto.metadata_props[0].value.replace("Tanh", "ReLU")
    path.write_bytes(proto.SerializeToString())
    assert [type(layer) for layer in nn.export.from_onnx(path)] == [nn.Affine, nn.Tanh]


W, B = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32)


@pytest.mark.parametrize(
    ("attributes", "weights"),
    [
        ({}, {"W": W, "b": B}),
        ({"transB": 1, "alpha": 0.5, "beta": 2.0}, {"W": W.T.copy(), "b": B}),
        ({}, {"W": W, "b": B[:1]}),
        ({}, {"W": W, "b": B[np.newaxis]}),
        ({}, {"W": W}),
    ],
)
def test_gemm_is_an_affine_layer(attributes, weights, path):
    node = helper.make_node("Gemm", ["x", *weights], ["y"], **attributes)
    assert_same(write(path, [node], weights), nn.Affine)


@pytest.mark.parametrize("order", [["h", "b"], ["b", "h"]])
@pytest.mark.parametrize("shape", [(50, 4), (50, 5, 4)])
def test_a_product_and_a_sum_are_one_affine_layer(order, shape, path):
    nodes = [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Add", order, ["y"])]
    form = ("N", *shape[1:])
    model = assert_same(write(path, nodes, {"W": W, "b": B}, shape=form), nn.Affine, shape=shape)
    np.testing.assert_array_equal(model[0].b.value, B)


def test_a_product_that_is_used_twice_keeps_its_value(path):
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["c"]),
        helper.make_node("Mul", ["h", "c"], ["y"]),
    ]
    assert_same(write(path, nodes, {"W": W, "b": B}), nn.Graph)


ACTIVATIONS = {
    "Elu": ({"alpha": 0.7}, nn.ELU),
    "Exp": ({}, nn.Exp),
    "LeakyRelu": ({"alpha": 0.2}, nn.LeakyReLU),
    "LogSoftmax": ({}, nn.LogSoftmax),
    "Mish": ({}, nn.Mish),
    "Relu": ({}, nn.ReLU),
    "Selu": ({}, nn.SELU),
    "Sigmoid": ({}, nn.Sigmoid),
    "Softmax": ({"axis": 1}, nn.Softmax),
    "Softplus": ({}, nn.Softplus),
    "Softsign": ({}, nn.Softsign),
    "Tanh": ({}, nn.Tanh),
    "Identity": ({}, None),
    "Dropout": ({}, None),
    "Abs": ({}, nn.Abs),
    "Neg": ({}, nn.Negative),
    "Flatten": ({}, nn.Flatten),
    "Transpose": ({"perm": [1, 0]}, nn.Transpose),
    "ReduceMean": ({"keepdims": 0}, nn.Mean),
}


@pytest.mark.parametrize("operator", ACTIVATIONS)
def test_each_operator_is_its_layer(operator, path):
    attributes, kind = ACTIVATIONS[operator]
    node = helper.make_node(operator, ["x"], ["y"], **attributes)
    assert_same(write(path, [node]), *([kind] if kind else []))


def test_operators_of_later_versions(path):
    for attributes in ({}, {"approximate": "tanh"}):
        node = helper.make_node("Gelu", ["x"], ["y"], **attributes)
        assert_same(write(path, [node], version=20), nn.GELU)
    node = helper.make_node("RMSNormalization", ["x", "g"], ["y"], epsilon=1e-3)
    write(path, [node], {"g": np.arange(1, 5, dtype=np.float32)}, version=23)
    model = nn.export.from_onnx(path)
    assert (model[0].eps, model[0].gamma.value.tolist()) == (1e-3, [1, 2, 3, 4])


WITH_INPUTS = {
    "Clip": ({"low": np.float32(-1), "high": np.float32(2)}, nn.Clip),
    "PRelu": ({"a": np.array([0.1, 0.2, 0.3, 0.4], np.float32)}, nn.PReLU),
    "Reshape": ({"shape": np.array([0, 2, -1])}, nn.Reshape),
    "Pow": ({"exponent": np.float32(2)}, nn.Power),
    "Gather": ({"index": np.array([2, 0])}, nn.Index),
    "ReduceSum": ({"axes": np.array([1])}, nn.Sum),
    "LayerNormalization": (
        {"g": np.arange(1, 5, dtype=np.float32), "b": np.ones(4, np.float32)},
        nn.LayerNorm,
    ),
    "BatchNormalization": (
        {name: np.arange(1, 5, dtype=np.float32) + i for i, name in enumerate("gbmv")},
        nn.BatchNorm,
    ),
}


@pytest.mark.parametrize("operator", WITH_INPUTS)
def test_each_operator_with_constants_is_its_layer(operator, path):
    weights, kind = WITH_INPUTS[operator]
    attributes = {"axis": 1} if operator == "Gather" else {}
    node = helper.make_node(operator, ["x", *weights], ["y"], **attributes)
    assert_same(write(path, [node], weights), kind)


def gelu_of(order, product):
    scale = ("Div", np.float32(2**0.5)) if order else ("Mul", np.float32(0.5**0.5))
    nodes = [
        helper.make_node(scale[0], ["x", "s"], ["u"]),
        helper.make_node("Erf", ["u"], ["e"]),
        helper.make_node("Add", ["one", "e"] if order else ["e", "one"], ["f"]),
    ]
    first, second = product
    nodes.append(helper.make_node("Mul", first, ["p"]))
    nodes.append(helper.make_node("Mul", second, ["y"]))
    return nodes, {"s": scale[1], "one": np.float32(1), "half": np.float32(0.5)}


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize(
    "product",
    [
        (["x", "f"], ["p", "half"]),
        (["f", "half"], ["x", "p"]),
        (["x", "half"], ["p", "f"]),
    ],
)
def test_gelu_by_the_error_function_is_one_layer(order, product, path):
    assert_same(write(path, *gelu_of(order, product)), nn.GELU)


def test_gates_are_one_layer(path):
    nodes = [helper.make_node("Sigmoid", ["x"], ["g"]), helper.make_node("Mul", ["g", "x"], ["y"])]
    assert_same(write(path, nodes), nn.SiLU)
    nodes = [
        helper.make_node("Softplus", ["x"], ["s"]),
        helper.make_node("Tanh", ["s"], ["g"]),
        helper.make_node("Mul", ["x", "g"], ["y"]),
    ]
    assert_same(write(path, nodes), nn.Mish)


def test_branches_are_a_graph(path):
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["c"]),
        helper.make_node("Div", ["c", "scale"], ["d"]),
        helper.make_node("Gemm", ["d", "W"], ["h"]),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("Add", ["t", "d"], ["r"]),
        helper.make_node("Max", ["r", "low"], ["m"]),
        helper.make_node("Concat", ["m", "d"], ["y"], axis=1),
    ]
    weights = {"mean": B[0], "scale": np.arange(1, 5, dtype=np.float32), "low": np.float32(-1)}
    assert_same(write(path, nodes, weights | {"W": W[:, :1] @ W[:, :1].T}), nn.Graph)


def test_choices_are_a_graph(path):
    nodes = [
        helper.make_node("Greater", ["x", "low"], ["c"]),
        helper.make_node("Where", ["c", "x", "low"], ["y"]),
    ]
    assert_same(write(path, nodes, {"low": np.float32(-1)}), nn.Graph)


def test_an_mlp_of_pytorch_is_read(path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.GELU(), torch.nn.Linear(8, 3))
    torch.onnx.export(module.eval(), (torch.zeros(2, 4),), path, dynamo=False)
    assert_same(path, nn.Affine, nn.GELU, nn.Affine)


def test_an_embedding_is_read(path):
    model = nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Flatten(), nn.Affine(6, 2, rng=0))
    nn.export.onnx(model, path, input_shape=(2,))
    proto = onnx.load(path)
    del proto.metadata_props[:]
    path.write_bytes(proto.SerializeToString())
    ids = RNG.integers(0, 5, (20, 2))
    loaded = nn.export.from_onnx(path)
    assert [type(layer) for layer in loaded] == [nn.Embedding, nn.Flatten, nn.Affine]
    np.testing.assert_allclose(loaded.predict(ids), model.predict(ids), rtol=1e-5)


def node_of(operator, *inputs, **attributes):
    return [helper.make_node(operator, ["x", *inputs], ["y"], name="n", **attributes)]


ONES = np.ones(4, np.float32)
REFUSED = {
    "Conv": (node_of("Conv", "W"), {"W": np.ones((1, 4, 1), np.float32)}, "of operator Conv"),
    "LSTM": (node_of("LSTM", "W", "W"), {"W": np.ones((1, 4, 4), np.float32)}, "operator LSTM"),
    "transA": (node_of("Gemm", "W", transA=1), {"W": W}, "'n' of operator Gemm: transA must be 0"),
    "float16": (node_of("Gemm", "W"), {"W": W.astype(np.float16)}, "got float16"),
    "bias": (
        node_of("Gemm", "W", "b"),
        {"W": W, "b": W.T.copy()},
        r"a row of 3, got shape \(3, 4\)",
    ),
    "flatten": (node_of("Flatten", axis=0), {}, "its axis must be 1, got 0"),
    "reshape": (node_of("Reshape", "s"), {"s": np.array([2, -1])}, "must keep the first axis"),
    "reshape all": (node_of("Reshape", "s"), {"s": np.array([-1])}, "must keep the first axis"),
    "reshape to x": (node_of("Reshape", "x"), {}, "input 1 must be a constant"),
    "axis": (node_of("LayerNormalization", "g", axis=0), {"g": ONES}, "must be the last, got 0"),
    "selu": (node_of("Selu", alpha=2.0), {}, "must be those of SELU"),
    "training": (
        node_of("BatchNormalization", *"gbmv", training_mode=1),
        dict.fromkeys("gbmv", ONES),
        "training_mode must be 0",
    ),
    "erf": (node_of("Erf"), {}, "Erf is read as a part of GELU only"),
    "cast": (node_of("Cast", to=onnx.TensorProto.INT64), {}, "must cast to float32 or float64"),
    "constant output": ([helper.make_node("Identity", ["b"], ["y"])], {"b": B}, "does not depend"),
    "exponent": (node_of("Pow", "e"), {"e": ONES}, r"must be one number, got shape \(4,\)"),
}


@pytest.mark.parametrize(("nodes", "weights", "words"), REFUSED.values(), ids=REFUSED)
def test_what_no_layer_stands_for_is_refused_in_one_line(nodes, weights, words, path):
    write(path, nodes, weights)
    with pytest.raises(ValueError, match=words) as caught:
        nn.export.from_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()


def test_softmax_of_several_axes_in_old_files_is_refused(path):
    node = helper.make_node("Softmax", ["x"], ["y"])
    write(path, [node], version=11, shape=("N", 2, 3))
    with pytest.raises(ValueError, match="its axis must be the last, got 1"):
        nn.export.from_onnx(path)
    assert_same(write(path, [node], version=11), nn.Softmax)


def test_several_inputs_or_outputs_are_refused(path):
    a, b = nn.Input("a"), nn.Input("b")
    nn.export.onnx(nn.Graph([a * b, a]), path, input_shape=(3,))
    with pytest.raises(ValueError, match="one input and one output, got 2 and 2"):
        nn.export.from_onnx(path)


def test_an_operator_of_another_domain_is_refused(path):
    node = helper.make_node("Relu", ["x"], ["y"], domain="evil", name="\x1b[2J" + "n" * 10_000)
    write(path, [node], domains=[("evil", 1)])
    with pytest.raises(ValueError, match=r"of operator evil\.Relu") as caught:
        nn.export.from_onnx(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_weights_in_another_file_are_not_read(path, tmp_path):
    (tmp_path / "secret").write_bytes(W.tobytes())
    write(path, node_of("Gemm", "W"), {"W": W})
    proto = onnx.load(path)
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret")
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ValueError, match="its weights are in another file"):
        nn.export.from_onnx(path)


@pytest.mark.parametrize("content", [b"", b"text", b"\0" * 5000, b"\x08\x08" * 99, b"PK\x03\x04"])
def test_a_foreign_file_is_refused_in_one_line(content, path):
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=r"model\.onnx: (not an ONNX file|it must have one input)"
    ) as caught:
        nn.export.from_onnx(path)
    assert str(caught.value).isprintable()


def test_a_damaged_file_is_read_or_refused_in_one_line(path):
    content = nn.export.onnx(nn.mlp([3, 4, 2], rng=0), path).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for index in rng.integers(0, len(content), rng.integers(1, 4)):
            damaged[index] = rng.integers(0, 256)
        end = rng.integers(1, len(content) + 1) if rng.random() < 0.3 else len(content)
        path.write_bytes(damaged[:end])
        problem = ""
        try:
            nn.export.from_onnx(path)
        except ValueError as error:
            problem = str(error)
        assert len(problem) < 1000
        assert not problem or problem.isprintable()


def test_a_forged_file_takes_little_memory(path):
    layers = [nn.Graph(nn.concatenate(x, x)) for x in [nn.Input("x") for _ in range(30)]]
    nn.export.onnx(nn.Sequential(*layers[:2]), path, input_shape=(4,))
    proto = onnx.load(path)
    proto.metadata_props[0].value = forged_description(layers)
    tensor = onnx.TensorProto(name="huge", dims=[10**6, 10**6], data_type=FLOAT)
    for addition in (None, tensor):
        if addition is not None:
            proto.graph.initializer.append(addition)
        path.write_bytes(proto.SerializeToString())
        tracemalloc.start()
        try:
            nn.export.from_onnx(path)
        except ValueError:
            assert addition is not None
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 20_000_000


def forged_description(layers):
    """Return the description of layers that would double a row 30 times."""
    from nnlayers.saving import archive_format, model_file

    contents = archive_format.unpack(model_file.dumps(nn.Sequential(*layers)))
    return json.dumps({"table": contents.table, "state": []})


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_nonfinite_weights_are_read_only_on_request(number, path):
    model = nn.mlp([4, 3, 2], rng=0)
    W = model[0].W.value.copy()
    W[1, 2] = number
    model[0].W.value = W
    files = [write(path.with_name("other.onnx"), node_of("MatMul", "W"), {"W": W})]
    if not np.isnan(number):  # NaN cannot be exported.
        files.append(nn.export.onnx(model, path))
    for file in files:
        with pytest.raises(ValueError, match=r"onnx: .*entry '0\.W' holds NaN .* allow_nonfinite"):
            nn.export.from_onnx(file)
        found = nn.export.from_onnx(file, allow_nonfinite=True)
        np.testing.assert_equal(found[0].W.value, W)
