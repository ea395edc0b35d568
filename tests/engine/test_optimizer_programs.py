"""Programs update weights as the optimizers do, with schedules, decay, scales and clipping."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers import optim
from nnlayers.engine import BatchKind, CompiledTraining
from nnlayers.engine.lowering.optimizers import unknown_optimizer
from nnlayers.optim.clipping import GradientBounds

pytest.importorskip("numba")

UNBOUNDED = GradientBounds()

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "SGD, decay": lambda p: optim.SGD(p, lr=0.1, weight_decay=0.01),
    "SGD, momentum": lambda p: optim.SGD(p, lr=0.03, momentum=0.9),
    "SGD, Nesterov": lambda p: optim.SGD(
        p, lr=0.03, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    "Adam": lambda p: optim.Adam(p, lr=0.01),
    "Adam, decay": lambda p: optim.Adam(p, lr=0.01, betas=(0.8, 0.99), eps=1e-6, weight_decay=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "NAdam": lambda p: optim.NAdam(p, lr=0.01, weight_decay=0.01),
    "AdaGrad": lambda p: optim.AdaGrad(p, lr_decay=0.1, initial_accumulator_value=0.1),
    "RMSProp": lambda p: optim.RMSProp(p, weight_decay=0.01),
    "RMSProp, momentum": lambda p: optim.RMSProp(p, lr=1e-3, momentum=0.9),
    "RMSProp, centred": lambda p: optim.RMSProp(p, lr=1e-3, centered=True),
    "RMSProp, both": lambda p: optim.RMSProp(p, lr=1e-3, centered=True, momentum=0.9),
    "AdaDelta": lambda p: optim.AdaDelta(p, weight_decay=0.01),
    "Lion": lambda p: optim.Lion(p, lr=1e-3, weight_decay=0.1),
}
ROWS, BATCH = 88, 8
TOLERANCES = {"float64": 1e-12, "float32": 1e-5}


def training(make, dtype, change=lambda model: None):
    model = nn.mlp([3, 6, 4], rng=0, dtype=dtype)
    change(model)
    return model, nn.SoftmaxCrossEntropy(), make(model.parameters())


def data(dtype):
    rng = np.random.default_rng(1)
    return rng.normal(size=(ROWS, 3)).astype(dtype), rng.integers(4, size=ROWS)


def program_for(model, loss, optimizer, bounds=UNBOUNDED, weighted=False):
    dtype = model[0].W.dtype
    kind = BatchKind((3,), (), dtype, np.dtype(np.int64), weighted, BATCH, True, False)
    return CompiledTraining(model, loss, optimizer, bounds).program_for(kind)


def counts(steps):
    return np.full(steps, BATCH)


def assert_same_training(make, dtype, bounds=UNBOUNDED, change=lambda model: None):
    """Compare the weights after 55 steps of a program with those after steps of NumPy."""
    X, y = data(dtype)
    model, loss, optimizer = training(make, dtype, change)
    program = program_for(model, loss, optimizer, bounds)
    program.load(X, y, None)
    other = training(make, dtype, change)
    clip_norm, clip_value = bounds
    trainer = nn.Trainer(*other, clip_norm=clip_norm, clip_value=clip_value, engine="numpy")
    losses, expected = [], []
    for epoch in range(5):
        order = np.random.default_rng(epoch).permutation(ROWS)
        for steps in (4, 7):
            assert program.run(order[: steps * BATCH], counts(steps)) == steps
            losses += program.results(steps)[0].tolist()
            for _ in range(steps):
                rows, order = order[:BATCH], order[BATCH:]
                expected.append(trainer.step(X[rows], y[rows]))
    rtol = TOLERANCES[np.dtype(dtype).name]
    np.testing.assert_allclose(losses, expected, rtol=rtol)
    for name, array in optimizer.state_dict().items():
        reference = trainer.optimizer.state_dict()[name]
        scale = np.abs(reference).max()
        np.testing.assert_allclose(array, reference, rtol=20 * rtol, atol=rtol * scale)
    for parameter, reference in zip(model.parameters(), other[0].parameters(), strict=True):
        scale = np.abs(reference.value).max()
        np.testing.assert_allclose(parameter.value, reference.value, rtol=rtol, atol=rtol * scale)
        assert not parameter.grad.any()


def test_every_optimizer_is_known():
    classes = {
        value
        for value in vars(optim).values()
        if isinstance(value, type) and issubclass(value, optim.Optimizer)
    }
    tested = {type(make([nn.Parameter([1.0])])) for make in OPTIMIZERS.values()}
    assert tested == classes - {optim.Optimizer}
    optimizers = [make([nn.Parameter([1.0])]) for make in OPTIMIZERS.values()]
    assert not any(map(unknown_optimizer, optimizers))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_program_moves_weights_as_the_optimizer_does(name, dtype):
    assert_same_training(OPTIMIZERS[name], dtype)


@pytest.mark.parametrize("name", ["SGD, momentum", "AdamW", "NAdam"])
def test_uncompiled_kernels_move_weights_as_the_optimizer_does(name, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert_same_training(OPTIMIZERS[name], "float64")


@pytest.mark.parametrize("name", GradientBounds._fields)
@pytest.mark.parametrize("bound", [1e-3, 0.3, 100.0])
def test_a_program_clips_the_gradient(bound, name):
    bounds = GradientBounds(**{name: bound})
    assert_same_training(OPTIMIZERS["SGD"], "float64", bounds)
    assert_same_training(OPTIMIZERS["Adam"], "float32", bounds)


def test_a_program_follows_a_schedule():
    schedule = optim.CosineDecay if hasattr(optim, "CosineDecay") else None
    rate = schedule(0.05, 100) if schedule else lambda step: 0.05 / (1 + step)
    assert_same_training(lambda p: optim.AdamW(p, lr=rate), "float64")


def test_frozen_weights_stay_and_others_keep_their_own_step_count():
    def freeze(model):
        model[0].W.trainable = False
        model[2].b.trainable = False

    assert_same_training(OPTIMIZERS["Adam"], "float64", change=freeze)
    assert_same_training(
        OPTIMIZERS["Adam"], "float64", GradientBounds(0.1), change=lambda m: m[0].freeze()
    )


def test_each_weight_has_its_rate_and_decay():
    def change(model):
        model[0].W.lr_scale = 0.1
        model[2].b.decay = False

    for name in ("Adam, decay", "AdamW", "SGD, Nesterov", "Lion"):
        assert_same_training(OPTIMIZERS[name], "float64", change=change)


def test_weights_that_the_model_does_not_use_move_as_with_a_gradient_of_zero():
    extra = {}

    def make(params):
        extra["W"] = nn.Parameter([1.0, 2.0])
        return optim.AdamW([*params, extra["W"]], lr=0.1, weight_decay=0.5)

    model, loss, optimizer = training(make, "float64")
    unused = extra["W"]
    unused.grad += 5.0
    unused.zero_grad()  # Its memory holds the fives still.
    program = program_for(model, loss, optimizer)
    program.load(*data("float64"), None)
    assert program.run(np.arange(2 * BATCH), counts(2)) == 2
    np.testing.assert_allclose(unused.value, np.array([1.0, 2.0]) * 0.95**2, rtol=1e-15)


def test_a_parameter_of_another_kind_is_lowered_anew():
    model, loss, optimizer = training(OPTIMIZERS["Adam"], "float64")
    programs = CompiledTraining(model, loss, optimizer, GradientBounds())
    kind = BatchKind((3,), (), np.dtype("float64"), np.dtype(np.int64), False, BATCH, True, False)
    program = programs.program_for(kind)
    assert programs.program_for(kind) is program
    optimizer.lr = 0.5
    assert programs.program_for(kind) is program
    for change in (
        lambda: setattr(optimizer, "eps", 1e-3),
        lambda: setattr(loss, "label_smoothing", 0.1),
        lambda: setattr(model[0], "training", False),
        lambda: setattr(model[0].W, "trainable", False),
        lambda: optimizer.load_state_dict(optimizer.state_dict()),
        lambda: setattr(model, "layers", (nn.Affine(3, 4, dtype="float64"),)),
    ):
        change()
        assert not program.is_current()
        program = programs.program_for(kind)
        if isinstance(program, str):
            break


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_state_drops_subnormal_numbers(make, dtype):
    model, loss, optimizer = training(make, dtype)
    # Units that are never active have gradients of 0, so that their state only shrinks.
    model[0].b.value[...] = -1e3
    tiny = np.finfo(dtype).tiny
    state = optimizer.state_dict()
    of_dead = [name for name in state if name.startswith("0.")]
    at_255 = {"steps": 255, "parameter_steps": np.full_like(state["parameter_steps"], 255)}
    optimizer.load_state_dict(
        state | at_255 | {name: np.full_like(state[name], tiny / 8) for name in of_dead}
    )
    program = program_for(model, loss, optimizer)
    X, y = data(dtype)
    program.load(X, y, None)
    assert program.run(np.arange(BATCH), counts(1)) == 1
    for name, array in optimizer.state_dict().items():
        if name in of_dead:
            assert ((array == 0) | (np.abs(array) >= tiny)).all(), name
