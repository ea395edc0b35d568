"""Callbacks in general, functions as callbacks, and the CSV logger."""

import csv

import numpy as np
import pytest
from scripted import X, Y, trainer_with

from nnlayers.training import DivergenceError
from nnlayers.training.callbacks import CSVLogger, LambdaCallback


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
