"""A trainer chooses between the compiled engine and NumPy, and both train alike."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import DivergenceError

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="Numba is not installed")


def data(rows=100, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 3)).astype(dtype)
    return X, (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 1)


def trainer(engine="auto", dtype=np.float64, loss=None, **options):
    model = nn.mlp([3, 8, 3], dtype=dtype, rng=1)
    optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
    return nn.Trainer(model, loss or nn.SoftmaxCrossEntropy(), optimizer, engine=engine, **options)


class Double(nn.Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout


def with_unknown_layer(engine):
    model = nn.Sequential(nn.Affine(3, 8), Double(), nn.Affine(8, 3))
    return nn.Trainer(
        model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), lr=0.1), engine=engine
    )


def assert_same(first, second, rtol=1e-12):
    for name, array in second.state_dict().items():
        np.testing.assert_allclose(first.state_dict()[name], array, rtol=rtol, atol=rtol)


@needs_numba
def test_the_engine_is_the_compiled_one_where_it_knows_all_parts():
    assert trainer().engine == trainer("compiled").engine == "compiled"
    assert trainer("numpy").engine == "numpy"
    assert with_unknown_layer("auto").engine == "numpy"


@needs_numba
def test_the_compiled_engine_names_the_part_that_it_does_not_know():
    with pytest.raises(ValueError, match="engine='compiled' does not know the layer Double: "):
        with_unknown_layer("compiled")

    class Loss(nn.MeanSquaredError):
        pass

    class Optimizer(nn.optim.SGD):
        pass

    with pytest.raises(ValueError, match="does not know the loss Loss: "):
        trainer("compiled", loss=Loss())
    model = nn.Affine(1, 1)
    with pytest.raises(ValueError, match="does not know the optimizer Optimizer: "):
        nn.Trainer(
            model,
            nn.SoftmaxCrossEntropy(),
            Optimizer(model.parameters(), lr=0.1),
            engine="compiled",
        )


def test_an_unknown_engine_is_an_error():
    with pytest.raises(ValueError, match="engine must be 'auto' or 'compiled' or 'numpy', got 'c'"):
        trainer("c")


@needs_numba
@pytest.mark.parametrize("metrics", [(), ("accuracy",)])
@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"validation": 0.2}])
def test_a_compiled_fit_equals_one_of_numpy(options, metrics):
    X, y = data()
    weight = np.random.default_rng(3).uniform(0, 2, len(X))
    trainers = [trainer(name, metrics=metrics) for name in ("compiled", "numpy")]
    for part in trainers:
        part.fit(X, y, epochs=4, batch_size=16, rng=5, sample_weight=weight, **options)
        part.fit(X, y, epochs=2, batch_size=7, rng=6, **options)
    assert_same(*trainers)


@needs_numba
def test_float32_agrees_within_its_rounding():
    X, y = data(dtype=np.float32)
    trainers = [trainer(name, np.float32) for name in ("compiled", "numpy")]
    for part in trainers:
        part.fit(X, y, epochs=8, batch_size=16, rng=5)
    for p, q in zip(*(part.model.parameters() for part in trainers), strict=True):
        np.testing.assert_allclose(p.value, q.value, rtol=1e-5, atol=1e-6)


def errors_of(engine, prepare):
    part = trainer(engine)
    X, y = data()
    prepare(part, X, y)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        part.fit(X, y, epochs=2, batch_size=16, shuffle=False)
    return type(caught.value), str(caught.value), part


@needs_numba
@pytest.mark.parametrize(
    "prepare",
    [
        lambda part, X, y: X.__setitem__(70, np.nan),
        lambda part, X, y: y.__setitem__(70, 3),
        lambda part, X, y: y.__setitem__(70, -1),
        lambda part, X, y: part.model[0].W.value.__setitem__(0, np.inf),
        lambda part, X, y: setattr(part.optimizer, "lr", 1e300),
        lambda part, X, y: setattr(part.optimizer, "lr", lambda step: 0.1 if step < 4 else -1.0),
    ],
)
def test_errors_are_those_of_numpy(prepare):
    kind, message, compiled = errors_of("compiled", prepare)
    expected_kind, expected_message, other = errors_of("numpy", prepare)
    assert (kind, message) == (expected_kind, expected_message)
    if kind is not DivergenceError or "lr" not in message:
        assert_same(compiled, other, rtol=1e-9)


@needs_numba
def test_inputs_of_another_width_are_the_error_of_numpy():
    X, y = data()
    messages = []
    for name in ("compiled", "numpy", "auto"):
        with pytest.raises(ValueError, match=r"expected x of shape \(..., 3\)") as caught:
            trainer(name).fit(X[:, :2], y, epochs=1)
        messages.append(str(caught.value))
    assert len(set(messages)) == 1


@needs_numba
def test_a_model_may_change_between_epochs():
    def change(part):
        if len(part.history) == 1:
            part.model[0].W.trainable = False
        if len(part.history) == 2:
            part.model[2].W.value *= 0.5
            part.optimizer.weight_decay = 0.1
        if len(part.history) == 3:
            part.optimizer.lr = 0.1
            part.model[0].W.trainable = True

    class Change(nn.callbacks.Callback):
        def on_epoch_end(self, trainer):
            change(trainer)

    trainers = [trainer(name, callbacks=[Change()]) for name in ("compiled", "numpy")]
    for part in trainers:
        part.fit(*data(), epochs=5, batch_size=16, rng=0)
    assert_same(*[part.model for part in trainers])
    assert_same(*[part.optimizer for part in trainers])


@needs_numba
def test_a_fit_leaves_no_gradient_and_no_reference_to_the_data():
    part = trainer("compiled")
    X, y = data()
    references = sys.getrefcount(X), sys.getrefcount(y)
    part.fit(X, y, epochs=2, rng=0)
    assert (sys.getrefcount(X), sys.getrefcount(y)) == references
    assert not any(p.grad.any() for p in part.model.parameters())


@needs_numba
def test_a_resumed_fit_equals_one_without_a_break():
    X, y = data()
    whole, first, second = (trainer("compiled") for _ in range(3))
    rng = np.random.default_rng(0)
    whole.fit(X, y, epochs=4, batch_size=16, rng=np.random.default_rng(0))
    first.fit(X, y, epochs=2, batch_size=16, rng=rng)
    second.load_state_dict(first.state_dict())
    second.fit(X, y, epochs=2, batch_size=16, rng=rng)
    for name, array in whole.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], array)


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np
import nnlayers as nn

model = nn.mlp([2, 4, 2], rng=0)
parts = model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), lr=0.1)
trainer = nn.Trainer(*parts)
X = np.random.default_rng(0).normal(size=(64, 2))
trainer.fit(X, (X[:, 0] > 0).astype(int), epochs=1)
trainer.step(X, (X[:, 0] > 0).astype(int))
print(trainer.engine, "llvmlite" in sys.modules)
try:
    nn.Trainer(*parts, engine="compiled")
except ImportError as error:
    print(error)
"""


def test_without_numba_numpy_trains_and_the_error_says_what_to_install():
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_NUMBA],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        "numpy False",
        "engine='compiled' cannot run here: Numba is not installed: pip install \"nnlayers[fast]\"",
    ]


OLD_NUMBA = """
import sys, types
import numpy as np
import nnlayers as nn
import nnlayers.engine.loading

sys.modules["nnlayers.engine.compiling"] = None  # An import error, as of an old Numba.
model = nn.mlp([2, 4, 2], rng=0)
parts = model, nn.SoftmaxCrossEntropy(), nn.optim.SGD(model.parameters(), lr=0.1)
trainer = nn.Trainer(*parts)
X = np.random.default_rng(0).normal(size=(64, 2))
trainer.fit(X, (X[:, 0] > 0).astype(int), epochs=3)
print(trainer.engine, len(trainer.history))
try:
    nn.Trainer(*parts, engine="compiled").fit(X, (X[:, 0] > 0).astype(int), epochs=3)
except RuntimeError as error:
    print(error)
"""


@needs_numba
def test_a_compiler_that_fails_leaves_the_training_to_numpy(tmp_path):
    result = subprocess.run(
        [sys.executable, "-c", OLD_NUMBA],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"NNLAYERS_CACHE_DIR": str(tmp_path)},
    )
    assert result.stderr.count("NumPy trains instead") == 1
    engine, refusal = result.stdout.splitlines()
    assert engine == "numpy 3"
    assert refusal.startswith("engine='compiled' cannot run here: ")
    assert 'pip install "nnlayers[fast]"' in refusal


LONG_EPOCH = """
import numpy as np
import nnlayers as nn

model = nn.mlp([8, 64, 64, 10], rng=0)
optimizer = nn.optim.Adam(model.parameters())
trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, engine="compiled")
X = np.zeros((1_000_000, 8), np.float32)
y = np.zeros(len(X), int)
trainer.fit(X[:100], y[:100], epochs=1, batch_size=1)
print("ready", flush=True)
try:
    trainer.fit(X, y, epochs=100, batch_size=1)
except KeyboardInterrupt:
    print(trainer.optimizer.steps > 100, not model[0].W.grad.any(), flush=True)
"""


@needs_numba
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_an_interrupt_ends_a_long_epoch_soon():
    command = [sys.executable, "-c", LONG_EPOCH]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            start = time.monotonic()
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()  # It would otherwise train for minutes after a failure.
    assert out == "True True\n"
    # It is answered within a second; the machine may be busy.
    assert time.monotonic() - start < 10


@needs_numba
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.int64])
def test_integers_are_converted_as_by_numpy(dtype, shuffle):
    X, y = data()
    X = (X * 20 > 0 if dtype is bool else np.abs(X * 20)).astype(dtype)
    trainers = [trainer(name) for name in ("compiled", "numpy")]
    for part in trainers:
        part.fit(X, y, epochs=2, batch_size=16, rng=5, shuffle=shuffle)
        part.step(X[:9], y[:9])
    assert_same(*trainers)


@needs_numba
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64])
def test_noise_on_inputs_of_any_dtype_is_that_of_numpy(dtype):
    X, y = data()
    X = (np.abs(X) * 20 > 9).astype(dtype)
    trainers = []
    for name in ("compiled", "numpy"):
        noise = nn.GaussianNoise(0.5, rng=0), nn.GaussianNoise(0.5, rng=1)
        # From other inputs the first layers compute in float64, in which other numbers are drawn.
        model = nn.Sequential(nn.Tanh(), noise[0], nn.Affine(3, 3, rng=0), noise[1])
        optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
        part = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, engine=name)
        part.fit(X, y, epochs=2, batch_size=16, rng=5)
        part.step(X[:9], y[:9])
        part.step(X[:9].astype(np.float32), y[:9])
        part.step(X[:9].astype(np.float64), y[:9])
        part.fit(X.astype(np.float64), y, epochs=1, rng=6)
        trainers.append(part)
    assert_same(*[part.model for part in trainers], rtol=1e-5)


@needs_numba
@pytest.mark.parametrize("X", [data()[0][:, ::-1], data()[0][::2], np.asfortranarray(data()[0])])
def test_inputs_may_lie_in_memory_as_they_like(X):
    y = data()[1][: len(X)]
    trainers = [trainer(name) for name in ("compiled", "numpy")]
    for part in trainers:
        part.fit(X, y, epochs=2, batch_size=16, rng=5)
        part.fit(X, y.astype(np.int32), epochs=1, shuffle=False)
        part.step(X[:9], y[:9].astype(np.uint8))
    assert_same(*trainers)


@needs_numba
def test_a_replaced_method_is_called():
    part = trainer()
    X, y = data()
    part.step(X, y)
    forward, calls = part.model[0].forward, []

    def counted(x):
        calls.append(len(x))
        return forward(x)

    part.model[0].forward = counted
    assert part.engine == "numpy"
    part.step(X[:5], y[:5])
    part.fit(X, y, epochs=1, batch_size=50)
    assert calls == [5, 50, 50]
    del part.model[0].forward
    part.fit(X, y, epochs=1, batch_size=50)
    assert calls == [5, 50, 50]
