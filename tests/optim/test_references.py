"""Optimizers against formulas in plain Python, and against PyTorch while parameters freeze."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlayers as nn

STEPS = 30


def nesterov(lr, momentum, decay):
    """Sutskever et al. (2013), the rate outside of the velocity; p looks ahead."""
    u = 0.0

    def step(p, g, t):
        nonlocal u
        g += decay * p
        u = momentum * u + g
        return p - lr * (g + momentum * u)

    return step


def adagrad(lr, lr_decay):
    """Duchi et al. (2011), with a rate that falls as 1 / (1 + (t - 1) lr_decay)."""
    total = 0.0

    def step(p, g, t):
        nonlocal total
        total += g**2
        return p - lr / (1 + (t - 1) * lr_decay) * g / (math.sqrt(total) + 1e-10)

    return step


def centred(lr, alpha, momentum, eps):
    """Graves (2013), equations 38 to 41, in the order of steps of RMSProp with momentum."""
    mean = square = u = 0.0

    def step(p, g, t):
        nonlocal mean, square, u
        mean = alpha * mean + (1 - alpha) * g
        square = alpha * square + (1 - alpha) * g * g
        u = momentum * u + g / (math.sqrt(max(square - mean * mean, 0.0)) + eps)
        return p - lr * u

    return step


def adam(lr, beta1, beta2, eps):
    """Kingma and Ba (2015), algorithm 1."""
    m = v = 0.0

    def step(p, g, t):
        nonlocal m, v
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        return p - lr * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)

    return step


CASES = {
    "Nesterov": (
        lambda p: nn.optim.SGD(p, 0.1, momentum=0.8, nesterov=True, weight_decay=0.05),
        lambda: nesterov(0.1, 0.8, 0.05),
    ),
    "AdaGrad": (lambda p: nn.optim.AdaGrad(p, 0.3, lr_decay=0.2), lambda: adagrad(0.3, 0.2)),
    "centred RMSProp": (
        lambda p: nn.optim.RMSProp(p, 0.01, alpha=0.9, centered=True, momentum=0.5, eps=1e-2),
        lambda: centred(0.01, 0.9, 0.5, 1e-2),
    ),
    "Adam": (
        lambda p: nn.optim.Adam(p, 0.1, betas=(0.8, 0.9), eps=1e-3),
        lambda: adam(0.1, 0.8, 0.9, 1e-3),
    ),
}


@pytest.mark.parametrize(("make", "reference"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("seed", range(3))
def test_steps_follow_the_formula_and_count_for_each_parameter(make, reference, seed):
    rng = np.random.default_rng(seed)
    parameters = [nn.Parameter(value) for value in rng.normal(size=(4, 1))]
    expected = [float(parameter.value[0]) for parameter in parameters]
    optimizer, updates, counts = make(parameters), [reference() for _ in expected], [0] * 4
    for _ in range(STEPS):
        for index, parameter in enumerate(parameters):
            parameter.trainable = bool(rng.random() < 0.7)
            g = float(rng.normal())
            parameter.zero_grad()
            parameter.grad += g
            if parameter.trainable:
                counts[index] += 1
                expected[index] = updates[index](expected[index], g, counts[index])
        optimizer.step()
    np.testing.assert_allclose([p.value[0] for p in parameters], expected, rtol=1e-10)
    np.testing.assert_array_equal(optimizer.state_dict()["parameter_steps"], counts)


@pytest.mark.parametrize("g", [0.1, 0.3, 0.7, 1e-3, 123.4])
@pytest.mark.parametrize("alpha", [0.9, 0.99])
def test_the_variance_of_a_constant_gradient_does_not_round_below_zero(g, alpha):
    for dtype in ("float32", "float64"):
        # The entries differ by a few roundings, and some of them give a variance below 0.
        steps = 1 + np.arange(64) * 4 * np.finfo(dtype).eps
        parameter = nn.Parameter(np.zeros(64, dtype))
        optimizer = nn.optim.RMSProp([parameter], 1e-3, alpha=alpha, centered=True)
        for _ in range(6000 if alpha == 0.99 else 600):
            parameter.grad += (g * steps).astype(dtype)
            optimizer.step()
        assert np.isfinite(parameter.value).all()


PYTORCH = [
    ("SGD", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adam", "Adam", {"lr": 0.05, "weight_decay": 0.1}),
    ("AdamW", "AdamW", {"lr": 0.05}),
    ("NAdam", "NAdam", {"lr": 0.05, "momentum_decay": 0.1}),
    ("RMSProp", "RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-2}),
    ("AdaGrad", "Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("AdaDelta", "Adadelta", {"lr": 1.0}),
]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(("ours", "theirs", "options"), PYTORCH)
@settings(max_examples=15)
@given(
    free=st.lists(st.tuples(*[st.booleans()] * 4), min_size=1, max_size=12),
    seed=st.integers(0, 2**16),
)
def test_parameters_that_freeze_and_unfreeze_at_any_step_follow_pytorch(
    ours, theirs, options, dtype, tolerance, free, seed
):
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # PyTorch's NAdam multiplies momenta in this dtype.
    try:
        follow(torch, ours, theirs, options, dtype, tolerance, free, seed)
    finally:
        torch.set_default_dtype(before)


def follow(torch, ours, theirs, options, dtype, tolerance, free, seed):
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape).astype(dtype) for shape in [(3, 2), (2,), (2, 1), (1,)]]
    parameters = [nn.Parameter(value) for value in start]
    tensors = [torch.tensor(value, requires_grad=True) for value in start]
    optimizer = getattr(nn.optim, ours)(parameters, **options)
    reference = getattr(torch.optim, theirs)(tensors, **options)
    for moment in free:
        for parameter, tensor, trainable in zip(parameters, tensors, moment, strict=True):
            parameter.trainable = trainable
            grad = rng.normal(size=parameter.shape).astype(dtype)
            parameter.grad += grad
            tensor.grad = torch.tensor(grad) if trainable else None
        optimizer.step()
        reference.step()
    for parameter, tensor in zip(parameters, tensors, strict=True):
        np.testing.assert_allclose(
            parameter.value, tensor.detach().numpy(), rtol=tolerance, atol=tolerance
        )
