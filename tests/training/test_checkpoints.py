"""A fit that was killed anywhere goes on to the last bit of the one that was not."""

import contextlib
import functools
import os
import random
import shutil
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from faulty_disk import FaultyDisk, Killed, states_after_power_loss, write_state
from kills import Killer, needs_fork, run_and_die

import nnlayers as nn
from nnlayers.optim import schedules
from nnlayers.training.callbacks import Checkpoint, EarlyStopping, LambdaCallback, ReduceOnPlateau
from nnlayers.training.fit_settings import load_settings
from nnlayers.training.generators import load_generator

X = np.random.default_rng(0).normal(size=(22, 3)).astype(np.float32)
Y = np.arange(22) % 3
FIT = {"epochs": 4, "batch_size": 4, "rng": 5}
STEPS = 24  # 6 an epoch


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Save the time of the real disk, which has no part in what is tested."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def folder():
    """A folder in memory, where the system has one, because disks are slow."""
    memory = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=memory if os.path.isdir(memory) else None) as name:
        yield Path(name)


@pytest.fixture(params=["numpy", "compiled"])
def engine(request):
    if request.param == "compiled":
        pytest.importorskip("numba")
    return request.param


def network(*layers):
    return nn.Sequential(nn.Affine(3, 5, rng=1), *layers, nn.Affine(5, 3, rng=2))


def trainer_of(directory, model=None, optimizer=None, callbacks=(), step=None, **options):
    """Return a trainer with checkpoints after every second step, which dies after a step."""
    model = network(nn.Tanh()) if model is None else model
    make = nn.optim.Adam if optimizer is None else optimizer
    every = options.pop("every", "2 steps")
    loss = options.pop("loss", nn.SoftmaxCrossEntropy())
    kept = Checkpoint(directory, every=every)
    return nn.Trainer(
        model, loss, make(model.parameters()), callbacks=[kept, *callbacks, Killer(step)], **options
    )


def assert_equal_states(first, second):
    first, second = first.state_dict(), second.state_dict()
    assert list(first) == list(second)
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


def assert_survives(folder, make, X=X, y=Y, kills=(1, 5, 6, 9, 16), **options):
    """Assert that a fit that was killed after some steps ends as the one that was not.

    `make(directory, step)` returns the trainer.
    """
    options = FIT | options
    whole = make(folder / "whole", None)
    whole.fit(X, y, **options)
    steps = whole.optimizer.steps
    for step in kills:
        directory = folder / f"killed-{step}"
        dying = make(directory, step)
        assert run_and_die(lambda dying=dying: dying.fit(X, y, **options)) == 9
        resumed = make(directory, None)
        resumed.fit(X, y, **options, resume=directory)
        assert resumed.optimizer.steps == steps
        assert_equal_states(resumed, whole)
        assert not list(directory.glob(".nnlayers-*"))
    return whole


OPTIMIZERS = {
    "SGD": lambda p: nn.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: nn.optim.Adam(p, weight_decay=0.01),
    "AdamW": nn.optim.AdamW,
    "NAdam": nn.optim.NAdam,
    "RMSProp": nn.optim.RMSProp,
    "AdaGrad": nn.optim.AdaGrad,
    "AdaDelta": nn.optim.AdaDelta,
    "Lion": nn.optim.Lion,
}
SCHEDULES = {
    "StepDecay": schedules.StepDecay(0.1, 7),
    "ExponentialDecay": schedules.ExponentialDecay(0.1, 0.9),
    "CosineDecay": schedules.CosineDecay(0.1, STEPS),
    "LinearWarmup": schedules.LinearWarmup(schedules.Constant(0.1), 10),
    "OneCycle": schedules.OneCycle(0.1, STEPS),
}


@needs_fork
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_continues_exactly(folder, engine, name):
    def make(directory, step):
        return trainer_of(directory, optimizer=OPTIMIZERS[name], step=step, engine=engine)

    assert make(folder / "a", None).engine == engine
    assert_survives(folder, make, kills=(9,))


@needs_fork
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_continues_exactly(folder, engine, name):
    def make(directory, step):
        return trainer_of(
            directory,
            optimizer=lambda p: nn.optim.SGD(p, SCHEDULES[name]),
            step=step,
            engine=engine,
        )

    assert_survives(folder, make, kills=(9,))


def noisy(directory, step, engine="numpy", **options):
    """Return a trainer of all that draws, normalises or stops."""
    shared = np.random.default_rng(7)
    model = network(
        nn.BatchNorm(5),
        nn.Tanh(),
        nn.Dropout(0.3, rng=shared),
        nn.Residual(nn.GaussianNoise(0.1, rng=shared)),
        nn.Dropout(0.2, rng=8),
    )
    callbacks = [EarlyStopping("loss", patience=3, min_delta=0.02), ReduceOnPlateau("loss", 0.5, 1)]
    return trainer_of(
        directory,
        model,
        lambda p: nn.optim.Adam(p, 0.02),
        callbacks,
        step=step,
        engine=engine,
        metrics=["accuracy", "f1_macro"],
        clip_norm=1.0,
        **options,
    )


@needs_fork
def test_noise_early_stopping_plateaus_and_metrics_continue_exactly(folder, engine):
    weights = np.linspace(0.5, 2, 22)
    whole = assert_survives(
        folder,
        functools.partial(noisy, engine=engine),
        sample_weight=weights,
        validation=0.2,
        epochs=40,
        kills=(1, 7, 20),
    )
    assert 6 < len(whole.history) < 40  # It has stopped early.
    assert "val_accuracy" in whole.history


@needs_fork
@pytest.mark.parametrize("every", ["1 epoch", "3 epochs", "0.0001 s"])
def test_checkpoints_by_epochs_and_by_time_continue_exactly(folder, engine, every):
    make = functools.partial(noisy, engine=engine, every=every)
    assert_survives(folder, make, kills=(5, 13))


@needs_fork
def test_a_fit_that_dies_at_any_moment_continues_exactly(folder):
    whole = noisy(folder / "whole", None)
    start = time.perf_counter()
    whole.fit(X, Y, **FIT)
    seconds = time.perf_counter() - start
    endings = []
    for share in np.linspace(0.05, 0.95, 8):
        directory = folder / f"{share}"
        dying = noisy(directory, None)
        endings.append(
            run_and_die(lambda dying=dying: dying.fit(X, Y, **FIT), after=share * seconds)
        )
        resumed = noisy(directory, None)
        directory.mkdir(exist_ok=True)
        resumed.fit(X, Y, **FIT, resume=directory)
        assert_equal_states(resumed, whole)
        assert not list(directory.glob(".nnlayers-*"))
    assert any(endings)


@needs_fork
def test_a_generator_shared_by_the_order_of_rows_and_a_layer_continues_exactly(folder):
    generators = []

    def make(directory, step):
        rng = np.random.default_rng(3)
        generators.append(rng)
        return trainer_of(directory, network(nn.Dropout(0.3, rng=rng)), step=step)

    results = []
    for step in (None, 4, 9):
        trainer = make(folder / f"{step}", step)
        if step is not None:
            options = FIT | {"rng": generators[-1]}
            assert run_and_die(lambda t=trainer, o=options: t.fit(X, Y, **o)) == 9
            trainer = make(folder / f"{step}", None)
        options = FIT | {"rng": generators[-1]}
        trainer.fit(X, Y, **options, resume=None if step is None else folder / f"{step}")
        results.append(trainer)
    assert_equal_states(results[1], results[0])
    assert_equal_states(results[2], results[0])


@needs_fork
def test_several_inputs_and_outputs_with_changing_weights_continue_exactly(folder):
    def anneal(trainer):
        trainer.loss_weights["value"] *= 0.9

    def make(directory, step):
        a, b = nn.Input("a"), nn.Input("b")
        hidden = nn.Dropout(0.2, rng=1)(nn.relu(nn.Affine(5, 6, rng=0)(nn.concatenate(a, b))))
        heads = [nn.Affine(6, 3, rng=2)(hidden), nn.Affine(6, 1, rng=3)(hidden)]
        model = nn.Graph([heads[0].named("class"), heads[1].named("value")])
        return trainer_of(
            directory,
            model,
            callbacks=[LambdaCallback(on_step_end=anneal)],
            step=step,
            loss={"class": nn.SoftmaxCrossEntropy(), "value": nn.MeanSquaredError()},
            metrics={"class": ["accuracy"]},
        )

    inputs = {"a": X[:, :2], "b": X}
    targets = {"class": Y, "value": X.sum(axis=1, keepdims=True)}
    assert_survives(folder, make, inputs, targets, validation=0.2, kills=(3, 8))


@needs_fork
def test_layers_that_a_callback_freezes_and_frees_continue_exactly(folder):
    def freeze(trainer):
        trainer.model[0].unfreeze() if len(trainer.history) % 2 else trainer.model[0].freeze()

    def make(directory, step):
        return trainer_of(directory, callbacks=[LambdaCallback(on_epoch_start=freeze)], step=step)

    assert_survives(folder, make, kills=(3, 8, 14))


DRAWS = np.random.default_rng()  # a global variable, from which a layer below draws


class Helper:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)


class Drawing(nn.Layer):
    """Draws from generators wherever a user may put them."""

    of_class = np.random.default_rng(11)

    def __init__(self):
        hidden = np.random.default_rng(6)
        self.attribute = np.random.Generator(np.random.MT19937(1))
        self.containers = {
            "a": [np.random.default_rng(2)],
            "b": (None, {3: np.random.default_rng(4)}),
        }
        self.sources = [np.random.default_rng(5)]
        self.helper = Helper(7)
        self.method = np.random.default_rng(8).normal
        self.partial = functools.partial(np.random.default_rng(9).normal, 0.1)
        self.closure = lambda: hidden.normal()
        self.legacy = np.random.RandomState(10)
        self.plain = random.Random(12)

    def forward(self, x):
        draws = [
            self.attribute.normal(),
            self.containers["a"][0].normal(),
            self.containers["b"][1][3].normal(),
            self.sources[0].normal(),
            self.helper.rng.normal(),
            self.method(),
            self.partial(),
            self.closure(),
            self.legacy.normal(),
            self.plain.gauss(0, 1),
            self.of_class.normal(),
            DRAWS.normal(),
        ]
        return x + np.float32(0.01 * sum(draws))

    def backward(self, dout):
        return dout.copy()


class RandomLoss(nn.MeanSquaredError):
    def __init__(self):
        super().__init__()
        self.rng = np.random.default_rng(13)

    def forward(self, prediction, target, sample_weight=None):
        return super().forward(prediction + self.rng.normal(), target, sample_weight)


class RandomSteps(nn.optim.Optimizer):
    def __init__(self, params):
        super().__init__(params, random_schedule())
        self.rng = np.random.default_rng(14)

    def update(self, p, g, state, lr, t):
        p -= lr * g * self.rng.random()


def random_schedule():
    rng = np.random.default_rng(15)
    return lambda step: 0.1 * rng.random()


def random_metric(rng=np.random.default_rng(16)):  # noqa: B008
    def metric(y_true, y_pred):
        return rng.random()

    return metric


class RandomCallback(nn.callbacks.Callback):
    def __init__(self):
        self.rng = np.random.default_rng(17)

    def on_step_end(self, trainer):
        trainer.model[0].b.value[...] += np.float32(0.01 * self.rng.normal())


@needs_fork
def test_generators_continue_exactly_wherever_they_are(folder):
    def make(directory, step):
        # In another process these would be as they were when the program started.
        DRAWS.bit_generator.state = np.random.PCG64(18).state
        Drawing.of_class.bit_generator.state = np.random.PCG64(19).state
        return trainer_of(
            directory,
            network(Drawing()),
            RandomSteps,
            [RandomCallback()],
            step=step,
            loss=RandomLoss(),
            metrics=[random_metric(np.random.default_rng(16))],
        )

    assert_survives(folder, make, y=X, kills=(3, 8))


def test_a_compiled_fit_stays_compiled_and_pauses_after_the_right_step(folder, monkeypatch):
    pytest.importorskip("numba")
    steps = []
    record = LambdaCallback()
    record.on_pause = lambda trainer: steps.append(trainer.optimizer.steps)
    trainer = trainer_of(folder / "a", callbacks=[record], every="5 steps", engine="compiled")
    monkeypatch.setattr(trainer, "_step", None)
    trainer.fit(X, Y, **FIT)
    assert set(range(5, STEPS, 5)) <= set(steps)
    # The first call of an epoch times a step; an epoch ends with a pause of its own.
    assert len(steps) <= 3 * FIT["epochs"] + 1


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_the_newest_checkpoints_and_the_best_model_are_kept(folder):
    trainer_of(folder / "a", every="4 steps").fit(X, Y, **FIT)
    steps = [16, 20, 24]
    assert names(folder / "a") == ["best.nn", *(f"checkpoint-{s:09d}.npz" for s in steps)]


def test_the_best_model_is_that_of_the_best_epoch(folder):
    values, weights = [3.0, 1.0, 2.0, 1.5], []

    def script(trainer):
        weights.append(trainer.model[0].W.value.copy())
        history = trainer.history.state_dict()
        history["score"] = np.array(values[: len(trainer.history)])
        trainer.history.load_state_dict(history)

    keep = Checkpoint(folder / "a", keep=1, monitor="score", mode="min")
    model = network()
    nn.Trainer(
        model,
        nn.SoftmaxCrossEntropy(),
        nn.optim.Adam(model.parameters()),
        callbacks=[LambdaCallback(script), keep],
    ).fit(X, Y, **FIT)
    assert (keep.best, keep.best_epoch) == (1.0, 2)
    np.testing.assert_array_equal(nn.load(keep.best_path)[0].W.value, weights[1])


def test_without_a_monitor_no_model_is_saved(folder):
    model = network(nn.Tanh())
    keep = Checkpoint(folder / "a", monitor=None)
    nn.Trainer(
        model, nn.SoftmaxCrossEntropy(), nn.optim.Adam(model.parameters()), callbacks=[keep]
    ).fit(X, Y, **FIT)
    assert (keep.best, keep.best_epoch, keep.best_path.exists()) == (None, None, False)


def test_an_early_checkpoint_is_resumed_by_its_file(folder):
    whole = trainer_of(folder / "a", every="7 steps")
    whole.fit(X, Y, **FIT)
    resumed = trainer_of(folder / "b", every="7 steps")
    resumed.fit(X, Y, **FIT, resume=folder / "a" / "checkpoint-000000014.npz")
    assert_equal_states(resumed, whole)
    again = trainer_of(folder / "a", every="7 steps")
    again.fit(X, Y, **FIT, resume=folder / "a" / "checkpoint-000000014.npz")
    assert_equal_states(again, whole)
    assert names(folder / "a")[1:] == [f"checkpoint-0000000{s}.npz" for s in (14, 21, 24)]


def test_a_finished_fit_is_done_and_goes_on_for_more_epochs(folder):
    whole = noisy(folder / "a", None)
    whole.fit(X, Y, **FIT | {"epochs": 3})
    resumed = noisy(folder / "a", None)
    resumed.fit(X, Y, **FIT | {"epochs": 3}, resume=folder / "a")
    assert_equal_states(resumed, whole)
    longer, resumed = noisy(folder / "b", None), noisy(folder / "a", None)
    longer.fit(X, Y, **FIT | {"epochs": 5})
    resumed.fit(X, Y, **FIT | {"epochs": 5}, resume=folder / "a")
    # Early stopping sets the best weights at the end of each fit.
    assert resumed.history == longer.history
    assert_equal_states(resumed, longer)


def test_a_fit_that_was_stopped_early_stays_stopped(folder):
    whole = noisy(folder / "a", None)
    whole.fit(X, Y, **FIT | {"epochs": 99})
    assert len(whole.history) < 99
    resumed = noisy(folder / "a", None)
    resumed.fit(X, Y, **FIT | {"epochs": 99}, resume=folder / "a")
    assert_equal_states(resumed, whole)


def test_a_second_fit_of_a_trainer_is_resumed_alone(folder):
    whole, resumed = trainer_of(folder / "a"), trainer_of(folder / "b")
    whole.fit(X, Y, **FIT)
    whole.fit(X, Y, **FIT)
    resumed.fit(X, Y, **FIT, resume=folder / "a")
    assert_equal_states(resumed, whole)
    # The first fit of a trainer of its own is the second one of the other.
    assert len(resumed.history) == 2 * FIT["epochs"]


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [damage, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(folder, harm):
    whole = trainer_of(folder / "a")
    whole.fit(X, Y, **FIT)
    newest = folder / "a" / f"checkpoint-{STEPS:09d}.npz"
    harm(newest)
    resumed = trainer_of(folder / "a")
    with pytest.warns(UserWarning, match=rf"{newest}: .*; the checkpoint before it is used$"):
        resumed.fit(X, Y, **FIT, resume=folder / "a")
    assert_equal_states(resumed, whole)
    for path in (folder / "a").glob("*.npz"):
        harm(path)
    fit = functools.partial(trainer_of(folder / "a").fit, X, Y, **FIT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"checkpoint-\d+\.npz: "):
            fit(resume=folder / "a")


def test_a_path_without_a_fit_is_refused(folder):
    np.savez(folder / "other.npz", a=np.zeros(1))
    fit = functools.partial(trainer_of(folder / "a").fit, X, Y, **FIT)
    with pytest.raises(ValueError, match=r"other\.npz: not a checkpoint of a fit: 'settings'"):
        fit(resume=folder / "other.npz")
    with pytest.raises(FileNotFoundError, match="missing"):
        fit(resume=folder / "missing")
    with pytest.raises(TypeError, match="resume must be a path, got 3"):
        fit(resume=3)


DIFFERENCES = {
    "batch_size is 5, but 4": lambda d: (trainer_of(d), {"batch_size": 5}),
    "shuffle is False, but True": lambda d: (trainer_of(d), {"shuffle": False}),
    r"validation is 0\.2, but None": lambda d: (trainer_of(d), {"validation": 0.2}),
    r"X is float32 of shape \(22, 3\).*, but float32": lambda d: (trainer_of(d), {"X": X + 1}),
    r"y is int64 of shape": lambda d: (trainer_of(d), {"y": Y[::-1]}),
    "sample_weight is float64 of shape .*, but none": lambda d: (
        trainer_of(d),
        {"sample_weight": np.ones(22)},
    ),
    r"optimizer is AdamW\(.*, but Adam\(": lambda d: (
        trainer_of(d, optimizer=nn.optim.AdamW),
        {},
    ),
    r"optimizer is Adam\(lr=0.1, .*, but Adam\(lr=0.001": lambda d: (
        trainer_of(d, optimizer=lambda p: nn.optim.Adam(p, 0.1)),
        {},
    ),
    r"model\['1'\] is ReLU\(\), but Tanh\(\) in .*-000000024\.npz": lambda d: (
        trainer_of(d, network(nn.ReLU())),
        {},
    ),
    r"dtype is float64, but float32": lambda d: (
        trainer_of(d, network(nn.Tanh()).astype(np.float64)),
        {},
    ),
    r"loss is SoftmaxCrossEntropy\(label_smoothing=0.1\), but": lambda d: (
        trainer_of(d, loss=nn.SoftmaxCrossEntropy(label_smoothing=0.1)),
        {},
    ),
    "callbacks is Checkpoint, EarlyStopping, Killer, but Checkpoint, Killer": lambda d: (
        trainer_of(d, callbacks=[EarlyStopping()]),
        {},
    ),
    "clip_norm is 1.0, but None": lambda d: (trainer_of(d, clip_norm=1), {}),
    "clip_value is 1.0, but none": lambda d: (trainer_of(d, clip_value=1), {}),
}


@pytest.mark.parametrize("message", DIFFERENCES)
def test_another_training_is_refused_by_what_differs(folder, message):
    trainer_of(folder / "a").fit(X, Y, **FIT)
    trainer, options = DIFFERENCES[message](folder / "a")
    before = trainer.state_dict()
    arguments = {"X": X, "y": Y} | FIT | options
    with pytest.raises(ValueError, match=rf"^resume: {message}"):
        trainer.fit(**arguments, resume=folder / "a")
    for name, array in trainer.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)


def test_graphs_of_the_same_layers_that_are_wired_otherwise_differ(folder):
    def make(directory, swap):
        x = nn.Input("x")
        a, b = nn.Affine(3, 3, rng=0)(x).named("a"), nn.Affine(3, 3, rng=1)(x).named("b")
        return trainer_of(directory, nn.Graph(b - a if swap else a - b))

    make(folder / "a", False).fit(X, Y, **FIT)
    with pytest.raises(ValueError, match="resume: model is "):
        make(folder / "a", True).fit(X, Y, **FIT, resume=folder / "a")


def test_another_engine_is_a_warning(folder):
    pytest.importorskip("numba")
    trainer_of(folder / "a", engine="compiled").fit(X, Y, **FIT)
    with pytest.warns(UserWarning, match=r"by the engine 'compiled' and goes on with 'numpy'"):
        trainer_of(folder / "a", engine="numpy").fit(X, Y, **FIT, resume=folder / "a")


def test_checkpoints_of_another_fit_are_not_overwritten(folder):
    trainer = trainer_of(folder / "a")
    trainer.fit(X, Y, **FIT)
    before = names(folder / "a")
    message = r"a: holds checkpoints of another fit; to continue it, pass resume='.*/a' to fit"
    with pytest.raises(FileExistsError, match=message):
        trainer_of(folder / "a").fit(X, Y, **FIT)
    other = trainer_of(folder / "b", network(nn.ReLU()))
    other.fit(X, Y, **FIT)
    with pytest.raises(FileExistsError, match=message):
        trainer_of(folder / "a", network(nn.ReLU())).fit(X, Y, **FIT, resume=folder / "b")
    assert names(folder / "a") == before
    trainer.fit(X, Y, **FIT)  # The trainer's own second fit goes on.
    assert names(folder / "a")[-1] == "checkpoint-000000048.npz"


def test_two_fits_at_once_do_not_share_a_directory(folder):
    messages = []

    def intrude(trainer):
        intruder = trainer_of(folder / "a", callbacks=[LambdaCallback()])
        try:
            intruder.fit(X, Y, **FIT, resume=folder / "a")
        except BlockingIOError as error:
            messages.append(str(error))

    trainer_of(folder / "a", callbacks=[LambdaCallback(intrude)]).fit(X, Y, **FIT)
    assert messages == [f"{folder / 'a'}: another fit writes its checkpoints here"] * 4
    assert names(folder / "a")[-1] == "checkpoint-000000024.npz"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": "1 day"}, "every must be a number and a unit, such as '1 epoch'"),
        ({"every": "0 steps"}, "every must be a number and a unit"),
        ({"every": "1.5 steps"}, "every must be a whole number of steps"),
        ({"keep": 0}, "keep must be an integer of at least 1, got 0"),
        ({"monitor": "depth"}, "mode must be 'min' or 'max' for monitor 'depth'"),
    ],
)
def test_bad_arguments_of_a_checkpoint_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Checkpoint("a", **options)


def test_a_checkpoint_without_a_parent_directory_fails_before_the_first_epoch(folder):
    trainer = trainer_of(folder / "missing" / "a")
    with pytest.raises(FileNotFoundError, match="missing"):
        trainer.fit(X, Y, **FIT)
    assert len(trainer.history) == 0


def test_text_nested_too_deep_is_no_state_of_a_generator_and_no_settings():
    text = np.array("[" * 100_000)
    with pytest.raises(ValueError, match="'rng' must be the state of a PCG64 generator"):
        load_generator(np.random.default_rng(0), text, "rng")
    with pytest.raises(ValueError, match="settings must be a table"):
        load_settings(text)


def test_a_snapshot_is_taken_in_a_fit_alone(folder):
    with pytest.raises(RuntimeError, match="a snapshot is that of a fit"):
        trainer_of(folder / "a").snapshot()


def test_a_power_loss_at_any_moment_costs_the_steps_since_the_last_checkpoint(folder, monkeypatch):
    options = FIT | {"epochs": 2}
    with FaultyDisk(folder).installed(monkeypatch) as disk:
        whole = trainer_of(folder / "a")
        whole.fit(X, Y, **options)
    states = states_after_power_loss(disk.log)
    assert len(states) > 40
    for state in states:
        shutil.rmtree(folder / "a", ignore_errors=True)
        write_state(state, folder)
        (folder / "a").mkdir(exist_ok=True)
        resumed = trainer_of(folder / "a")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            resumed.fit(X, Y, **options, resume=folder / "a")
        assert_equal_states(resumed, whole)


@pytest.mark.parametrize("problem", [Killed(), OSError(28, "No space left on device")])
def test_a_fault_at_any_operation_on_files_costs_nothing(folder, monkeypatch, problem):
    options = FIT | {"epochs": 2, "batch_size": 8}
    with FaultyDisk(folder).installed(monkeypatch) as disk:
        whole = trainer_of(folder / "a")
        whole.fit(X, Y, **options)
    for fault in range(1, disk.calls + 1, 1 if isinstance(problem, Killed) else 3):
        shutil.rmtree(folder / "a", ignore_errors=True)
        faulty = FaultyDisk(folder, fault, problem, lasts=isinstance(problem, Killed))
        with faulty.installed(monkeypatch), contextlib.suppress(OSError, Killed):
            trainer_of(folder / "a").fit(X, Y, **options)
        (folder / "a").mkdir(exist_ok=True)
        resumed = trainer_of(folder / "a")
        resumed.fit(X, Y, **options, resume=folder / "a")
        assert_equal_states(resumed, whole)
        assert not list((folder / "a").glob(".nnlayers-*"))


@pytest.mark.parametrize("engine", ["numpy", "auto"])
@pytest.mark.parametrize(
    ("name", "number"),
    [
        *(("fit.done", number) for number in (-1, -(2**40), 0.5, np.nan)),
        *(("fit.epoch.step", number) for number in (-1, 2**63 - 1, 0.5, np.nan)),
        *(("optimizer.steps", number) for number in (-1, 2**63 - 1, 0.5, np.nan)),
    ],
)
def test_a_forged_place_in_a_fit_is_refused(tmp_path, engine, name, number):
    def fit(resume=None):
        model = nn.mlp([2, 3, 2], rng=0)
        optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
        path = tmp_path / ("a" if resume is None else "b")
        kept = nn.callbacks.Checkpoint(path, every="2 steps")
        loss = nn.SoftmaxCrossEntropy()
        trainer = nn.Trainer(model, loss, optimizer, callbacks=[kept], engine=engine)
        return trainer.fit(np.eye(2)[[0, 1] * 5], [0, 1] * 5, epochs=1, batch_size=3, resume=resume)

    fit()
    path = sorted((tmp_path / "a").glob("*.npz"))[0]
    with np.load(path) as archive:
        state = dict(archive)
    assert name in state
    np.savez(tmp_path / "forged.npz", **state | {name: np.array(number)})
    with pytest.raises(ValueError, match=r"^state entry 'step' must|fit this training: .* must"):
        fit(resume=tmp_path / "forged.npz")
