"""Reported losses and metrics are those of all rows, with the user's targets and weights."""

import math
import re

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import DivergenceError, Trainer

pytestmark = pytest.mark.usefixtures("each_engine")

X = np.random.default_rng(0).normal(size=(23, 3))
CLASSES = np.random.default_rng(1).integers(3, size=23)
WEIGHTS = np.random.default_rng(2).uniform(0, 3, size=23)


def trainer_without_learning(loss, *, outputs=3, dtype=np.float64, **options):
    """Return a trainer with a learning rate of 0."""
    model = nn.Sequential(nn.Affine(3, outputs, dtype=dtype, rng=3))
    return Trainer(model, loss, nn.optim.SGD(model.parameters(), lr=0.0), **options)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("class_weight", [None, [0.1, 1.0, 8.0], [0.0, 1.0, 1.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weight", [None, WEIGHTS, WEIGHTS * 1e307, (WEIGHTS > 1) * 1.0])
def test_the_loss_of_an_epoch_is_that_of_all_rows_at_once(
    reduction, class_weight, smoothing, weight
):
    if reduction == "sum" and weight is not None:
        weight = np.minimum(weight, 1e3)
    loss = nn.SoftmaxCrossEntropy(class_weight, smoothing, reduction=reduction)
    trainer = trainer_without_learning(loss)
    history = trainer.fit(X, CLASSES, epochs=1, batch_size=4, sample_weight=weight, rng=0)
    expected = loss.forward(trainer.model.predict(X), CLASSES, weight)
    assert history["loss"][0] == pytest.approx(expected, rel=1e-12)


def test_batches_of_a_users_loss_count_by_rows_or_sample_weights():
    class Quartic(nn.losses.Loss):
        def forward(self, prediction, target, sample_weight=None):
            weight = np.ones(len(target)) if sample_weight is None else sample_weight
            self.slope = 4 * (prediction - target) ** 3 * (weight / weight.sum())[:, None]
            return float(np.average((prediction - target)[:, 0] ** 4, weights=weight))

        def backward(self):
            return self.slope

    y = X[:, :1] - 1
    for weight in (None, WEIGHTS):
        trainer = trainer_without_learning(Quartic(), outputs=1)
        history = trainer.fit(X, y, epochs=1, batch_size=4, sample_weight=weight)
        expected = Quartic().forward(trainer.model.predict(X), y, weight)
        assert history["loss"][0] == pytest.approx(expected, rel=1e-12)


def test_the_validation_loss_is_weighted():
    seen = []

    def rows_of(y_true, y_pred):
        seen.append(y_true)
        return 0.0

    y = np.arange(23.0)[:, None]
    trainer = trainer_without_learning(nn.MeanSquaredError(), outputs=1, metrics=[rows_of])
    history = trainer.fit(X, y, epochs=1, validation=0.3, sample_weight=WEIGHTS, rng=0)
    rows = seen[-1][:, 0].astype(int)
    assert 1 < len(rows) < 10
    errors = (trainer.model.predict(X[rows]) - y[rows])[:, 0] ** 2
    assert history["val_loss"][0] == pytest.approx(np.average(errors, weights=WEIGHTS[rows]))
    assert history["val_loss"][0] != pytest.approx(errors.mean(), rel=1e-3)


def test_weights_of_other_rows_count_in_validation_and_evaluation():
    y = np.arange(23.0)[:, None]
    trainer = trainer_without_learning(nn.MeanSquaredError(), outputs=1)
    history = trainer.fit(X, y, epochs=1, validation=(X, y, WEIGHTS))
    errors = (trainer.model.predict(X) - y)[:, 0] ** 2
    expected = np.average(errors, weights=WEIGHTS)
    assert history["val_loss"][0] == pytest.approx(expected)
    assert trainer.evaluate(X, y, WEIGHTS)["loss"] == pytest.approx(expected)
    assert trainer.evaluate(X, y)["loss"] == pytest.approx(errors.mean())
    with pytest.raises(ValueError, match="sample_weight must have one number a row"):
        trainer.evaluate(X, y, WEIGHTS[:5])


def test_targets_keep_more_digits_than_the_models_dtype_has():
    seen = []

    def targets(y_true, y_pred):
        seen.append(y_true)
        return 0.0

    y = np.full((2, 1), 16777217.0)
    model = nn.Affine(1, 1, weight_init="zeros", dtype=np.float32)
    model.b.value[...] = 16777216
    trainer = Trainer(
        model, nn.MeanSquaredError(), nn.optim.SGD(model.parameters(), lr=0.0), metrics=[targets]
    )
    history = trainer.fit([[0.0], [0.0]], y, epochs=1, validation=([[0.0]], y[:1]))
    assert history.last["loss"] == history.last["val_loss"] == 1.0
    assert trainer.evaluate([[0.0], [0.0]], y)["loss"] == trainer.step([[0.0]], y[:1]) == 1.0
    for y_true in seen:
        assert y_true.dtype == np.float64
        assert (y_true == 16777217.0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.uint16, bool])
def test_metrics_get_targets_in_their_own_dtype(dtype):
    dtypes = set()

    def record(y_true, y_pred):
        dtypes.add(y_true.dtype)
        return 0.0

    trainer = trainer_without_learning(nn.MeanSquaredError(), outputs=1, metrics=[record])
    trainer.fit(X, np.ones((23, 1), dtype), epochs=1, validation=0.2, rng=0)
    assert dtypes == {np.dtype(dtype)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["0.W", "1.running_var", "2.W"])
def test_a_model_with_weights_that_are_not_finite_is_never_measured(value, name):
    model = nn.Sequential(nn.Affine(3, 4, rng=0), nn.BatchNorm(4), nn.Affine(4, 3, rng=1))
    trainer = Trainer(model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), lr=0.0))
    state = model.state_dict()
    state[name].flat[0] = value
    model.load_state_dict(state)
    layer = re.escape(repr(model[int(name[0])]))
    message = f"epoch 1, step 0: the weights of layer {name[0]}, {layer}, are not finite"
    with pytest.raises(DivergenceError, match=message):
        trainer.evaluate(X, CLASSES)
    with pytest.raises(DivergenceError, match=f"the weights of layer {name[0]}"):
        trainer.fit(X, CLASSES, epochs=1, validation=(X, CLASSES))
    assert len(trainer.history) == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nonfinite_weights_of_a_subclass_of_sequential_are_found(value):
    class Shifted(nn.Sequential):
        def __init__(self, *layers):
            super().__init__(*layers)
            self.shift = nn.Parameter(np.zeros(3))

        def forward(self, x):
            return super().forward(x) + self.shift.value

        def backward(self, dout, input_grad=True):
            self.shift.grad += dout.sum(axis=0)
            return super().backward(dout, input_grad)

    model = Shifted(nn.Affine(3, 3, dtype=np.float64, rng=0))
    trainer = Trainer(model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), lr=0.0))
    model.shift.value[1] = value
    with pytest.raises(DivergenceError, match="the weights of the model itself are not finite"):
        trainer.evaluate(X, CLASSES)


def test_finite_weights_whose_squares_overflow_are_measured():
    trainer = trainer_without_learning(nn.MeanAbsoluteError(), outputs=1, dtype=np.float32)
    trainer.model[0].W.value[...] = 1e30
    assert math.isfinite(trainer.evaluate(X, X[:, :1])["loss"])


def test_rows_that_are_not_finite_give_a_loss_of_nan():
    x = X.copy()
    x[3] = np.nan
    assert math.isnan(
        trainer_without_learning(nn.SoftmaxCrossEntropy()).evaluate(x, CLASSES)["loss"]
    )


def test_one_dimensional_targets_suggest_a_column():
    trainer = trainer_without_learning(nn.MeanSquaredError(), outputs=1)
    message = r"shape \(23, 1\), got \(23,\): a column of targets is y\[:, None\]"
    with pytest.raises(ValueError, match=message):
        trainer.fit(X, X[:, 0], epochs=1, batch_size=4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": 3}, "model must be a Layer, got 3"),
        ({"optimizer": "Adam"}, "optimizer must be an Optimizer, got 'Adam'"),
        ({"loss": nn.MeanSquaredError}, "loss must be a Loss, got <class"),
        ({"callbacks": [3]}, r"callbacks\[0\] must be a Callback, got 3"),
        ({"callbacks": nn.callbacks.EarlyStopping()}, "callbacks must be a list of callbacks, got"),
        ({"clip_norm": True}, "clip_norm must be a finite number above 0, got True"),
        ({"clip_norm": np.True_}, "clip_norm must be a finite number above 0, got np.True_"),
    ],
)
def test_arguments_of_the_wrong_kind_are_named(changes, message):
    model = nn.Affine(3, 1)
    arguments = {
        "model": model,
        "loss": nn.MeanSquaredError(),
        "optimizer": nn.optim.SGD(model.parameters(), lr=0.1),
    } | changes
    with pytest.raises(TypeError, match=message):
        Trainer(**arguments)


@pytest.mark.parametrize(
    ("name", "choices"), [("shuffle", "True or False"), ("progress", "True, False or 'log'")]
)
def test_flags_of_fit_are_checked(name, choices):
    with pytest.raises(TypeError, match=f"{name} must be {choices}, got 'no'"):
        trainer_without_learning(nn.SoftmaxCrossEntropy()).fit(X, CLASSES, epochs=1, **{name: "no"})
