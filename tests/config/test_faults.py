"""A run survives a fault at any of its operations on files, and a power loss at any moment."""

import contextlib
import copy
import errno
import functools
import os
import re
import shutil
import tempfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from faulty_disk import FaultyDisk, Killed, states_after_power_loss, write_state

import nnlayers as nn
from nnlayers._core.interruption import Interruption
from nnlayers.config import ConfigError, Run, filming, load_run, prepare, read
from nnlayers.drawing.film import FilmContents, FilmLayer

CONFIG = {
    "seed": 6,
    "data": {"type": "spirals", "rows": 60},
    "model": {"type": "mlp", "sizes": [2, 4, 3], "dropout": 0.2},
    "loss": {"type": "SoftmaxCrossEntropy"},
    "optimizer": {
        "type": "Adam",
        "lr": {"type": "StepDecay", "lr": 0.1, "step_size": 6},
    },
    "training": {
        "epochs": 9,
        "batch_size": 20,
        "engine": "numpy",
        "checkpoint_every": "1 epoch",
        "callbacks": [
            {"type": "EarlyStopping", "patience": 2, "monitor": "loss", "min_delta": 0.1}
        ],
    },
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Save the time of drawing, of filming and of the real disk, which are not tested here."""

    class Figure:
        def savefig(self, file, **options):
            file.write(b"picture")

    monkeypatch.setattr(nn.History, "plot", lambda history: Figure())
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    contents = FilmContents((FilmLayer("0", "ReLU()"),))

    def develop(camera, exposures, before):
        return contents, [contents.blank() for _ in exposures]

    monkeypatch.setattr("nnlayers.training.snapshots.Camera.develop", develop)
    every = functools.partial(filming.RunRecorder, share=None)
    monkeypatch.setattr(filming, "RunRecorder", every)


@functools.cache
def prepared():
    return prepare(CONFIG, "x.toml")


def start(directory, experiment=None):
    """Return a new run, or the one in a directory, to go on with; a copy is made quickly."""
    run = Run(copy.deepcopy(experiment or prepared()), directory)
    if directory.exists():
        run.resume()
    return run


def result(directory):
    return [(directory / name).read_bytes() for name in ("model.nn", "metrics.csv")]


@pytest.fixture
def folder():
    """A folder in memory, where the system has one, because disks are slow."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The result of a run without faults."""
    directory = tmp_path_factory.mktemp("whole") / "run"
    run = start(directory)
    run.train()
    assert 4 < len(run.experiment.trainer.history) < 9  # It has stopped early.
    return result(directory)


@pytest.fixture(scope="module")
def resumed():
    """What was resumed before: it depends on the content of the files alone how that ends."""
    return set()


def content_of(directory):
    """Return what a directory and the one above hold; times and random names left out."""
    files = []
    for path in sorted([*directory.parent.iterdir(), *directory.glob("*")]):
        if path.name.startswith(".nnlayers-"):
            files.append("temporary directory" if path.is_dir() else "temporary file")
        elif path.is_file():
            content = path.read_bytes()
            is_time = path.name == "timing.json"
            files.append((path.name, re.sub(rb"\d+", b"0", content) if is_time else content))
    return repr((directory.exists(), files))


def assert_resumes(directory, whole, resumed):
    if (content := content_of(directory)) in resumed:
        return
    resumed.add(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # A damaged checkpoint is a warning.
        if directory.exists():
            history = load_run(directory).history
            assert len(history) <= len(whole[1].splitlines()) - 1
            assert history.film is None or history.film.epochs == list(range(len(history) + 1))
        start(directory).train()
        film = load_run(directory).history.film
    assert result(directory) == whole
    assert film.epochs[-1] == len(whole[1].splitlines()) - 1
    assert not list(directory.parent.glob(".nnlayers-*"))
    assert not list(directory.glob(".nnlayers-*"))


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("problem", "lasts", "step"),
    [
        (Killed(), True, 1),
        (Interruption(15), False, 2),
        (OSError(errno.ENOSPC, "No space left on device"), False, 3),
        (OSError(errno.ENOSPC, "No space left on device"), True, 3),
        (OSError(errno.EIO, "Input/output error"), False, 3),
    ],
    ids=["kill", "signal", "full disk once", "full disk", "bad disk"],
)
def test_a_fault_at_any_operation_costs_nothing(
    folder, monkeypatch, whole, resumed, problem, lasts, step
):
    with FaultyDisk(folder).installed(monkeypatch) as disk:
        start(folder / "count").train()
    assert disk.calls > 60
    for fault in range(1, disk.calls + 1, step):
        directory = folder / "run"
        run = start(directory)
        faulty = FaultyDisk(folder, fault, problem, lasts)
        ends = contextlib.suppress(ConfigError, OSError, Interruption, Killed)
        with faulty.installed(monkeypatch), ends:
            run.train()
        del run  # The lock of a process that was killed goes with it.
        assert_resumes(directory, whole, resumed)
        for path in folder.iterdir():
            shutil.rmtree(path)
    assert len(resumed) > 20


@pytest.mark.untraced
def test_a_power_loss_at_any_moment_costs_at_most_the_last_epoch(
    folder, monkeypatch, whole, resumed
):
    with FaultyDisk(folder).installed(monkeypatch) as disk:
        start(folder / "run").train()
    states = states_after_power_loss(disk.log)
    assert len(states) > 100
    for state in states:
        for path in folder.iterdir():
            shutil.rmtree(path)
        write_state(state, folder)
        assert_resumes(folder / "run", whole, resumed)


def interrupt_after(run, epoch, problem=KeyboardInterrupt):
    """Raise `problem` as soon as the checkpoint of an epoch has been written."""
    write = run.write_checkpoint

    def write_and_interrupt():
        write()
        if len(run.experiment.trainer.history) == epoch:
            raise problem

    run.write_checkpoint = write_and_interrupt


def interrupted(directory, epoch, experiment=None):
    run = start(directory, experiment)
    interrupt_after(run, epoch)
    with pytest.raises(KeyboardInterrupt):
        run.train()


def test_a_damaged_checkpoint_is_replaced_by_the_one_before(tmp_path, whole):
    directory = tmp_path / "run"
    interrupted(directory, 3)
    path = directory / "checkpoint.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"checkpoint\.npz: .*; the checkpoint before it is used"):
        run = start(directory)
    assert len(run.experiment.trainer.history) == 3
    path = directory / "checkpoint-previous.npz"
    path.write_bytes(b"")  # It is no longer needed, because the newest was repaired.
    run.train()
    assert result(directory) == whole


@pytest.mark.parametrize("has_model_of_an_earlier_end", [False, True])
def test_a_killed_run_is_evaluated_with_the_model_of_its_last_epoch(
    folder, monkeypatch, has_model_of_an_earlier_end
):
    directory = folder / "run"
    if has_model_of_an_earlier_end:
        interrupted(directory, 2)
    run = start(directory)
    disk = FaultyDisk(folder, None, Killed(), lasts=True)
    write = run.write_checkpoint

    def write_and_die():
        write()
        if len(run.experiment.trainer.history) == 4:
            disk.fault = disk.calls + 1
            raise disk.problem

    run.write_checkpoint = write_and_die
    with disk.installed(monkeypatch), pytest.raises(Killed):
        run.train()
    loaded = load_run(directory)
    assert len(loaded.history) == 4
    measured = loaded.evaluate(run.experiment.parts["validation"])
    assert measured["loss"] == pytest.approx(loaded.history.last["val_loss"], rel=1e-6)


def test_a_run_does_not_go_on_with_other_data(tmp_path, monkeypatch):
    path = tmp_path / "rows.npz"
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), np.arange(60) % 3
    np.savez(path, X=x, y=y)
    monkeypatch.setitem(CONFIG, "data", {"type": "npz", "path": str(path)})
    interrupted(tmp_path / "run", 2, prepare(CONFIG, "x.toml"))
    x[7, 1] += 1e-3
    np.savez(path, X=x, y=y)
    other = prepare(CONFIG, "x.toml")
    with pytest.raises(ConfigError, match=r"rows are not those of the run|does not fit the data"):
        start(tmp_path / "run", other)


def test_a_run_in_training_is_locked(tmp_path):
    run = start(tmp_path / "run")
    other = Run(prepare(CONFIG, "x.toml"), tmp_path / "run")
    messages = []

    class Intruder(nn.callbacks.Callback):
        def on_epoch_end(self, trainer):
            try:
                other.resume()
            except ConfigError as error:
                messages.append(str(error))

    run.experiment.trainer.callbacks.append(Intruder())
    run.experiment.trainer.state_dict()
    run.train()
    assert set(messages) == {f"{tmp_path / 'run'}: another process is training this run"}
    other.resume()  # The lock ends with the training.


@pytest.mark.untraced
def test_no_damage_of_the_preprocessing_goes_unnoticed(tmp_path):
    start(tmp_path / "run").train()
    path = tmp_path / "run" / "preprocessing.json"
    content, rows = path.read_bytes(), [[0.3, -0.4]]
    before = load_run(tmp_path / "run").predict_proba(rows)
    refused = 0
    for bit in range(0, 8 * len(content), 23):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            after = load_run(tmp_path / "run").predict_proba(rows)
        except ConfigError:
            refused += 1
        else:  # White space may change.
            np.testing.assert_array_equal(after, before)
    assert refused > 50


def test_settings_that_were_edited_in_the_directory_are_refused(tmp_path):
    interrupted(tmp_path / "run", 2)
    path = tmp_path / "run" / "config.toml"
    text = path.read_text()
    path.write_text(text.replace("batch_size = 20", "batch_size = 21"))
    run = Run(prepare(read(path), str(path)), tmp_path / "run")
    with pytest.raises(ConfigError, match=r"config\.toml: is damaged or was edited"):
        run.resume()
    path.write_text(text.replace("epochs = 9", "epochs = 3"))
    Run(prepare(read(path), str(path)), tmp_path / "run").resume()


def test_a_damaged_baseline_is_whole_after_a_resume(tmp_path):
    interrupted(tmp_path / "run", 2)
    path = tmp_path / "run" / "baseline.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(ConfigError, match=r"baseline\.json: not valid JSON"):
        load_run(tmp_path / "run").evaluate()
    start(tmp_path / "run").train()
    assert path.read_bytes() == whole


def test_the_time_for_the_file_of_metrics_counts_among_that_of_a_checkpoint(tmp_path, monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr("nnlayers.config.checkpoint_clock.time", clock)
    config = copy.deepcopy(CONFIG)
    config["training"] |= {"callbacks": [], "checkpoint_every": "auto"}
    run = Run(prepare(config, "x.toml"), tmp_path / "run")
    write, epochs = run.write_checkpoint, []

    def wait(self, trainer):
        now[0] += 1

    def train_slowly(trainer):
        now[0] += 10

    def write_checkpoint():
        epochs.append(len(run.experiment.trainer.history))
        write()

    monkeypatch.setattr(nn.callbacks.CSVLogger, "on_epoch_end", wait)
    run.write_checkpoint = write_checkpoint
    run.experiment.trainer.callbacks.insert(1, nn.callbacks.LambdaCallback(train_slowly))
    run.train()
    assert epochs == [1, 5, 9]
