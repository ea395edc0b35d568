"""Files of a stranger run no code, control no terminal and write nowhere else."""

import csv
import io
import json
import shlex
import sys

import pytest

from nnlayers.cli import main
from nnlayers.cli.printing import printable, say

ESCAPES = "\x1b[31m\x1b]0;title\x07\x9b2J\r\b\x7f\u202e\u2028"
MINE = ("--set", "model.layers.1.type=user_module.Mine")


@pytest.fixture
def user_module(workplace, monkeypatch):
    """Put a user's module into the working directory, which is not on the path."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(workplace)])
    text = "from nnlayers import ReLU\nclass Mine(ReLU): ...\ndef always(y, p):\n    return 1.0\n"
    (workplace / "user_module.py").write_text(text)
    yield
    sys.modules.pop("user_module", None)


def test_code_outside_nnlayers_needs_permission_in_every_command(user_module, run, workplace):
    refused = "'user_module.Mine' is code outside nnlayers, which runs only if you allow it: add "
    key = "model.layers.1.type"
    before = list(sys.path)
    for command in (["train", "--out", "a"], ["summary"], ["graph", "-o", "a.dot"]):
        status, out, err = run(*command[:1], "small.toml", *command[1:], *MINE)
        assert (status, out, len(err)) == (2, [], 1)
        assert err[0].startswith(f"nnlayers: small.toml: {key}: {refused}--allow user_module ")
    assert sys.path == before
    assert "user_module" not in sys.modules
    metrics = ("--set", 'training.metrics=["user_module.always"]')
    status, out, _ = run(
        "train", "small.toml", "--out", "a", *MINE, *metrics, "--allow", "user_module"
    )
    assert status == 0
    assert any("val_always 1" in line for line in out)
    (workplace / "rows.csv").write_text("x1,x2\n0.1,0.5\n")
    for arguments in (
        ["evaluate", "a"],
        ["predict", "a", "rows.csv"],
        ["compare", "a", "-o", "a.svg"],
        ["export", "a", "-o", "a.py"],
    ):
        status, out, err = run(*arguments)
        assert (status, out, len(err)) == (2, [], 1)
        text = refused.replace("user_module.Mine", "user_module:Mine")
        assert err[0].startswith(f"nnlayers: a/model.nn: {text}--allow user_module ")
        assert run(*arguments, "--allow", "user_module")[0] == 0
    status, out, err = run("resume", "a")
    assert (status, out, len(err)) == (2, [], 1)
    assert "is code outside nnlayers, which runs only if you allow it" in err[0]
    assert run("resume", "a", "--allow", "user_module")[0] == 0


def test_a_run_directory_of_a_stranger_runs_no_command(run, workplace):
    run("train", "small.toml", "--out", "a")
    text = (workplace / "a" / "config.toml").read_text()
    (workplace / "rows.csv").write_text("x1,x2\n1,2\n")
    for name in ("subprocess.getoutput", "os.system", "sys.exit"):
        for replaced, expected in (("ReLU", 0), ("SoftmaxCrossEntropy", 2)):
            hostile = text.replace(f'type = "{replaced}"', f'type = "{name}"\ncmd = "touch done"')
            (workplace / "a" / "config.toml").write_text(hostile)
            status, _, err = run("predict", "a", "rows.csv")
            # The model comes from model.nn, so only the name of a loss is looked up.
            assert (status, len(err)) == (expected, expected // 2)
    assert not (workplace / "done").exists()


@pytest.mark.parametrize("text", [ESCAPES, "a\nb\tc\0"])
def test_printable_text_shows_control_characters_as_escapes(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown.encode().decode("unicode_escape") == text
    assert printable("plain ü 漢 words") == "plain ü 漢 words"


def test_characters_that_a_stream_cannot_encode_are_escaped():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    say("ü\ud800", file=stream)
    assert stream.buffer.getvalue() == b"\\xfc\\ud800\n"


def toml(text):
    return json.dumps(text)


@pytest.mark.parametrize(
    "section",
    [
        f"{toml(ESCAPES)} = 1",
        f"optimizer.{toml(ESCAPES)} = 1",
        f"optimizer.type = {toml(ESCAPES)}",
        f"optimizer.type = {toml(ESCAPES + '.x')}",
        f"optimizer = {toml(ESCAPES)}",
        f"data = {{type = 'csv', path = {toml(ESCAPES)}, target = 'y'}}",
        f"data = {{type = 'csv', path = 'data.csv', target = {toml(ESCAPES)}}}",
        "data = {type = 'csv', path = 'data.csv', target = 'y'}",
        f"training = {{epochs = 1, metrics = [{toml(ESCAPES)}]}}",
        f"training = {{epochs = 1, {toml(ESCAPES)} = 1}}",
    ],
)
def test_no_escape_sequence_of_a_file_reaches_the_terminal(workplace, capsys, section):
    (workplace / "data.csv").write_text(f'"{ESCAPES}",y\n"{ESCAPES}",1\n2,1\n', newline="")
    name = section.partition(" ")[0].partition(".")[0].strip('"')
    lines = ["loss.type = 'Hinge'", "model.type = 'Affine'", "training.epochs = 1"]
    lines += ["data.type = 'spirals'", "optimizer = {type = 'SGD', lr = 0.1}"]
    others = [line for line in lines if not line.startswith(name)]
    rest = ["optimizer.lr = 0.1"] if section.startswith("optimizer.") else []
    (workplace / "x.toml").write_text("\n".join([section, *others, *rest]), encoding="utf-8")
    assert main(["summary", "x.toml"]) == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert (out + err).replace("\n", "").isprintable()


def test_labels_and_columns_are_escaped_for_a_terminal_and_unchanged_in_a_file(
    run, workplace, capsys, monkeypatch
):
    labels = [f"a{ESCAPES}", "b"]
    with (workplace / "data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["x", f"y{ESCAPES}"])
        writer.writerows([i, labels[i % 2]] for i in range(40))
    data = f'data={{type = "csv", path = "data.csv", target = {toml("y" + ESCAPES)}}}'
    status, out, err = run("train", "small.toml", "--out", "a", "--set", data)
    assert (status, err) == (0, [])
    assert all(line.isprintable() for line in out)
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda stream: True, raising=False)
    assert main(["predict", "a", "data.csv"]) == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()
    assert main(["predict", "a", "data.csv", "-o", "out.csv"]) == 0
    with (workplace / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == [f"y{ESCAPES}", f"probability {labels[0]}"]
    assert {row[0] for row in rows[1:]} <= set(labels)


def test_a_usage_error_escapes_arguments(run):
    _, _, err = run("evaluate", "a", ESCAPES)
    assert all(line.isprintable() for line in err)


@pytest.mark.parametrize("kind", ["CSVLogger", "Checkpoint"])
def test_callbacks_write_within_the_run_directory(run, workplace, kind):
    callback = f'training.callbacks=[{{type = "{kind}", path = "more/file"}}]'
    for _ in range(2):
        status, _, err = run("train", "small.toml", "--set", callback)
        assert (status, err) == (0, [])
    assert (
        run("train", "small.toml", "--resume", "--set", callback, "--set", "training.epochs=3")[0]
        == 0
    )
    written = "more/file" if kind == "CSVLogger" else "more/file/best.nn"
    for number in ("001", "002"):
        assert (workplace / "runs" / f"small-{number}" / written).is_file()
    if kind == "CSVLogger":
        logs = [workplace / "runs" / "small-002" / name for name in ("more/file", "metrics.csv")]
        assert logs[0].read_text() == logs[1].read_text()
    assert {path.name for path in workplace.iterdir()} == {"runs", "small.toml"}


def test_the_command_that_resumes_is_complete(user_module, run, workplace, capsys, monkeypatch):
    (workplace / "my config.toml").write_text((workplace / "small.toml").read_text())
    options = [*MINE, "--set", "optimizer.lr=0.02", "--set", "training.epochs=4"]
    options += [
        "--set",
        'training.metrics=["accuracy", "user_module.always"]',
        "--allow",
        "user_module",
    ]

    def interrupt(trainer):
        if len(trainer.history) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("nnlayers.config.run._Record.on_epoch_end", _interrupting(interrupt))
    assert main(["train", "my config.toml", *options, "--out", "a b"]) == 130
    command = capsys.readouterr().err.partition("to continue: ")[2]
    monkeypatch.undo()
    monkeypatch.chdir(workplace)
    program, *arguments = shlex.split(command)
    assert program == "nnlayers"
    status, out, _ = run(*arguments)
    assert status == 0
    assert any(line.startswith("epoch 4 of 4") for line in out)


def _interrupting(hook):
    from nnlayers.config.run import _Record

    original = _Record.on_epoch_end

    def on_epoch_end(self, trainer):
        original(self, trainer)
        hook(trainer)

    return on_epoch_end


def test_resuming_a_run_that_stopped_early_says_why_nothing_is_left(run):
    stopping = '[{type = "EarlyStopping", patience = 1, min_delta = 10.0}]'
    options = ("--out", "a", "--set", f"training.callbacks={stopping}")
    run("train", "small.toml", *options, "--set", "training.epochs=9")
    status, out, _ = run("train", "small.toml", *options, "--resume", "--set", "training.epochs=20")
    assert status == 0
    said = next(line for line in out if line.startswith("nothing left to train"))
    assert "EarlyStopping" in said
    assert "after epoch 2 of 20" in said


def test_a_run_that_cannot_resume_says_which_key_to_set(run):
    run("train", "small.toml", "--out", "a", "--set", "optimizer.lr=0.5")
    _, _, err = run("train", "small.toml", "--out", "a", "--resume")
    assert err[0].endswith("may differ, so add --set optimizer.lr=0.5")


def test_the_key_to_set_is_one_word_of_a_shell_whatever_a_run_holds(run, workplace):
    run("train", "small.toml", "--out", "a")
    path = workplace / "a" / "config.toml"
    config = path.read_text()
    for text in ("b --allow os", "$(touch done)", "b' --allow os '", "`id`"):
        path.write_text(f"{config}\n[more]\ntext = {json.dumps(text)}\n")
        _, _, err = run("train", "small.toml", "--out", "a", "--resume")
        *_, command = err[0].partition("so add ")
        assert shlex.split(command) == ["--set", f"more={{text = {json.dumps(text)}}}"]
