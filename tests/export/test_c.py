"""Models as C99 files, compiled strictly and run with sanitizers."""

import ctypes
import re

import numpy as np
import pytest
from c_compiler import (
    build_program,
    compile_strictly,
    load_library,
    needs_compiler,
    predict_rows,
    run_program,
)
from entries import ENTRIES
from models import KEYS, Own, OwnInLayers, several_outputs
from random_graphs import WIDTH, draw_graph, draw_rows
from rows import assert_agree, edge_rows, in_dtype, shapes_of

import nnlayers as nn
from nnlayers.export.c_rules import RULES
from nnlayers.export.row_indices import row_indices
from nnlayers.export.tracing import LIBRARY_CLASSES

# The layers of the catalogue that mix the rows of a batch.
MIXING = ("Sum of all",)
HOSTILE = 'a "b"\n\0%*/??/\\*/ int x; /* \u202e🙂'
NAMES = [name for name in ENTRIES if name not in MIXING]
DTYPES = (np.float32, np.float64)


def predict(model, *inputs):
    with np.errstate(all="ignore"):
        return model.predict(*inputs)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """A program of all layers of the catalogue in both dtypes, and their numbers in it."""
    directory = tmp_path_factory.mktemp("catalogue")
    keys = [(name, dtype) for name in NAMES for dtype in DTYPES]
    names = [f"m{number}" for number in range(len(keys))]
    sizes = []
    for name, (key, dtype) in zip(names, keys, strict=True):
        path = directory / f"{name}.c"
        entry = ENTRIES[key]
        nn.export.c(in_dtype(entry, dtype), path, name=name, input_shape=shapes_of(entry))
        sizes.append([int(n) for n in re.findall(r"_(?:IN|OUT)PUTS (\d+)", path.read_text())])
    return build_program(directory, names, sizes), {key: i for i, key in enumerate(keys)}


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_gives_what_it_predicts(name, dtype, catalogue):
    entry = ENTRIES[name]
    model = in_dtype(entry, dtype)
    inputs = [
        edge_rows(shape[1:], np.float32, entry.positive, seed=seed)
        for seed, shape in enumerate(entry.shapes)
    ]
    expected = predict(model, *[x.astype(dtype) for x in inputs])
    with np.errstate(over="ignore"):
        expected = expected.astype(np.float32)
    x = np.concatenate([x.reshape(len(x), -1) for x in inputs], axis=1)
    path, numbers = catalogue
    y = run_program(path, numbers[name, dtype], x, expected[0].size).reshape(expected.shape)
    if "MatMul" in name:  # Its terms are products, and what a sum of infinite ones gives is open.
        with np.errstate(all="ignore"):
            sizes = np.prod([np.abs(x).max(axis=(1, 2)) for x in inputs], axis=0)
        finite = np.isfinite(sizes)
        y, expected, inputs = y[finite], expected[finite], [sizes[finite]]
    assert_agree(name, y, expected, *inputs)


def in_each_row(key):
    """Return whether an index chooses entries of each row."""
    return row_indices(nn.Index(key), (4,)) is not None


def test_every_layer_of_the_library_has_a_rule():
    assert [cls for cls in LIBRARY_CLASSES if cls not in RULES] == []


def run(model, directory, x, **options):
    """Return what the C file of a model gives for rows, with a library compiled at -O2."""
    path = directory / "model.c"
    nn.export.c(model, path, **options)
    outputs = int(re.search(r"MODEL_OUTPUTS (\d+)", path.read_text())[1])
    return predict_rows(load_library(path), x.reshape(len(x), -1), outputs)


@needs_compiler
def test_an_embedding_takes_ids_and_gives_nan_for_others(tmp_path):
    model = nn.Sequential(nn.Embedding(7, 3, rng=0), nn.Flatten())
    ids = np.random.default_rng(0).integers(0, 7, (1000, 2))
    y = run(model, tmp_path, ids.astype(np.float32), input_shape=(2,))
    np.testing.assert_array_equal(y, model.predict(ids))
    bad = np.array([[7, -1], [np.nan, 1e30], [-np.inf, np.inf]], np.float32)
    assert np.isnan(run(model, tmp_path, bad, input_shape=(2,))).all()


@needs_compiler
@pytest.mark.parametrize("key", [key for key in KEYS if in_each_row(key)], ids=str)
def test_an_index_of_any_kind_chooses_the_same_entries(key, tmp_path):
    model = nn.Graph(nn.BatchNorm(4)(nn.Input("x"))[key])
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    y = run(model, tmp_path, x)
    np.testing.assert_array_equal(y, model.predict(x).reshape(20, -1))


@needs_compiler
def test_products_with_constants_and_inner_axes(tmp_path):
    rng = np.random.default_rng(0)
    x = nn.Input("x")
    products = [
        x @ rng.normal(size=(1, 3, 2)),
        x @ rng.normal(size=(3, 2)),
        rng.normal(size=(1, 5, 4)) @ x,
        rng.normal(size=(5, 4)) @ x,
        x @ rng.normal(size=3),
        x[:, 0] @ rng.normal(size=3),
        nn.Transpose((0, 2, 1))(x) @ x,
        nn.mean(x * rng.normal(size=(1, 4, 1)), axis=(1, 2)),
        nn.sum(x, axis=1),
        nn.softmax(x, axis=1) - nn.log_softmax(x, axis=2),
    ]
    rows = rng.normal(size=(50, 4, 3)).astype(np.float32)
    for product in products:
        model = nn.Graph(product)
        expected = model.predict(rows).reshape(50, -1)
        y = run(model, tmp_path, rows, input_shape=(4, 3))
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


@needs_compiler
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_of_very_many_terms_keep_their_digits(dtype, tmp_path):
    layer = nn.Affine(50_000, 2, dtype=dtype, rng=0)
    layer.W.value[...] = np.abs(layer.W.value)
    x = nn.Input("x")
    model = nn.Graph(nn.concatenate(layer(x), x @ layer.W.value))
    rows = np.abs(np.random.default_rng(0).normal(size=(20, 50_000))).astype(np.float32)
    expected = rows.astype(np.float64) @ layer.W.value.astype(np.float64)
    y = run(model, tmp_path, rows)
    np.testing.assert_allclose(y, np.hstack([expected, expected]), rtol=1e-6)


@needs_compiler
def test_several_inputs_and_outputs_lie_one_after_the_other(tmp_path):
    model = several_outputs()
    a, b = edge_rows((4,), np.float32)[:8000], edge_rows((2,), np.float32)[:8000]
    y = run(model, tmp_path, np.hstack([a, b]), input_shape={"b": (2,)})
    parts = np.split(y, [3, 6, 10], axis=1)
    for part, expected in zip(parts, model.predict(a, b), strict=True):
        assert_agree("Graph", part, expected.astype(np.float32), a, b)
    text = (tmp_path / "model.c").read_text()
    assert "x[4] to x[5]: b, 2" in text
    assert "y[3] to y[5]: scores, 3" in text


def test_rows_that_are_mixed_are_refused_by_layer_and_reason(tmp_path):
    x = nn.Input("x")
    mixing = [
        nn.mean(x, axis=0),
        nn.sum(x),
        nn.softmax(x, axis=0),
        nn.concatenate(x, x, axis=0),
        x.T,
        x[0],
        x[::-1],
        x[[0, 1]],
        x - nn.mean(x, axis=0, keepdims=True),
        x @ x.T,
    ]
    for node in mixing:
        with pytest.raises(ValueError, match=r"^layer .* cannot be written as C: it mixes rows, "):
            nn.export.c(nn.Graph(node), tmp_path / "model.c", input_shape=(3,))
    assert not list(tmp_path.iterdir())


@needs_compiler
def test_a_layer_outside_the_library_needs_to_state_itself_in_layers(tmp_path):
    path = tmp_path / "model.c"
    path.write_text("earlier")
    with pytest.raises(ValueError, match=r"layer 1, .*Own.* cannot be exported, because"):
        nn.export.c(nn.Sequential(nn.Affine(2, 2), Own()), path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]
    model = nn.Sequential(nn.Affine(2, 2, rng=0), OwnInLayers())
    x = np.eye(2, dtype=np.float32)
    np.testing.assert_allclose(run(model, tmp_path, x), model.predict(x), rtol=1e-6)


def test_the_file_needs_nothing_but_math(tmp_path):
    nn.export.c(nn.mlp([6, 64, 8, 4], rng=0), tmp_path / "model.c")
    text = (tmp_path / "model.c").read_text()
    assert re.findall("#include (.*)", text) == ["<math.h>"]
    assert not re.search("alloc|printf|goto", text)
    assert "#define MODEL_INPUTS 6\n#define MODEL_OUTPUTS 4\n" in text
    assert "\nvoid model_predict(const float *x, float *y);\n" in text


def test_weights_are_written_once_and_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        shared = nn.Affine(40, 40, dtype=dtype)
        bits = rng.integers(0, 2**63, (40, 40), np.uint64).astype(f"u{np.dtype(dtype).itemsize}")
        values = bits.view(dtype)
        shared.W.value[...] = np.where(np.isnan(values), 5e-324, values)
        shared.b.value[:3] = np.inf, -np.inf, np.finfo(dtype).smallest_subnormal
        model = nn.Graph(shared(nn.relu(shared(nn.Input("x")))))
        sizes = nn.export.c(model, tmp_path / "model.c")
        assert sizes.weights == shared.W.value.nbytes + shared.b.value.nbytes
        text = (tmp_path / "model.c").read_text().replace("INFINITY", "inf")
        arrays = re.findall(r"static const \w+ \w+\[(\d+)\] = \{(.*?)\};", text, re.DOTALL)
        for (size, entries), expected in zip(arrays, (shared.W.value, shared.b.value), strict=True):
            read = np.array([float.fromhex(entry.strip()) for entry in entries.split(",")], dtype)
            assert read.tobytes() == expected.tobytes()
            assert int(size) == expected.size


@needs_compiler
def test_a_small_network_takes_little_beside_its_weights(tmp_path):
    sizes = nn.export.c(nn.mlp([6, 64, 8, 4], activation="gelu", rng=0), tmp_path / "model.c")
    compile_strictly(["-O2", "-c", "model.c"], tmp_path)
    assert sizes.weights == 4 * (6 * 64 + 64 + 64 * 8 + 8 + 8 * 4 + 4)
    assert (tmp_path / "model.o").stat().st_size < sizes.weights + 8_000
    assert (sizes.tables, sizes.stack, sizes.products) == (0, 4 * (64 + 8), 928)


@needs_compiler
def test_names_with_any_characters_do_no_harm(tmp_path):
    x, other = nn.Input(HOSTILE), nn.Input("a_")
    layer = nn.Affine(2, 2, rng=0)
    layer.W.name = HOSTILE
    weight = nn.Input("b*/", nn.Parameter([1.0, 2.0], name=HOSTILE))
    node = (layer(x) * other + weight).named(f"y{HOSTILE}")
    model = nn.Graph(nn.Sequential(nn.Identity())(node).named(f"z{HOSTILE}"))
    rows = np.random.default_rng(0).normal(size=(1000, 2)).astype(np.float32)
    y = run(model, tmp_path, np.hstack([rows, rows]), input_shape={"a_": (2,)})
    np.testing.assert_allclose(y, model.predict(rows, rows), rtol=1e-5, atol=1e-6)
    assert (tmp_path / "model.c").read_bytes().isascii()


@pytest.mark.parametrize("name", ["", "2nd", "a-b", "a b", "é", "a\n", "a;"])
def test_a_name_that_is_no_word_of_c_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="name must be a word of C"):
        nn.export.c(nn.mlp([2, 1]), tmp_path / "model.c", name=name)
    with pytest.raises(TypeError, match="name must be a string, got 3"):
        nn.export.c(nn.mlp([2, 1]), tmp_path / "model.c", name=3)
    with pytest.raises(TypeError, match="path must be a path, got 3"):
        nn.export.c(nn.mlp([2, 1]), 3)


@needs_compiler
def test_a_row_may_be_overwritten_by_its_outputs(tmp_path):
    x = nn.Input("x")
    model = nn.Graph([nn.Affine(3, 3, rng=0)(x), x])
    nn.export.c(model, tmp_path / "model.c")
    library = load_library(tmp_path / "model.c")
    row = np.array([1.0, 2.0, 3.0], np.float32)
    memory = np.concatenate([row, row])
    pointer = ctypes.c_void_p(memory.ctypes.data)
    library.model_predict(pointer, pointer)
    expected = [y[0] for y in model.predict(row[np.newaxis])]
    np.testing.assert_allclose(memory, np.concatenate(expected), rtol=1e-6)


@needs_compiler
def test_an_output_may_be_a_constant_or_depend_on_no_input(tmp_path):
    x = nn.Input("x")
    constant = nn.exp(nn.Input("c", np.array([0.0, 1.0])))
    model = nn.Graph([nn.relu(x), constant])
    y = run(model, tmp_path, np.array([[-1.0], [2.0]], np.float32), input_shape=(1,))
    np.testing.assert_allclose(y, [[0, 1, np.e], [2, 1, np.e]], rtol=1e-6)


@needs_compiler
def test_values_that_share_memory_do_not_overwrite_each_other(tmp_path):
    rng = np.random.default_rng(0)
    graphs = [draw_graph(rng) for _ in range(20)]
    names = [f"g{number}" for number in range(len(graphs))]
    sizes = []
    for name, graph in zip(names, graphs, strict=True):
        nn.export.c(graph, tmp_path / f"{name}.c", name=name, input_shape=(WIDTH,))
        text = (tmp_path / f"{name}.c").read_text()
        sizes.append([int(n) for n in re.findall(r"_(?:IN|OUT)PUTS (\d+)", text)])
    program = build_program(tmp_path, names, sizes)
    a, b = draw_rows(100)
    for number, graph in enumerate(graphs):
        y = run_program(program, number, np.hstack([a, b]), sizes[number][1])
        outputs = graph.predict(a, b)
        expected = np.concatenate([part.reshape(len(a), -1) for part in outputs], axis=1)
        largest = np.maximum(1, np.abs(expected).max(axis=1, keepdims=True))
        assert (np.abs(y - expected) <= 1e-5 * largest).all()
