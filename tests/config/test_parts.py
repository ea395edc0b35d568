"""Configs split rows by columns of the table, and weigh them."""

from pathlib import Path

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config import ConfigError, Run, prepare
from nnlayers.config.document import read

pytest.importorskip("pandas")

ROWS = 60


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The config of a regression on a file with columns for every kind of split."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    lines = ["x,patient,day,part,w,y"]
    for row in range(ROWS):
        part = ("train", "train", "test", "val")[row % 4]
        day = f"2024-{1 + row // 28:02}-{1 + row % 28:02}"
        weight = 1 + row % 3
        lines.append(f"{x[row]},p{row % 12:02},{day},{part},{weight},{x[row] + row % 3}")
    Path("visits.csv").write_text("\n".join([lines[0], *rng.permutation(lines[1:])]) + "\n")
    return {
        "data": {"type": "csv", "path": "visits.csv", "target": "y"},
        "preprocessing": {"ignore": ["part", "w"], "dates": ["day"]},
        "model": {"type": "Affine"},
        "loss": {"type": "MeanSquaredError"},
        "optimizer": {"type": "Adam"},
        "training": {"epochs": 2},
    }


def test_a_group_is_in_one_part_and_no_feature(config):
    config["split"] = {"group": "patient", "validation": 0.25, "test": 0.25}
    experiment = prepare(config, "c.toml")
    parts = experiment.parts
    assert [len(table) for table in parts.values()] == [30, 15, 15]
    assert experiment.predictor.preprocessing.columns.keys() == {"x", "day"}
    lines = Path("visits.csv").read_text().splitlines()
    groups = [
        {lines[table.lines[row] - 1].split(",")[1] for row in range(len(table))}
        for table in parts.values()
    ]
    assert len(set().union(*groups)) == sum(map(len, groups)) == 12


def test_the_past_trains_and_a_time_is_a_feature_only_where_it_is_listed(config):
    config["split"] = {"time": "day"}
    config["preprocessing"] = {"ignore": ["part", "w", "patient"]}
    experiment = prepare(config, "c.toml")
    assert experiment.predictor.preprocessing.columns.keys() == {"x"}
    config["preprocessing"]["dates"] = ["day"]
    days = [table.columns["day"] for table in prepare(config, "c.toml").parts.values()]
    assert days[0].max() < days[1].min() <= days[1].max() < days[2].min()


def test_a_column_gives_the_parts(config):
    config["split"] = {"column": "part"}
    config["preprocessing"] = {"ignore": ["w", "day", "patient"]}
    experiment = prepare(config, "c.toml")
    parts = experiment.parts
    assert {name: len(table) for name, table in parts.items()} == {
        "train": 30,
        "validation": 15,
        "test": 15,
    }
    assert experiment.predictor.preprocessing.columns.keys() == {"x"}


def test_weights_count_in_training_validation_and_test(config):
    config["data"]["weights"] = "w"
    config["preprocessing"] = {"ignore": ["part", "day", "patient"]}
    config["split"] = {"column": "part"}
    config["training"] = {"epochs": 400, "batch_size": 64}
    config["optimizer"]["lr"] = 0.1
    experiment = prepare(config, "c.toml")
    assert experiment.predictor.preprocessing.columns.keys() == {"x"}
    experiment.fit()
    train, held_out, test = experiment.parts.values()
    # The least squares of the training rows, in closed form.
    slope, intercept = np.polyfit(train.columns["x"], train.target, 1, w=np.sqrt(train.weights))
    predictor = experiment.predictor
    expected = slope * test.columns["x"] + intercept
    np.testing.assert_allclose(predictor.predict(test), expected, rtol=0.01, atol=0.01)
    for table, loss in (
        (held_out, experiment.trainer.history["val_loss"][-1]),
        (test, experiment.score(test).values["loss"]),
    ):
        errors = np.square(predictor.predict(table) - table.target)
        scale = predictor.preprocessing.target.decode(np.array([0.0, 1.0]))
        expected = np.average(errors, weights=table.weights) / (scale[1] - scale[0]) ** 2
        assert loss == pytest.approx(expected, rel=1e-4)
    scores = experiment.score(test).values
    errors = np.square(predictor.predict(test) - test.target)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.average(errors, weights=test.weights)))
    mean = np.average(test.target, weights=test.weights)
    variance = np.average(np.square(test.target - mean), weights=test.weights)
    assert scores["r2"] == pytest.approx(1 - scores["rmse"] ** 2 / variance)


@pytest.mark.parametrize(
    "section", [{"group": "patient"}, {"time": "day"}, {"column": "part"}, {"seed": 3}]
)
def test_a_run_is_resumed_and_tested_on_the_same_rows(config, section):
    config["split"] = section
    config["data"]["weights"] = "w"
    config["preprocessing"] = {"ignore": ["part", "patient"], "dates": ["day"]}
    whole = Run(prepare(config, "c.toml"), Path("whole"))
    whole.train()
    whole.test()
    config["training"] = {"epochs": 1}
    half = Run(prepare(config, "c.toml"), Path("half"))
    half.train()
    stored = read(Path("half/config.toml"))
    stored["training"]["epochs"] = 2
    resumed = Run(prepare(stored, "half/config.toml"), Path("half"))
    resumed.resume()
    resumed.train()
    resumed.test()
    for name in ("metrics.csv", "test.json", "preprocessing.json"):
        assert Path("whole", name).read_bytes() == Path("half", name).read_bytes()
    run = nn.load_run("whole")
    assert run.evaluate() == whole.experiment.score(whole.experiment.parts["test"]).values


def test_other_rows_are_predicted_without_the_columns_of_the_split_and_the_weights(config):
    config["split"] = {"group": "patient"}
    config["data"]["weights"] = "w"
    config["preprocessing"] = {"ignore": ["part", "day"]}
    Run(prepare(config, "c.toml"), Path("run")).train()
    run = nn.load_run("run")
    assert len(run.predict({"x": [0.5, 1.0]})) == 2
    rows = {"x": [0.5, 1.0], "y": [1.0, 7.0], "w": [1.0, 0.0]}
    first = {name: values[:1] for name, values in rows.items()}
    assert run.evaluate(rows)["loss"] == pytest.approx(run.evaluate(first)["loss"])
    del first["w"]  # Without weights, all rows count alike.
    assert run.evaluate(first)["loss"] == pytest.approx(run.evaluate(rows)["loss"])


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"split": {"group": "pat"}}, "split: visits.csv: unknown column 'pat', did you mean"),
        ({"split": {"group": "x", "time": "day"}}, "split.group: cannot be combined with time"),
        ({"split": {"time": "patient"}}, "split: visits.csv: column 'patient', line 2: 'p"),
        ({"split": {"column": "w"}}, "split: visits.csv: column 'w', line 2: "),
        ({"data": {"weights": "u"}}, "data: visits.csv: unknown column 'u'"),
        ({"data": {"weights": "patient"}}, "data: visits.csv: weights must hold numbers, got 'p"),
        ({"data": {"weights": "x"}}, "data: visits.csv: weights, line "),
        ({"data": {"weights": "y"}}, "data: visits.csv: column 'y' cannot be both the target"),
        ({"split": {"stratify": "x"}}, "split.stratify: cannot be set"),
    ],
)
def test_bad_columns_are_named(config, sections, message):
    for name, section in sections.items():
        config.setdefault(name, {}).update(section)
    with pytest.raises(ConfigError) as caught:
        prepare(config, "c.toml")
    assert str(caught.value).startswith(f"c.toml: {message}")
    assert "\n" not in str(caught.value)


def test_rows_of_a_data_frame_train_test_and_resume(config, tmp_path):
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"a": rng.normal(size=50), "b": rng.choice(["u", "v"], 50)})
    frame["y"] = frame["a"] + (frame["b"] == "u")
    table = nn.data.from_frame(frame, "y")
    del config["data"], config["preprocessing"]
    run = Run(prepare(config, "c.toml", table=table), Path("run"))
    run.train()
    assert run.test().startswith("test ")
    stored = read(Path("run/config.toml"))
    stored["training"]["epochs"] = 3
    resumed = Run(prepare(stored, "c.toml", table=table), Path("run"))
    resumed.resume()
    resumed.train()
    trained = nn.load_run("run")
    assert len(trained.history) == 3
    assert len(trained.predict(frame)) == 50
    assert trained.evaluate(frame)["loss"] > 0
    with pytest.raises(ConfigError, match="data: the rows were a program's: pass rows to"):
        trained.evaluate()
    config["data"] = {"type": "iris"}
    with pytest.raises(ConfigError, match="data: must be empty where the rows are given"):
        prepare(config, "c.toml", table=table)
