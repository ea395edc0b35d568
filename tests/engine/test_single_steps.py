"""`Trainer.step` with the compiled engine: batches of all forms, and changes between two steps."""

import numpy as np
import pytest

import nnlayers as nn

pytest.importorskip("numba")


class Halved(nn.ReLU):
    def compute_forward(self, x):
        y, saved = super().compute_forward(x)
        return y / 2, saved

    def compute_backward(self, dout, saved):
        return super().compute_backward(dout / 2, saved)


def batch(rows=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 3)), rng.integers(4, size=rows)


def make(engine, parameters=lambda model: model.parameters()):
    model = nn.Sequential(nn.BatchNorm(3), *nn.mlp([3, 6, 5, 4], rng=0)).astype(np.float64)
    loss = nn.SoftmaxCrossEntropy(class_weight=[1.0, 2.0, 3.0, 4.0])
    optimizer = nn.optim.Adam(parameters(model), lr=0.01)
    return nn.Trainer(model, loss, optimizer, engine=engine)


def assert_same(trainers):
    first, second = (trainer.state_dict(history=False) for trainer in trainers)
    for name, array in second.items():
        np.testing.assert_allclose(first[name], array, rtol=1e-10, atol=1e-12, err_msg=name)


def outcome(trainer, *arguments):
    """Return the loss of a step, or its error."""
    try:
        return trainer.step(*arguments)
    except (ArithmeticError, TypeError, ValueError) as error:
        return type(error), str(error)


def steps_agree(trainers, *arguments):
    first, second = (outcome(trainer, *arguments) for trainer in trainers)
    assert first == (second if isinstance(second, tuple) else pytest.approx(second, rel=1e-10))
    assert_same(trainers)


X, Y = batch()
W = np.arange(8.0)
FORMS = {
    "the same": (X, Y),
    "fewer rows": (X[:5], Y[:5]),
    "one row": (X[:1], Y[:1]),
    "more rows": batch(11),
    "no rows": (X[:0], Y[:0]),
    "float32": (X.astype("f4"), Y),
    "integers": ((X * 3).astype(int), Y),
    "bools": (X > 0, Y),
    "another byte order": (X.astype(">f8"), Y),
    "columns first": (np.asfortranarray(X), Y),
    "every other row": (X[::2], Y[::2]),
    "labels of 8 bits": (X, Y.astype(np.uint8)),
    "probabilities": (X, np.eye(4)[Y]),
    "lists": (X.tolist(), Y.tolist()),
    "a list of labels": (X, Y.tolist()),
    "weights": (X, Y, W),
    "integer weights": (X, Y, W.astype(int)),
    "a list of weights": (X, Y, W.tolist()),
    "too few weights": (X, Y, W[:7]),
    "a negative weight": (X, Y, -W),
    "too few labels": (X, Y[:7]),
    "a label too large": (X, Y + 4),
    "too few features": (X[:, :2], Y),
    "one feature": (X[:, 0], Y),
    "a number": (np.array(1.0), np.array(1)),
    "complex": (X * 1j, Y),
    "NaN": (np.full_like(X, np.nan), Y),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_batch_of_any_form_between_others_is_trained_on_as_by_numpy(form):
    trainers = [make(name) for name in ("compiled", "numpy")]
    for arguments in ((X, Y), form, (X[:5], Y[:5]), form, (X, Y)):
        steps_agree(trainers, *arguments)


CHANGES = {
    "an attribute": lambda trainer: setattr(trainer.loss, "label_smoothing", 0.1),
    "an array": lambda trainer: setattr(trainer.loss, "class_weight", np.arange(4.0)),
    "a class": lambda trainer: setattr(trainer.model[2], "__class__", Halved),
    "a method": lambda trainer: setattr(
        trainer.model[2], "forward", lambda x: nn.ReLU.forward(trainer.model[2], 2 * x)
    ),
    "the learning rate": lambda trainer: setattr(trainer.optimizer, "lr", 0.5),
    "a constant of the optimizer": lambda trainer: setattr(trainer.optimizer, "eps", 0.1),
    "the mode": lambda trainer: trainer.model.eval(),
    "a frozen layer": lambda trainer: trainer.model[1].freeze(),
    "a rate of a parameter": lambda trainer: setattr(trainer.model[1].W, "lr_scale", 0.1),
    "weights": lambda trainer: trainer.model[3].W.value.fill(0.25),
    "a replaced parameter": lambda trainer: setattr(
        trainer.model[3], "W", nn.Parameter(np.ones((6, 5)))
    ),
    "running statistics": lambda trainer: trainer.model[0].running_var.fill(4.0),
    "a gradient": lambda trainer: trainer.model[3].b.grad.fill(1.0),
    "the optimizer's state": lambda trainer: trainer.optimizer.load_state_dict(
        trainer.optimizer.state_dict() | {"0.m": np.ones(3)}
    ),
    "a layer": lambda trainer: setattr(
        trainer.model, "layers", (*trainer.model.layers[:-1], nn.Affine(5, 4, rng=9, dtype="f8"))
    ),
}


@pytest.mark.parametrize("by_numpy_before", [False, True])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_between_two_steps_is_noticed(change, by_numpy_before):
    trainers = [make(name) for name in ("auto", "numpy")]
    for rows in (8, 8, 5):
        steps_agree(trainers, X[:rows], Y[:rows])
    if by_numpy_before:
        # A step of NumPy leaves a cache in every layer.
        steps_agree(trainers, X.tolist(), Y)
        steps_agree(trainers, X, Y)
    for trainer in trainers:
        change(trainer)
    steps_agree(trainers, X, Y)
    steps_agree(trainers, X, Y)


def test_an_attribute_that_is_gone_is_noticed():
    trainers = [make(name) for name in ("compiled", "numpy")]
    for trainer in trainers:
        trainer.model.eval()
    steps_agree(trainers, X, Y)
    for trainer in trainers:
        del trainer.model[0].training  # The class has another.
    steps_agree(trainers, X, Y)
    assert trainers[0].model[0].running_mean.any()


def test_a_change_of_a_parameter_that_is_not_optimized_is_noticed():
    trainers = [make(name, lambda model: model.parameters()[2:]) for name in ("compiled", "numpy")]
    steps_agree(trainers, X, Y)
    program = trainers[0]._engine._programs._step_program
    for trainer in trainers:
        trainer.model[0].freeze()
    assert not program.is_current()
    steps_agree(trainers, X, Y)


def test_what_steps_leave_on_the_parts_lowers_no_program_anew():
    trainer = make("compiled")
    trainer.step(X, Y)
    program = trainer._engine._programs._step_program
    for arguments in ((X[:5], Y[:5]), (X.tolist(), Y), (X[:0], Y[:0])):
        trainer.step(*arguments)
        trainer.optimizer.lr *= 0.5
        trainer.step(X, Y)
        assert trainer._engine._programs._step_program is program
    trainer.model.forward(X)
    assert program.is_current()


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_during_an_unshuffled_fit_writes_to_no_data(weighted):
    class Step(nn.callbacks.Callback):
        def on_epoch_end(self, trainer):
            trainer.step(X, Y, W if weighted else None)

    data = [*batch(32, seed=1), np.linspace(0.5, 2, 32)]
    for array in data:
        array.flags.writeable = False
    trainers = [make(name) for name in ("compiled", "numpy")]
    for trainer in trainers:
        trainer.callbacks.append(Step())
        weight = data[2] if weighted else None
        trainer.fit(*data[:2], epochs=3, batch_size=8, shuffle=False, sample_weight=weight)
    assert_same(trainers)
