"""Training by kernels gives the weights, the losses and the state of the NumPy path."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import nnlayers as nn

STEPS = 50
ACTIVATIONS = [
    nn.ELU, nn.GELU, lambda: nn.GELU("tanh"), nn.HardTanh, nn.LeakyReLU, nn.LogSoftmax, nn.Mish,
    nn.PReLU, nn.ReLU, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softmax, nn.Softplus,
    lambda: nn.Softplus(2), nn.Softsign, nn.Square, nn.Tanh, nn.Identity,
]  # fmt: skip
# Normalization magnifies the rounding of a constant row by 1 / sqrt(eps).
EPS = 0.1
NORMS = [nn.LayerNorm, nn.RMSNorm]
# A small eps would magnify the rounding of gradients near 0, and the sign in Lion all of it.
OPTIMIZERS = [
    lambda p, lr: nn.optim.Adam(p, lr=lr, eps=1e-4),
    lambda p, lr: nn.optim.AdamW(p, lr=lr, eps=1e-4, weight_decay=0.1),
    lambda p, lr: nn.optim.NAdam(p, lr=lr, eps=1e-4, weight_decay=1e-3),
    lambda p, lr: nn.optim.AdaGrad(p, lr=lr, eps=1e-3, lr_decay=0.1),
    lambda p, lr: nn.optim.AdaDelta(p, lr=lr, eps=1e-3),
    lambda p, lr: nn.optim.RMSProp(p, lr=lr, eps=1e-2, momentum=0.5),
    lambda p, lr: nn.optim.SGD(p, lr=lr),
    lambda p, lr: nn.optim.SGD(p, lr=lr, momentum=0.9, weight_decay=1e-3),
]
RATES = [
    1e-3,
    nn.optim.schedules.CosineDecay(2e-3, 40),
    nn.optim.schedules.LinearWarmup(nn.optim.schedules.ExponentialDecay(1e-3, 0.95), 5),
    nn.optim.schedules.StepDecay(1e-3, 7, 0.5),
]
REDUCTIONS = st.sampled_from(["mean", "sum"])


@st.composite
def blocks(draw, width, depth=1):
    """Draw a part of a network whose input and output have `width` columns."""
    kinds = ["activation", "norm", "dropout", "noise", "reshape"] + ["residual", "nested"] * depth
    kind = draw(st.sampled_from(kinds))
    if kind == "activation":
        return draw(st.sampled_from(ACTIVATIONS))()
    if kind == "norm":
        return draw(st.sampled_from(NORMS))(width, eps=EPS)
    if kind == "dropout":
        return nn.Dropout(draw(st.sampled_from([0.0, 0.2, 0.6])), rng=1)
    if kind == "noise":
        return nn.GaussianNoise(draw(st.sampled_from([0.0, 0.1])), rng=2)
    if kind == "reshape":
        return nn.Sequential(nn.Reshape((1, -1)), nn.LayerNorm(width, eps=EPS), nn.Flatten())
    inner = [draw(blocks(width, depth - 1)), nn.Affine(width, width, bias=False, rng=3)]
    return (nn.Residual if kind == "residual" else nn.Sequential)(*inner)


@st.composite
def networks(draw, inputs, outputs):
    """Draw a network that ends in an affine layer."""
    layers, width = [], inputs
    for index in range(draw(st.integers(0, 2))):
        new = draw(st.integers(3, 5))
        # A shift before a batch normalization has no gradient but rounding.
        layers.append(nn.Affine(width, new, bias=False, rng=10 + index))
        width = new
        if index == 0 and draw(st.booleans()):
            layers.append(nn.BatchNorm(width, eps=EPS))
        layers += [draw(blocks(width)) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()) and layers:
        layers[0].freeze()
    return nn.Sequential(*layers, nn.Affine(width, outputs, rng=5))


@st.composite
def losses(draw, rows, rng):
    """Draw a loss, the number of outputs that it needs, and targets."""
    reduction = draw(REDUCTIONS)
    outputs = draw(st.integers(1, 4))
    values = rng.normal(size=(rows, outputs))
    share = rng.random((rows, outputs))
    classes = rng.integers(0, outputs, rows)
    c = np.round(rng.random(outputs) * 2 + 0.1, 2)
    kind = draw(st.integers(0, 11))
    if kind == 0:
        return nn.GaussianNLL(reduction=reduction), 2 * outputs, values
    loss, targets = {
        1: lambda: (nn.MeanSquaredError(reduction=reduction), values),
        2: lambda: (nn.MeanAbsoluteError(reduction=reduction), values),
        3: lambda: (nn.Huber(0.7, reduction=reduction), values),
        4: lambda: (nn.Quantile(0.3, reduction=reduction), values),
        5: lambda: (nn.Poisson(reduction=reduction), rng.integers(0, 4, (rows, outputs))),
        6: lambda: (nn.SigmoidCrossEntropy(c, reduction=reduction), np.round(share)),
        7: lambda: (nn.SigmoidCrossEntropy(reduction=reduction), share),
        8: lambda: (nn.Hinge(0.5, reduction=reduction), classes),
        9: lambda: (nn.SoftmaxCrossEntropy(c, reduction=reduction), classes),
        10: lambda: (nn.SoftmaxCrossEntropy(c, 0.1, reduction=reduction), classes),
        11: lambda: (
            nn.SoftmaxCrossEntropy(label_smoothing=0.1, reduction=reduction),
            share / share.sum(axis=1, keepdims=True),
        ),
    }[kind]()
    return loss, outputs, targets


# With fewer rows or columns, gradients before a batch normalization are 0 but for rounding.
@given(
    data=st.data(),
    rows=st.integers(5, 12),
    batch_size=st.integers(4, 12),
    inputs=st.integers(3, 4),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("jit", [True, False], ids=["compiled", "uncompiled"])
def test_training_agrees_with_numpy(jit, dtype, data, rows, batch_size, inputs):
    pytest.importorskip("numba")
    assume(rows % batch_size not in (1, 2))
    rng = np.random.default_rng(data.draw(st.integers(0, 99), label="seed"))
    loss, outputs, y = data.draw(losses(rows, rng), label="loss")
    model = data.draw(networks(inputs, outputs), label="model").astype(dtype)
    optimize = data.draw(st.sampled_from(OPTIMIZERS), label="optimizer")
    rate = data.draw(st.sampled_from(RATES), label="rate")
    bounds = st.sampled_from([{}, {"clip_norm": 0.3}, {"clip_norm": 1}, {"clip_value": 0.01}])
    clipping = data.draw(bounds, label="clipping")
    changed = data.draw(st.sampled_from(model.parameters()), label="parameter with its own rate")
    changed.lr_scale, changed.decay = data.draw(st.sampled_from([(0.0, True), (0.5, False)]))
    X = rng.normal(size=(rows, inputs)).astype(dtype)
    weight = data.draw(st.sampled_from([None, rng.integers(0, 3, rows).astype(float)]))
    epochs = -(-STEPS // -(-rows // batch_size))
    options = {"epochs": epochs, "batch_size": batch_size, "sample_weight": weight, "rng": 0}

    def train(engine, dtype):
        """Return the losses, the predictions and all weights and state after a training."""
        twin, twin_loss = copy.deepcopy((model, loss))
        params = twin.astype(dtype).parameters()
        optimizer = optimize(params, rate)
        trainer = nn.Trainer(twin, twin_loss, optimizer, **clipping, engine=engine)
        history = trainer.fit(X, y, **options)
        return [np.array(history["loss"]), twin.predict(X), *twin.state_dict().values()]

    expected = train("numpy", dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_DISABLE_JIT", "0" if jit else "1")
        patch.setattr(nn.Trainer, "_step", no_step)
        actual = train("compiled", dtype)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    # Some networks magnify rounding. NumPy's distance from float64 tells by how much.
    exact = train("numpy", "float64") if dtype == "float32" else expected
    for got, wanted, reference in zip(actual, expected, exact, strict=True):
        scale = max(np.abs(wanted).max(initial=0), 1)
        rounding = np.abs(wanted - reference).max(initial=0)
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=max(rtol * scale, 8 * rounding))


def no_step(*arguments):
    """Stand for the NumPy path, to which no step is given back here."""
    raise AssertionError("a step was done by the NumPy path")
