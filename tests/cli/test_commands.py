import csv
import json
import sys

import numpy as np
import pytest

import nnlayers
from nnlayers.config import Run, prepare, read
from nnlayers.data import spirals


def test_the_last_line_of_train_states_the_test_accuracy(run, workplace):
    status, out, err = run("train", "small.toml", "--out", "a")
    scores = json.loads((workplace / "a" / "test.json").read_text())
    assert (status, err) == (0, [])
    accuracy, baseline = scores["accuracy"], scores["baseline_accuracy"]
    counts = json.loads((workplace / "a" / "baseline.json").read_text())["counts"]
    assert out[-1] == (
        f"test accuracy {accuracy:.1%} against baseline accuracy {baseline:.1%}, "
        f"always {np.argmax(counts)} (loss {scores['loss']:.4g}, 9 rows)"
    )


def test_a_run_directory_holds_everything(run, workplace):
    run("train", "small.toml", "--out", "a")
    names = {path.name for path in (workplace / "a").iterdir()}
    assert names == {
        "baseline.json",
        "calibration.png",
        "checkpoint-previous.npz",
        "checkpoint.npz",
        "config.toml",
        "confusion.png",
        "curves.png",
        "film.npz",
        "metrics.csv",
        "model.nn",
        "preprocessing.json",
        "test.json",
        "timing.json",
    }
    with (workplace / "a" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert rows[0].keys() >= {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_runs_are_numbered_and_the_latest_is_resumed(run, workplace):
    run("train", "small.toml")
    run("train", "small.toml")
    status, out, _ = run("train", "small.toml", "--resume", "--set", "training.epochs=3")
    assert status == 0
    assert "saved in runs/small-002" in out
    lines = [
        len((workplace / "runs" / name / "metrics.csv").read_text().splitlines())
        for name in ("small-001", "small-002")
    ]
    assert lines == [3, 4]


def test_a_finished_run_has_nothing_left_to_train(run):
    _, trained, _ = run("train", "small.toml", "--out", "a")
    status, out, _ = run("train", "small.toml", "--out", "a", "--resume")
    assert status == 0
    assert "nothing left to train" in out
    assert out[-1] == trained[-1]


def test_overrides_change_the_config(run, workplace):
    status, *_ = run(
        *("train", "small.toml", "--out", "a", "--set", "model.layers.0.out_features=5"),
        *("--set", "optimizer.type=SGD", "--set", "dtype=float64"),
    )
    assert status == 0
    weights = np.load(workplace / "a" / "model.nn")["state/0.W"]
    assert (weights.shape, weights.dtype) == ((2, 5), np.float64)


def test_evaluate_repeats_the_result_of_train_from_anywhere(run, workplace, monkeypatch):
    table = spirals(60)
    rows = np.column_stack([*table.columns.values(), table.target])
    np.savetxt("points.csv", rows, delimiter=",", header="x1,x2,arm", comments="")
    data = 'data={type = "csv", path = "points.csv", target = "arm"}'
    _, trained, _ = run("train", "small.toml", "--out", "a", "--set", data)
    monkeypatch.chdir("/")
    status, out, err = run("evaluate", workplace / "a")
    assert (status, out, err) == (0, trained[-1:], [])


def test_evaluate_scores_the_rows_of_another_file(run, workplace):
    run("train", "small.toml", "--out", "a")
    rows = "x2,arm,class,x1\n0.5,?,0,0.1\n-1,?,2,0\n"
    (workplace / "new.csv").write_text(rows)
    status, out, err = run("evaluate", "a", "new.csv")
    assert (status, err) == (0, [])
    assert out[0].startswith("test accuracy ")
    assert out[0].endswith(" 2 rows)")
    (workplace / "new.csv").write_text("x1,x2\n0.5,1\n")
    status, out, err = run("evaluate", "a", "new.csv")
    assert (status, out) == (2, [])
    assert err == ["nnlayers: new.csv: unknown column 'class'. Known: x1, x2"]


def test_a_run_on_rows_of_a_program_is_resumed_there(run, workplace):
    table = spirals(rows=60)
    config = read("small.toml") | {"data": {}}
    whole = Run(prepare(config, "spirals", table=table), workplace / "whole")
    whole.train()
    config["training"]["epochs"] = 1
    Run(prepare(config, "spirals", table=table), workplace / "part").train()
    status, out, (message,) = run("resume", "part")
    assert (status, out) == (2, [])
    assert message == (
        "nnlayers: part/config.toml: data: the rows were a program's: resume there, by "
        "Run(prepare(config, name, table=table), directory), its resume() and its train()"
    )
    config["training"]["epochs"] = 2
    resumed = Run(prepare(config, "spirals", table=table), workplace / "part")
    resumed.resume()
    resumed.train()
    histories = [(workplace / name / "metrics.csv").read_text() for name in ("part", "whole")]
    assert histories[0] == histories[1]


def test_resume_needs_no_config(run, workplace, monkeypatch):
    run("train", "small.toml", "--out", "whole", "--set", "training.epochs=4")
    run("train", "small.toml", "--out", "a")
    (workplace / "small.toml").unlink()
    monkeypatch.chdir("/")
    status, out, err = run("resume", workplace / "a")
    assert (status, err) == (0, [])
    assert "nothing left to train" in out
    assert run("resume", workplace / "a", "--epochs", "4")[0] == 0
    files = [(workplace / name / "model.nn").read_bytes() for name in ("whole", "a")]
    assert files[0] == files[1]
    status, out, _ = run("resume", workplace / "a", "--epochs", "3")
    assert status == 0
    assert "nothing left to train: this run has 4 epochs already, more than 3" in out
    status, _, err = run("resume", workplace / "b")
    assert (status, err) == (2, [f"nnlayers: {workplace}/b/config.toml: No such file or directory"])


def test_compare_prints_a_table_of_runs_and_draws_their_curves(run, workplace):
    run("train", "small.toml", "--out", "a")
    run("train", "small.toml", "--out", "b", "--set", "optimizer.lr=0.02")
    status, out, err = run("compare", "a", "b")
    assert (status, err) == (0, [])
    header, first, second, last = (line.split() for line in out)
    assert header[:3] == ["run", "optimizer.lr", "epochs"]
    assert (first[:3], second[:3]) == (["a", "0.01", "2"], ["b", "0.02", "2"])
    assert last == ["curves", "in", "comparison.png"]
    assert (workplace / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert run("compare", "a", "-o", "c.svg")[0] == 0
    assert "<svg" in (workplace / "c.svg").read_text()
    status, out, err = run("compare", "a", "-o", "c.txt")
    assert (status, out, len(err)) == (2, [], 1)
    assert "a picture is a .png, .svg or .pdf file" in err[0]


def test_predict_prints_or_writes_a_row_for_each_row(run, workplace):
    run("train", "small.toml", "--out", "a")
    (workplace / "rows.csv").write_text("x2,other,x1\n0.5,?,0.1\n-1,?,0\n")
    np.savez(workplace / "rows.npz", x1=[0.1, 0.0], x2=[0.5, -1.0])
    status, out, err = run("predict", "a", "rows.csv")
    assert (status, err) == (0, [])
    assert out[0] == "class,probability 0,probability 1,probability 2"
    assert len(out) == 3
    (workplace / "out.csv").write_text("old")
    assert run("predict", "a", "rows.csv", "-o", "out.csv") == (0, [], [])
    assert (workplace / "out.csv").read_text().splitlines() == out


def test_regression_reports_raw_units(run):
    status, out, _ = run(
        *("train", "small.toml", "--out", "a", "--set", "data={type = 'diabetes'}"),
        *("--set", "loss.type=MeanSquaredError", "--set", "training.metrics=[]"),
    )
    assert status == 0
    assert out[-1].startswith("test R2 ")
    rmse, of_baseline = (float(part.split()[0].strip(",")) for part in out[-1].split("RMSE ")[1:])
    assert 30 < rmse < 200
    assert 60 < of_baseline < 90  # The standard deviation is 77.
    assert ", the mean (loss " in out[-1]


def test_without_test_rows_there_is_no_result(run, workplace):
    status, out, _ = run("train", "small.toml", "--out", "a", "--set", "split.test=0")
    assert (status, out[-1]) == (0, "no test rows (split.test is 0)")
    assert not (workplace / "a" / "test.json").exists()
    status, _, err = run("evaluate", "a")
    assert (status, err) == (
        2,
        ["nnlayers: a/config.toml: split.test: is 0, there are no test rows"],
    )


def test_the_resolved_config_trains_the_same_model(run, workplace):
    run("train", "small.toml", "--out", "a")
    assert "in_features = 2" in (workplace / "a" / "config.toml").read_text()
    run("train", "a/config.toml", "--out", "b")
    first, second = ((workplace / name / "model.nn").read_bytes() for name in "ab")
    assert first == second


def test_summary_shows_layers_and_writes_nothing(run, workplace):
    status, out, _ = run("summary", "small.toml")
    assert status == 0
    assert any("Affine(2, 8)" in line for line in out)
    assert out[-1].split() == ["total", "51"]
    assert [path.name for path in workplace.iterdir()] == ["small.toml"]


def test_summary_shows_a_model_that_is_not_a_sequential(run):
    status, out, _ = run("summary", "small.toml", "--set", 'model={type = "Affine"}')
    assert status == 0
    assert "Affine(2, 3)" in out[-2]


def test_a_class_from_the_working_directory_is_found(run, workplace):
    (workplace / "own_layer.py").write_text("from nnlayers import ReLU\nclass Mine(ReLU): ...\n")
    mine = ("--set", "model.layers.1.type=own_layer.Mine")
    status, out, _ = run("summary", "small.toml", *mine, "--allow", "own_layer")
    assert status == 0
    assert any("Mine()" in line for line in out)


@pytest.mark.filterwarnings("default")
def test_a_category_not_seen_in_training_is_a_warning_of_one_line(run, workplace):
    rows = "".join(f"{'ab'[i % 2]},{i},{i % 3}\n" for i in range(60))
    (workplace / "data.csv").write_text(f"kind,size,target\n{rows}")
    data = 'data={type = "csv", path = "data.csv", target = "target"}'
    run("train", "small.toml", "--out", "a", "--set", data)
    (workplace / "new.csv").write_text("kind,size\nc,1\n")
    status, out, err = run("predict", "a", "new.csv")
    assert (status, len(out), len(err)) == (0, 2, 1)
    assert err[0].startswith("nnlayers: warning: new.csv: column 'kind'")


def test_a_command_needs_none_of_the_options_of_the_others(run, monkeypatch):
    def add_hello(commands, _):
        commands.add_parser("hello").set_defaults(run=lambda arguments: 0)

    monkeypatch.setattr(sys.modules["nnlayers.cli.main"], "_add_commands_of_configs", add_hello)
    assert run("hello") == (0, [], [])


def test_version_and_help_succeed(run):
    assert run("--version") == (0, [f"nnlayers {nnlayers.__version__}"], [])
    status, out, _ = run("--help")
    assert status == 0
    assert {"train", "evaluate", "predict", "summary"} <= set(" ".join(out).split())


@pytest.mark.parametrize("name", ["digits", "spirals", "diabetes", "breast_cancer"])
def test_the_configs_of_the_project_train(run, name, request):
    path = request.config.rootpath / "configs" / f"{name}.toml"
    status, out, err = run("train", path, "--out", "a", "--set", "training.epochs=1")
    assert (status, err) == (0, [])
    assert out[-1].startswith("test ")
