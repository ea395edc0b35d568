"""Models as ONNX files, run by onnxruntime."""

import numpy as np
import pytest
from entries import ENTRIES
from models import KEYS, Own, Swish, several_outputs
from random_graphs import WIDTH, draw_graph, draw_rows
from rows import assert_agree, edge_rows, in_dtype, shapes_of

import nnlayers as nn
from nnlayers.export.onnx_rules import RULES
from nnlayers.export.tracing import LIBRARY_CLASSES

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

HOSTILE = 'a "b"\n\0%*/??/\\\u202e🙂'


def session_of(path):
    onnx.checker.check_model(path, full_check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def run(path, *inputs):
    session = session_of(path)
    names = [entry.name for entry in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def predict(model, *inputs):
    with np.errstate(all="ignore"):
        return model.predict(*inputs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_layer_gives_what_it_predicts(name, dtype, tmp_path):
    entry = ENTRIES[name]
    model = in_dtype(entry, dtype)
    path = nn.export.onnx(model, tmp_path / "model.onnx", input_shape=shapes_of(entry))
    inputs = [
        edge_rows(shape[1:], dtype, entry.positive, seed=seed)
        for seed, shape in enumerate(entry.shapes)
    ]
    (y,) = run(path, *inputs)
    assert_agree(name, y, predict(model, *inputs), *inputs)
    empty = [x[:0] for x in inputs]
    if model.predict(*empty).shape[:1] == (0,):
        (y,) = run(path, *empty)
        assert y.shape == model.predict(*empty).shape


def test_every_layer_of_the_library_has_a_rule():
    assert [cls for cls in LIBRARY_CLASSES if cls not in RULES] == []


def test_an_embedding_takes_ids(tmp_path):
    model = nn.Sequential(nn.Embedding(7, 3, rng=0), nn.Flatten(), nn.Affine(6, 2, rng=1))
    path = nn.export.onnx(model, tmp_path / "model.onnx", input_shape=(2,))
    ids = np.random.default_rng(0).integers(0, 7, (1000, 2))
    np.testing.assert_allclose(run(path, ids)[0], model.predict(ids), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_an_index_of_any_kind_chooses_the_same_entries(key, tmp_path):
    model = nn.Graph(nn.BatchNorm(4)(nn.Input("x"))[key])
    path = nn.export.onnx(model, tmp_path / "model.onnx")
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    np.testing.assert_allclose(run(path, x)[0], model.predict(x), rtol=1e-6)


def test_rows_chosen_by_other_arrays_are_refused(tmp_path):
    for key in [([0, 1], [1, 0]), ([2, 0], slice(None))]:
        model = nn.Graph(nn.BatchNorm(4)(nn.Input("x"))[key])
        problem = r"layer index, Index\(.*\), cannot be written as ONNX: .* rows by an array"
        with pytest.raises(ValueError, match=problem):
            nn.export.onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_root_of_minus_infinity_is_nan(tmp_path):
    path = nn.export.onnx(nn.Power(0.5), tmp_path / "model.onnx", input_shape=(3,))
    rows = np.array([[-np.inf, 4.0, np.inf]], np.float32)
    np.testing.assert_array_equal(run(path, rows)[0], [[np.nan, 2.0, np.inf]])


def test_a_condition_is_that_of_its_dtype(tmp_path):
    c, x = nn.Input("c"), nn.Input("x")
    model = nn.Graph(nn.where(c * np.float64(1e-300), nn.BatchNorm(2)(x), -1.0))
    path = nn.export.onnx(model, tmp_path / "model.onnx", input_shape={"c": (2,)})
    rows = np.array([[0.0, 1.0], [-0.0, np.nan]], np.float32)
    np.testing.assert_array_equal(run(path, rows, rows + 5)[0], model.predict(rows, rows + 5))


def test_a_graph_of_several_inputs_and_outputs_keeps_their_names(tmp_path):
    model = several_outputs()
    path = nn.export.onnx(model, tmp_path / "model.onnx", input_shape={"b": (2,)})
    session = session_of(path)
    assert [entry.name for entry in session.get_inputs()] == ["a", "b"]
    assert [entry.shape for entry in session.get_inputs()] == [["rows", 4], ["rows", 2]]
    names = [entry.name for entry in session.get_outputs()]
    assert names == ["probabilities", "scores", "a_2", "multiply"]
    a, b = edge_rows((4,), np.float32)[:8000], edge_rows((2,), np.float32)[:8000]
    for y, expected in zip(run(path, a, b), model.predict(a, b), strict=True):
        assert_agree("Graph", y, expected, a, b)


@pytest.mark.parametrize("seed", range(30))
def test_random_graphs_give_what_they_predict_in_each_dtype(seed, tmp_path):
    model, rows = draw_graph(np.random.default_rng(seed)), draw_rows(500, seed)
    path = nn.export.onnx(model, tmp_path / "model.onnx", input_shape=(WIDTH,))
    for y, expected in zip(run(path, *rows), model.predict(*rows), strict=True):
        assert y.dtype == expected.dtype
        # Rounding grows where a row is nearly constant and LayerNorm divides by its deviation.
        scale = np.maximum(np.abs(expected).max(), 1)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5 * scale)


def test_weights_keep_their_names_and_bits(tmp_path):
    model = nn.Sequential(nn.Affine(3, 2, rng=0), nn.Residual(nn.Affine(2, 2, rng=1)))
    proto = onnx.load(nn.export.onnx(model, tmp_path / "model.onnx"))
    found = {item.name: onnx.numpy_helper.to_array(item) for item in proto.graph.initializer}
    expected = model.state_dict()
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert array.tobytes() == found[name].tobytes()


def test_the_file_says_its_opset_and_producer(tmp_path):
    proto = onnx.load(nn.export.onnx(nn.mlp([2, 3, 1]), tmp_path / "model.onnx"))
    assert [(item.domain, item.version) for item in proto.opset_import] == [("", 18)]
    assert (proto.ir_version, proto.producer_name) == (8, "nnlayers")
    assert [node.name for node in proto.graph.node] == ["0.gemm", "1.relu", "y"]


def test_names_with_any_characters_do_no_harm(tmp_path):
    x, other = nn.Input(HOSTILE), nn.Input("a_")
    model = nn.Graph((nn.Affine(2, 2, rng=0)(x) * other).named(f"y{HOSTILE}"))
    path = nn.export.onnx(
        model,
        tmp_path / f"{HOSTILE}.onnx".replace("\0", "").replace("/", ""),
        input_shape={"a_": (2,)},
    )
    session = session_of(path)
    shown = 'a "b"__%*/??/\\_🙂'
    assert [entry.name for entry in session.get_inputs()] == [shown, "a_"]
    assert [entry.name for entry in session.get_outputs()] == [f"y{shown}"]
    rows = edge_rows((2,), np.float32)[:4000]
    np.testing.assert_allclose(run(path, rows, rows)[0], model.predict(rows, rows), rtol=1e-5)


def test_a_layer_outside_the_library_is_written_as_its_layers(tmp_path):
    model = nn.Sequential(nn.Affine(2, 2, rng=0), Swish()).astype(np.float32)
    path = nn.export.onnx(model, tmp_path / "model.onnx")
    rows = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    np.testing.assert_allclose(run(path, rows)[0], model.predict(rows), rtol=1e-5, atol=1e-7)
    weights = {item.name for item in onnx.load(path).graph.initializer}
    assert weights >= {"0.W", "0.b", "1.b"}


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("earlier")
    with pytest.raises(ValueError, match=r"layer 1, .*Own.* cannot be exported, because"):
        nn.export.onnx(nn.Sequential(nn.Affine(2, 2), Own()), path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(TypeError, match="path must be a path, got 3"):
        nn.export.onnx(nn.mlp([2, 1]), 3)


def test_an_entity_embedding_takes_ids_beside_numbers(tmp_path):
    model = nn.Sequential(nn.EntityEmbedding([1, 3], [5, 3], rng=0), nn.Affine(7, 2, rng=1))
    path = nn.export.onnx(model, tmp_path / "model.onnx", input_shape=(4,))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 4))
    x[:, 1], x[:, 3] = rng.integers(0, 5, 1000), rng.integers(0, 3, 1000)
    x = x.astype(np.float32)
    np.testing.assert_allclose(run(path, x)[0], model.predict(x), rtol=1e-5, atol=1e-6)
