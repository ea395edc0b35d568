"""Wrong data and divergence are the same errors on both engines, and leave the same state."""

import warnings

import numpy as np
import pytest

import nnlayers as nn

pytest.importorskip("numba")

ROWS = 40
LAST = slice(33, 40)


def classifier(engine, **options):
    layers = nn.BatchNorm(6), nn.ReLU(), nn.Dropout(0.2, rng=2), nn.Affine(6, 3, rng=1)
    model = nn.Sequential(nn.Affine(3, 6, rng=0), *layers).astype("float64")
    return trainer_of(model, nn.SoftmaxCrossEntropy(), engine, **options)


def regressor(engine, loss=None, **options):
    model = nn.mlp([3, 6, 2], activation="softplus", dtype="float64", rng=0)
    return trainer_of(model, loss or nn.MeanSquaredError(), engine, **options)


def trainer_of(model, loss, engine, lr=0.01, **options):
    optimizer = nn.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return nn.Trainer(model, loss, optimizer, engine=engine, **options)


def embedder(engine):
    model = nn.Sequential(nn.Embedding(5, 3, rng=0), nn.Flatten(), nn.Affine(6, 3, rng=1))
    return trainer_of(model, nn.SoftmaxCrossEntropy(), engine)


def entity_embedder(engine):
    model = nn.Sequential(nn.EntityEmbedding([1], [4], rng=0), nn.Affine(4, 3, rng=1))
    return trainer_of(model, nn.SoftmaxCrossEntropy(), engine)


def counter(engine):
    return regressor(engine, nn.Poisson())


def labeller(engine):
    return regressor(engine, nn.SigmoidCrossEntropy())


def numbers():
    return np.random.default_rng(0).normal(size=(ROWS, 3))


def classes():
    return np.arange(ROWS) % 3


def values():
    return np.random.default_rng(1).normal(size=(ROWS, 2))


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


def distributions():
    q = np.random.default_rng(2).random((ROWS, 3)) + 0.1
    return q / q.sum(axis=1, keepdims=True)


def ids():
    return np.random.default_rng(3).integers(5, size=(ROWS, 2))


def with_ids():
    return changed(numbers(), (slice(None), 1), np.arange(ROWS) % 4)


def weights():
    return np.linspace(0.5, 2, ROWS)


# The trainer, the inputs, the targets and the sample weights.
FAULTS = {
    "NaN in X": (classifier, changed(numbers(), (37, 1), np.nan), classes(), None),
    "infinity in X": (classifier, changed(numbers(), (5, 1), np.inf), classes(), None),
    "NaN in some rows of X": (regressor, changed(numbers(), (LAST, 1), np.nan), values(), None),
    "huge X": (regressor, changed(numbers(), 35, 1e200), values(), None),
    "X of another width": (classifier, numbers()[:, :2], classes(), None),
    "X of one axis": (classifier, numbers()[:, 0], classes(), None),
    "X of three axes": (regressor, numbers()[:, None], values(), None),
    "complex X": (classifier, numbers() * 1j, classes(), None),
    "X of objects": (classifier, numbers().astype(object), classes(), None),
    "class too high": (classifier, numbers(), changed(classes(), 37, 3), None),
    "class too low": (classifier, numbers(), changed(classes(), 37, -1), None),
    "classes far too high": (classifier, numbers(), classes().astype(np.uint64) + (1 << 63), None),
    "classes as floats": (classifier, numbers(), classes() + 0.5, None),
    "classes in a column": (classifier, numbers(), classes()[:, None], None),
    "sum of a distribution": (classifier, numbers(), changed(distributions(), (37, 1), 2), None),
    "negative share": (classifier, numbers(), changed(distributions(), 37, [-0.5, 1, 0.5]), None),
    "NaN in y": (regressor, numbers(), changed(values(), (37, 1), np.nan), None),
    "infinity in y": (regressor, numbers(), changed(values(), (5, 1), -np.inf), None),
    "huge y": (regressor, numbers(), changed(values(), (37, 1), 1e200), None),
    "y of another width": (regressor, numbers(), values()[:, :1], None),
    "complex y": (regressor, numbers(), values() * 1j, None),
    "y of objects": (regressor, numbers(), values().astype(object), None),
    "y as texts": (regressor, numbers(), values().astype(str), None),
    "y of dates": (regressor, numbers(), values().astype("datetime64[s]"), None),
    "y of one axis": (regressor, numbers(), values()[:, 0], None),
    "negative count": (counter, numbers(), changed(np.abs(values()), 37, -1), None),
    "target above 1": (labeller, numbers(), 1.0 * changed(values() > 0, 37, True) + 1, None),
    "too few targets": (classifier, numbers(), classes()[:-1], None),
    "negative weight": (classifier, numbers(), classes(), changed(weights(), 37, -1)),
    "NaN weight": (regressor, numbers(), values(), changed(weights(), 37, np.nan)),
    "infinite weight": (regressor, numbers(), values(), changed(weights(), 37, np.inf)),
    "too few weights": (classifier, numbers(), classes(), weights()[:-1]),
    "weights in a column": (classifier, numbers(), classes(), weights()[:, None]),
    "weights as texts": (classifier, numbers(), classes(), ["heavy"] * ROWS),
    "id too high": (embedder, changed(ids(), (37, 1), 5), classes(), None),
    "id too low": (embedder, changed(ids(), (37, 1), -1), classes(), None),
    "ids as floats": (embedder, ids() + 0.5, classes(), None),
    "level too high": (entity_embedder, changed(with_ids(), (37, 1), 4), classes(), None),
    "level between ids": (entity_embedder, changed(with_ids(), (37, 1), 1.5), classes(), None),
    "unknown level": (entity_embedder, changed(with_ids(), (37, 1), np.nan), classes(), None),
    "no rows": (classifier, numbers()[:0], classes()[:0], None),
}  # fmt: skip
each_fault = pytest.mark.parametrize(("make", "X", "y", "weight"), FAULTS.values(), ids=FAULTS)


def outcome(trainer, act):
    """Return the error of an action, and the warnings; the state is the trainer's."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = act(trainer)
        except Exception as error:
            result = type(error), str(error)
    return result, [str(warning.message) for warning in caught]


def assert_same_outcome(make, act):
    compiled, other = make("compiled"), make("numpy")
    result, expected = outcome(compiled, act), outcome(other, act)
    if not isinstance(expected[0], float):
        assert result == expected
        assert isinstance(expected[0], tuple), "the action raises no error"
    assert_same_state(compiled, other)
    return result[0], expected[0]


def assert_same_state(trainer, other):
    state, expected = trainer.state_dict(), other.state_dict()
    assert list(state) == list(expected)
    for name, array in expected.items():
        if array.dtype.kind == "f":
            np.testing.assert_allclose(state[name], array, rtol=1e-6, atol=1e-9, err_msg=name)
        else:
            np.testing.assert_array_equal(state[name], array, err_msg=name)
    assert not any(parameter.grad.any() for parameter in trainer.model.parameters())
    assert [layer.training for layer in trainer.model.named_layers().values()] == [
        layer.training for layer in other.model.named_layers().values()
    ]


@each_fault
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_a_fit_fails_alike(make, X, y, weight, shuffle):
    def act(trainer):
        options = {"epochs": 2, "batch_size": 7, "shuffle": shuffle, "rng": 3}
        trainer.fit(X, y, sample_weight=weight, **options)

    assert_same_outcome(make, act)


@each_fault
def test_a_step_fails_alike(make, X, y, weight):
    def act(trainer):
        # The first rows of most are right, so that a program exists.
        outcome(
            trainer,
            lambda trainer: trainer.step(X[:5], y[:5], None if weight is None else weight[:5]),
        )
        return trainer.step(X, y, weight)

    assert_same_outcome(make, act)


@pytest.mark.parametrize("clipping", [{}, {"clip_norm": 1.0}, {"clip_value": 1.0}], ids=str)
@pytest.mark.parametrize("lr", [1e200, 1e300, lambda step: 0.01 if step < 7 else 1e200])
def test_divergence_is_that_of_the_same_step(lr, clipping):
    def act(trainer):
        trainer.fit(numbers(), values(), epochs=30, batch_size=7, shuffle=False)

    (kind, message), expected = assert_same_outcome(
        lambda engine: regressor(engine, lr=lr, **clipping), act
    )
    assert (kind, message) == expected
    assert kind is nn.training.DivergenceError


@pytest.mark.parametrize("clipping", [{}, {"clip_norm": 1.0}, {"clip_value": 1.0}], ids=str)
def test_a_gradient_that_overflows_is_noticed_before_the_weights_move(clipping):
    def make(engine):
        model = nn.Affine(1, 1, weight_init="zeros", dtype="float64")
        return trainer_of(model, nn.MeanSquaredError(), engine, lr=0.0, **clipping)

    def act(trainer):
        X, y = np.ones((6, 1)), np.ones((6, 1))
        X[4], y[4] = 1e200, 1e150  # The loss is 1e300.
        trainer.fit(X, y, epochs=1, batch_size=2, shuffle=False)

    (_, message), _ = assert_same_outcome(make, act)
    assert message.startswith("training diverged in epoch 1, step 3: the gradient of ")


def test_an_overflow_in_the_last_step_of_an_epoch_is_noticed():
    def make(engine):
        return regressor(engine, lr=lambda step: 0.01 if step < 5 else 1e308)

    def act(trainer):
        trainer.fit(1e3 * numbers(), 1e4 * values(), epochs=1, batch_size=7, shuffle=False)

    assert_same_outcome(make, act)


@pytest.mark.parametrize(("dtype", "size"), [("float32", 1e22), ("float64", 1e158)])
def test_a_gradient_whose_square_overflows_is_noticed_by_centred_averages(dtype, size):
    def make(engine):
        model = nn.Affine(1, 1, weight_init="zeros", dtype=dtype)
        optimizer = nn.optim.RMSProp(model.parameters(), centered=True)
        return nn.Trainer(model, nn.MeanAbsoluteError(), optimizer, engine=engine)

    def act(trainer):
        trainer.fit(np.full((2, 1), size, dtype), np.ones((2, 1), dtype), epochs=3)

    (_, message), expected = assert_same_outcome(make, act)
    assert message == expected[1]
    assert message.startswith("training diverged in epoch 1, step 1: the weights of ")


@pytest.mark.parametrize("rows", [1, 2, 0])
@pytest.mark.parametrize("weight", [None, 0.0, 2.0])
@pytest.mark.parametrize("make", [classifier, regressor], ids=["classes", "values"])
def test_few_rows_and_none_are_one_step(make, rows, weight):
    y = classes() if make is classifier else values()
    weights = None if weight is None else np.full(rows, weight)
    loss, expected = assert_same_outcome(
        make, lambda trainer: trainer.step(numbers()[:rows], y[:rows], weights)
    )
    assert loss == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_one_feature_and_one_output(batch_size):
    def make(engine):
        model = nn.Sequential(nn.Affine(1, 1, rng=0), nn.Tanh(), nn.Affine(1, 1, rng=1))
        return trainer_of(model.astype("float64"), nn.MeanSquaredError(), engine)

    pair = [make(engine) for engine in ("compiled", "numpy")]
    for trainer in pair:
        trainer.fit(numbers()[:, :1], values()[:, :1], epochs=2, batch_size=batch_size, rng=0)
        trainer.fit(numbers()[:1, :1], values()[:1, :1], epochs=2, batch_size=batch_size, rng=0)
    assert_same_state(*pair)


def test_a_fit_goes_on_after_an_error_as_with_numpy():
    bad, good = changed(numbers(), (20, 0), np.nan), numbers()
    pair = [regressor(engine) for engine in ("compiled", "numpy")]
    options = {"epochs": 1, "batch_size": 6, "rng": 1}
    for trainer in pair:
        for X in (bad, good, bad):
            outcome(trainer, lambda trainer, X=X: trainer.fit(X, values(), **options))
        assert len(trainer.history) == 1
    assert_same_state(*pair)
