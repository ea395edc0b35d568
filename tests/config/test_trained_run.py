import json
import re
import shutil

import numpy as np
import pytest
from scipy.special import expit, softmax

import nnlayers as nn
from nnlayers.config import ConfigError, Run, load_run, prepare
from nnlayers.config.run_files import write_sealed_json
from nnlayers.data import DataError

CSV = "kind,size,label\n" + "".join(
    f"{'ab'[i % 2]},{(i * 7) % 11},{['no', 'yes'][i % 2]}\n" for i in range(60)
)
ROWS = [{"kind": "a", "size": 1.0}, {"kind": "b", "size": 2.0}]


def train(directory, *, data=None, loss="SoftmaxCrossEntropy", epochs=3, **sections):
    config = {
        "data": data or {"type": "spirals", "rows": 60},
        "model": {"type": "Sequential", "layers": [{"type": "Affine"}]},
        "loss": {"type": loss},
        "optimizer": {"type": "Adam", "lr": 0.01},
        "training": {"epochs": epochs},
        **sections,
    }
    run = Run(prepare(config, "x.toml"), directory)
    run.train()
    run.test()
    return run


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The directory of a run on a table with a category, a number and two named classes."""
    place = tmp_path_factory.mktemp("runs")
    (place / "data.csv").write_text(CSV)
    data = {"type": "csv", "path": str(place / "data.csv"), "target": "label"}
    train(place / "a", data=data)
    return place / "a"


def test_a_run_says_what_it_is_made_of(directory):
    run = load_run(directory)
    lines = repr(run).splitlines()
    assert lines[0] == "TrainedRun("
    entries = dict(line.strip().split(": ", 1) for line in lines[1:-1])
    assert entries["directory"] == str(directory)
    assert entries["columns"] == "'kind', 'size'"
    assert entries["target"] == "'label', 2 classes"
    assert entries["model"] == "Sequential of 1 layer, 8 weights"
    assert entries["trained"].startswith("3 epochs, loss=")
    assert entries["test"].startswith("loss ")
    assert run._repr_html_().count("<tr>") == len(entries)


def test_a_run_of_which_files_are_missing_or_damaged_can_be_shown(directory, tmp_path):
    place = tmp_path / "damaged"
    shutil.copytree(directory, place)
    run = load_run(place)
    (place / "metrics.csv").unlink()
    (place / "test.json").write_text("{")
    text = repr(run)
    assert "loss: SoftmaxCrossEntropy()" in text
    assert "trained" not in text
    assert "test:" not in text


def test_a_run_and_an_experiment_say_how_far_they_are(tmp_path):
    run = train(tmp_path / "a", epochs=2)
    for item in (run, run.experiment):
        assert repr(item).splitlines()[0] == f"{type(item).__name__}("
        assert "rows: 42 train, 9 validation, 9 test" in repr(item)
        assert "trained: 2 epochs" in repr(item)
        assert "2 epochs" in item._repr_html_()


def test_a_run_is_loaded_from_a_path_or_its_text(directory):
    for path in (directory, str(directory)):
        run = nn.load_run(path)
        assert run.predict(ROWS).tolist() in [["no", "no"], ["no", "yes"], ["yes", "yes"]]
        assert run.config["loss"]["type"] == "SoftmaxCrossEntropy"
        assert isinstance(run.model, nn.Sequential)
    with pytest.raises(TypeError, match="directory must be a path, got 3"):
        load_run(3)


def test_predictions_are_those_of_the_run_that_was_trained(tmp_path):
    trained = train(tmp_path / "a")
    run, parts = load_run(tmp_path / "a"), trained.experiment.parts
    table = parts["test"]
    np.testing.assert_array_equal(
        run.predict(table.columns), trained.experiment.predictor.predict(table)
    )
    assert run.history == trained.experiment.trainer.history
    assert run.config == trained.experiment.config
    stored = json.loads((tmp_path / "a" / "test.json").read_text())
    assert run.test_scores == {name: stored[name] for name in stored.keys() - {"sha256"}}
    assert run.evaluate() == {name: stored[name] for name in run.evaluate()}
    assert run.evaluate(table.columns, table.target) == run.evaluate()
    assert run.evaluate({**table.columns, "class": table.target}) == run.evaluate()
    matrix = np.column_stack([*table.columns.values(), table.target])
    assert run.evaluate(matrix) == run.evaluate()


@pytest.mark.parametrize("outputs", [3, 1])
def test_probabilities_are_those_of_the_logits(tmp_path, outputs):
    data = {"type": "spirals" if outputs == 3 else "moons", "rows": 60}
    train(tmp_path / "a", data=data, loss=f"{'Softmax' if outputs == 3 else 'Sigmoid'}CrossEntropy")
    run = load_run(tmp_path / "a")
    rows = np.random.default_rng(0).normal(size=(20, 2))
    logits = run.model.predict(run.preprocessing.features(run.table(rows), "float32")).astype(
        np.float64
    )
    expected = softmax(logits, 1) if outputs == 3 else np.hstack([expit(-logits), expit(logits)])
    np.testing.assert_allclose(run.predict_proba(rows), expected, rtol=1e-12)
    np.testing.assert_array_equal(run.predict(rows), expected.argmax(axis=1))


def test_values_are_in_the_units_of_the_data(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    np.savez(tmp_path / "data.npz", inputs=x, out=1000 + 50 * x[:, 0])
    data = {"type": "npz", "path": str(tmp_path / "data.npz"), "features": "inputs"}
    train(
        tmp_path / "a",
        data={**data, "target": "out"},
        loss="MeanSquaredError",
        epochs=200,
        optimizer={"type": "Adam", "lr": 0.1},
    )
    run = load_run(tmp_path / "a")
    np.testing.assert_allclose(run.predict(x), 1000 + 50 * x[:, 0], atol=1)
    assert run.evaluate(str(tmp_path / "data.npz"))["r2"] > 0.999
    assert run.evaluate(x, 1000 + 50 * x[:, 0])["rmse"] < 1
    with pytest.raises(ValueError, match=r"CrossEntropy, this one was trained with MeanSquaredErr"):
        run.predict_proba(x)


def test_a_file_is_read_as_the_training_data_were(tmp_path, directory):
    text = CSV.replace(",", ";")
    (tmp_path / "data.csv").write_text(text)
    data = {"type": "csv", "path": str(tmp_path / "data.csv"), "target": "label", "separator": ";"}
    train(tmp_path / "a", data=data)
    run = load_run(tmp_path / "a")
    assert run.evaluate(tmp_path / "data.csv") == load_run(directory).evaluate(
        directory.parent / "data.csv"
    )
    assert len(run.predict(tmp_path / "data.csv")) == 60


def test_extra_reordered_single_and_no_rows(directory):
    run = load_run(directory)
    expected = run.predict(ROWS)
    reordered = {"size": [1, 2], "extra": ["?", None], "kind": ["a", "b"]}
    np.testing.assert_array_equal(run.predict(reordered), expected)
    np.testing.assert_array_equal(run.predict(ROWS[:1]), expected[:1])
    np.testing.assert_array_equal(run.predict([["a", 1], ["b", "2"]]), expected)
    nothing = run.predict([])
    assert (nothing.shape, nothing.dtype) == ((0,), expected.dtype)
    assert run.predict_proba([]).shape == (0, 2)
    with pytest.raises(DataError, match="rows: there are no rows to score"):
        run.evaluate([])


def test_an_unknown_category_is_a_warning_and_a_missing_column_an_error(directory):
    run = load_run(directory)
    with pytest.warns(UserWarning, match="rows: column 'kind' has 1 row of a category"):
        assert run.predict([{"kind": "c", "size": 1}]).shape == (1,)
    with pytest.raises(DataError, match="rows: unknown column 'size'"):
        run.predict([{"kind": "c"}])
    with pytest.raises(DataError, match="rows: unknown column 'label'"):
        run.evaluate(ROWS)
    with pytest.raises(DataError, match=r"target 'label'.*'maybe' is not a class"):
        run.evaluate(ROWS, ["no", "maybe"])
    with pytest.raises(DataError, match="target 'label' has 1 rows, column 'kind' has 2"):
        run.evaluate(ROWS, ["no"])


def test_files_that_only_the_history_needs_may_be_missing(tmp_path):
    train(tmp_path / "a")
    for name in ("metrics.csv", "checkpoint.npz", "test.json", "timing.json", "curves.png"):
        (tmp_path / "a" / name).unlink()
    (tmp_path / "a" / "checkpoint-previous.npz").unlink()
    run = load_run(tmp_path / "a")
    assert run.predict([[0.0, 1.0]]).shape == (1,)
    assert (run.test_scores, run.seconds) == ({}, None)
    with pytest.raises(ConfigError, match=r"checkpoint\.npz: No such file"):
        len(run.history)


@pytest.mark.parametrize(
    ("file", "content", "use"),
    [
        ("timing.json", {}, lambda run: run.seconds),
        ("timing.json", {"seconds": "long"}, lambda run: run.seconds),
        ("timing.json", "[", lambda run: run.seconds),
        ("test.json", "[1]", lambda run: run.test_scores),
        ("test.json", "{", lambda run: run.test_scores),
        ("metrics.csv", "epoch,loss\n1,2\n", lambda run: run.history),
        ("checkpoint.npz", "", lambda run: run.history),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path, file, content, use):
    train(tmp_path / "a")
    path = tmp_path / "a" / file
    path.write_text(content) if isinstance(content, str) else write_sealed_json(path, content)
    (tmp_path / "a" / "checkpoint-previous.npz").unlink()
    with pytest.raises(ConfigError, match=file) as caught:
        use(load_run(tmp_path / "a"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("metric", "message"),
    [("acuracy", "unknown metric 'acuracy'"), ("r2", "metric 'r2' needs a loss whose targets")],
)
def test_a_metric_of_an_altered_config_is_an_error_that_names_it(tmp_path, metric, message):
    train(tmp_path / "a", epochs=1)
    path = tmp_path / "a" / "config.toml"
    path.write_text(path.read_text().replace("metrics = []", f'metrics = ["{metric}"]'))
    with pytest.raises(ConfigError, match=rf"config\.toml: training\.metrics: {message}"):
        load_run(tmp_path / "a").evaluate()


@pytest.mark.parametrize(
    ("file", "use"),
    [
        ("timing.json", lambda run: run.seconds),
        ("test.json", lambda run: run.test_scores),
        ("baseline.json", lambda run: run.evaluate()),
        ("metrics.csv", lambda run: run.history),
    ],
)
def test_a_digit_that_was_altered_is_noticed(tmp_path, file, use):
    train(tmp_path / "a")
    path = tmp_path / "a" / file
    use(load_run(tmp_path / "a"))
    text = path.read_text()
    first = [match.start() for match in re.finditer(r"\d[\d.e+-]*", text)][-1]
    path.write_text(f"{text[:first]}{(int(text[first]) + 1) % 10}{text[first + 1 :]}")
    with pytest.raises(ConfigError, match=rf"{file}: .*(damaged|edited)"):
        use(load_run(tmp_path / "a"))


def test_the_duration_of_a_resumed_run_is_that_of_all_its_parts(tmp_path):
    first = train(tmp_path / "a", epochs=2)
    before = load_run(tmp_path / "a").seconds
    write_sealed_json(tmp_path / "a" / "timing.json", {"seconds": 100.0})
    config = first.experiment.config | {"training": {**first.experiment.config["training"]}}
    config["training"]["epochs"] = 3
    again = Run(prepare(config, "x.toml"), tmp_path / "a")
    again.resume()
    again.train()
    assert 0 <= before < 60
    assert 100 < load_run(tmp_path / "a").seconds < 160


def test_weights_count_in_rows_that_have_them(tmp_path):
    text = CSV.replace("\n", ",2\n").replace("label,2", "label,w")
    (tmp_path / "data.csv").write_text(text)
    data = {"type": "csv", "path": str(tmp_path / "data.csv"), "target": "label", "weights": "w"}
    train(tmp_path / "a", data=data)
    run = load_run(tmp_path / "a")
    rows = [row | {"label": "no"} for row in ROWS]
    plain = run.evaluate(rows)
    assert run.evaluate([row | {"w": 1} for row in rows]) == plain
    first = run.evaluate(rows[:1])["accuracy"]
    assert run.evaluate([rows[0] | {"w": 1}, rows[1] | {"w": 0}])["accuracy"] == first
    assert run.evaluate(ROWS, ["no", "no"]) == plain
    (tmp_path / "plain.csv").write_text(CSV)  # Without the column of the weights.
    whole, alike = run.evaluate(tmp_path / "data.csv"), run.evaluate(tmp_path / "plain.csv")
    assert alike["accuracy"] == whole["accuracy"]  # All weights are 2.
