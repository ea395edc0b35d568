"""Features of the estimators beyond scikit-learn."""

import copy
from functools import partial

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score

import nnlayers as nn
from nnlayers.estimators import MLPClassifier, MLPRegressor
from nnlayers.losses.base import ElementwiseLoss

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = make_classification(120, 5, random_state=0)
XI, YI = load_iris(return_X_y=True)
XR, YR = make_regression(120, 5, random_state=0)
YR = YR / YR.std()
QUICK = {"hidden_layer_sizes": (8, 6), "max_iter": 5, "random_state": 0}


def kinds(model):
    return [type(layer).__name__ for layer in model.network_]


def test_layers_stand_in_the_order_of_the_literature():
    model = MLPClassifier(
        **QUICK, activation=["leaky_relu", nn.ELU(0.5)], normalization=["layer", None],
        dropout=[0.0, 0.3],
    ).fit(X, Y)  # fmt: skip
    assert kinds(model) == [
        "Affine",
        "LayerNorm",
        "LeakyReLU",
        "Affine",
        "ELU",
        "Dropout",
        "Affine",
    ]
    assert model.network_[4].alpha == 0.5


@pytest.mark.parametrize("name", ["logistic", "identity", "gelu", "hard_tanh", "prelu", "selu"])
def test_every_activation_has_a_name(name):
    model = MLPRegressor(**QUICK, activation=name).fit(XR, YR)
    assert model.n_layers_ == 4
    assert np.isfinite(model.predict(XR)).all()


def test_an_activation_may_be_a_class_or_a_layer_which_is_copied():
    slope = nn.PReLU()
    model = MLPRegressor(**QUICK, activation=[slope, nn.SiLU]).fit(XR, YR)
    assert kinds(model)[1::2] == ["PReLU", "SiLU"]
    assert model.network_[1] is not slope
    assert slope.parameters()[0].value == pytest.approx(0.25)


def test_dropout_repeats_with_random_state_and_is_off_in_predict():
    settings = QUICK | {"dropout": 0.5}
    one, same = (MLPClassifier(**settings).fit(X, Y) for _ in range(2))
    np.testing.assert_array_equal(one.coefs_[0], same.coefs_[0])
    np.testing.assert_array_equal(one.predict_proba(X), one.predict_proba(X))
    other = MLPClassifier(**(settings | {"random_state": 1})).fit(X, Y)
    assert not np.array_equal(one.coefs_[0], other.coefs_[0])


def test_dropout_layers_draw_independently_from_random_state():
    hidden = {"hidden_layer_sizes": (20, 20), "max_iter": 1, "dropout": 0.5}
    masks = [
        layer.forward(np.ones((1, 20))).tolist()
        for seed in (0, 1)
        for layer in MLPClassifier(**hidden, random_state=seed).fit(X, Y).network_
        if isinstance(layer, nn.Dropout)
    ]
    assert len(masks) == 4
    assert all(masks[i] != masks[j] for i in range(4) for j in range(i))


def test_lbfgs_trains_without_dropout_and_does_not_change_running_statistics():
    settings = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "max_iter": 20, "random_state": 0}
    without, dropped = (MLPRegressor(**settings, dropout=rate).fit(XR, YR) for rate in (0, 0.5))
    np.testing.assert_array_equal(dropped.coefs_[0], without.coefs_[0])
    assert all(layer.training for layer in dropped.network_)
    model = MLPRegressor(**settings, normalization="batch").fit(XR, YR)
    np.testing.assert_array_equal(model.network_[1].running_mean, np.zeros(8))


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_alpha_leaves_parameters_without_decay_alone(solver):
    def weights(decay, alpha):
        network = nn.Sequential(nn.Affine(5, 1, dtype="float64", rng=0))
        network[0].W.decay = decay
        settings = {"solver": solver, "max_iter": 5, "random_state": 0, "alpha": alpha}
        return MLPRegressor(network=network, **settings).fit(XR, YR).network_[0].W.value

    np.testing.assert_array_equal(weights(False, 100.0), weights(True, 0.0))
    assert np.abs(weights(True, 100.0) - weights(True, 0.0)).max() > 1e-4


def test_alpha_leaves_scales_of_a_normalization_alone():
    shared = QUICK | {"normalization": "layer", "solver": "sgd", "max_iter": 50}
    free, held = (MLPRegressor(**shared, alpha=alpha).fit(XR, YR) for alpha in (0, 1e3))
    assert np.abs(held.coefs_[0]).max() < np.abs(free.coefs_[0]).max() / 10
    assert held.network_[1].parameters()[0].value == pytest.approx(1, abs=0.1)


def name_of(loss):
    return loss if isinstance(loss, str) else type(loss).__name__


class Quartic(ElementwiseLoss):
    def entry_losses(self, p, t):
        return (p - t) ** 4, p - t

    def entry_slopes(self, difference):
        return 4 * difference**3


@pytest.mark.parametrize(
    "loss",
    ["log_loss", "hinge", nn.SoftmaxCrossEntropy(label_smoothing=0.1), nn.Hinge(0.5),
     nn.SigmoidCrossEntropy(), nn.MeanSquaredError(), Quartic()],
    ids=name_of,
)  # fmt: skip
def test_any_loss_learns_two_and_three_classes(loss):
    for x, y in ((X, Y), (XI, YI)):
        model = MLPClassifier((10,), loss=loss, solver="lbfgs", max_iter=100, random_state=0).fit(
            x, y
        )
        assert model.score(x, y) > 0.9
        if model.out_activation_ == "identity":
            assert not hasattr(model, "predict_proba")
        else:
            probabilities = model.predict_proba(x)
            np.testing.assert_allclose(probabilities.sum(axis=1), 1)
            np.testing.assert_array_equal(
                model.classes_[probabilities.argmax(axis=1)], model.predict(x)
            )
            np.testing.assert_allclose(np.exp(model.predict_log_proba(x)), probabilities)


@pytest.mark.parametrize("loss", ["hinge", nn.MeanSquaredError(), nn.Poisson()], ids=name_of)
def test_a_loss_without_probabilities_gives_a_decision_function(loss):
    settings = QUICK | {"loss": loss, "max_iter": 50, "learning_rate_init": 0.02}
    two = MLPClassifier(**settings).fit(X, Y)
    np.testing.assert_array_equal(two.decision_function(X) > 0, two.predict(X) == 1)
    three = MLPClassifier(**settings).fit(XI, YI)
    np.testing.assert_array_equal(three.decision_function(XI).argmax(axis=1), three.predict(XI))
    if loss != "hinge":
        labels = np.column_stack([Y, 1 - Y, Y])
        several = MLPClassifier(**settings).fit(X, labels)
        np.testing.assert_array_equal(several.decision_function(X) > 0, several.predict(X) == 1)
    assert cross_val_score(two, X, Y, cv=2, scoring="roc_auc").min() > 0.6
    assert not hasattr(MLPClassifier(**QUICK).fit(X, Y), "decision_function")


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_a_quantile_is_above_its_share_of_the_values(q):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (500, 1))
    y = x[:, 0] + rng.normal(scale=0.5, size=500)
    model = MLPRegressor(nn.Quantile(q), (5,), solver="lbfgs", alpha=0, random_state=0).fit(x, y)
    assert np.mean(y <= model.predict(x)) == pytest.approx(q, abs=0.03)


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_gaussian_loss_gives_standard_deviations(outputs):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (1000, 1))
    noise = np.where(x > 0, 1.0, 0.1)
    y = np.hstack([2 * x, x**2][:outputs])
    y += noise * rng.normal(size=y.shape)
    model = MLPRegressor("gaussian_nll", (20,), solver="lbfgs", max_iter=200, random_state=0)
    mean, std = model.fit(x, y.squeeze()).predict(x, return_std=True)
    assert mean.shape == std.shape == y.squeeze().shape
    first_mean, first_std = (array.reshape(1000, -1)[:, 0] for array in (mean, std))
    assert np.median(first_std[x[:, 0] > 0.2]) == pytest.approx(1.0, rel=0.15)
    assert np.median(first_std[x[:, 0] < -0.2]) == pytest.approx(0.1, rel=0.15)
    scaled = (y[:, 0] - first_mean) / first_std
    assert scipy.stats.kstest(scaled, "norm").pvalue > 1e-3


def test_standard_deviations_of_another_loss_are_an_error():
    with pytest.raises(ValueError, match="return_std=True needs loss='gaussian_nll'"):
        MLPRegressor(**QUICK).fit(XR, YR).predict(XR, return_std=True)


def test_a_count_below_zero_is_an_error_that_names_its_row():
    y = np.ones(120)
    y[77] = -1
    with pytest.raises(ValueError, match=r"got -1\.0 in row 77"):
        MLPRegressor("poisson", **QUICK).fit(XR, y)


def test_validation_data_are_scored_and_decide_when_to_stop():
    train, held_out = (X[:80], Y[:80]), (X[80:], Y[80:])
    shared = QUICK | {"max_iter": 200, "learning_rate_init": 0.02}
    model = MLPClassifier(**shared, early_stopping=True).fit(*train, validation_data=held_out)
    assert len(model.validation_scores_) == model.n_iter_ < 200
    assert model.score(*held_out) == model.best_validation_score_ == max(model.validation_scores_)
    watched = MLPClassifier(**shared).fit(*train, validation_data=held_out)
    alone = MLPClassifier(**shared).fit(*train)
    np.testing.assert_array_equal(watched.coefs_[0], alone.coefs_[0])
    assert len(watched.validation_scores_) == watched.n_iter_
    assert watched.best_loss_ == min(watched.loss_curve_)


@pytest.mark.parametrize(
    ("bad", "got"), [(X, "ndarray"), ((X,), "tuple of 1"), ((X, Y, Y), "tuple of 3")]
)
def test_validation_data_other_than_a_pair_are_an_error(bad, got):
    with pytest.raises(ValueError, match=rf"validation_data must be a pair \(X, y\), got {got}$"):
        MLPClassifier(**QUICK).fit(X, Y, validation_data=bad)


@pytest.mark.parametrize(
    ("model", "y"),
    [
        (MLPClassifier(**QUICK), Y),
        (MLPClassifier(**QUICK), np.column_stack([Y, 1 - Y])),
        (MLPClassifier(**QUICK), scipy.sparse.csr_matrix(np.column_stack([Y, 1 - Y]))),
        (MLPRegressor(**QUICK), YR),
        (MLPRegressor(**QUICK), np.column_stack([YR, YR**2])),
        (MLPRegressor(**QUICK), np.column_stack([YR, np.ones(120)])),
    ],
    ids=["classes", "labels", "sparse", "numbers", "outputs", "constant"],
)
def test_validation_scores_are_those_of_score(model, y):
    model.fit(X, y, validation_data=(X, y))
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, y), rel=1e-12)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_validation_data_that_do_not_fit_are_an_error_before_the_first_epoch(estimator):
    model = estimator(**QUICK)
    with pytest.raises(ValueError, match="expecting 5 features"):
        model.fit(X, Y, validation_data=(X[:, :2], Y))
    with pytest.raises(ValueError, match=r"must have the columns of y, \(\), got \(2,\)"):
        model.fit(X, Y, validation_data=(X, np.column_stack([Y, Y])))
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        model.fit(X, Y, validation_data=(X[:1], Y[:1]))
    assert model.n_iter_ == 0


def test_validation_data_of_other_classes_are_an_error():
    with pytest.raises(ValueError, match=r"classes that y does not have: \[2\]"):
        MLPClassifier(**QUICK).fit(XI[:100], YI[:100], validation_data=(XI, YI))


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_network_is_copied_and_does_not_change(outputs):
    network = nn.mlp([5, 8, outputs], norm="batch", dropout=0.1, rng=0)
    before = copy.deepcopy(network.state_dict())
    model = MLPClassifier(network=network, max_iter=200, learning_rate_init=0.02, random_state=0)
    assert model.fit(X, Y).score(X, Y) > 0.9
    assert model.out_activation_ == ("logistic" if outputs == 1 else "softmax")
    assert [c.shape for c in model.coefs_] == [(5, 8), (8, outputs)]
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    again = MLPClassifier(**model.get_params()).partial_fit(X, Y, classes=[0, 1])
    assert again.partial_fit(X, Y).predict_proba(X).shape == (120, 2)


def test_a_graph_may_be_the_network():
    x = nn.Input("x")
    hidden = nn.Affine(5, 8, rng=0)(x)
    graph = nn.Graph(nn.Affine(8, 1, rng=1)(nn.tanh(hidden)) + nn.Affine(5, 1, rng=2)(x))
    model = MLPRegressor(network=graph, solver="lbfgs").fit(XR, YR)
    assert model.score(XR, YR) > 0.99
    assert graph["x"].grad is None


def test_a_network_of_log_probabilities_trains_with_the_divergence():
    network = nn.Sequential(*nn.mlp([4, 8, 3], rng=0), nn.LogSoftmax())
    settings = {"loss": nn.KLDivergence(), "learning_rate_init": 0.02, "random_state": 0}
    assert MLPClassifier(network=network, **settings).fit(XI, YI).score(XI, YI) > 0.9


def test_frozen_parameters_of_a_network_do_not_move():
    network = nn.mlp([5, 8, 1], rng=0)
    network[0].W.trainable = False
    for solver in ("adam", "lbfgs"):
        model = MLPRegressor(network=network, solver=solver, max_iter=20).fit(XR, YR)
        np.testing.assert_array_equal(model.coefs_[0], network[0].W.value.astype(np.float64))
        assert not np.array_equal(model.coefs_[1], network[2].W.value)


def test_any_optimizer_and_schedule():
    schedule = nn.optim.schedules.CosineDecay(0.05, steps=200)
    for solver in (nn.optim.NAdam, partial(nn.optim.RMSProp, weight_decay=1e-4), "adam", "sgd"):
        model = MLPRegressor(
            hidden_layer_sizes=(20,), solver=solver, learning_rate=schedule, max_iter=200,
            n_iter_no_change=np.inf, random_state=0,
        ).fit(XR, YR)  # fmt: skip
        assert model.score(XR, YR) > 0.9, solver
    with pytest.raises(TypeError, match="solver must make an Optimizer"):
        MLPRegressor(solver=lambda params, lr: None).fit(XR, YR)


def test_an_adaptive_learning_rate_works_with_any_optimizer():
    model = MLPRegressor(
        solver=nn.optim.SGD, learning_rate="adaptive", tol=1e3, n_iter_no_change=1, max_iter=100
    )
    model.fit(XR, YR)
    assert 10 < model.n_iter_ < 30  # Five divisions by 5 lead from 1e-3 to below 1e-6.


def test_a_verbose_log_has_a_line_every_few_epochs_and_changes_nothing(capsys):
    X, y = load_iris(return_X_y=True)
    settings = {"max_iter": 50, "tol": 0, "n_iter_no_change": 100, "random_state": 0}
    with pytest.warns(ConvergenceWarning):
        quiet = MLPClassifier((4,), **settings).fit(X, y)
    assert capsys.readouterr().out == ""
    with pytest.warns(ConvergenceWarning):
        logged = MLPClassifier((4,), verbose="log", **settings).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"epoch {epoch} of 50" for epoch in (1, *range(5, 51, 5))
    ]
    assert logged.loss_curve_ == quiet.loss_curve_


def test_a_verbose_bar_is_not_written_to_a_pipe(capsys):
    pytest.importorskip("rich")
    X, y = load_iris(return_X_y=True)
    with pytest.warns(ConvergenceWarning):
        MLPClassifier((4,), verbose="bar", max_iter=2, engine="numpy").fit(X, y)
    assert capsys.readouterr() == ("", "")


def test_lbfgs_has_no_epochs_to_show():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="verbose='log' needs a stochastic solver"):
        MLPClassifier((4,), solver="lbfgs", verbose="log").fit(X, y)
    with pytest.raises(ValueError, match="'verbose' parameter"):
        MLPClassifier((4,), verbose="loud").fit(X, y)


def test_callbacks_see_each_epoch_and_may_stop():
    rows = []

    def note(trainer):
        rows.append(trainer.history.rows[-1])
        if len(rows) == 3:
            trainer.stop()

    callbacks = [nn.callbacks.LambdaCallback(note)]
    model = MLPClassifier(**QUICK, callbacks=callbacks).fit(X, Y, validation_data=(X, Y))
    assert model.n_iter_ == 3
    assert [row["loss"] for row in rows] == model.loss_curve_
    assert [row["val_score"] for row in rows] == model.validation_scores_
    assert rows[0]["val_loss"] > 0


def test_callbacks_see_the_start_of_each_epoch_and_each_step_with_its_loss():
    calls = []
    callback = nn.callbacks.LambdaCallback(
        on_epoch_start=lambda t: calls.append(("epoch", t.optimizer.steps)),
        on_step_start=lambda t: calls.append(("start", t.optimizer.steps)),
        on_step_end=lambda t: calls.append(("end", t.step_loss)),
        on_epoch_end=lambda t: t.stop() if len(t.history) == 2 else None,
    )
    model = MLPClassifier(**QUICK, alpha=0.0, batch_size=len(X), callbacks=[callback]).fit(X, Y)
    first, second = model.loss_curve_
    assert calls == [
        *[("epoch", 0), ("start", 0), ("end", first)],
        *[("epoch", 1), ("start", 1), ("end", second)],
    ]


def test_an_early_stopping_callback_restores_the_best_epoch_and_is_copied():
    callback = nn.callbacks.EarlyStopping("val_loss", patience=2)
    model = MLPClassifier(
        (20,), learning_rate_init=0.1, max_iter=200, callbacks=[callback], random_state=0
    ).fit(X[:60], Y[:60], validation_data=(X[60:], Y[60:]))
    assert callback.best_epoch == 0
    assert 2 < model.n_iter_ < 200
    p = model.predict_proba(X[60:])[np.arange(60), Y[60:]]
    assert -np.log(p).mean() == pytest.approx(min(model.history_["val_loss"]))


def test_weights_that_do_not_fit_are_an_error_with_their_index():
    model = MLPRegressor(**QUICK).fit(XR, YR)
    with pytest.raises(ValueError, match=r"entry 0 must have shape \(5, 8\), got \(8, 5\)"):
        model.coefs_[0] = model.coefs_[0].T
    with pytest.raises(ValueError, match="expected 3 arrays, got 1"):
        model.coefs_ = model.coefs_[:1]
    model.coefs_[2][...] = 0
    model.intercepts_[2][...] = 7
    np.testing.assert_array_equal(model.predict(XR), np.full(120, 7.0))


def test_an_interrupted_fit_leaves_a_usable_estimator():
    def interrupt(trainer):
        raise KeyboardInterrupt

    callbacks = [nn.callbacks.LambdaCallback(interrupt)]
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model = MLPClassifier(**QUICK, callbacks=callbacks).fit(X, Y)
    assert model.n_iter_ == 1
    assert model.predict(X).shape == (120,)


def test_an_interrupted_step_leaves_nothing_to_the_next_fit():
    model = MLPRegressor(**QUICK).partial_fit(XR, YR)
    same = copy.deepcopy(model)
    for parameter in model.network_.parameters():
        parameter.grad += 1.0  # A backward pass may have added this before the interrupt.
    model.partial_fit(XR, YR)
    np.testing.assert_array_equal(model.coefs_[0], same.partial_fit(XR, YR).coefs_[0])
