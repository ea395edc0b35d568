"""Models and runs as Python modules that need NumPy alone."""

import datetime
import runpy
import subprocess
import sys
import warnings

import numpy as np
import pytest
from entries import ENTRIES
from mixed_runs import draw_rows
from mixed_runs import make_run as make_mixed_run
from models import KEYS, Own, several_outputs
from rows import assert_agree, edge_rows, in_dtype, shapes_of
from runs import HOSTILE, LOSSES, make_run

import nnlayers as nn
from nnlayers.data import Preprocessing, Table, table_from_rows
from nnlayers.export.python_rules import RULES
from nnlayers.export.tracing import LIBRARY_CLASSES


def module_of(model_or_run, directory, **options):
    """Return the names in the module of a model or run."""
    return runpy.run_path(str(nn.export.python(model_or_run, directory / "model.py", **options)))


def predict(model, *inputs):
    with np.errstate(all="ignore"):
        return model.predict(*inputs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ENTRIES)
def test_every_layer_gives_what_it_predicts(name, dtype, tmp_path):
    entry = ENTRIES[name]
    model = in_dtype(entry, dtype)
    module = module_of(model, tmp_path, input_shape=shapes_of(entry))
    inputs = [
        edge_rows(shape[1:], dtype, entry.positive, seed=seed)
        for seed, shape in enumerate(entry.shapes)
    ]
    assert_agree(name, module["predict"](*inputs), predict(model, *inputs), *inputs)
    empty = [x[:0] for x in inputs]
    y = module["predict"](*empty)
    assert y.shape == predict(model, *empty).shape
    assert y.dtype == dtype


def test_every_layer_of_the_library_has_a_rule():
    assert [cls for cls in LIBRARY_CLASSES if cls not in RULES] == []


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_an_index_of_any_kind_chooses_the_same_entries(key, tmp_path):
    model = nn.Graph(nn.BatchNorm(4)(nn.Input("x"))[key])
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    y = module_of(model, tmp_path)["predict"](x)
    np.testing.assert_array_equal(y, model.predict(x))


def test_a_graph_of_several_inputs_and_outputs_takes_their_names(tmp_path):
    model = several_outputs()
    module = module_of(model, tmp_path, input_shape={"b": (2,)})
    a, b = edge_rows((4,), np.float32)[:8000], edge_rows((2,), np.float32)[:8000]
    for y, expected in zip(module["predict"](b=b, a=a), predict(model, a, b), strict=True):
        assert_agree("Graph", y, expected, a, b)


def test_outputs_are_not_the_inputs_or_weights(tmp_path):
    x, c = nn.Input("x"), nn.Input("c", np.array([1.0, 2.0]))
    module = module_of(nn.Graph([nn.Identity()(x), c]), tmp_path, input_shape=(2,))
    rows = np.ones((1, 2), np.float32)
    for y in module["predict"](rows):
        y[...] = 7
    assert (rows == 1).all()
    np.testing.assert_array_equal(module["predict"](rows)[1], [1, 2])


@pytest.mark.parametrize(
    ("x", "error", "problem"),
    [
        (np.ones(3), ValueError, r"expected an array of shape \(rows, 3\), got \(3,\)"),
        (np.ones((2, 4)), ValueError, r"expected an array of shape \(rows, 3\), got \(2, 4\)"),
        ([["a", "b", "c"]], ValueError, "could not convert string to float"),
    ],
)
def test_rows_of_another_shape_are_refused(x, error, problem, tmp_path):
    module = module_of(nn.mlp([3, 1]), tmp_path)
    with pytest.raises(error, match=problem):
        module["predict"](x)


def test_ids_are_checked(tmp_path):
    model = nn.Sequential(nn.Embedding(7, 3, rng=0), nn.Flatten())
    module = module_of(model, tmp_path, input_shape=(2,))
    ids = np.random.default_rng(0).integers(0, 7, (1000, 2))
    np.testing.assert_array_equal(module["predict"](ids), model.predict(ids))
    with pytest.raises(ValueError, match="expected ids from 0 to 6, got 7"):
        module["predict"]([[0, 7]])
    with pytest.raises(TypeError, match="expected integer ids, got float64"):
        module["predict"]([[0.0, 1.0]])


ALONE = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("nnlayers", "scipy", "pandas"):
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import numpy as np
import model
print(model.predict(np.load("x.npy", allow_pickle=True)).tolist())
"""


def test_a_module_needs_numpy_alone(tmp_path):
    model = nn.mlp([3, 8, 2], activation="gelu", norm="layer", rng=0)
    nn.export.python(model, tmp_path / "model.py")
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    out = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    np.testing.assert_allclose(eval(out), model.predict(x), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_written_to_the_last_bit(dtype, tmp_path):
    rng = np.random.default_rng(0)
    layer = nn.Affine(40, 40, dtype=dtype)
    bits = rng.integers(0, 2**63, (40, 40), np.uint64).astype(f"u{np.dtype(dtype).itemsize}")
    layer.W.value[...] = np.where(np.isnan(bits.view(dtype)), -np.inf, bits.view(dtype))
    module = module_of(layer, tmp_path)
    assert module["W0"].tobytes() == layer.W.value.tobytes()
    assert module["W0"].dtype == dtype


def test_a_module_is_a_tidy_one(tmp_path):
    path = nn.export.python(make_mixed_run("classes"), tmp_path / "model.py")
    text = path.read_text(encoding="ascii")
    assert ">>>" not in text
    assert max(map(len, text.splitlines())) <= 100
    names = {name for name in runpy.run_path(str(path)) if not name.startswith("__")}
    assert {"predict", "predict_proba", "COLUMNS", "CLASSES"} <= names
    assert "softmax" in names
    assert "gelu" not in names


def quiet(function, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


def as_given(table):
    """Return the columns of a table as a program may hold them."""
    return {
        name: values.tolist() if values.dtype == object else values
        for name, values in table.columns.items()
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_predicts_the_same_from_raw_rows(loss, dtype, tmp_path):
    pytest.importorskip("pandas")
    run, table = make_run(loss, dtype)
    module = module_of(run, tmp_path)
    y, expected = quiet(module["predict"], as_given(table)), quiet(run.predict, table)
    assert y.dtype == expected.dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    if run.preprocessing.classes:
        assert np.mean(y == expected) > 0.999  # Two classes may be nearly as likely.
        np.testing.assert_array_equal(module["CLASSES"], run.preprocessing.classes)
    else:
        scale = expected.std()
        np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance * scale)
    if loss in ("classes", "binary"):
        probabilities = quiet(module["predict_proba"], as_given(table))
        expected = quiet(run.probabilities, table)
        np.testing.assert_allclose(probabilities, expected, rtol=tolerance, atol=tolerance)
    else:
        assert "predict_proba" not in module


def test_rows_may_be_of_any_kind(tmp_path):
    run = make_mixed_run("values", "float64")
    module = module_of(run, tmp_path)
    columns, _ = draw_rows(200, seed=3)
    expected = run.predict(Table(columns))
    assert module["COLUMNS"] == list(columns)
    cells = [values.astype(object) for values in columns.values()]
    records = [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]
    kinds = [columns, records, np.stack(cells, axis=1), [*map(list, zip(*cells, strict=True))]]
    for rows in kinds:
        np.testing.assert_allclose(module["predict"](rows), expected, rtol=1e-12)
    np.testing.assert_allclose(module["predict"](records[:1]), expected[:1], rtol=1e-12)
    assert module["predict"]([]).shape == (0,)
    frames = pytest.importorskip("pandas")
    np.testing.assert_allclose(module["predict"](frames.DataFrame(columns)), expected, rtol=1e-12)
    polars = pytest.importorskip("polars")
    np.testing.assert_allclose(module["predict"](polars.DataFrame(columns)), expected, rtol=1e-12)


def test_text_may_be_that_of_numpy(tmp_path):
    run, table = make_run("values")
    columns = {name: values[20:40] for name, values in table.columns.items()}
    texts = dict(columns)
    for name in ("number", "price", "flag", "day as text", "code"):
        texts[name] = np.array(["" if x is None else str(x) for x in columns[name]])
    module = module_of(run, tmp_path)
    expected = quiet(module["predict"], columns)
    np.testing.assert_allclose(quiet(module["predict"], texts), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"column 'price', row 0 .*: 'many' is not a number"):
        module["predict"](texts | {"price": np.array(["many"] * 20)})


def test_dates_of_other_time_zones_are_those_of_the_run(tmp_path):
    days = np.arange("2026-03-20", "2026-05-20", 5, "datetime64[h]")
    table = Table({"when": days}, np.arange(len(days)) * 1.0)
    preprocessing = Preprocessing(dates={"when": "ISO8601"}).fit(table, "values")
    run = make_mixed_run("values", "float64")
    model = nn.Affine(preprocessing.width, 1, dtype=np.float64, rng=0)
    run = type(run)(model, run.loss, preprocessing, "float64")
    module = module_of(run, tmp_path)
    zone = datetime.timezone(datetime.timedelta(hours=-7))
    expected = run.predict(Table({"when": np.array(["2026-04-01T06:30"], "datetime64[us]")}))
    for cell in [
        "2026-04-01T06:30:00",
        "2026-04-01T08:30:00+02:00",
        "2026-04-01 06:30:00Z",
        datetime.datetime(2026, 3, 31, 23, 30, tzinfo=zone),
        datetime.datetime(2026, 4, 1, 6, 30),
    ]:
        rows = {"when": [cell]}
        np.testing.assert_allclose(module["predict"](rows), expected, rtol=1e-12)
        there = run.predict(table_from_rows(rows, preprocessing.columns))
        np.testing.assert_allclose(there, expected, rtol=1e-12)


def test_bad_rows_are_an_error_that_names_the_column(tmp_path):
    run, table = make_run("classes")
    module = module_of(run, tmp_path)
    row = {name: values[1] for name, values in table.columns.items()}
    for change, problem in [
        ({"number": "many"}, r"column 'number', row 0 \(counted from 0\): 'many' is not a number"),
        ({"number": np.inf}, "column 'number', row 0 .* is not a number"),
        ({"day as text": "soon"}, "'day as text', row 0 .* is not a date of the format %d.%m.%Y"),
        ({"price": "12 kg"}, "column 'price', row 0 .* '12 kg' is not a number"),
        ({"number": 1e300}, "column 'number' is out of range when it is scaled as float32"),
    ]:
        with pytest.raises(ValueError, match=problem):
            module["predict"]([row | change])
    with pytest.raises(ValueError, match="column 'price' is missing"):
        module["predict"]([{name: cell for name, cell in row.items() if name != "price"}])
    with pytest.raises(ValueError, match="expected 15 columns, got 2"):
        module["predict"](np.ones((3, 2)))
    with pytest.warns(UserWarning, match=r"column 'code' has 1 row of a category that training"):
        module["predict"]([row | {"code": 77, "embedded": "a", "embedded code": 0.5}])


def test_names_with_any_characters_do_no_harm(tmp_path):
    x, other = nn.Input(HOSTILE), nn.Input('"""')
    node = (nn.Affine(2, 2, rng=0)(x) * other).named("y\n")
    model = nn.Graph(node)
    name = f"{HOSTILE}.py".replace("\0", "").replace("/", "")
    path = nn.export.python(model, tmp_path / name, input_shape={'"""': (2,)})
    rows = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    y = runpy.run_path(str(path))["predict"](rows, rows)
    np.testing.assert_array_equal(y, model.predict(rows, rows))


@pytest.mark.parametrize(
    "name", ["np", "W0", "v1", "x1", "gelu", "class", "é", "Array", "int", "len", "__debug__"]
)
def test_the_name_of_an_input_hides_nothing(name, tmp_path):
    model = nn.Graph(nn.GELU()(nn.Affine(2, 2, rng=0)(nn.Flatten()(nn.Input(name)))))
    rows = np.ones((3, 2), np.float32)
    y = module_of(model, tmp_path, input_shape=(2,))["predict"](rows)
    np.testing.assert_allclose(y, model.predict(rows), rtol=1e-6)


def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path):
    path = tmp_path / "model.py"
    path.write_text("earlier")
    with pytest.raises(ValueError, match=r"layer 1, .*Own.* cannot be exported, because"):
        nn.export.python(nn.Sequential(nn.Affine(2, 2), Own()), path)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(TypeError, match="path must be a path, got 3"):
        nn.export.python(nn.mlp([2, 1]), 3)
