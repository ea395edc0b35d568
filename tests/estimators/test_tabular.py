"""The estimators for tables: what they take, what they give, and how long they take."""

import copy
import pickle
from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import nnlayers as nn
from nnlayers.data import Table
from nnlayers.data.scaling import PiecewiseScaler
from nnlayers.estimators import TabularClassifier, TabularRegressor
from nnlayers.estimators.table_clock import Clock, affordable_rows
from nnlayers.estimators.table_encoder import TableEncoder
from nnlayers.estimators.table_network import bin_edges
from nnlayers.estimators.table_plan import Costs, Plan
from nnlayers.estimators.table_rows import read_table
from nnlayers.estimators.tabular_base import BaseTabular

RNG = np.random.default_rng(0)
ROWS = 120
X = RNG.normal(size=(ROWS, 3))
CLASSES = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
VALUES = X[:, 0] - 2 * X[:, 1]


def small_plan(estimator, rows):
    """Return the plan of an estimator with fewer steps and smaller layers."""
    plan = BaseTabular._plan(estimator, rows)
    schedule = replace(plan.schedule, steps=100, measurements=4, lr=2e-2)
    sizes = tuple(replace(size, width=16, depth=1, members=2) for size in plan.sizes)
    return replace(plan, parts=2, networks=2, sizes=sizes, schedule=schedule)


class Classifier(TabularClassifier):
    _plan = small_plan


class Regressor(TabularRegressor):
    _plan = small_plan


class PatientRegressor(TabularRegressor):
    def _plan(self, rows):
        plan = small_plan(self, rows)
        return replace(plan, schedule=replace(plan.schedule, steps=300))


def frame():
    """Return rows with a column of each kind, in which some values are missing."""
    rng = np.random.default_rng(1)
    columns = {
        "number": rng.lognormal(3, 2, ROWS),
        "whole": pd.array(rng.integers(0, 9, ROWS), dtype="Int64"),
        "flag": rng.random(ROWS) > 0.5,
        "text": rng.choice(["red", "green", "blue"], ROWS),
        "many": rng.choice([f"level {i}" for i in range(20)], ROWS),
        "category": pd.Categorical(rng.choice(["1", "2", "3"], ROWS)),
        "date": np.datetime64("2020-01-01") + rng.integers(0, 900, ROWS),
        "written date": [f"{day:02}.03.2021" for day in rng.integers(1, 31, ROWS)],
        "money": [f"${n},000" for n in rng.integers(1, 90, ROWS)],
        "constant": np.ones(ROWS),
        "blank": [None] * ROWS,
        "name": [f"person {i}" for i in range(ROWS)],
    }
    table = pd.DataFrame(columns)
    for name in ("number", "whole", "text", "many", "category", "date", "written date"):
        table.loc[rng.random(ROWS) < 0.1, name] = None
    return table


@pytest.mark.untraced
@parametrize_with_checks([Classifier(random_state=0), Regressor(random_state=0)])
@pytest.mark.filterwarnings("ignore")
def test_every_check_for_estimators_holds(estimator, check):
    check(estimator)


def test_a_frame_with_every_kind_of_column_is_learnt_from():
    table = frame()
    y = np.where(table.text.isna(), 1.0, 0.0) + 3.0 * (table.category == "2").to_numpy()
    model = PatientRegressor(random_state=0).fit(table, y)
    assert model.score(table, y) > 0.8
    assert list(model.feature_names_in_) == list(table.columns)
    assert model.n_features_in_ == 12


def test_frames_of_polars_give_the_model_of_pandas():
    polars = pytest.importorskip("polars")
    table = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y")})
    one = Regressor(random_state=0).fit(table, VALUES)
    same = Regressor(random_state=0).fit(polars.from_pandas(table), VALUES)
    np.testing.assert_array_equal(one.predict(table), same.predict(polars.from_pandas(table)))


def test_an_array_of_objects_gives_the_model_of_its_columns():
    table = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y")})
    one = Classifier(random_state=0).fit(table, CLASSES)
    same = Classifier(random_state=0).fit(table.to_numpy(object), CLASSES)
    np.testing.assert_array_equal(
        one.predict_proba(table), same.predict_proba(table.to_numpy(object))
    )


def test_missing_numbers_in_an_array_are_told_apart_from_others():
    rows = X.copy()
    rows[::3, 0] = np.nan
    y = np.isnan(rows[:, 0]).astype(int)
    assert Classifier(random_state=0).fit(rows, y).score(rows, y) > 0.95


@pytest.mark.filterwarnings("ignore:X. column 'text' has 1 row of a category")
@pytest.mark.filterwarnings("ignore:X. column 'flag' has 1 missing value")
def test_unknown_levels_and_newly_missing_values_are_predicted():
    table = frame().drop(columns=["name", "blank"])
    model = Regressor(random_state=0).fit(table, VALUES)
    new = table.astype({"text": object, "flag": object}).copy()
    new.loc[3, "text"], new.loc[4, "flag"] = "purple", None
    predicted = model.predict(new)
    assert np.isfinite(predicted).all()
    kept = np.delete(np.arange(ROWS), [3, 4])
    np.testing.assert_allclose(predicted[kept], model.predict(table)[kept], rtol=1e-5)


def test_the_order_of_rows_does_not_matter():
    order = np.random.default_rng(2).permutation(ROWS)
    table = frame()
    one = Classifier(random_state=3).fit(table, CLASSES)
    other = Classifier(random_state=3).fit(table.iloc[order], CLASSES[order])
    np.testing.assert_array_equal(one.predict_proba(table), other.predict_proba(table))


def test_a_seed_gives_the_same_model_and_another_one_another():
    models = [Regressor(random_state=seed).fit(X, VALUES).predict(X) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(models[0], models[1])
    assert (models[0] != models[2]).any()


def test_one_thread_gives_the_model_of_several():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    several = Regressor(random_state=0).fit(X, VALUES)
    with threadpoolctl.threadpool_limits(1):
        alone = Regressor(random_state=0).fit(X, VALUES)
    np.testing.assert_allclose(alone.predict(X), several.predict(X), rtol=1e-4, atol=1e-4)


def test_every_other_network_of_a_small_regression_learns_its_vectors_more_slowly():
    def scales(model, y):
        networks = model.fit(X, y).networks_
        return [{parameter.lr_scale for parameter in net.parameters()} for net in networks]

    assert scales(Regressor(random_state=0), VALUES) == [{0.2, 1.0}, {1.0}]
    assert scales(Classifier(random_state=0), CLASSES) == [{1.0}, {1.0}]


def test_copies_predict_alike_and_clones_are_not_fitted():
    model = Classifier(random_state=0, members=3).fit(frame(), CLASSES)
    for copied in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(copied.predict_proba(frame()), model.predict_proba(frame()))
    assert clone(model).members == 3
    with pytest.raises(NotFittedError):
        clone(model).predict(frame())


def test_probabilities_add_up_to_one_and_name_the_classes():
    model = Classifier(random_state=0).fit(X, CLASSES)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert list(model.classes_) == ["no", "yes"]
    np.testing.assert_array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    assert model.temperature_ > 0


def test_a_row_of_weight_zero_has_no_influence():
    weight = np.linspace(0.5, 1.5, ROWS)
    weight[::4] = 0
    spoilt = np.where(weight == 0, 1e6, VALUES)
    kept = weight > 0
    one = Regressor(random_state=0).fit(X, spoilt, sample_weight=weight)
    other = Regressor(random_state=0).fit(X[kept], VALUES[kept], sample_weight=weight[kept])
    np.testing.assert_array_equal(one.predict(X), other.predict(X))


def test_weights_move_the_prediction():
    y = np.arange(ROWS) % 2
    weight = np.where(y == 1, 2.5, 0.5)
    p = Classifier(random_state=0).fit(np.ones((ROWS, 1)), y, weight).predict_proba([[1.0]])
    assert p[0, 1] == pytest.approx(2.5 / 3, abs=0.05)


def test_deviations_and_intervals_fit_the_errors():
    rows, y = make_friedman1(700, noise=1.0, random_state=0)
    model = Regressor(random_state=0).fit(rows[:300], y[:300])
    values, deviations = model.predict(rows[300:], return_std=True)
    np.testing.assert_array_equal(values, model.predict(rows[300:]))
    errors = y[300:] - values
    assert np.sqrt(np.mean((errors / deviations) ** 2)) == pytest.approx(1, abs=0.3)
    intervals = {}
    for method in ("cv", "cv+"):
        intervals[method] = model.predict_interval(rows[300:], coverage=0.8, method=method)
        low, high = intervals[method].T
        assert np.mean((low <= y[300:]) & (y[300:] <= high)) == pytest.approx(0.8, abs=0.1)
    assert np.ptp(intervals["cv"], axis=1).mean() < np.ptp(intervals["cv+"], axis=1).mean()
    np.testing.assert_array_equal(intervals["cv"], model.predict_interval(rows[300:], 0.8))
    np.testing.assert_allclose(intervals["cv"].mean(axis=1), values)
    with pytest.raises(ValueError, match="coverage must be a finite number above 0"):
        model.predict_interval(rows, coverage=1)
    with pytest.raises(ValueError, match=r"method must be 'cv' or 'cv\+', got 'split'"):
        model.predict_interval(rows, method="split")


def test_a_constant_target_is_predicted():
    model = Regressor(random_state=0).fit(X, np.full(ROWS, 7.0))
    np.testing.assert_allclose(model.predict(X), 7)


@pytest.mark.parametrize("scale", [1e-30, 1e30, 1e300])
def test_the_scale_of_numbers_does_not_matter(scale):
    model = Regressor(random_state=0).fit(X * scale, VALUES * scale)
    one = Regressor(random_state=0).fit(X, VALUES)
    np.testing.assert_allclose(model.predict(X * scale) / scale, one.predict(X), atol=0.1)


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_a_few_rows_are_enough(rows):
    assert np.isfinite(Regressor(random_state=0).fit(X[:rows], VALUES[:rows]).predict(X)).all()
    labels = np.arange(rows) % 2
    assert Classifier(random_state=0).fit(X[:rows], labels).predict(X).shape == (ROWS,)


def test_no_rows_give_no_predictions():
    table = pd.DataFrame(X, columns=list("abc"))
    model = Classifier(random_state=0).fit(table, CLASSES)
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(table[:0])


def test_a_clock_ends_with_its_steps_or_its_time_whichever_is_first():
    now = perf_counter()
    assert Clock(now, None).progress(0.5) == 0.5
    assert Clock(now, 1e6).progress(1.5) == 1
    assert Clock(now - 60, 100).progress(0.1) == pytest.approx(0.63, abs=0.03)
    late = Clock(now - 60, 100)
    assert late.left == pytest.approx(35, abs=3)
    late.begin()
    assert late.progress(0.1) == 0.1
    late.reserve(50)
    assert late.progress(0.1) == 1
    assert late.left == 0
    late.extend(50)
    assert late.left == pytest.approx(35, abs=3)


def test_a_time_limit_ends_the_fit_early():
    model = TabularRegressor(time_limit=0.2, random_state=0).fit(X, VALUES)
    assert len(model.losses_) < 40
    assert np.isfinite(model.predict(X)).all()


def test_a_limit_too_short_for_a_large_table_gives_a_small_model_of_all_classes():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(11_000, 2))
    y = (rows[:, 0] > 0).astype(int)
    y[7] = 5
    model = Classifier(time_limit=1e-9, random_state=0).fit(rows, y, np.full(len(y), 0.5))
    assert len(model.networks_) == len(model.losses_) == 1
    assert model.classes_.tolist() == [0, 1, 5]
    np.testing.assert_allclose(model.predict_proba(rows[:9]).sum(axis=1), 1)
    values = Regressor(time_limit=1e-9, random_state=0).fit(rows, rows[:, 0])
    assert np.isfinite(values.predict_interval(rows[:9])).all()


def test_as_many_rows_are_taken_as_can_be_encoded_in_time():
    rng = np.random.default_rng(0)
    table = Table({"a": rng.normal(size=12_000), "b": ["x", "y"] * 6000})
    assert affordable_rows(table, (), 1e6, rng) == 12_000
    assert affordable_rows(table, (), 1e-9, rng) == 5000
    assert affordable_rows(table.rows(slice(0, 10_000)), (), 1e-9, rng) == 10_000


def test_a_short_time_is_for_fewer_networks_that_leave_out_fewer_rows():
    plan, costs = Plan.for_rows(10_000, 10, 16, False), Costs(step=1e-3, row=1e-5)
    assert plan.within(100.0, 10_000, costs, threads=2) == plan
    short = plan.within(8.0, 10_000, costs, threads=1)  # 8,000 steps are 26 epochs.
    assert (short.networks, short.parts) == (3, 10)
    shorter = plan.within(0.1, 10_000, costs, threads=1)
    assert (shorter.networks, shorter.parts) == (1, 20)
    assert plan.within(0.0, 10_000, costs, threads=1).networks == 1


def test_fitting_gives_the_features_of_encoding():
    table, categories = read_table(Regressor(), frame(), is_training=True)
    encoder = TableEncoder()
    encoded = encoder.fit_encode(table, categories)
    assert encoded.shape == (ROWS, encoder.width)
    np.testing.assert_array_equal(encoded, encoder.encode(table))


def test_edges_of_a_sample_of_rows_are_near_those_of_all():
    x = np.random.default_rng(0).normal(size=(60_000, 1))
    exact = PiecewiseScaler.fit(x[:, 0], 96).edges
    (edges,) = bin_edges(x, 96, np.random.default_rng(0))
    ranks = np.searchsorted(np.sort(x[:, 0]), [exact, edges]) / len(x) * 96
    assert 0 < np.abs(ranks[0] - ranks[1]).max() < 1
    few = PiecewiseScaler.fit(x[:20_000, 0], 96).edges
    np.testing.assert_array_equal(bin_edges(x[:20_000], 96, None)[0], np.float32(few))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"time_limit": 0}, "'time_limit' parameter"),
        ({"time_limit": "1 min"}, "'time_limit' parameter"),
        ({"members": 0}, "'members' parameter"),
        ({"engine": "fast"}, "'engine' parameter"),
        ({"random_state": "x"}, "'random_state' parameter"),
    ],
)
def test_a_bad_setting_is_an_error_that_names_it(settings, message):
    with pytest.raises(ValueError, match=message):
        Classifier(**settings).fit(X, CLASSES)


def masked(array):
    return np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 1)


@pytest.mark.parametrize(
    ("rows", "y", "weight", "message"),
    [
        (X[:1], VALUES[:1], None, "at least 2 rows are needed to train on, got n_samples=1"),
        (X, VALUES[:-1], None, "inconsistent numbers of samples"),
        (X, np.where(X[:, 0] > 1, np.nan, VALUES), None, "Input y contains NaN"),
        (np.where(X > 2, np.inf, X), VALUES, None, "infinity"),
        (masked(X), VALUES, None, "X must have no masked entries, got 1"),
        (X, masked(VALUES), None, "y must have no masked entries, got 1"),
        (X, VALUES, -np.ones(ROWS), "Negative values in data passed to `sample_weight`"),
        (X, VALUES, np.zeros(ROWS), "at least one non-zero number"),
        (X, VALUES, np.ones(3), "sample_weight.shape"),
        (np.empty((ROWS, 0)), VALUES, None, r"0 feature\(s\)"),
        (pd.DataFrame(index=range(ROWS)), VALUES, None, r"0 feature\(s\)"),
        (X, np.stack([VALUES, VALUES], axis=1), None, "y should be a 1d array"),
    ],
)
def test_bad_data_is_an_error_that_says_what_is_wrong(rows, y, weight, message):
    with pytest.raises(ValueError, match=message):
        Regressor().fit(rows, y, sample_weight=weight)


def test_a_single_class_is_an_error():
    with pytest.raises(ValueError, match="y must hold at least two classes, got only yes"):
        Classifier().fit(X, np.full(ROWS, "yes"))


def test_a_column_of_something_else_is_an_error():
    rows = X.astype(object)
    rows[0, 0] = {"a": 1}
    with pytest.raises(TypeError, match="a string, a date or a number in a column of X, got dict"):
        Regressor().fit(rows, VALUES)


def test_other_columns_than_in_training_are_an_error():
    table = pd.DataFrame(X, columns=list("abc"))
    model = Regressor(random_state=0).fit(table, VALUES)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="expecting 3 features"):
        Regressor(random_state=0).fit(X, VALUES).predict(X[:, :2])


@pytest.mark.parametrize("weight", [None, np.linspace(0.1, 1.7, ROWS)], ids=["plain", "weighted"])
@pytest.mark.parametrize("make", [Classifier, Regressor])
def test_both_engines_give_the_same_outputs(make, weight, monkeypatch):
    pytest.importorskip("numba")
    y = CLASSES if make is Classifier else VALUES
    expected = make(engine="numpy", random_state=0).fit(frame(), y, sample_weight=weight)

    def refuse(*arguments):
        raise AssertionError("a step was done by the NumPy path")

    monkeypatch.setattr(nn.Trainer, "_step", refuse)
    model = make(engine="compiled", random_state=0).fit(frame(), y, sample_weight=weight)
    # The engines round differently, and a training of many steps in float32 makes more of that;
    # tests/engine/test_table_trainings.py compares 50 steps closely.
    np.testing.assert_allclose(model.losses_, expected.losses_, rtol=1e-4)
    outputs = [
        m.predict_proba(frame()) if make is Classifier else m.predict(frame())
        for m in (model, expected)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)


def test_cross_validation_gives_one_score_a_fold():
    assert (cross_val_score(Classifier(random_state=0), frame(), CLASSES, cv=2) > 0).all()


def test_networks_that_train_at_the_same_time_have_losses_of_their_own(monkeypatch):
    backward, used = nn.MeanSquaredError.backward, []

    def record(loss):
        used.append(loss)
        return backward(loss)

    monkeypatch.setattr(nn.MeanSquaredError, "backward", record)
    model = Regressor(engine="numpy", random_state=0).fit(X, VALUES)
    assert len(set(map(id, used))) == len(model.networks_) == 2
