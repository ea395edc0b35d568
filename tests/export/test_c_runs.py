"""Runs as C99 files, which take raw columns and know the names of classes."""

import ctypes
import re
import warnings

import numpy as np
import pytest
from c_compiler import build_program, load_library, needs_compiler, predict_rows, run_program
from mixed_runs import HOSTILE, draw_rows, make_run
from rows import assert_agree

import nnlayers as nn
from nnlayers.data import Preprocessing, Table
from nnlayers.data.encoders import Categories

pytestmark = needs_compiler
TARGETS = ["classes", "scores", "binary", "values", "counts", "means"]
RUNS = [(targets, dtype) for targets in TARGETS for dtype in ("float32", "float64")]


def raw_floats(columns, category):
    """Return raw columns as the C function takes them, with the codes that the file gives."""
    floats = []
    for index, values in enumerate(columns.values()):
        if values.dtype == object:
            codes = {
                text: np.nan if text is None else category(index, text.encode())
                for text in set(values)
            }
            values = np.array([codes[text] for text in values])
        if values.dtype.kind == "M":
            values = (values - np.datetime64(0, "us")) / np.timedelta64(1, "D")
        floats.append(values)
    return np.stack(floats, axis=1).astype(np.float32)


def expected_outputs(run, table):
    """Return what a run predicts: probabilities, scores or values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not run.preprocessing.classes:
            return run.predict(table)[:, np.newaxis]
        return run.outputs(table) if isinstance(run.loss, nn.Hinge) else run.probabilities(table)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A program of runs with every kind of target, those runs, and rows of every kind of column."""
    directory = tmp_path_factory.mktemp("runs")
    columns, _ = draw_rows(10_000, seed=1, unseen=True)
    runs = [make_run(*key) for key in RUNS]
    names = [f"r{number}" for number in range(len(runs))]
    sizes = []
    for name, run in zip(names, runs, strict=True):
        nn.export.c(run, directory / f"{name}.c", name=name)
        sizes.append([len(columns), expected_outputs(run, Table(columns)).shape[1]])
    # All of them have the same categories.
    category = load_library(directory / "r0.c").r0_category
    category.argtypes = [ctypes.c_int, ctypes.c_char_p]
    path = build_program(directory, names, sizes)
    return path, runs, columns, raw_floats(columns, category)


@pytest.mark.parametrize("number", range(len(RUNS)), ids=[f"{t}-{d}" for t, d in RUNS])
def test_every_kind_of_column_gives_what_the_run_predicts(number, program):
    path, runs, columns, rows = program
    expected = expected_outputs(runs[number], Table(columns)).astype(np.float32)
    y = run_program(path, number, rows, expected.shape[1])
    # A float of a date, or of a sum of terms that cancel, is as exact as float32 allows.
    assert_agree("Graph", y, expected, np.full((len(y), 1), np.abs(expected).max()))


def test_names_of_classes_and_categories_are_those_of_the_run(tmp_path, capfd):
    run = make_run("classes")
    nn.export.c(run, tmp_path / "model.c", name="CASES")
    text = (tmp_path / "model.c").read_bytes()
    assert text.isascii()
    library = load_library(tmp_path / "model.c", "-fsanitize=undefined")
    library.CASES_category.argtypes = [ctypes.c_int, ctypes.c_char_p]
    library.CASES_class.restype = ctypes.c_char_p
    # A string of C ends with its first null byte.
    expected = [str(name).encode().split(b"\0")[0] for name in run.preprocessing.classes]
    assert [library.CASES_class(index) for index in range(3)] == expected
    assert library.CASES_class(3) is library.CASES_class(-1) is None
    y = (ctypes.c_float * 3)(0.2, 0.5, 0.3)
    assert library.CASES_decide(y) == 1
    encoders = list(run.preprocessing.encoders.values())
    for index, encoder in enumerate(encoders):
        if isinstance(encoder, Categories):
            for code, level in enumerate(encoder.values):
                assert library.CASES_category(index, str(level).encode()) == code
        assert library.CASES_category(index, b"unseen") == -1
    assert library.CASES_category(99, b"x") == -1
    assert capfd.readouterr().err == ""  # An index beyond a table would be reported here.
    assert re.search(rb"x\[6\]: kind____, the code of a category", text)


def test_two_classes_of_one_output_have_two_probabilities(tmp_path):
    run = make_run("binary")
    nn.export.c(run, tmp_path / "model.c", name="COUNT")
    library = load_library(tmp_path / "model.c")
    library.COUNT_class.restype = ctypes.c_char_p
    assert [library.COUNT_class(index) for index in range(2)] == [b"-3", b"7"]
    assert library.COUNT_decide((ctypes.c_float * 2)(0.7, 0.3)) == 0


def test_a_code_that_does_not_exist_is_an_unknown_category(tmp_path):
    run = make_run("values")
    nn.export.c(run, tmp_path / "model.c")
    library = load_library(tmp_path / "model.c")
    columns, _ = draw_rows(1)
    known = raw_floats(columns, lambda index, text: 0)
    for index, encoder in enumerate(run.preprocessing.encoders.values()):
        if isinstance(encoder, Categories):
            rows = known.repeat(6, axis=0)
            count = len(encoder.values)
            rows[:, index] = [-1, count, count + 1, -2, 1e30, -np.inf]
            y = predict_rows(library, rows, 1)
            np.testing.assert_array_equal(y, y[0].repeat(6)[:, np.newaxis])
            assert y[0] != predict_rows(library, known, 1)


def test_one_score_of_two_classes_decides_by_its_sign(tmp_path):
    class Sign(nn.MeanSquaredError):
        targets = "binary"

    run = make_run("binary")
    nn.export.c(type(run)(run.model, Sign(), run.preprocessing, run.dtype), tmp_path / "model.c")
    library = load_library(tmp_path / "model.c")
    scores = [-1.0, 0.0, 0.25, 2.0]
    assert [library.model_decide((ctypes.c_float * 1)(y)) for y in scores] == [0, 0, 1, 1]


def test_plain_numbers_are_standardised_in_one_loop(tmp_path):
    rng = np.random.default_rng(0)
    columns = {f"x{i}": 1e6 + rng.normal(size=50) for i in range(40)}
    table = Table(columns, rng.integers(0, 2, 50))
    preprocessing = Preprocessing(missing="error").fit(table, "classes")
    run = make_run("classes")
    run = type(run)(nn.Affine(40, 2, rng=0), run.loss, preprocessing, "float32")
    sizes = nn.export.c(run, tmp_path / "model.c")
    text = (tmp_path / "model.c").read_text()
    assert text.count("model_predict") == 3
    assert sizes.tables < 3 * 40 * 8
    assert text.count(" / ") < 10


def test_a_category_of_any_length_is_a_string(tmp_path):
    kinds = np.array(["a" * 5000, "b" * 5000 + '"??/', *HOSTILE] * 3, object)
    table = Table({"kind": kinds}, np.arange(len(kinds)) % 2)
    preprocessing = Preprocessing().fit(table, "classes")
    run = make_run("classes")
    model = nn.Affine(preprocessing.width, 2, rng=0)
    run = type(run)(model, run.loss, preprocessing, "float32")
    nn.export.c(run, tmp_path / "model.c")
    library = load_library(tmp_path / "model.c")
    for code, level in enumerate(preprocessing.encoders["kind"].values):
        found = library.model_category(0, level.encode())
        assert found == code


def test_a_loss_of_its_own_decision_is_refused(tmp_path):
    class Own(nn.MeanSquaredError):
        def decide(self, prediction):
            return 2 * super().decide(prediction)

    run = make_run("values")
    run = type(run)(run.model, Own(), run.preprocessing, run.dtype)
    with pytest.raises(ValueError, match="decides by code of its own"):
        nn.export.c(run, tmp_path / "model.c")
    assert not list(tmp_path.iterdir())
