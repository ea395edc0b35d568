"""Programs do the steps of the NumPy path, and stop before a step that it must do."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.engine import BatchKind, CompiledTraining
from nnlayers.optim.clipping import GradientBounds

pytest.importorskip("numba")

ROWS, BATCH = 40, 8


class Setting:
    """A classifier and its data, with the program that trains it."""

    def __init__(self, dtype=np.float64, weighted=False, gathered=True, max_norm=None, **optimizer):
        rng = np.random.default_rng(0)
        self.X = rng.normal(size=(ROWS, 3)).astype(dtype)
        self.y = rng.integers(4, size=ROWS)
        self.weight = rng.uniform(0.5, 2, size=ROWS) if weighted else None
        self.model = nn.mlp([3, 6, 4], rng=0, dtype=dtype)
        self.loss = nn.SoftmaxCrossEntropy()
        self.optimizer = nn.optim.Adam(self.model.parameters(), **({"lr": 0.01} | optimizer))
        self.trainer = nn.Trainer(
            self.model, self.loss, self.optimizer, clip_norm=max_norm, engine="numpy"
        )
        kind = BatchKind(
            (3,), (), np.dtype(dtype), np.dtype(np.int64), weighted, BATCH, gathered, False
        )
        bounds = GradientBounds(max_norm)
        programs = CompiledTraining(self.model, self.loss, self.optimizer, bounds)
        self.program = programs.program_for(kind)
        self.program.load(self.X, self.y, self.weight)

    def run(self, order, counts=None):
        if counts is None:
            counts = np.full(5, BATCH)
        return self.program.run(order, counts)

    def numpy_step(self, rows):
        weight = None if self.weight is None else self.weight[rows]
        return self.trainer.step(self.X[rows], self.y[rows], weight)

    def step(self, x, y, weight=None):
        program = self.program
        return program.step(x, y, weight) if program.takes(x, y, weight) else None

    def state(self):
        return self.trainer.state_dict()


def assert_same_state(setting, other, rtol=1e-12):
    for name, array in other.state().items():
        np.testing.assert_allclose(setting.state()[name], array, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "uncompiled"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("gathered", [False, True])
def test_rows_come_in_any_order_or_their_own(gathered, weighted, compiled, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", str(int(not compiled)))
    setting, other = (Setting(weighted=weighted, gathered=gathered) for _ in range(2))
    order = np.random.default_rng(2).permutation(ROWS) if gathered else np.arange(ROWS)
    counts = np.array([8, 8, 8, 8, 5])
    assert setting.run(order[:37] if gathered else slice(0, 37), counts) == 5
    losses = [other.numpy_step(order[start : min(start + 8, 37)]) for start in range(0, 37, 8)]
    np.testing.assert_allclose(setting.program.results(5)[0], losses, rtol=1e-12)
    assert_same_state(setting, other)
    assert setting.loss.total_weight == pytest.approx(other.loss.total_weight, rel=1e-12)


def test_a_later_call_continues_within_the_rows():
    setting, other = Setting(gathered=False), Setting(gathered=False)
    assert setting.run(slice(0, 16), np.array([8, 8])) == 2
    assert setting.run(slice(16, 40), np.array([8, 8, 8])) == 3
    assert other.run(slice(0, 40)) == 5
    assert_same_state(setting, other, rtol=0)


@pytest.mark.parametrize("max_norm", [None, 0.5])
@pytest.mark.parametrize("fault", ["NaN in x", "class out of range", "negative class", "overflow"])
def test_a_step_that_fails_changes_nothing(fault, max_norm):
    setting, other = (Setting(gathered=False, max_norm=max_norm) for _ in range(2))
    third = slice(2 * BATCH, 3 * BATCH)
    for part in (setting, other):
        if fault == "NaN in x":
            part.X[third][3, 1] = np.nan
        elif fault == "overflow":
            # The loss is finite, and its gradient is not.
            part.X[third] = [1.7e308, 0, 0]
            part.model[0].W.value[0] = 1e-300
            part.model[2].W.value *= 1e6
        else:
            part.y[third][3] = -1 if fault == "negative class" else 4
    assert setting.run(slice(0, ROWS)) == 2
    for start in (0, BATCH):
        other.numpy_step(slice(start, start + BATCH))
    assert_same_state(setting, other)
    assert setting.optimizer.steps == 2
    # The NumPy path can do the step, and says what is wrong.
    with pytest.raises((ValueError, FloatingPointError)):
        setting.numpy_step(third)


def test_a_gradient_that_the_user_left_is_not_lost():
    setting, other = Setting(), Setting()
    for part in (setting, other):
        part.model[2].b.grad += 1.0
    assert setting.run(np.arange(ROWS)) == 0
    assert (setting.model[2].b.grad == 1).all()
    assert setting.trainer.step(setting.X, setting.y) == other.trainer.step(other.X, other.y)
    assert_same_state(setting, other, rtol=0)
    assert setting.run(np.arange(ROWS)) == 5


def test_a_schedule_that_fails_ends_the_call_before_its_step():
    def rate(step):
        if step == 3:
            raise RuntimeError("no rate for step 3")
        return 0.01

    setting = Setting(lr=rate)
    assert setting.run(np.arange(ROWS)) == 3
    assert setting.run(np.arange(ROWS)) == 0
    assert setting.optimizer.steps == 3
    setting.optimizer.lr = lambda step: -1.0 if step == 4 else 0.01
    assert setting.run(np.arange(ROWS)) == 1


def test_frozen_layers_at_the_front_need_no_gradient():
    setting, other = Setting(), Setting()
    for part in (setting, other):
        part.model[0].freeze()
    programs = CompiledTraining(setting.model, setting.loss, setting.optimizer, GradientBounds())
    setting.program = programs.program_for(setting.program.kind)
    setting.program.load(setting.X, setting.y, None)
    first = setting.model[0].W.value.copy()
    assert setting.run(np.arange(ROWS)) == 5
    for start in range(0, ROWS, BATCH):
        other.numpy_step(slice(start, start + BATCH))
    np.testing.assert_array_equal(setting.model[0].W.value, first)
    assert_same_state(setting, other)
    names = [call.kernel.__name__ for call in setting.program.program.instructions]
    assert names.count("weight_gradient") == 1
    assert "input_gradient" not in names


def test_a_parameter_of_two_layers_is_left_to_numpy():
    model = nn.Sequential(nn.Affine(3, 3), nn.ReLU(), nn.Affine(3, 3))
    model[2].W = model[0].W
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
    programs = CompiledTraining(model, nn.SoftmaxCrossEntropy(), optimizer, GradientBounds())
    kind = BatchKind((3,), (), np.dtype("float32"), np.dtype(np.int64), False, BATCH, True, False)
    assert programs.program_for(kind) == f"the parameter {model[0].W!r}, which is used twice"


def test_single_steps_are_those_of_numpy():
    setting, other = Setting(gathered=False), Setting(gathered=False)
    for rows in (8, 5, 1, 8):
        value = setting.step(setting.X[:rows], setting.y[:rows])
        assert value == pytest.approx(other.numpy_step(slice(0, rows)), rel=1e-12)
    assert_same_state(setting, other)
    assert setting.step(setting.X[:8] * np.nan, setting.y[:8]) is None
    assert setting.step(setting.X[:8], setting.y[:7]) is None
    assert_same_state(setting, other)


@pytest.mark.parametrize("bad", [np.nan, -1.0, np.inf])
def test_single_steps_take_weights_that_are_weights(bad):
    setting, other = (Setting(gathered=False, weighted=True) for _ in range(2))
    weight = np.arange(1.0, 9.0)
    value = setting.step(setting.X[:8], setting.y[:8], weight)
    assert value == pytest.approx(other.trainer.step(other.X[:8], other.y[:8], weight), rel=1e-12)
    weight[3] = bad
    assert setting.step(setting.X[:8], setting.y[:8], weight) is None
    assert setting.step(setting.X[:8], setting.y[:8], weight[:5]) is None
    assert_same_state(setting, other)


def test_data_that_was_released_is_not_referred_to():
    setting = Setting()
    setting.program.release_data()
    before = setting.state()
    setting.X[...] = np.nan
    setting.program.load(np.zeros((ROWS, 3)), setting.y, None)
    assert setting.run(np.arange(ROWS)) == 5
    assert all(np.isfinite(array).all() for array in setting.state().values())
    assert before.keys() == setting.state().keys()


def test_what_steps_leave_on_model_and_loss_lowers_nothing_anew():
    setting = Setting()
    assert setting.run(np.arange(ROWS)) == 5
    assert setting.program.is_current()
    setting.numpy_step(slice(0, BATCH))
    setting.model.predict(setting.X)
    assert setting.program.is_current()
    setting.model[0].forward = setting.model[0].forward
    assert not setting.program.is_current()
