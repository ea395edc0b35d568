"""Callbacks in general, functions as callbacks, and the CSV logger."""

import csv

import numpy as np
import pytest
from scripted import X, Y, trainer_with

from nnlayers.training import DivergenceError
from nnlayers.training.callbacks import Callback, CSVLogger, LambdaCallback

pytestmark = pytest.mark.usefixtures("each_engine")


def test_callbacks_are_called_in_order():
    calls = []

    def record(name):
        return {
            method: lambda t, method=method: calls.append((name, method, len(t.history)))
            for method in ("on_fit_start", "on_epoch_end", "on_fit_end")
        }

    trainer_with(LambdaCallback(**record("a")), LambdaCallback(**record("b"))).fit(X, Y, epochs=2)
    expected = [("on_fit_start", 0), ("on_epoch_end", 1), ("on_epoch_end", 2), ("on_fit_end", 2)]
    assert calls == [(name, *call) for call in expected for name in "ab"]


METHODS = ("on_fit_start", "on_epoch_start", "on_step_start", "on_step_end", "on_epoch_end")


class Recorder(Callback):
    """A callback that records each call with the number of steps so far."""

    def __init__(self):
        self.calls = []


for _name in (*METHODS, "on_fit_end"):
    setattr(
        Recorder,
        _name,
        lambda self, trainer, name=_name: self.calls.append((name, trainer.optimizer.steps)),
    )


def test_fit_epochs_and_steps_have_a_start_and_an_end():
    recorder, calls = Recorder(), []
    functions = {
        name: lambda t, name=name: calls.append((name, t.optimizer.steps))
        for name in (*METHODS, "on_fit_end")
    }
    trainer_with(recorder, LambdaCallback(**functions)).fit(X, Y, epochs=2, batch_size=5)
    expected, steps = [("on_fit_start", 0)], 0
    for _ in range(2):
        expected.append(("on_epoch_start", steps))
        for _ in range(2):
            expected += [("on_step_start", steps), ("on_step_end", steps + 1)]
            steps += 1
        expected.append(("on_epoch_end", steps))
    expected.append(("on_fit_end", steps))
    assert recorder.calls == calls == expected


def test_a_step_ends_with_its_loss_and_new_weights():
    losses, weights = [], []
    trainer = trainer_with(
        LambdaCallback(
            on_step_start=lambda t: weights.append(t.model.W.value.item()),
            on_step_end=lambda t: losses.append((t.step_loss, t.model.W.value.item())),
        )
    )
    assert np.isnan(trainer.step_loss)
    history = trainer.fit(X, Y, epochs=1, batch_size=4, shuffle=False)
    assert history["loss"][0] == pytest.approx(np.mean([loss for loss, _ in losses]))
    assert losses[0][0] == np.mean(Y[:4] ** 2)
    assert [weights[0], weights[1]] == [0.0, losses[0][1]]
    assert losses[1][1] == trainer.model.W.value.item()
    assert trainer.step(X[:4], Y[:4]) == trainer.step_loss
    assert len(losses) == 2


def test_an_epoch_starts_before_its_rows_are_trained_on_whatever_mode_a_callback_sets():
    modes = []
    trainer = trainer_with(
        LambdaCallback(
            on_epoch_start=lambda t: t.model.eval(),
            on_step_start=lambda t: modes.append(t.model.training),
        )
    )
    trainer.fit(X, Y, epochs=2, batch_size=8)
    assert modes == [True, True]


def test_an_error_at_the_start_of_a_step_leaves_the_weights_and_ends_the_fit():
    ended = []

    def fail(trainer):
        raise OSError("disk full")

    trainer = trainer_with(LambdaCallback(on_step_start=fail, on_fit_end=ended.append))
    with pytest.raises(OSError, match="disk full"):
        trainer.fit(X, Y, epochs=1)
    assert (trainer.model.W.value.item(), trainer.optimizer.steps, ended) == (0.0, 0, [trainer])


def test_a_stop_within_an_epoch_ends_the_fit_after_it():
    trainer = trainer_with(LambdaCallback(on_step_end=lambda t: t.stop()))
    assert len(trainer.fit(X, Y, epochs=5, batch_size=2)) == 1
    assert trainer.optimizer.steps == 4


def test_every_callback_ends_if_one_fails():
    ended = []

    def fail(trainer):
        raise OSError("disk full")

    failing = LambdaCallback(on_epoch_end=fail, on_fit_end=fail)
    trainer = trainer_with(failing, LambdaCallback(on_fit_end=ended.append))
    with pytest.raises(OSError, match="disk full"):
        trainer.fit(X, Y, epochs=3)
    assert ended == [trainer]
    assert len(trainer.history) == 1


def test_stop_ends_the_fit_after_the_epoch_and_the_next_fit_continues():
    trainer = trainer_with(LambdaCallback(lambda t: t.stop()))
    assert len(trainer.fit(X, Y, epochs=5)) == 1
    assert len(trainer.fit(X, Y, epochs=5)) == 2


def test_lambda_callback_takes_functions_only():
    with pytest.raises(TypeError, match="on_fit_end must be a function of the trainer, got 3"):
        LambdaCallback(on_fit_end=3)


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def assert_file_is_history(path, history):
    rows = read(path)
    assert [int(row["epoch"]) for row in rows] == list(range(1, len(history) + 1))
    for name in history.columns:
        np.testing.assert_array_equal([float(row[name]) for row in rows], history[name])


def test_the_csv_file_is_the_history_at_the_end_of_each_epoch(tmp_path):
    path = tmp_path / "log.csv"
    check = LambdaCallback(lambda t: assert_file_is_history(path, t.history))
    trainer = trainer_with(CSVLogger(path), check)
    trainer.fit(X, Y, epochs=3)
    trainer.fit(X, Y, epochs=2, validation=(X, Y))
    assert_file_is_history(path, trainer.history)
    assert list(read(path)[0]) == ["epoch", "loss", "val_loss"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_resumed_run_resets_the_csv_file_to_its_history(tmp_path):
    path = tmp_path / "log.csv"
    trainer = trainer_with(CSVLogger(path))
    trainer.fit(X, Y, epochs=2)
    state = trainer.state_dict()
    trainer.fit(X, Y, epochs=2)
    resumed = trainer_with(CSVLogger(path))
    resumed.load_state_dict(state)
    resumed.fit(X, Y, epochs=1)
    assert_file_is_history(path, resumed.history)
    assert len(read(path)) == 3


def test_the_csv_file_is_closed_when_training_fails(tmp_path):
    logger = CSVLogger(tmp_path / "log.csv")
    x = np.full_like(X, np.nan)
    with pytest.raises(DivergenceError):
        trainer_with(logger).fit(x, Y, epochs=1)
    assert read(logger.path) == []


def test_a_csv_file_that_cannot_be_written_fails_before_the_first_epoch(tmp_path):
    trainer = trainer_with(CSVLogger(tmp_path / "missing" / "log.csv"))
    with pytest.raises(FileNotFoundError, match="missing"):
        trainer.fit(X, Y, epochs=1)
    assert len(trainer.history) == 0
