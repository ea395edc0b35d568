"""Every optimizer against PyTorch, and the properties that all of them share."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config import families
from nnlayers.optim.layout import BLOCK

OPTIMIZERS = {
    "SGD": lambda params, **kw: nn.optim.SGD(params, **{"lr": 0.1} | kw),
    "momentum": lambda params, **kw: nn.optim.SGD(params, **{"lr": 0.1, "momentum": 0.9} | kw),
    "Adam": lambda params, **kw: nn.optim.Adam(params, **{"lr": 0.1} | kw),
    "AdamW": lambda params, **kw: nn.optim.AdamW(params, **{"lr": 0.1} | kw),
    "NAdam": lambda params, **kw: nn.optim.NAdam(params, **{"lr": 0.05} | kw),
    "RMSProp": lambda params, **kw: nn.optim.RMSProp(params, **kw),
    "AdaGrad": lambda params, **kw: nn.optim.AdaGrad(params, **{"lr": 0.5} | kw),
    "AdaDelta": lambda params, **kw: nn.optim.AdaDelta(params, **{"lr": 2.0} | kw),
    "Lion": lambda params, **kw: nn.optim.Lion(params, **{"lr": 0.02} | kw),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())

# The name here and in PyTorch, and arguments for both.
PYTORCH = [
    ("SGD", "SGD", {"lr": 0.1}),
    ("SGD", "SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", "SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", "SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    ("SGD", "SGD", {"lr": 0.05, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", "Adam", {}),
    ("Adam", "Adam", {"lr": 0.02, "betas": (0.7, 0.95), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", "Adam", {"betas": (0.0, 0.0)}),
    ("AdamW", "AdamW", {}),
    ("AdamW", "AdamW", {"lr": 0.02, "betas": (0.7, 0.95), "weight_decay": 0.3}),
    ("NAdam", "NAdam", {}),
    ("NAdam", "NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.1}),
    ("RMSProp", "RMSprop", {}),
    ("RMSProp", "RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSProp", "RMSprop", {"alpha": 0.8, "centered": True, "momentum": 0.5, "eps": 1e-3}),
    ("AdaGrad", "Adagrad", {}),
    ("AdaGrad", "Adagrad", {"lr_decay": 0.1, "weight_decay": 0.1}),
    ("AdaGrad", "Adagrad", {"initial_accumulator_value": 0.5}),
    ("AdaDelta", "Adadelta", {}),
    ("AdaDelta", "Adadelta", {"lr": 0.5, "rho": 0.7, "weight_decay": 0.1}),
]


def test_every_optimizer_is_in_the_table():
    made = {type(make([nn.Parameter([1.0])])) for make in OPTIMIZERS.values()}
    assert made == set(families.OPTIMIZERS.known.values())


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize(("ours", "theirs", "settings"), PYTORCH)
def test_fifty_steps_follow_pytorch(ours, theirs, settings, dtype, tolerance):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape).astype(dtype) for shape in [(3, 4), (4,), (1,)]]
    parameters = [nn.Parameter(value) for value in start]
    tensors = [torch.tensor(value, requires_grad=True) for value in start]
    optimizer = getattr(nn.optim, ours)(parameters, **settings)
    reference = getattr(torch.optim, theirs)(tensors, **settings)
    for _ in range(50):
        for parameter, tensor in zip(parameters, tensors, strict=True):
            # The gradients do not depend on the weights, so rounding errors do not feed back.
            grad = rng.normal(size=parameter.shape).astype(dtype)
            parameter.grad += grad
            tensor.grad = torch.tensor(grad)
        optimizer.step()
        reference.step()
        for parameter, tensor in zip(parameters, tensors, strict=True):
            scale = np.abs(tensor.detach().numpy()).max()
            np.testing.assert_allclose(
                parameter.value, tensor.detach().numpy(), rtol=tolerance, atol=tolerance * scale
            )


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-5)])
@pytest.mark.parametrize(
    "options", [{}, {"lr": 0.1, "betas": (0.5, 0.75), "weight_decay": 0.5}, {"betas": (0.0, 0.0)}]
)
def test_fifty_steps_of_lion_follow_its_paper(options, dtype, tolerance):
    rng = np.random.default_rng(0)
    parameter = nn.Parameter(rng.normal(size=20).astype(dtype))
    optimizer = nn.optim.Lion([parameter], **options)
    settings = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.0} | options
    rate, (beta1, beta2), decay = settings.values()
    theta, m = parameter.value.astype(np.float64), np.zeros(20)
    for _ in range(50):
        g = rng.normal(size=20).astype(dtype)
        parameter.grad += g
        optimizer.step()
        # Algorithm 2 of Chen et al. (2023), line by line.
        c = beta1 * m + (1 - beta1) * g
        theta = theta - rate * (np.sign(c) + decay * theta)
        m = beta2 * m + (1 - beta2) * g
        np.testing.assert_allclose(parameter.value, theta, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(optimizer.state_dict()["0.m"], m, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_centred_steps_stay_finite_where_the_gradient_never_changes(dtype):
    parameter = nn.Parameter(np.zeros(50, dtype))
    optimizer = nn.optim.RMSProp([parameter], alpha=0.5, centered=True)
    for _ in range(200):
        parameter.grad += np.linspace(0.1, 1.0, 50).astype(dtype)
        optimizer.step()
    assert (parameter.value < 0).all()
    assert np.isfinite(parameter.value).all()


def quadratic(dtype="float64", sizes=((3, 2), (2,))):
    rng = np.random.default_rng(1)
    return [nn.Parameter(rng.normal(size=shape).astype(dtype), f"p{len(shape)}") for shape in sizes]


def descend(parameters, optimizer, steps=1):
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad += parameter.value
        optimizer.step()


@every_optimizer
def test_a_step_consumes_the_gradients(make):
    parameters = quadratic()
    descend(parameters, make(parameters))
    assert all((parameter.grad == 0).all() for parameter in parameters)


@every_optimizer
def test_the_loss_of_a_quadratic_falls(make):
    parameters = quadratic()
    before = sum(np.square(parameter.value).sum() for parameter in parameters)
    descend(parameters, make(parameters), 1000)
    assert sum(np.square(parameter.value).sum() for parameter in parameters) < 1e-2 * before


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_and_state_keep_their_dtype(make, dtype):
    parameters = quadratic(dtype)
    optimizer = make(parameters)
    descend(parameters, optimizer, 2)
    assert all(parameter.dtype == dtype for parameter in parameters)
    state = optimizer.state_dict()
    assert all(state[name].dtype == dtype for name in state if name[0].isdigit())


@every_optimizer
def test_blocks_do_not_change_the_result(make):
    rng = np.random.default_rng(2)
    value, grads = rng.normal(size=BLOCK + 7), rng.normal(size=(3, BLOCK + 7))
    whole = nn.Parameter(value)
    parts = [nn.Parameter(value[start : start + 100]) for start in range(0, value.size, 100)]
    optimizers = make([whole]), make(parts[::2]), make(parts[1::2])
    for grad in grads:
        whole.grad += grad
        for index, part in enumerate(parts):
            part.grad += grad[index * 100 : index * 100 + 100]
        for optimizer in optimizers:
            optimizer.step()
    np.testing.assert_array_equal(whole.value, np.concatenate([part.value for part in parts]))


def test_gradients_of_several_backward_passes_accumulate_until_the_step():
    model = nn.mlp([3, 5, 1], dtype="float64", rng=0)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.0)
    x = np.random.default_rng(0).normal(size=(4, 3))
    for _ in range(2):
        model.forward(x)
        model.backward(np.ones((4, 1)))
        once = [parameter.grad.copy() for parameter in model.parameters()]
        model.forward(x)
        model.backward(np.ones((4, 1)))
        for parameter, grad in zip(model.parameters(), once, strict=True):
            np.testing.assert_allclose(parameter.grad, 2 * grad, rtol=1e-14)
        optimizer.step()


def test_a_gradient_that_no_backward_pass_wrote_counts_as_zero():
    used, unused = nn.Parameter([1.0]), nn.Parameter([2.0])
    optimizer = nn.optim.SGD([used, unused], lr=1.0)
    for _ in range(2):
        used.grad += 1.0
        optimizer.step()
    assert used.value == [-1.0]
    assert unused.value == [2.0]


@every_optimizer
def test_a_second_optimizer_does_not_disturb_the_first(make):
    alone, shared = quadratic(), quadratic()
    first_alone, first = make(alone), make(shared)
    descend(alone, first_alone, 2)
    descend(shared, first, 2)
    make(shared[:1])
    make(shared)
    descend(alone, first_alone, 2)
    descend(shared, first, 2)
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.value, other.value)


def test_two_optimizers_that_share_parameters_move_the_same_weights():
    parameters = quadratic()
    start = [parameter.value.copy() for parameter in parameters]
    both, last = nn.optim.SGD(parameters, lr=0.5), nn.optim.SGD(parameters[1:], lr=0.5)
    descend(parameters, both)
    descend(parameters[1:], last)
    np.testing.assert_array_equal(parameters[0].value, 0.5 * start[0])
    np.testing.assert_array_equal(parameters[1].value, 0.25 * start[1])


@every_optimizer
def test_a_frozen_parameter_keeps_value_and_gradient(make):
    parameters = quadratic(sizes=((2,), (3,), (4,)))
    optimizer = make(parameters)
    frozen = parameters[1]
    frozen.trainable = False
    value = frozen.value.copy()
    descend(parameters, optimizer)
    np.testing.assert_array_equal(frozen.value, value)
    np.testing.assert_array_equal(frozen.grad, value)


def test_an_unfrozen_parameter_starts_without_the_gradient_gathered_meanwhile():
    parameter = nn.Parameter([1.0], trainable=False)
    optimizer = nn.optim.SGD([parameter], lr=1.0)
    parameter.grad += 5.0
    parameter.trainable = True
    optimizer.step()
    assert parameter.value == [1.0]


def test_parameters_of_two_dtypes_are_trained_side_by_side():
    parameters = [nn.Parameter(np.ones(2, dtype)) for dtype in ("float32", "float64", "float32")]
    descend(parameters, nn.optim.SGD(parameters, lr=0.5))
    assert [p.value.tolist() for p in parameters] == [[0.5, 0.5]] * 3


def test_astype_after_the_optimizer_was_made_carries_the_state_over():
    model, reference = (nn.mlp([2, 3, 1], dtype="float64", rng=0) for _ in range(2))
    optimizers = [nn.optim.Adam(m.parameters(), lr=0.1) for m in (model, reference)]
    descend(model.parameters(), optimizers[0])
    descend(reference.parameters(), optimizers[1])
    model.astype("float32")
    descend(model.parameters(), optimizers[0])
    descend(reference.parameters(), optimizers[1])
    for one, other in zip(model.parameters(), reference.parameters(), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one.value, other.value, rtol=1e-5, atol=1e-6)


@every_optimizer
@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_continue_independently_from_the_same_state(make, duplicate):
    parameters = quadratic()
    optimizer = make(parameters)
    descend(parameters, optimizer, 2)
    twins, twin_optimizer = duplicate((parameters, optimizer))
    descend(parameters, optimizer, 2)
    before = [parameter.value.copy() for parameter in parameters]
    descend(twins, twin_optimizer, 2)
    for parameter, twin, value in zip(parameters, twins, before, strict=True):
        np.testing.assert_array_equal(twin.value, value)
        np.testing.assert_array_equal(parameter.value, value)


@every_optimizer
def test_state_dict_resumes_to_the_last_bit(make):
    parameters = quadratic()
    optimizer = make(parameters)
    descend(parameters, optimizer, 3)
    state, values = optimizer.state_dict(), [p.value.copy() for p in parameters]
    descend(parameters, optimizer, 3)
    resumed = [nn.Parameter(value) for value in values]
    successor = make(resumed, lr=0.7)
    successor.load_state_dict(state)
    descend(resumed, successor, 3)
    for one, other in zip(parameters, resumed, strict=True):
        np.testing.assert_array_equal(one.value, other.value)


def test_a_state_that_does_not_fit_names_the_entry_and_changes_nothing():
    parameters = quadratic()
    optimizer = nn.optim.Adam(parameters)
    state = optimizer.state_dict()
    with pytest.raises(ValueError, match=r"Adam: missing '0\.m', unknown 'x'"):
        optimizer.load_state_dict({k: v for k, v in state.items() if k != "0.m"} | {"x": 1})
    with pytest.raises(ValueError, match=r"'1\.v' must have shape \(2,\), got \(3,\)"):
        optimizer.load_state_dict(state | {"0.m": np.ones((3, 2)), "1.v": np.ones(3)})
    assert (optimizer.state_dict()["0.m"] == 0).all()


def test_a_schedule_is_called_at_each_step():
    asked = []

    def schedule(step):
        asked.append(step)
        return 1.0 / (step + 1)

    parameter = nn.Parameter([0.0])
    optimizer = nn.optim.SGD([parameter], lr=schedule)
    for _ in range(3):
        parameter.grad += 1.0
        optimizer.step()
    assert asked == [0, 1, 2]
    assert parameter.value == pytest.approx([-(1 + 1 / 2 + 1 / 3)])
    assert optimizer.lr == 0.25
    assert "lr" not in optimizer.state_dict()


def test_assigning_lr_takes_effect_at_the_next_step():
    parameter = nn.Parameter([0.0])
    optimizer = nn.optim.SGD([parameter], lr=1.0)
    optimizer.lr = 0.25
    parameter.grad += 1.0
    optimizer.step()
    assert parameter.value == [-0.25]
    assert optimizer.lr == 0.25


def test_a_schedule_that_returns_nan_changes_nothing():
    parameter = nn.Parameter([1.0])
    optimizer = nn.optim.SGD([parameter], lr=lambda step: math.nan)
    parameter.grad += 1.0
    with pytest.raises(ValueError, match=r"lr must be .* got nan from its schedule for step 0"):
        optimizer.step()
    assert parameter.value == [1.0]
    assert parameter.grad == [1.0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: nn.optim.SGD([], lr=0.1), ValueError, "at least one Parameter, got none"),
        (lambda p: nn.optim.SGD(["W"], lr=0.1), TypeError, "must hold Parameters, got 'W'"),
        (lambda p: nn.optim.SGD(p, lr=-1), ValueError, "lr must be .* of at least 0, got -1"),
        (lambda p: nn.optim.SGD(p, lr="fast"), TypeError, "lr must be .*, got 'fast'"),
        (lambda p: nn.optim.SGD(p, lr=1, momentum=1), ValueError, "momentum .* below 1, got 1"),
        (lambda p: nn.optim.SGD(p, lr=1, nesterov=True), ValueError, "nesterov needs a momentum"),
        (lambda p: nn.optim.SGD(p, lr=1, weight_decay=-1), ValueError, "weight_decay .*, got -1"),
        (lambda p: nn.optim.Adam(p, betas=(0.9, 1.0)), ValueError, r"betas\[1\] .*, got 1.0"),
        (lambda p: nn.optim.Adam(p, betas=0.9), TypeError, "betas must be a pair .*, got 0.9"),
        (lambda p: nn.optim.Adam(p, eps=0), ValueError, "eps must be .* above 0, got 0"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make([nn.Parameter([1.0])])


def test_a_parameter_given_twice_moves_once():
    parameter = nn.Parameter([1.0])
    descend([parameter], nn.optim.SGD([parameter, parameter], lr=0.5))
    assert parameter.value == [0.5]


def test_repr_tells_how_much_is_trained():
    assert repr(nn.optim.Adam(quadratic())) == "Adam(8 weights in 2 parameters)"


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_gradient_that_is_not_finite_changes_nothing_and_is_named(make, dtype, bad):
    parameters = quadratic(dtype, sizes=((3, 2), (BLOCK,), (2,)))
    optimizer = make(parameters)
    descend(parameters, optimizer, 2)
    before = pickle.dumps((parameters, optimizer.state_dict()))
    for parameter in parameters:
        parameter.grad += 1
    parameters[1].grad[-1] = bad
    with pytest.raises(nn.optim.NonfiniteGradientError, match=r"params\[1\], Parameter\('p1'") as e:
        optimizer.step()
    assert e.value.parameter is parameters[1]
    assert (parameters[0].grad == 1).all()
    np.testing.assert_equal(parameters[1].grad[-1], bad)
    for parameter in parameters:
        parameter.zero_grad()
    assert pickle.dumps((parameters, optimizer.state_dict())) == before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finite_gradients_whose_squares_overflow_are_accepted(dtype):
    parameter = nn.Parameter(np.zeros(3, dtype))
    optimizer = nn.optim.SGD([parameter], lr=1.0)
    parameter.grad += np.finfo(dtype).max / 2
    optimizer.step()
    np.testing.assert_array_equal(parameter.value, -np.finfo(dtype).max / 2)


def test_gradients_of_frozen_parameters_may_be_anything():
    parameters = quadratic()
    parameters[1].trainable = False
    parameters[1].grad += math.nan
    descend(parameters[:1], nn.optim.Adam(parameters))


def test_zero_grad_of_an_optimizer_names_its_replacement():
    optimizer = nn.optim.Adam(quadratic())
    with pytest.raises(
        AttributeError, match=r"Adam has no attribute 'zero_grad': step\(\) consumes"
    ):
        optimizer.zero_grad()


@every_optimizer
def test_a_parameter_frozen_between_two_steps_does_not_move_until_it_is_unfrozen(make):
    parameters = quadratic()
    optimizer = make(parameters)
    descend(parameters, optimizer, 3)
    for frozen in range(len(parameters)):
        parameters[frozen].trainable = False
        before = [parameter.value.copy() for parameter in parameters]
        descend(parameters, optimizer)
        moved = [
            bool((p.value != value).any()) for p, value in zip(parameters, before, strict=True)
        ]
        assert moved == [index != frozen for index in range(len(parameters))]
        parameters[frozen].trainable = True


@every_optimizer
def test_steps_while_frozen_do_not_count(make):
    parameters, first, second = quadratic(), quadratic()[:1], quadratic()[1:]
    optimizer, references = make(parameters), [make(first), make(second)]
    for trainable in (True, False, True, False, True):
        parameters[1].trainable = trainable
        descend(parameters, optimizer, 2)
        descend(first, references[0], 2)
        if trainable:
            descend(second, references[1], 2)
    np.testing.assert_array_equal(parameters[0].value, first[0].value)
    np.testing.assert_array_equal(parameters[1].value, second[0].value)


@every_optimizer
def test_a_parameter_that_is_unfrozen_late_starts_as_if_new(make):
    early, late, new = (
        nn.Parameter([0.0]),
        nn.Parameter([0.0], trainable=False),
        nn.Parameter([0.0]),
    )
    optimizer, reference = make([early, late]), make([new])
    for _ in range(1000):
        early.grad += 1.0
        optimizer.step()
    late.trainable = True
    for _ in range(10):
        for parameter in (early, late, new):
            parameter.grad += 1.0
        optimizer.step()
        reference.step()
    assert late.value == new.value != 0


def test_ten_steps_of_adam_after_a_late_unfreezing_move_by_ten_learning_rates():
    late = nn.Parameter([0.0], trainable=False)
    optimizer = nn.optim.Adam([nn.Parameter([0.0]), late], lr=0.01)
    for step in range(1010):
        if step == 1000:
            late.trainable = True
        late.grad += 1.0
        optimizer.step()
    assert late.value == pytest.approx(-0.1, rel=1e-6)


@every_optimizer
@pytest.mark.parametrize("after", ["load", "deepcopy", "pickle"])
def test_the_steps_of_each_parameter_are_saved(make, after):
    def run(interrupt):
        parameters = quadratic(sizes=((3, 2), (2,), (4,)))
        optimizer = make(parameters)
        for step in range(9):
            if step == 5 and interrupt:
                if after == "load":
                    state, free = optimizer.state_dict(), [p.trainable for p in parameters]
                    parameters = [nn.Parameter(p.value, p.name, p.trainable) for p in parameters]
                    optimizer = make(parameters, lr=0.7)
                    optimizer.load_state_dict(state)
                    assert [p.trainable for p in parameters] == free
                elif after == "deepcopy":
                    parameters, optimizer = copy.deepcopy((parameters, optimizer))
                else:
                    parameters, optimizer = pickle.loads(pickle.dumps((parameters, optimizer)))
            for index, parameter in enumerate(parameters):
                parameter.trainable = (step * (index + 1)) % 4 < 3
            descend(parameters, optimizer)
        counts = optimizer.state_dict()["parameter_steps"].tolist()
        return [p.value.tolist() for p in parameters], counts

    assert run(True) == run(False)
    assert run(False)[1] == [7, 9, 7]


def test_nadam_lists_the_products_of_some_hundred_momenta_only():
    optimizer = nn.optim.NAdam([nn.Parameter([1.0])])
    before = sys.getallocatedblocks()
    assert 1 - optimizer.momentum_product(100_000) == 1
    assert sys.getallocatedblocks() - before < 1_000


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_state_drops_subnormal_numbers(make, dtype):
    parameter = nn.Parameter(np.ones(3, dtype))
    optimizer = make([parameter])
    tiny = np.finfo(dtype).tiny
    state = optimizer.state_dict()
    arrays = {name: array for name, array in state.items() if name.startswith("0.")}
    optimizer.load_state_dict(
        state
        | {key: [tiny / 8, 1.0, 0.0] for key in arrays}
        | {"steps": 255, "parameter_steps": [255]}
    )
    optimizer.step()
    for name, array in optimizer.state_dict().items():
        if name in arrays:
            assert array[0] == 0, name
            assert array[1] > 0, name
