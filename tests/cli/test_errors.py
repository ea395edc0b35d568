import sys

import pytest

SPLIT = "spirals: a split into"


def assignment(path, target="y"):
    return f'data={{type = "csv", path = "{path}", target = "{target}"}}'


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimzer.lr=1", "optimzer: unknown key 'optimzer', did you mean 'optimizer'?"),
        ("optimizer.rl=1", "optimizer.rl: unknown key 'rl', did you mean 'lr'?"),
        ("optimizer.type=Adm", "optimizer.type: unknown optimizer 'Adm', did you mean 'Adam'?"),
        ("model.layers.0.type=Afine", "model.layers.0.type: unknown layer 'Afine', did you mean"),
        ("loss.type=Softmax", "loss.type: unknown loss 'Softmax', did you mean"),
        (
            "loss.type=nnlayers.ReLU",
            "loss.type: must name a loss (your own must be a class derived from",
        ),
        ("loss=MeanSquaredError", 'loss: must be a table, got "MeanSquaredError"'),
        ("data.type=digts", "data.type: unknown data source 'digts', did you mean 'digits'?"),
        ("model.layers.0.out_features=ten", "model.layers.0.out_features: must be an integer, got"),
        ("model.layers.0.out_features=0", "model.layers.0.out_features: must be an integer of at"),
        (
            "model.layers.2.out_features=7",
            "model: must give 3 outputs, one for each class, got shape (7,)",
        ),
        ("model.layers=[]", "model: must give 3 outputs, one for each class, got shape (2,)"),
        ("model.layers.9.rate=1", "model.layers.9: there are 3 entries, counted from 0"),
        ("seed=-1", "seed: must be an integer of at least 0, got -1"),
        ("dtype=float16", "dtype: must be 'float32' or 'float64', got \"float16\""),
        ("optimizer.lr=fast", 'optimizer.lr: must be a number or a table with a type, got "fast"'),
        ("optimizer.lr=-1", "optimizer.lr: must be a finite number of at least 0, got -1.0"),
        ("training.epochs=0", "training.epochs: must be an integer of at least 1, got 0"),
        ("training.batch_size=0", "training.batch_size: must be an integer of at least 1, got 0"),
        ("training.X=1", "training.X: unknown key 'X'"),
        ('training.metrics=["acuracy"]', "training: unknown metric 'acuracy', did you mean"),
        ("split.test=1.5", "split.test: must be a finite number of at least 0 and below 1, got"),
        ("data.rows=6", f"split: {SPLIT} train and validation and test needs 3 rows"),
        ("loss.type=SigmoidCrossEntropy", "data: spirals: target 'class' must hold two classes"),
        (assignment("missing.csv"), "data: missing.csv: No such file or directory"),
        (assignment("empty.csv"), "data: empty.csv: the file is empty"),
        (assignment("ragged.csv"), "data: ragged.csv: "),
        (assignment("word.csv"), "data: word.csv: column 'x', line 22: 'low' is not a number: "),
        (assignment("single.csv"), "split: single.csv: a stratified split needs two classes"),
        (assignment("single.csv", "z"), "data: single.csv: "),
    ],
)
def test_a_bad_config_is_one_line_with_file_and_key_and_leaves_nothing(
    run, workplace, override, message
):
    (workplace / "empty.csv").write_text("")
    (workplace / "ragged.csv").write_text("x,y\n1,a\n1,2,3\n")
    (workplace / "word.csv").write_text("x,y\n" + "1,a\n" * 20 + "low,b\n" + "2,b\n" * 20)
    (workplace / "single.csv").write_text("x,y\n1,a\n2,a\n3,a\n4,a\n")
    before = sorted(workplace.iterdir())
    status, _, err = run("train", "small.toml", "--out", "a", "--set", override)
    assert (status, len(err)) == (2, 1)
    assert err[0].startswith(f"nnlayers: small.toml: {message}")
    assert sorted(workplace.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "nowhere.toml"], "nowhere.toml: No such file or directory"),
        (["train", "malformed.toml"], "malformed.toml: not valid TOML: "),
        (["train", "half.toml"], "half.toml: model: is missing"),
        (["train", "small.toml", "--set", "seed"], "--set must be key=value, got 'seed'"),
        (["train", "small.toml", "--out", "there"], "--out: there exists already"),
        (
            ["train", "small.toml", "--out", "half.toml/a"],
            "half.toml/a: cannot make this directory",
        ),
        (["train", "small.toml", "--resume"], "--resume: there is no run runs/small-NNN"),
        (["train", "small.toml", "--resume", "--out", "there"], "there/config.toml: No such file"),
        (["evaluate", "there"], "there/config.toml: No such file or directory"),
        (["predict", "nowhere", "rows.csv"], "nowhere/config.toml: No such file or directory"),
    ],
)
def test_an_unusable_path_is_an_error_of_one_line(run, workplace, arguments, message):
    (workplace / "malformed.toml").write_text("data = [")
    (workplace / "half.toml").write_text('data = {type = "digits"}')
    (workplace / "there").mkdir()
    before = sorted(workplace.rglob("*"))
    status, _, err = run(*arguments)
    assert (status, len(err)) == (2, 1)
    assert err[0].startswith(f"nnlayers: {message}")
    assert sorted(workplace.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.csv", None, "missing.csv: No such file or directory"),
        ("rows.csv", "x1\n1\n", "rows.csv: "),
        (
            "rows.csv",
            "x1,x2\n1,two\n",
            "rows.csv: column 'x2', line 2: 'two' is not a finite number",
        ),
        ("rows.doc", "x1,x2\n1,2\n", "rows.doc: "),
    ],
)
def test_unusable_rows_are_an_error_of_one_line(run, workplace, name, content, message):
    run("train", "small.toml", "--out", "a", "--set", "training.epochs=1")
    if content is not None:
        (workplace / name).write_text(content)
    status, out, err = run("predict", "a", name, "-o", "out.csv")
    assert (status, out, len(err)) == (2, [], 1)
    assert err[0].startswith(f"nnlayers: {message}")
    assert not (workplace / "out.csv").exists()


def test_divergence_is_a_failed_run_that_keeps_its_epochs(run, workplace):
    status, _, err = run("train", "small.toml", "--out", "a", "--set", "optimizer.lr=1e300")
    assert status == 1
    assert len(err) == 2
    assert err[0].startswith("nnlayers: training diverged in epoch 1")
    assert (workplace / "a" / "checkpoint.npz").exists()


def test_a_damaged_model_is_an_error_of_one_line(run, workplace):
    run("train", "small.toml", "--out", "a", "--set", "training.epochs=1")
    (workplace / "a" / "model.nn").write_bytes(b"not an archive")
    status, _, err = run("evaluate", "a")
    assert (status, len(err)) == (2, 1)
    assert err[0].startswith("nnlayers: a/model.nn: not a model that nn.save wrote")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train"], ["train", "small.toml", "--fast"]])
def test_a_usage_error_has_status_2(run, arguments):
    status, out, err = run(*arguments)
    assert (status, out) == (2, [])
    assert err[0].startswith("usage: nnlayers")


@pytest.mark.parametrize("library", ["pydantic", "tomli_w"])
def test_a_missing_library_is_an_error_of_one_line_that_says_how_to_install_it(
    run, workplace, monkeypatch, library
):
    monkeypatch.setitem(sys.modules, library, None)
    status, _, err = run("train", "small.toml", "--out", "a")
    assert (status, len(err)) == (2, 1)
    assert 'pip install "nnlayers[cli]"' in err[0]
    assert not (workplace / "a").exists()
