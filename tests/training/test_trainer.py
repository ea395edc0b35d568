"""The training loop: steps, epochs, validation and the arguments of fit."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

import nnlayers as nn
from nnlayers.training import Trainer, callbacks

pytestmark = pytest.mark.usefixtures("each_engine")


def classification(rows=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, 3)).astype(np.float32)
    return X, (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 1)


def classifier(optimizer=nn.optim.Adam, lr=0.01, dropout=0.0, dtype=np.float32, **options):
    model = nn.mlp([3, 8, 3], dropout=dropout, dtype=dtype, rng=1)
    return Trainer(model, nn.SoftmaxCrossEntropy(), optimizer(model.parameters(), lr=lr), **options)


def weights(trainer):
    return np.concatenate([p.value.ravel() for p in trainer.model.parameters()])


def regression(lr=0.1, loss=None, **options):
    model = nn.Affine(2, 1, dtype=np.float64, rng=3)
    loss = loss or nn.MeanSquaredError()
    return Trainer(model, loss, nn.optim.SGD(model.parameters(), lr=lr), **options)


def regression_data(rows=11):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, 2))
    return X, X @ [[1.0], [-2.0]] + 0.5


def test_a_step_is_forward_loss_backward_and_optimizer_step():
    X, y = classification()
    trainer, other = classifier(engine="numpy"), classifier()
    value = trainer.step(X, y)
    assert value == other.loss.forward(other.model.forward(X), y)
    other.model.backward(other.loss.backward())
    other.optimizer.step()
    np.testing.assert_array_equal(weights(trainer), weights(other))


def test_fit_finds_the_least_squares_solution():
    X, y = regression_data()
    trainer = regression()
    trainer.fit(X, y, epochs=300, batch_size=4, rng=0)
    np.testing.assert_allclose(trainer.model.W.value, [[1.0], [-2.0]], atol=1e-6)
    np.testing.assert_allclose(trainer.model.b.value, [0.5], atol=1e-6)


def test_fit_without_shuffling_is_step_after_step_in_order():
    X, y = classification(10)
    fitted, stepped = classifier(), classifier()
    fitted.fit(X, y, epochs=2, batch_size=4, shuffle=False)
    for _ in range(2):
        for rows in (slice(0, 4), slice(4, 8), slice(8, 10)):
            stepped.step(X[rows], y[rows])
    np.testing.assert_array_equal(weights(fitted), weights(stepped))


def test_gradients_accumulated_before_a_step_are_part_of_it():
    X, y = regression_data()
    trainer = regression(loss=nn.MeanSquaredError(reduction="sum"), lr=0.01)
    other = regression(loss=nn.MeanSquaredError(reduction="sum"), lr=0.01)
    trainer.loss.forward(trainer.model.forward(X[:5]), y[:5])
    trainer.model.backward(trainer.loss.backward())
    trainer.step(X[5:], y[5:])
    other.step(X, y)
    np.testing.assert_allclose(weights(trainer), weights(other), rtol=1e-12)


@pytest.mark.parametrize("validation", [None, 0.25])
def test_the_same_seed_gives_the_same_weights_and_history(validation):
    X, y = classification()
    first, second, third = classifier(), classifier(), classifier()
    for trainer, seed in ((first, 7), (second, np.random.default_rng(7)), (third, 8)):
        trainer.fit(X, y, epochs=3, batch_size=8, validation=validation, rng=seed)
    np.testing.assert_array_equal(weights(first), weights(second))
    assert first.history == second.history
    assert not np.array_equal(weights(first), weights(third))


def test_another_fit_continues_where_the_last_one_ended():
    X, y = classification()
    once, twice = classifier(), classifier()
    once.fit(X, y, epochs=5, batch_size=8, validation=0.3, rng=2)
    rng = np.random.default_rng(2)
    assert len(twice.fit(X, y, epochs=2, batch_size=8, validation=0.3, rng=rng)) == 2
    history = twice.fit(X, y, epochs=3, batch_size=8, validation=0.3, rng=rng)
    assert history is twice.history
    assert history == once.history
    np.testing.assert_array_equal(weights(once), weights(twice))


def test_a_resumed_run_equals_the_uninterrupted_one_bit_for_bit(tmp_path):
    X, y = classification()
    layout = {"epochs": 3, "batch_size": 8, "validation": 0.3}

    def fresh():
        rng = np.random.default_rng(2)
        model = nn.mlp([3, 8, 3], dropout=0.2, rng=rng)  # Dropout draws from it too.
        optimizer = nn.optim.Adam(model.parameters())
        stopping = callbacks.EarlyStopping(patience=50)
        loss = nn.SoftmaxCrossEntropy()
        return Trainer(model, loss, optimizer, metrics=["accuracy"], callbacks=[stopping]), rng

    path = tmp_path / "checkpoint.npz"
    rng_state = {}

    def save(trainer):
        if len(trainer.history) == 3:
            np.savez(path, **trainer.state_dict())
            rng_state.update(rng.bit_generator.state)

    trainer, rng = fresh()
    trainer.callbacks.append(callbacks.LambdaCallback(save))
    trainer.fit(X, y, **layout | {"epochs": 6}, rng=rng)

    resumed, rng_again = fresh()
    resumed.callbacks.append(callbacks.LambdaCallback())
    rng_again.bit_generator.state = rng_state
    with np.load(path) as state:
        resumed.load_state_dict(state)
    resumed.fit(X, y, **layout, rng=rng_again)

    assert resumed.history == trainer.history
    for name, array in trainer.state_dict().items():
        np.testing.assert_array_equal(resumed.state_dict()[name], array, err_msg=name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"extra": np.zeros(1)}, "state does not fit Trainer: unknown 'extra'"),
        ({"callbacks.0.best": np.zeros(1)}, "unknown 'callbacks.0.best'"),
        ({"model.9.W": np.zeros(1)}, "unknown '9.W'"),
        ({"history.loss": np.zeros((2, 2))}, "columns of a History must be of one length"),
    ],
)
def test_a_state_that_does_not_fit_is_named(change, message):
    trainer = classifier()
    with pytest.raises(ValueError, match=message):
        trainer.load_state_dict(trainer.state_dict() | change)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_training_loss_is_that_of_all_rows_together(weighted, reduction):
    X, y = regression_data()
    weight = np.linspace(0, 3, len(X)) if weighted else None
    trainer = regression(lr=0.0, loss=nn.MeanSquaredError(reduction=reduction))
    history = trainer.fit(X, y, epochs=1, batch_size=4, sample_weight=weight, rng=0)
    expected = trainer.loss.forward(trainer.model.predict(X), y, weight)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-12)


def test_rows_of_weight_zero_change_nothing():
    X, y = regression_data()
    trainer = regression()
    before = weights(trainer).copy()
    assert trainer.fit(X, y, epochs=1, sample_weight=np.zeros(len(X)))["loss"] == [0.0]
    np.testing.assert_array_equal(weights(trainer), before)


def test_a_weight_of_two_is_the_row_twice():
    X, y = regression_data()
    weight = np.where(np.arange(len(X)) % 3 == 0, 2, 1)
    weighted, repeated = regression(), regression()
    weighted.fit(X, y, epochs=5, batch_size=100, sample_weight=weight)
    repeated.fit(np.repeat(X, weight, 0), np.repeat(y, weight, 0), epochs=5, batch_size=100)
    np.testing.assert_allclose(weights(weighted), weights(repeated), rtol=1e-12)
    np.testing.assert_allclose(weighted.history["loss"], repeated.history["loss"], rtol=1e-12)


def test_metrics_of_classes_get_predicted_labels():
    X, y = classification()

    def macro_f1(y_true, y_pred):
        return f1_score(y_true, y_pred, average="macro")

    trainer = classifier(lr=0.0, metrics=["accuracy", macro_f1])
    history = trainer.fit(X, y, epochs=1, batch_size=7, validation=(X[:20], y[:20]), rng=0)
    predicted = trainer.model.predict(X).argmax(axis=1)
    row = history.rows[0]
    assert row["accuracy"] == accuracy_score(y, predicted)
    assert row["macro_f1"] == pytest.approx(macro_f1(y, predicted), rel=1e-15)
    assert row["val_accuracy"] == accuracy_score(y[:20], predicted[:20])
    assert trainer.evaluate(X, y)["macro_f1"] == pytest.approx(macro_f1(y, predicted), rel=1e-15)
    assert list(row) == ["loss", "accuracy", "macro_f1", "val_loss", "val_accuracy", "val_macro_f1"]


def test_metrics_of_values_get_outputs_and_those_of_binary_targets_get_labels():
    X, y = regression_data()
    trainer = regression(metrics=[mean_absolute_error])
    expected = mean_absolute_error(y, trainer.model.predict(X))
    assert trainer.evaluate(X, y)["mean_absolute_error"] == pytest.approx(expected, rel=1e-14)
    binary = regression(loss=nn.SigmoidCrossEntropy(), metrics=["accuracy", accuracy_score])
    measured = binary.evaluate(X, (y > 0).astype(float))
    assert measured["accuracy"] == measured["accuracy_score"]


def test_evaluate_measures_all_rows_and_keeps_the_loss_ready_for_backward():
    X, y = regression_data(10_000)
    trainer = regression()
    trainer.loss.forward(trainer.model.forward(X[:3]), y[:3])
    dout = trainer.loss.backward()
    expected = np.mean((trainer.model.predict(X) - y) ** 2)
    assert trainer.evaluate(X, y)["loss"] == pytest.approx(expected, rel=1e-13)
    np.testing.assert_array_equal(trainer.loss.backward(), dout)


def test_validation_uses_inference_and_fit_restores_the_mode_of_each_layer():
    X, y = classification()
    trainer = classifier(dropout=0.5, lr=0.0)
    trainer.model.train()
    trainer.model[2].eval()
    seen = []
    trainer.callbacks.append(
        callbacks.LambdaCallback(lambda t: seen.append([m.training for m in t.model]))
    )
    history = trainer.fit(X, y, epochs=1, validation=(X, y), rng=0)
    assert history["val_loss"][0] == trainer.evaluate(X, y)["loss"]
    assert history["loss"] != history["val_loss"]
    assert seen == [[True] * 4]
    assert [m.training for m in trainer.model] == [True, True, False, True]


def test_rows_held_out_are_never_trained_on():
    X, y = classification(40)
    trained = set()

    class Recording(nn.Sequential):
        def forward(self, x):
            if self.training:
                trained.update(map(tuple, x))
            return super().forward(x)

    model = Recording(nn.Affine(3, 3, rng=0))
    trainer = Trainer(model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), 0.1))
    trainer.fit(X, y, epochs=2, validation=0.25, rng=0)
    trainer.fit(X, y, epochs=2, validation=0.25, rng=1)
    assert len(trained) == 30


def test_inputs_are_never_written_to_and_floats_are_converted_once():
    X, y = classification()
    X = X.astype(np.float64)
    before = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    dtypes = set()

    class Recording(nn.Sequential):
        def forward(self, x):
            dtypes.add(x.dtype)
            return super().forward(x)

    model = Recording(nn.Affine(3, 3, rng=0))
    trainer = Trainer(model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), 0.1))
    trainer.fit(X, y, epochs=1, validation=0.2, rng=0)
    assert dtypes == {np.dtype(np.float32)}
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])


def test_integer_inputs_stay_integers():
    kinds = []

    class Lookup(nn.Layer):
        def __init__(self):
            self.table = nn.Parameter(np.zeros((4, 1)))

        def forward(self, x):
            kinds.append(x.dtype.kind)
            self.x = x
            return self.table.value[x]

        def backward(self, dout):
            np.add.at(self.table.grad, self.x, dout)

    model = Lookup()
    trainer = Trainer(model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), 2.0))
    ids = np.array([0, 1, 2, 3])
    trainer.fit(ids, ids[:, None] * 2.0, epochs=1)
    assert set(kinds) == {"i"}
    np.testing.assert_array_equal(model.table.value, ids[:, None] * 2.0)


def test_clip_norm_bounds_the_step():
    X, y = regression_data()
    trainer = regression(lr=1.0, clip_norm=1e-3)
    before = weights(trainer).copy()
    trainer.step(X, y)
    assert np.linalg.norm(weights(trainer) - before) == pytest.approx(1e-3, rel=1e-4)


def test_clip_value_bounds_each_entry_of_the_gradient():
    X, y = regression_data()
    free, clipped = regression(lr=1.0), regression(lr=1.0, clip_value=1.1)
    before = weights(free).copy()
    for trainer in (free, clipped):
        trainer.step(X, y)
    steps = weights(free) - before
    assert np.abs(steps).min() < 1.1 < np.abs(steps).max()
    np.testing.assert_allclose(weights(clipped) - before, steps.clip(-1.1, 1.1), rtol=1e-12)


def test_a_gradient_is_clipped_by_its_norm_or_by_value_but_not_by_both():
    with pytest.raises(ValueError, match=r"^clip_value must be None beside clip_norm, got 0\.5$"):
        regression(clip_norm=1.0, clip_value=0.5)


def test_clip_norm_leaves_frozen_parameters_out():
    X, y = regression_data()
    trainer = regression(lr=1.0, clip_norm=1e-3)
    trainer.model.W.trainable = False
    for _ in range(3):
        before = trainer.model.b.value.copy()
        trainer.step(X, y)
        assert abs(trainer.model.b.value - before) == pytest.approx(1e-3, rel=1e-2)


def test_an_interrupt_keeps_complete_epochs_and_discards_the_unfinished_step():
    X, y = classification()
    ended = []

    class Interrupting(nn.SoftmaxCrossEntropy):
        calls = 0

        def backward(self):
            self.calls += 1
            dout = super().backward()
            if self.calls == 7:
                trainer.model.backward(dout)
                raise KeyboardInterrupt
            return dout

    model = nn.mlp([3, 3], rng=1)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    trainer = Trainer(
        model,
        Interrupting(),
        optimizer,
        callbacks=[callbacks.LambdaCallback(on_fit_end=lambda t: ended.append(len(t.history)))],
    )
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, y, epochs=5, batch_size=20, shuffle=False)
    assert ended == [2]
    assert len(trainer.history) == 2
    assert optimizer.steps == 6
    assert not any(p.grad.any() for p in model.parameters())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ValueError, "epochs must be an integer of at least 1, got 0"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer of at least 1, got 1.5"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, got 0"),
        ({"X": np.zeros((4, 3))}, ValueError, "X and y must have the same number of rows, got 4"),
        ({"X": np.zeros((0, 3)), "y": []}, ValueError, "X must have at least one row"),
        ({"X": 3.0}, ValueError, "X must have rows, got the single value 3.0"),
        ({"X": np.full((5, 3), "a")}, TypeError, "X must hold real numbers, got dtype <U1"),
        ({"y": np.zeros(5, complex)}, TypeError, "y must hold real numbers, got dtype complex128"),
        ({"sample_weight": [1, 2]}, ValueError, "sample_weight must have one number a row"),
        ({"sample_weight": [1, 2, -1, 0, 0]}, ValueError, "sample_weight must be finite .* row 2"),
        ({"validation": 1.0}, ValueError, "validation must be a finite number above 0 and below 1"),
        ({"validation": "a"}, TypeError, "validation must be a finite number above 0"),
        (
            {"validation": (np.zeros((2, 3)), [1])},
            ValueError,
            r"validation\[0\] and validation\[1\] must have the same number of rows, got 2 and 1",
        ),
        (
            {"X": np.zeros((1, 3)), "y": [0], "validation": 0.5},
            ValueError,
            "validation=0.5 needs at least 2 rows, X has 1",
        ),
    ],
)
def test_bad_arguments_of_fit_are_named(options, error, message):
    arguments = {"X": np.zeros((5, 3)), "y": np.zeros(5, int), "epochs": 1} | options
    with pytest.raises(error, match=message):
        classifier().fit(arguments.pop("X"), arguments.pop("y"), **arguments)


def test_an_invalid_target_is_named_by_its_row_in_y():
    X, y = classification()
    y[41] = 3
    with pytest.raises(ValueError, match=r"got 3 in row 41$"):
        classifier().fit(X, y, epochs=1, batch_size=8, rng=0)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": 3}, TypeError, "model must be a Layer, got 3"),
        ({"loss": "mse"}, TypeError, "loss must be a Loss, got 'mse'"),
        ({"optimizer": "adam"}, TypeError, "optimizer must be an Optimizer, got 'adam'"),
        ({"callbacks": [print]}, TypeError, r"callbacks\[0\] must be a Callback, got <built-in"),
        ({"clip_norm": 0}, ValueError, "clip_norm must be a finite number above 0, got 0"),
        ({"clip_value": -1}, ValueError, "clip_value must be a finite number above 0, got -1"),
        ({"metrics": ["acuracy"]}, ValueError, "unknown metric 'acuracy', did you mean 'accuracy'"),
        (
            {"optimizer": nn.optim.SGD([nn.Parameter([1.0])], 0.1)},
            ValueError,
            "optimizer must hold parameters of the model, got SGD",
        ),
    ],
)
def test_bad_arguments_of_the_trainer_are_named(options, error, message):
    model = nn.Affine(3, 2)
    arguments = {
        "model": model,
        "loss": nn.SoftmaxCrossEntropy(),
        "optimizer": nn.optim.SGD(model.parameters(), 0.1),
    }
    with pytest.raises(error, match=message):
        Trainer(**arguments | options)
