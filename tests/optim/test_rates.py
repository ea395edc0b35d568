"""Learning rates and weight decay by parameter: `Parameter.lr_scale` and `Parameter.decay`."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_optimizers import descend, every_optimizer, quadratic

import nnlayers as nn

# The name here and in PyTorch, and arguments for both.
PYTORCH = [
    ("SGD", "SGD", {"lr": 0.1}),
    ("SGD", "SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SGD", "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True}),
    ("Adam", "Adam", {"lr": 0.05}),
    ("AdamW", "AdamW", {"lr": 0.05}),
    ("NAdam", "NAdam", {"lr": 0.05}),
    ("RMSProp", "RMSprop", {"lr": 0.01, "momentum": 0.5, "eps": 1e-2}),
    ("AdaGrad", "Adagrad", {"lr": 0.1, "lr_decay": 0.1}),
    ("AdaDelta", "Adadelta", {"lr": 1.0}),
]
SHAPES = [(3, 2), (2,), (2, 1), (1,)]
rates = st.tuples(*[st.sampled_from([0.0, 0.1, 1.0, 3.0])] * 4)
decays = st.tuples(*[st.booleans()] * 4)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
@pytest.mark.parametrize(("ours", "theirs", "options"), PYTORCH)
@settings(max_examples=12)
@given(
    moments=st.lists(st.tuples(rates, decays), min_size=1, max_size=8),
    weight_decay=st.sampled_from([0.0, 0.2]),
    seed=st.integers(0, 2**16),
)
def test_rates_and_decay_that_change_at_any_step_follow_pytorchs_groups(
    ours, theirs, options, dtype, tolerance, moments, weight_decay, seed
):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape).astype(dtype) for shape in SHAPES]
    parameters = [nn.Parameter(value) for value in start]
    tensors = [torch.tensor(value, requires_grad=True) for value in start]
    options = options | {"weight_decay": weight_decay}
    optimizer = getattr(nn.optim, ours)(parameters, **options)
    reference = getattr(torch.optim, theirs)([{"params": [t]} for t in tensors], **options)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # PyTorch's NAdam multiplies momenta in this dtype.
    try:
        for moment in moments:
            for index, (scale, decay) in enumerate(zip(*moment, strict=True)):
                parameters[index].lr_scale, parameters[index].decay = scale, decay
                reference.param_groups[index]["lr"] = options["lr"] * scale
                reference.param_groups[index]["weight_decay"] = weight_decay * decay
                grad = rng.normal(size=SHAPES[index]).astype(dtype)
                parameters[index].grad += grad
                tensors[index].grad = torch.tensor(grad)
            optimizer.step()
            reference.step()
    finally:
        torch.set_default_dtype(before)
    for parameter, tensor in zip(parameters, tensors, strict=True):
        np.testing.assert_allclose(
            parameter.value, tensor.detach().numpy(), rtol=tolerance, atol=tolerance
        )


def test_one_step_of_sgd_by_hand():
    scaled, plain, undecayed = (nn.Parameter([2.0]) for _ in range(3))
    scaled.lr_scale, undecayed.decay = 0.5, False
    optimizer = nn.optim.SGD([scaled, plain, undecayed], lr=0.1, weight_decay=0.25)
    for parameter in optimizer.params:
        parameter.grad += 1.0
    optimizer.step()
    # p - lr_scale * lr * (g + weight_decay * p)
    assert scaled.value == pytest.approx(2 - 0.5 * 0.1 * (1 + 0.5))
    assert plain.value == pytest.approx(2 - 0.1 * (1 + 0.5))
    assert undecayed.value == pytest.approx(2 - 0.1 * 1)


@pytest.mark.parametrize("make", [nn.optim.AdamW, nn.optim.Lion])
def test_decoupled_decay_by_hand(make):
    scaled, plain, undecayed = (nn.Parameter([2.0]) for _ in range(3))
    scaled.lr_scale, undecayed.decay = 0.5, False
    make([scaled, plain, undecayed], 0.1, weight_decay=0.25).step()  # The gradients are zero.
    assert scaled.value == pytest.approx(2 * (1 - 0.5 * 0.1 * 0.25))
    assert plain.value == pytest.approx(2 * (1 - 0.1 * 0.25))
    assert undecayed.value == 2


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_parameter_moves_as_alone_with_its_rate_and_decay(make, dtype):
    together = quadratic(dtype, sizes=((3, 2), (2,), (4,), (1,)))
    alone = copy.deepcopy(together)
    lr, weight_decay = make(together).lr, 0.125
    settings_of = [(0.5, True), (1.0, False), (0.25, False), (1.0, True)]
    optimizer = make(together, weight_decay=weight_decay)
    optimizers = []
    for parameter, twin, (scale, decay) in zip(together, alone, settings_of, strict=True):
        parameter.lr_scale, parameter.decay = scale, decay
        optimizers.append(make([twin], lr=scale * lr, weight_decay=decay * weight_decay))
    for _ in range(5):
        descend(together, optimizer)
        for twin, single in zip(alone, optimizers, strict=True):
            descend([twin], single)
    for parameter, twin in zip(together, alone, strict=True):
        np.testing.assert_array_equal(parameter.value, twin.value)


@every_optimizer
def test_a_rate_of_zero_keeps_the_weights_while_steps_count(make):
    parameters = quadratic()
    optimizer = make(parameters, weight_decay=0.1)
    parameters[0].lr_scale = 0
    before = parameters[0].value.copy()
    descend(parameters, optimizer, 3)
    np.testing.assert_array_equal(parameters[0].value, before)
    np.testing.assert_array_equal(optimizer.state_dict()["parameter_steps"], [3, 3])


def test_schedules_and_rates_multiply():
    parameter = nn.Parameter([0.0])
    parameter.lr_scale = 0.5
    optimizer = nn.optim.SGD([parameter], lr=lambda step: 1.0 / (step + 1))
    for _ in range(2):
        parameter.grad += 1.0
        optimizer.step()
    assert parameter.value == [-0.75]


@every_optimizer
@pytest.mark.parametrize("after", ["load", "deepcopy", "pickle"])
def test_rates_and_decay_are_part_of_the_state(make, after):
    parameters = quadratic(sizes=((3, 2), (2,), (4,)))
    optimizer = make(parameters, weight_decay=0.1)
    parameters[0].lr_scale, parameters[1].decay = 0.3, False
    descend(parameters, optimizer, 2)
    if after == "load":
        twins = [nn.Parameter(parameter.value) for parameter in parameters]
        twin_optimizer = make(twins, weight_decay=0.1)
        twin_optimizer.load_state_dict(optimizer.state_dict())
    elif after == "deepcopy":
        twins, twin_optimizer = copy.deepcopy((parameters, optimizer))
    else:
        twins, twin_optimizer = pickle.loads(pickle.dumps((parameters, optimizer)))
    assert [(p.lr_scale, p.decay) for p in twins] == [(0.3, True), (1.0, False), (1.0, True)]
    descend(parameters, optimizer, 2)
    descend(twins, twin_optimizer, 2)
    for parameter, twin in zip(parameters, twins, strict=True):
        np.testing.assert_array_equal(parameter.value, twin.value)


def test_a_state_without_rates_leaves_them_as_they_are():
    parameters = quadratic()
    optimizer = nn.optim.Adam(parameters)
    state = optimizer.state_dict()
    parameters[0].lr_scale, parameters[0].decay = 0.5, False
    del state["lr_scale"], state["decay"]
    optimizer.load_state_dict(state)
    assert [(p.lr_scale, p.decay) for p in parameters] == [(0.5, False), (1.0, True)]


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_a_rate_in_a_state_that_is_out_of_range_changes_nothing(bad):
    parameters = quadratic()
    optimizer = nn.optim.Adam(parameters)
    state = optimizer.state_dict()
    descend(parameters, optimizer)
    with pytest.raises(ValueError, match=r"lr_scale must be .* at least 0, got"):
        optimizer.load_state_dict(state | {"lr_scale": np.array([0.5, bad])})
    assert optimizer.steps == 1
    assert [p.lr_scale for p in parameters] == [1, 1]


def test_parameters_of_equal_settings_form_one_run():
    model = nn.mlp([4, 3, 3, 2], dtype="float64", rng=0)
    assert len(nn.optim.SGD(model.parameters(), lr=0.1).layout.runs) == 1
    model = nn.mlp([4, 3, 3, 2], dtype="float64", rng=0)
    for name, parameter in model.named_parameters().items():
        parameter.decay = not name.endswith(".b")
    optimizer = nn.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5)
    assert [(len(run.values), run.lr_scale, run.decay) for run in optimizer.layout.runs] == [
        (8, 1.0, False),
        (27, 1.0, True),
    ]
    model[0].scale_lr(0.1)
    scaled = [run for run in optimizer.layout.runs if run.lr_scale == 0.1]
    assert sorted(len(run.values) for run in scaled) == [3, 12]
    assert sum(len(run.values) for run in optimizer.layout.runs) == 35


def test_a_layout_shows_the_memory_that_a_step_moves():
    parameters = quadratic()
    parameters[1].lr_scale = 2
    optimizer = nn.optim.SGD(parameters, lr=0.5, momentum=0.9)
    descend(parameters, optimizer)
    for run in optimizer.layout.runs:
        assert run.state[0].shape == run.values.shape == run.grads.shape
        run.values[...] = 7.0
    assert all((parameter.value == 7).all() for parameter in parameters)


def test_a_users_optimizer_honours_rates_and_decay():
    class SignDescent(nn.optim.Optimizer):
        def update(self, p, g, state, lr, t):
            p -= lr * np.sign(g)

    scaled, undecayed = nn.Parameter([1.0]), nn.Parameter([1.0])
    scaled.lr_scale, undecayed.decay = 0.5, False
    SignDescent([scaled, undecayed], lr=0.5, weight_decay=0.1).step()
    assert scaled.value == [0.75]
    assert undecayed.value == [1.0]
