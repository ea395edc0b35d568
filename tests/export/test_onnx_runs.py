"""Runs as ONNX files, from raw columns to labels, probabilities and values."""

import json
import warnings

import numpy as np
import pytest
from runs import HOSTILE, LOSSES, make_run
from test_onnx import session_of

import nnlayers as nn
from nnlayers.data import Preprocessing, Table
from nnlayers.data.dates import Dates, read_dates
from nnlayers.data.encoders import Categories, read_numbers

pytest.importorskip("pandas")

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


def feed(session, preprocessing, table):
    """Return the columns of a table as the file takes them."""
    columns = []
    for name, encoder in preprocessing.encoders.items():
        column, values = table.column(name), table.columns[name]
        if isinstance(encoder, Dates):
            values = read_dates(column, encoder.notation).astype(np.int64)
        elif not isinstance(encoder, Categories):
            values = read_numbers(column, encoder.notation)
        elif encoder.kind != "numeric":
            values = np.array(["" if text is None else text for text in values], object)
        columns.append(values)
    names = [entry.name for entry in session.get_inputs()]
    return dict(zip(names, columns, strict=True))


def quiet(function, *arguments):
    """Return the result without the warnings of unknown levels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*arguments)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_predicts_the_same_from_raw_rows(loss, dtype, tmp_path):
    run, table = make_run(loss, dtype)
    path = nn.export.onnx(run, tmp_path / "run.onnx")
    session = session_of(path)
    results = session.run(None, feed(session, run.preprocessing, table))
    names = [entry.name for entry in session.get_outputs()]
    expected = quiet(run.predict, table)
    if run.preprocessing.classes:
        assert results[0].dtype == expected.dtype
        assert np.mean(results[0] == expected) > 0.999  # Two classes may be nearly as likely.
    else:
        np.testing.assert_allclose(
            results[0], expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype] * expected.std()
        )
    if loss in ("classes", "binary"):
        assert names == ["label", "probabilities"]
        probabilities = quiet(run.probabilities, table)
        # A score is rounded relative to the sum of the terms in it.
        rtol = 10 * TOLERANCE[dtype] if dtype == "float32" else TOLERANCE[dtype]
        np.testing.assert_allclose(results[1], probabilities, rtol=rtol)
    else:
        assert names == ["label" if run.preprocessing.classes else "prediction"]
    columns = feed(session, run.preprocessing, table)
    empty = session.run(None, {name: column[:0] for name, column in columns.items()})
    assert [len(result) for result in empty] == [0] * len(names)


def test_the_file_says_the_classes_and_the_target(tmp_path):
    run, _ = make_run("classes")
    session = session_of(nn.export.onnx(run, tmp_path / "run.onnx"))
    properties = session.get_modelmeta().custom_metadata_map
    assert properties["target"] == "target"
    assert tuple(json.loads(properties["classes"])) == run.preprocessing.classes
    assert HOSTILE in run.preprocessing.classes


def test_columns_have_their_names_types_and_one_axis(tmp_path):
    run, _ = make_run("values")
    session = session_of(nn.export.onnx(run, tmp_path / "run.onnx"))
    types = {entry.name: entry.type for entry in session.get_inputs()}
    assert types["number"] == types["code"] == types["price"] == "tensor(double)"
    assert types["embedded"] == "tensor(string)"
    assert types["day"] == types["day as text"] == "tensor(int64)"
    assert 'a "b"__%*/??/\\_🙂' in types
    assert {tuple(entry.shape) for entry in session.get_inputs()} == {("rows",)}


def test_missing_numbers_that_training_refuses_are_nan(tmp_path):
    table = Table({"a": [1.0, 2.0, 4.0]}, target=[1.0, 2.0, 3.0])
    run, _ = make_run("values")
    preprocessing = Preprocessing(missing="error").fit(table, "values")
    run = type(run)(nn.Sequential(nn.Affine(1, 1, rng=0)), run.loss, preprocessing, "float32")
    session = session_of(nn.export.onnx(run, tmp_path / "run.onnx"))
    (y,) = session.run(None, {"a": np.array([1.0, np.nan])})
    np.testing.assert_allclose(y[0], run.predict(table)[0], rtol=1e-5)
    assert np.isnan(y[1])


def test_a_column_named_as_an_output_keeps_its_name(tmp_path):
    table = Table({"label": [1.0, 2.0, 4.0], "prediction": [0.0, 1.0, 0.0]}, target=[0, 1, 0])
    preprocessing = Preprocessing().fit(table, "binary")
    run, _ = make_run("binary")
    run = type(run)(nn.Sequential(nn.Affine(2, 1, rng=0)), run.loss, preprocessing, "float32")
    session = session_of(nn.export.onnx(run, tmp_path / "run.onnx"))
    assert [entry.name for entry in session.get_inputs()] == ["label", "prediction"]
    assert [entry.name for entry in session.get_outputs()] == ["label_2", "probabilities"]


def test_a_shape_for_a_run_is_refused(tmp_path):
    run, _ = make_run("values")
    with pytest.raises(ValueError, match="input_shape must be left out for a run"):
        nn.export.onnx(run, tmp_path / "run.onnx", input_shape=(3,))


def test_a_loss_that_decides_by_other_code_is_refused(tmp_path):
    class Own(nn.MeanSquaredError):
        def decide(self, prediction):
            return prediction + 1

    run, _ = make_run("values")
    run = type(run)(run.model, Own(), run.preprocessing, "float32")
    with pytest.raises(ValueError, match=r"Own\(\) cannot be exported"):
        nn.export.onnx(run, tmp_path / "run.onnx")
    assert not list(tmp_path.iterdir())
