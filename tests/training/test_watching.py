"""Callbacks that watch a column: early stopping, checkpoints, reduction on a plateau."""

import itertools

import numpy as np
import pytest
from scripted import Script, X, Y, trainer_with

import nnlayers as nn
from nnlayers.training.callbacks import (
    Checkpoint,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ReduceOnPlateau,
)

pytestmark = pytest.mark.usefixtures("each_engine")


@pytest.mark.parametrize(
    ("values", "mode", "min_delta", "epochs", "best_epoch"),
    [
        ([3, 2, 2.5, 2, 2.1, 1], "min", 0.0, 5, 2),
        ([3, 2, 2.5, 1.5, 2, 2, 2], "min", 0.0, 7, 4),
        ([1, 2, 1, 1, 1], "max", 0.0, 5, 2),
        ([3, 2.9, 2.8, 2.7], "min", 0.5, 4, 1),
        ([3, np.nan, np.nan, np.nan], "min", 0.0, 4, 1),
        ([3, 2, 1], "min", 0.0, 3, 3),
    ],
)
def test_early_stopping_stops_after_its_patience_and_restores_the_best_weights(
    values, mode, min_delta, epochs, best_epoch
):
    stopping = EarlyStopping("score", patience=3, min_delta=min_delta, mode=mode)
    trainer = trainer_with(Script(values), stopping)
    assert len(trainer.fit(X, Y, epochs=len(values))) == epochs
    assert stopping.best_epoch == best_epoch
    assert stopping.best == values[best_epoch - 1]
    assert trainer.model.b.value == best_epoch


def test_early_stopping_can_keep_the_last_weights():
    trainer = trainer_with(
        Script([1, 2, 3]), EarlyStopping("score", 2, mode="min", restore_best=False)
    )
    trainer.fit(X, Y, epochs=9)
    assert trainer.model.b.value == 3


def test_the_wait_continues_in_the_next_fit_and_starts_again_after_a_stop():
    stopping = EarlyStopping("score", patience=3, mode="min")
    trainer = trainer_with(Script([1] + [2] * 20), stopping)
    trainer.fit(X, Y, epochs=3)
    assert stopping.wait == 2
    assert len(trainer.fit(X, Y, epochs=9)) == 4
    assert stopping.wait == 0
    assert len(trainer.fit(X, Y, epochs=9)) == 7


def test_early_stopping_resumes_from_its_state():
    first, second = (EarlyStopping("score", patience=3, mode="min") for _ in range(2))
    trainer_with(Script([2, 1, 3]), first).fit(X, Y, epochs=3)
    second.load_state_dict(first.state_dict())
    assert (second.best, second.best_epoch, second.wait) == (1, 2, 1)
    trainer = trainer_with(second)
    second.on_fit_end(trainer)
    assert trainer.model.b.value == 2


@pytest.mark.parametrize(
    "state", [{}, {"best": 1.0}, {"best": 1, "best_epoch": 1, "wait": 0, "a": 1}]
)
def test_a_state_that_does_not_fit_is_refused(state):
    with pytest.raises(ValueError, match="state does not fit EarlyStopping"):
        EarlyStopping().load_state_dict(state)
    if state:
        with pytest.raises(ValueError, match=r"LambdaCallback: .*unknown 'best'"):
            LambdaCallback().load_state_dict(state)


def test_a_missing_column_is_named_with_the_existing_ones():
    message = "unknown monitor 'val_loss', did you mean 'loss'.*Known: loss"
    with pytest.raises(ValueError, match=message):
        trainer_with(EarlyStopping()).fit(X, Y, epochs=2)


@pytest.mark.parametrize(
    ("monitor", "mode"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("val_mean_absolute_error", "min"),
        ("accuracy", "max"),
        ("val_f1_score", "max"),
        ("brier_score_loss", "min"),
        ("d2_absolute_error_score", "max"),
        ("val_loss_price", "min"),
        ("val_accuracy_class", "max"),
        ("r2_score_price", "max"),
        ("mean_squared_error_price", "min"),
    ],
)
def test_the_mode_follows_scikit_learns_convention_for_names(monitor, mode):
    assert EarlyStopping(monitor).mode == mode


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"monitor": "depth"}, "mode must be 'min' or 'max' for monitor 'depth', got 'auto'"),
        ({"mode": "best"}, "mode must be 'auto' or 'min' or 'max', got 'best'"),
        ({"patience": 0}, "patience must be an integer of at least 1, got 0"),
        ({"min_delta": -1}, "min_delta must be a finite number of at least 0, got -1"),
    ],
)
def test_bad_arguments_of_early_stopping_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EarlyStopping(3),
        lambda: EarlyStopping(None),
        lambda: Checkpoint("a", monitor=3),
        lambda: Checkpoint("a", monitor=True),
        lambda: ReduceOnPlateau(["loss"]),
    ],
)
def test_a_monitor_must_be_a_name(make):
    message = "monitor must be the name of a column of the history, got "
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: EarlyStopping(patience=True), "patience must be an integer .*, got True"),
        (lambda: EarlyStopping(patience=2.0), "patience must be an integer .*, got 2.0"),
        (lambda: EarlyStopping(min_delta=np.True_), "min_delta must be a finite number .*True"),
        (lambda: EarlyStopping(restore_best="no"), "restore_best must be True or False, got 'no'"),
        (lambda: ReduceOnPlateau(patience=np.True_), "patience must be an integer .*True"),
        (lambda: ReduceOnPlateau(factor="0.1"), "factor must be a finite number .*'0.1'"),
        (lambda: ReduceOnPlateau(min_lr=False), "min_lr must be a finite number .*False"),
        (lambda: ReduceOnPlateau(cooldown=True), "cooldown must be an integer .*True"),
        (lambda: Checkpoint("a", min_delta=True), "min_delta must be a finite .*True"),
        (lambda: CSVLogger(3), "path must be a path, got 3"),
        (lambda: Checkpoint(3), "path must be a path, got 3"),
    ],
)
def test_options_of_the_wrong_kind_are_named(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("make", [EarlyStopping, ReduceOnPlateau, lambda: Checkpoint("a")])
@pytest.mark.parametrize("bad", [np.zeros(2), "many", np.nan])
def test_a_state_that_cannot_be_loaded_leaves_a_callback_as_it_was(make, bad):
    callback = make()
    callback.load_state_dict({name: np.array(2) for name in callback.state_dict()})
    before = callback.state_dict()
    for name in before:
        other = {key: np.array(value) + 1 for key, value in before.items()} | {name: bad}
        try:
            callback.load_state_dict(other)
        except (TypeError, ValueError):
            np.testing.assert_equal(callback.state_dict(), before)
        else:  # The best value may be NaN, unlike the counts.
            assert name == "best"
            callback.load_state_dict(before)


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "min"},
        {"mode": "max", "factor": 0.5, "patience": 0},
        {"mode": "min", "factor": 0.5, "patience": 2, "cooldown": 2, "threshold": 0.1},
        {"mode": "min", "factor": 0.1, "patience": 1, "min_lr": 1e-3},
        {"mode": "min", "factor": 0.5, "patience": 1, "eps": 1e-2},
    ],
)
def test_reduce_on_plateau_has_pytorchs_learning_rates(options):
    torch = pytest.importorskip("torch")
    scores = np.round(2 + np.cos(np.arange(40) / 3) * np.exp(-np.arange(40) / 10), 3)
    scores[7] = np.nan
    reference = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(reference, **options)
    expected, rates = [], []
    for score in scores:
        theirs.step(score)
        expected.append(reference.param_groups[0]["lr"])
    record = LambdaCallback(lambda trainer: rates.append(trainer.optimizer.lr))
    trainer_with(Script(scores), ReduceOnPlateau("score", **options), record).fit(X, Y, epochs=40)
    assert rates == pytest.approx(expected, rel=1e-12)
    assert rates[-1] < 0.1


def test_a_resumed_plateau_equals_the_uninterrupted_one():
    def make():
        return trainer_with(
            Script([1.0] * 9), ReduceOnPlateau("score", 0.5, patience=2, mode="min", cooldown=1)
        )

    whole, parts, resumed = make(), make(), make()
    whole.fit(X, Y, epochs=9)
    parts.fit(X, Y, epochs=3)
    parts.fit(X, Y, epochs=2)
    resumed.load_state_dict(parts.state_dict())
    resumed.fit(X, Y, epochs=4)
    assert resumed.optimizer.lr == whole.optimizer.lr == 0.1 * 0.5**2
    assert resumed.callbacks[1].best == 1.0


def test_the_mode_of_a_plateau_follows_the_name():
    assert (ReduceOnPlateau().monitor, ReduceOnPlateau().mode) == ("val_loss", "min")
    assert ReduceOnPlateau("accuracy").mode == "max"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.0}, "factor must be a finite number above 0 and below 1, got 1.0"),
        ({"patience": -1}, "patience must be an integer of at least 0, got -1"),
        ({"monitor": "depth"}, "mode must be 'min' or 'max' for monitor 'depth', got 'auto'"),
    ],
)
def test_bad_arguments_of_a_plateau_are_named_at_once(options, message):
    with pytest.raises(ValueError, match=message):
        ReduceOnPlateau(**options)


def test_a_plateau_refuses_a_schedule_before_the_first_epoch():
    trainer = trainer_with(ReduceOnPlateau(), lr=nn.optim.schedules.Constant(0.1))
    with pytest.raises(ValueError, match="optimizer must have a number as its lr, got a schedule"):
        trainer.fit(X, Y, epochs=1)
    assert len(trainer.history) == 0


@pytest.mark.parametrize("make", [ReduceOnPlateau, lambda: Checkpoint("a")])
def test_a_state_with_a_missing_or_unknown_entry_is_refused(make):
    callback = make()
    state = callback.state_dict()
    with pytest.raises(ValueError, match=r"state does not fit \w+: missing 'best'"):
        callback.load_state_dict({name: state[name] for name in state if name != "best"})
    with pytest.raises(ValueError, match=r"state does not fit \w+: unknown 'a'"):
        callback.load_state_dict(state | {"a": 1})


@pytest.mark.parametrize("make", [ReduceOnPlateau, lambda: Checkpoint("a", monitor="val_loss")])
def test_a_missing_watched_column_is_named_with_the_existing_ones(make):
    message = "unknown monitor 'val_loss', did you mean 'loss'.*Known: loss"
    with pytest.raises(ValueError, match=message):
        trainer_with(make()).fit(X, Y, epochs=2)


def test_states_of_callbacks_hold_numbers():
    numbers = [10**400, "x", [1, 2], None, 2 + 1j]
    callbacks = (EarlyStopping("loss"), ReduceOnPlateau("loss"))
    for number, callback in itertools.product(numbers, callbacks):
        before = callback.state_dict()
        for name in before:
            with pytest.raises(ValueError, match=rf"state entry '{name}' must be one (int|float)"):
                callback.load_state_dict(before | {name: number})
        for name in before.keys() - {"best"}:
            for count in (np.inf, np.nan, 0.5):
                with pytest.raises(ValueError, match=rf"'{name}' must be one int, got "):
                    callback.load_state_dict(before | {name: count})
        assert callback.state_dict() == before
