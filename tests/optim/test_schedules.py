"""Schedules against PyTorch."""

import math

import pytest

import nnlayers as nn
from nnlayers.optim.schedules import (
    Constant,
    CosineDecay,
    ExponentialDecay,
    LinearWarmup,
    OneCycle,
    ReduceOnPlateau,
    StepDecay,
)

STEPS = 20


def optimizer(lr=1.0):
    return nn.optim.SGD([nn.Parameter([1.0])], lr=lr)


def pytorch_rates(make, lr, steps=STEPS):
    torch = pytest.importorskip("torch")
    reference = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    schedule = make(torch.optim.lr_scheduler, reference)
    rates = []
    for _ in range(steps):
        rates.append(reference.param_groups[0]["lr"])
        reference.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("ours", "theirs", "lr"),
    [
        (Constant(0.3), lambda s, o: s.ConstantLR(o, factor=1.0), 0.3),
        (StepDecay(0.5, 3, 0.2), lambda s, o: s.StepLR(o, 3, 0.2), 0.5),
        (ExponentialDecay(0.5, 0.9), lambda s, o: s.ExponentialLR(o, 0.9), 0.5),
        (CosineDecay(0.5, STEPS, 0.1), lambda s, o: s.CosineAnnealingLR(o, STEPS, 0.1), 0.5),
        (LinearWarmup(0.6, 5), lambda s, o: s.LinearLR(o, total_iters=5), 0.6),
        (
            LinearWarmup(CosineDecay(0.6, STEPS - 5, 0.1), 5),
            lambda s, o: s.SequentialLR(
                o, [s.LinearLR(o, total_iters=5), s.CosineAnnealingLR(o, STEPS - 5, 0.1)], [5]
            ),
            0.6,
        ),
        (OneCycle(2.0, STEPS, 0.01), lambda s, o: s.OneCycleLR(o, 2.0, STEPS, pct_start=0.01), 0.1),
        (OneCycle(2.0, STEPS), lambda s, o: s.OneCycleLR(o, 2.0, STEPS), 0.1),
        (
            OneCycle(2.0, STEPS, 0.6, 5.0, 50.0),
            lambda s, o: s.OneCycleLR(
                o, 2.0, STEPS, pct_start=0.6, div_factor=5.0, final_div_factor=50.0
            ),
            0.1,
        ),
    ],
)
def test_rates_equal_pytorch(ours, theirs, lr):
    assert [ours(step) for step in range(STEPS)] == pytest.approx(
        pytorch_rates(theirs, lr), rel=1e-10, abs=1e-15
    )


@pytest.mark.parametrize("schedule", [CosineDecay(1.0, 10, 0.25), OneCycle(1.0, 10)])
def test_the_last_rate_is_constant(schedule):
    assert schedule(1000) == schedule(10)


def test_one_cycle_may_have_its_peak_at_step_0():
    # pct_start * steps - 1 is 0, and half a cosine leads from there to the end at step 9.
    rates = [OneCycle(2.0, 10, pct_start=0.1)(step) for step in range(12)]
    expected = [1.0 + math.cos(math.pi * min(step, 9) / 9) for step in range(12)]
    assert rates == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("rate", [-1e-3, -math.inf, math.inf, math.nan])
def test_a_schedule_whose_rate_is_negative_or_not_finite_is_refused(rate):
    parameter = nn.Parameter([1.0])
    stepped = nn.optim.SGD([parameter], lr=lambda step: rate if step == 1 else 0.5)
    parameter.grad += 1.0
    stepped.step()
    parameter.grad += 1.0
    message = rf"lr must be .* at least 0, got {rate} from its schedule for step 1"
    with pytest.raises(ValueError, match=message):
        stepped.step()
    assert parameter.value == 0.5
    assert parameter.grad == 1.0


def test_a_warmup_leads_into_its_schedule():
    schedule = LinearWarmup(CosineDecay(0.8, 10), steps=4, start_factor=0.5)
    assert schedule(0) == 0.4
    assert [schedule(4 + step) for step in range(12)] == [
        CosineDecay(0.8, 10)(step) for step in range(12)
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"factor": 0.5, "patience": 2, "cooldown": 2},
        {"factor": 0.5, "patience": 0, "min_lr": 0.2},
        {"factor": 0.3, "patience": 1, "threshold": 0.2, "mode": "max"},
    ],
)
def test_plateau_follows_pytorch(settings):
    torch = pytest.importorskip("torch")
    ours = optimizer()
    plateau = ReduceOnPlateau(ours, **settings)
    reference = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(reference, **settings)
    for epoch in range(40):
        value = 2 + math.cos(epoch / 3) * math.exp(-epoch / 10)
        plateau.step(value)
        theirs.step(value)
        assert ours.lr == pytest.approx(reference.param_groups[0]["lr"])
    assert ours.lr < 1.0


def test_a_plateau_that_is_resumed_goes_on_the_same():
    first, second = optimizer(), optimizer()
    plateau, resumed = (ReduceOnPlateau(o, factor=0.5, patience=3) for o in (first, second))
    for _ in range(3):
        plateau.step(1.0)
    resumed.load_state_dict(plateau.state_dict())
    for _ in range(2):
        plateau.step(1.0)
        resumed.step(1.0)
    assert first.lr == second.lr == 0.5


@pytest.mark.parametrize("name", ["best", "waited", "cooling"])
def test_a_state_that_cannot_be_loaded_leaves_a_plateau_as_it_was(name):
    plateau = ReduceOnPlateau(optimizer(), cooldown=2)
    before = plateau.state_dict()
    with pytest.raises((TypeError, ValueError)):
        plateau.load_state_dict({"best": 3.0, "waited": 1, "cooling": 1} | {name: "many"})
    assert plateau.state_dict() == before


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Constant(-1.0), ValueError, "lr must be .* at least 0, got -1"),
        (lambda: StepDecay(1.0, 0), ValueError, "step_size must be .* at least 1, got 0"),
        (lambda: StepDecay(1.0, 2.5), TypeError, "step_size must be an integer .*, got 2.5"),
        (lambda: ExponentialDecay(1.0, 1.5), ValueError, "gamma must be .* at most 1, got 1.5"),
        (lambda: CosineDecay(1.0, 10, -0.1), ValueError, "final_lr must be .*, got -0.1"),
        (lambda: LinearWarmup("x", 10), TypeError, "lr must be .*, got 'x'"),
        (lambda: LinearWarmup(1.0, 10, 2.0), ValueError, "start_factor must be .*, got 2.0"),
        (lambda: OneCycle(1.0, 1), ValueError, "steps must be .* at least 2, got 1"),
        (lambda: OneCycle(1.0, 9, 1.0), ValueError, "pct_start must be .* below 1, got 1.0"),
        (lambda: ReduceOnPlateau(optimizer(), factor=1), ValueError, "factor must be .*, got 1"),
        (lambda: ReduceOnPlateau(optimizer(), mode="up"), ValueError, "mode must be .*, got 'up'"),
        (
            lambda: ReduceOnPlateau(optimizer(Constant(1.0))),
            ValueError,
            "optimizer must have a number as its lr, got a schedule",
        ),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
