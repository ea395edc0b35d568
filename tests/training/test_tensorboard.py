"""Event files hold what TensorBoard shows: a resumed fit replaces what comes after it."""

import copy
import pickle
import sys

import numpy as np
import pytest
from scripted import X, Y, trainer_with

import nnlayers as nn
from nnlayers.config import ConfigError, Run, prepare
from nnlayers.training.callbacks import LambdaCallback, TensorBoard

# It imports what it needs of TensorFlow in a stub of its own, some of which is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def events(directory):
    """Return scalars and histograms by tag and step, as TensorBoard reads them."""
    processing = "tensorboard.backend.event_processing"
    accumulator = pytest.importorskip(f"{processing}.plugin_event_accumulator")
    util = pytest.importorskip("tensorboard.util.tensor_util")
    read = accumulator.EventAccumulator(str(directory), tensor_size_guidance={}).Reload()
    tags = [*read.PluginTagToContent("scalars")]
    scalars = {
        tag: {
            event.step: float(util.make_ndarray(event.tensor_proto)) for event in read.Tensors(tag)
        }
        for tag in tags
    }
    others = [tag for tag in read.Tags()["tensors"] if tag not in tags]
    histograms = {
        tag: {event.step: util.make_ndarray(event.tensor_proto) for event in read.Tensors(tag)}
        for tag in others
    }
    return scalars, histograms


@pytest.fixture(autouse=True)
def library():
    return pytest.importorskip("tensorboard")


def test_losses_metrics_and_learning_rate_are_those_of_the_history(tmp_path):
    trainer = trainer_with(TensorBoard(tmp_path / "run"))
    history = trainer.fit(X, Y, epochs=3, validation=(X, Y))
    train, histograms = events(tmp_path / "run" / "train")
    validation, _ = events(tmp_path / "run" / "validation")
    assert histograms == {}
    assert train["loss"] == pytest.approx(dict(enumerate(history["loss"], 1)))
    assert validation["loss"] == pytest.approx(dict(enumerate(history["val_loss"], 1)))
    assert train["learning_rate"] == pytest.approx(dict.fromkeys((1, 2, 3), trainer.optimizer.lr))


def test_histograms_count_the_weights_of_each_epoch(tmp_path):
    trainer = trainer_with(TensorBoard(tmp_path, histograms=True))
    trainer.fit(X, Y, epochs=2)
    _, histograms = events(tmp_path / "train")
    parameters = trainer.model.named_parameters()
    assert {*histograms} == {f"weights/{name}" for name in parameters}
    for name, parameter in parameters.items():
        buckets = histograms[f"weights/{name}"]
        assert [*buckets] == [1, 2]
        left, right, counts = buckets[2].T
        assert counts.sum() == parameter.size
        assert left[0] == pytest.approx(parameter.value.min())
        assert right[-1] == pytest.approx(parameter.value.max())


def test_weights_that_are_not_finite_are_left_out_of_histograms(tmp_path):
    def spoil(trainer):
        trainer.model.parameters()[0].value.flat[0] = np.nan

    trainer = trainer_with(LambdaCallback(spoil), TensorBoard(tmp_path, histograms=True))
    trainer.fit(X, Y, epochs=1)
    _, histograms = events(tmp_path / "train")
    first, parameter = next(iter(trainer.model.named_parameters().items()))
    assert histograms[f"weights/{first}"][1][:, 2].sum() == parameter.size - 1


def test_a_fit_that_continues_adds_its_epochs(tmp_path):
    trainer = trainer_with(TensorBoard(tmp_path))
    trainer.fit(X, Y, epochs=2)
    history = trainer.fit(X, Y, epochs=2)
    assert events(tmp_path / "train")[0]["loss"] == pytest.approx(
        dict(enumerate(history["loss"], 1))
    )


def test_what_a_killed_process_wrote_after_the_checkpoint_is_replaced(tmp_path):
    killed = trainer_with(TensorBoard(tmp_path), lr=0.3)
    killed.fit(X, Y, epochs=5, validation=(X, Y))
    resumed = trainer_with(TensorBoard(tmp_path))
    resumed.history.load_state_dict(
        {name: column[:3] for name, column in killed.history.state_dict().items()}
    )
    history = resumed.fit(X, Y, epochs=1, validation=(X, Y))
    for run, column in (("train", "loss"), ("validation", "val_loss")):
        shown = events(tmp_path / run)[0]["loss"]
        assert shown == pytest.approx(dict(enumerate(history[column], 1)))
        assert [*shown] == [1, 2, 3, 4]


def test_a_new_directory_gets_the_epochs_of_earlier_fits(tmp_path):
    trainer = trainer_with()
    trainer.fit(X, Y, epochs=2)
    trainer.callbacks.append(TensorBoard(tmp_path / "later"))
    history = trainer.fit(X, Y, epochs=1)
    assert events(tmp_path / "later" / "train")[0]["loss"] == pytest.approx(
        dict(enumerate(history["loss"], 1))
    )


def test_files_are_closed_and_whole_after_a_fit_that_fails(tmp_path):
    def fail(trainer):
        if len(trainer.history) == 2:
            raise ZeroDivisionError

    board = TensorBoard(tmp_path)
    with pytest.raises(ZeroDivisionError):
        trainer_with(board, LambdaCallback(on_epoch_start=fail)).fit(X, Y, epochs=4)
    assert [*events(tmp_path / "train")[0]["loss"]] == [1, 2]
    # An open file would be reported as a leak, which is an error in these tests.
    del board


def test_each_epoch_can_be_read_before_the_fit_ends(tmp_path):
    seen = []

    def look(trainer):
        seen.append([*events(tmp_path / "train")[0]["loss"]])

    trainer_with(TensorBoard(tmp_path), LambdaCallback(look)).fit(X, Y, epochs=2)
    assert seen == [[1], [1, 2]]


def test_a_trainer_can_be_copied_while_files_are_open(tmp_path):
    copies = []

    def duplicate(trainer):
        copies.append(copy.deepcopy(trainer.callbacks[0]))
        copies.append(pickle.loads(pickle.dumps(trainer.callbacks[0])))

    trainer_with(TensorBoard(tmp_path), LambdaCallback(duplicate)).fit(X, Y, epochs=1)
    assert [item.path for item in copies] == [tmp_path] * 2


def test_a_config_writes_within_the_run_directory_alone(tmp_path):
    config = {
        "data": {"type": "moons", "rows": 40},
        "model": {"type": "mlp", "sizes": [2, 2, 2]},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "SGD", "lr": 0.1},
        "training": {"epochs": 2, "callbacks": [{"type": "TensorBoard", "log_dir": "board"}]},
    }
    run = Run(prepare(copy.deepcopy(config), "x.toml"), tmp_path / "run")
    run.train()
    assert [*events(tmp_path / "run" / "board" / "validation")[0]["loss"]] == [1, 2]
    for path in ("/tmp/board", "../board", "metrics.csv"):
        config["training"]["callbacks"][0]["log_dir"] = path
        with pytest.raises(ConfigError, match="within the run directory"):
            prepare(copy.deepcopy(config), "x.toml")


def test_a_directory_that_cannot_be_made_ends_the_fit_before_it_starts(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        trainer_with(TensorBoard(tmp_path / "file" / "run")).fit(X, Y, epochs=1)


def test_without_tensorboard_the_error_says_which_extra_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary.writer.record_writer", None)
    with pytest.raises(ModuleNotFoundError, match=r"nnlayers\[tensorboard\]"):
        nn.callbacks.TensorBoard("run")
