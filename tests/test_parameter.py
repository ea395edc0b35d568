import copy
import pickle

import numpy as np
import pytest

import nnlayers as nn


def test_value_is_a_copy_of_the_argument():
    given = np.ones((2, 3), np.float32)
    parameter = nn.Parameter(given, name="W")
    given[...] = 5
    np.testing.assert_array_equal(parameter.value, np.ones((2, 3)))
    assert (parameter.name, parameter.shape, parameter.size) == ("W", (2, 3), 6)


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.ones(2, np.float32), np.float32),
        (np.ones(2, np.float64), np.float64),
        (np.ones(2, np.float16), np.float32),
        (np.ones(2, ">f4"), np.float32),
        ([1, 2], np.float64),
        (3, np.float64),
    ],
)
def test_dtype_is_float32_or_float64(given, dtype):
    parameter = nn.Parameter(given)
    assert parameter.value.dtype == parameter.grad.dtype == parameter.dtype == np.dtype(dtype)
    assert parameter.grad.shape == parameter.value.shape == np.shape(given)
    assert not parameter.grad.any()


@pytest.mark.parametrize("bad", [[1j], ["a"], [None]])
def test_only_real_numbers_are_accepted(bad):
    with pytest.raises(TypeError, match="value must hold real numbers, got dtype"):
        nn.Parameter(bad)
    with pytest.raises(TypeError, match="grad must hold real numbers, got dtype"):
        nn.Parameter([1.0]).grad = bad


def test_assignments_copy_into_the_memory_that_is_there():
    parameter = nn.Parameter([1.0, 2.0])
    value, grad = parameter.value, parameter.grad
    parameter.value = [3, 4]
    parameter.grad = np.array([5.0, 6.0])
    assert parameter.value is value
    assert parameter.grad is grad
    np.testing.assert_array_equal([value, grad], [[3, 4], [5, 6]])
    parameter.value *= 2
    parameter.grad += 1
    assert parameter.value is value
    assert parameter.grad is grad
    np.testing.assert_array_equal([value, grad], [[6, 8], [6, 7]])


@pytest.mark.parametrize("what", ["value", "grad"])
@pytest.mark.parametrize("new", [1.0, [1.0], [[1.0, 2.0]]])
def test_an_assignment_of_another_shape_is_refused(what, new):
    parameter = nn.Parameter([1.0, 2.0], name="b")
    with pytest.raises(ValueError, match=rf"parameter 'b' expected a {what} of shape \(2,\), got "):
        setattr(parameter, what, new)
    np.testing.assert_array_equal(parameter.value, [1, 2])


def test_zero_grad_makes_the_gradient_read_zero():
    parameter = nn.Parameter([1.0, 2.0])
    parameter.grad += np.nan
    parameter.zero_grad()
    np.testing.assert_array_equal(parameter.grad, [0, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_products_add_up_to_the_matrix_product(dtype, rows):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(-9, 9, size=(rows, width)).astype(dtype) for width in (3, 2))
    parameter = nn.Parameter(np.zeros((3, 2), dtype))
    for times in (1, 2, 3):
        parameter.add_product(a.T, b)
        np.testing.assert_array_equal(parameter.grad, times * (a.T @ b))
    parameter.zero_grad()
    parameter.add_product(a.T, b)
    np.testing.assert_array_equal(parameter.grad, a.T @ b)


def test_freeing_a_frozen_parameter_discards_its_gradient():
    parameter = nn.Parameter([1.0], trainable=False)
    parameter.grad += 2
    parameter.trainable = False
    assert parameter.trainable is False
    np.testing.assert_array_equal(parameter.grad, [2])
    parameter.trainable = True
    np.testing.assert_array_equal(parameter.grad, [0])
    parameter.grad += 3
    parameter.trainable = True
    np.testing.assert_array_equal(parameter.grad, [3])


def test_astype_converts_value_and_gradient():
    parameter = nn.Parameter(np.array([1.0, 2.0], np.float32))
    parameter.grad += [3, 4]
    parameter.astype(np.float64)
    assert parameter.value.dtype == parameter.grad.dtype == np.float64
    np.testing.assert_array_equal([parameter.value, parameter.grad], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"dtype must be float32 or float64, got 'int8'"):
        parameter.astype("int8")


def test_a_move_keeps_value_and_gradient_and_makes_them_views():
    parameter = nn.Parameter([[1.0], [2.0]])
    parameter.grad += 3
    values, grads = np.zeros(5), np.zeros(5)
    before = parameter.placement
    assert before.flat is None
    placement = parameter.copy_into(values, grads, 2)
    assert parameter.placement is before
    parameter.prepare_placement(placement)()
    np.testing.assert_array_equal([values, grads], [[0, 0, 1, 2, 0], [0, 0, 3, 3, 0]])
    parameter.value += 1
    parameter.grad += 1
    np.testing.assert_array_equal([values, grads], [[0, 0, 2, 3, 0], [0, 0, 4, 4, 0]])
    assert parameter.placement is placement
    assert placement.flat[0] is values
    assert placement.flat[1] is grads
    assert placement.flat[2] == 2
    parameter.astype(np.float64)
    assert parameter.placement is placement
    parameter.astype(np.float32)
    assert parameter.placement.flat is None


def test_freezing_and_freeing_show_in_the_placement():
    parameter = nn.Parameter([1.0])
    placements = [parameter.placement]
    for trainable in (False, False, True, True):
        parameter.trainable = trainable
        placements.append(parameter.placement)
    assert len(set(placements)) == 3
    assert placements[1] is placements[2]
    assert placements[3] is placements[4]


def test_changes_of_rate_and_decay_show_in_the_placement():
    parameter = nn.Parameter([1.0])
    parameter.grad += 2
    assert (parameter.lr_scale, parameter.decay) == (1.0, True)
    placements = [parameter.placement]
    for name, value in [("lr_scale", 0.5), ("lr_scale", 0.5), ("decay", False), ("decay", False)]:
        setattr(parameter, name, value)
        placements.append(parameter.placement)
    assert len(set(placements)) == 3
    assert (parameter.lr_scale, parameter.decay, parameter.trainable) == (0.5, False, True)
    np.testing.assert_array_equal(parameter.grad, [2])


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("lr_scale", -0.1, ValueError, "lr_scale must be .* at least 0, got -0.1"),
        ("lr_scale", np.nan, ValueError, "lr_scale must be a finite number .*, got nan"),
        ("lr_scale", np.inf, ValueError, "lr_scale must be a finite number .*, got inf"),
        ("lr_scale", "slow", TypeError, "lr_scale must be a finite number .*, got 'slow'"),
        ("lr_scale", True, TypeError, "lr_scale must be a finite number .*, got True"),
        ("decay", 0, TypeError, "decay must be True or False, got 0"),
        ("decay", "no", TypeError, "decay must be True or False, got 'no'"),
    ],
)
def test_a_bad_rate_or_decay_changes_nothing(name, value, error, message):
    parameter = nn.Parameter([1.0])
    before = parameter.placement
    with pytest.raises(error, match=message):
        setattr(parameter, name, value)
    assert parameter.placement is before


def test_astype_initialize_and_a_new_value_keep_rate_and_decay():
    parameter = nn.Parameter([1.0])
    parameter.lr_scale, parameter.decay = 0, False
    parameter.astype("float32")
    parameter.initialize(np.random.default_rng(0))
    parameter.value = [2.0]
    assert (parameter.lr_scale, parameter.decay) == (0.0, False)
    assert "lr_scale=0, decay=False" in repr(parameter)


def test_requires_grad_is_called_trainable():
    parameter = nn.Parameter([1.0])
    with pytest.raises(AttributeError, match=r"Parameter has no attribute 'requires_grad'.*freeze"):
        parameter.requires_grad = False
    assert not hasattr(parameter, "requires_grad")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_a_copy_keeps_everything_but_its_position_in_a_flat_vector(copied):
    parameter = nn.Parameter(np.ones((2, 1), np.float32), name="b", trainable=False)
    parameter.lr_scale, parameter.decay = 0.25, False
    nn.optim.SGD([parameter], lr=0.1)
    parameter.grad += 2
    twin = copied(parameter)
    assert (
        repr(twin)
        == repr(parameter)
        == (
            "Parameter('b', shape=(2, 1), dtype=float32, trainable=False, lr_scale=0.25, "
            "decay=False)"
        )
    )
    assert twin.placement.flat is None
    np.testing.assert_array_equal([twin.value, twin.grad], [[[1], [1]], [[2], [2]]])
    twin.value += 1
    twin.grad += 1
    np.testing.assert_array_equal([parameter.value, parameter.grad], [[[1], [1]], [[2], [2]]])


def test_initialize_draws_afresh_or_restores_the_initial_value():
    given = nn.Parameter([1.0, 2.0])
    drawn = nn.Parameter.from_draws(
        lambda rng: rng.normal(size=3), np.random.default_rng(4), "float32"
    )
    for parameter in (given, drawn):
        parameter.value += 1
        parameter.grad += 1
        parameter.initialize(np.random.default_rng(5))
        assert not parameter.grad.any()
    np.testing.assert_array_equal(given.value, [1, 2])
    np.testing.assert_array_equal(
        drawn.value, np.random.default_rng(5).normal(size=3).astype(np.float32)
    )
