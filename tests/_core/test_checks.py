import math
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nnlayers as nn
from nnlayers._core.checks import (
    as_generator,
    check_boolean,
    check_choice,
    check_integer,
    check_number,
    optional_library,
    unknown_name,
)
from nnlayers._core.sizes import check_axis


@pytest.mark.parametrize("name", ["relu", "Rellu", "RELUU", "reLU"])
def test_the_nearest_name_is_offered_whatever_its_case(name):
    words = unknown_name("layer", name, ["Tanh", "ReLU", "Affine"])
    assert words == f"unknown layer {name!r}, did you mean 'ReLU'? Known: Affine, ReLU, Tanh"


@pytest.mark.parametrize("name", ["xyz", "", 3, None])
def test_a_name_near_to_none_gets_the_list_alone(name):
    assert unknown_name("loss", name, ["Huber"]) == f"unknown loss {name!r}. Known: Huber"


def test_a_long_list_of_names_is_cut():
    words = unknown_name("column", "x", [f"column_{number:03}" for number in range(500)])
    assert len(words) < 1000
    assert "column_000, column_001, " in words
    assert words.endswith(", ...")
    assert unknown_name("column", "x", []) == "unknown column 'x'. Known: none"


def test_a_library_that_is_missing_is_named_with_its_extra():
    assert optional_library("math", "plot") is math
    with pytest.raises(ModuleNotFoundError, match=r'no_such_lib is not .* "nnlayers\[plot\]"'):
        optional_library("no_such_lib.inner", "plot")


def test_a_choice_among_strings_passes_and_anything_else_is_named():
    check_choice("reduction", "sum", ["mean", "sum"])
    for bad in ("Sum", "", None, 3, ["sum"]):
        with pytest.raises(ValueError, match="reduction must be 'mean' or 'sum', got ") as caught:
            check_choice("reduction", bad, ["mean", "sum"])
        assert str(caught.value).endswith(repr(bad))


INTEGERS = st.integers(-sys.maxsize - 1, sys.maxsize)


@given(INTEGERS, INTEGERS)
def test_integers_pass_from_their_minimum_on(value, minimum):
    if value >= minimum:
        assert check_integer("n", value, minimum) == value
    else:
        with pytest.raises(ValueError, match=f"n must be an integer of at least {minimum}, got"):
            check_integer("n", value, minimum)
    assert check_integer("n", value) == value


@given(st.integers(sys.maxsize + 1))
def test_integers_beyond_the_size_of_any_array_are_refused_but_as_seeds(value):
    with pytest.raises(ValueError, match=f"n must be an integer of at most {sys.maxsize}, got"):
        check_integer("n", value, 1)
    with pytest.raises(ValueError, match=f"n must be an integer of at least {-sys.maxsize - 1}"):
        check_integer("n", -value - 1)
    assert check_integer("seed", value, maximum=None) == value


@pytest.mark.parametrize("value", [np.int8(3), np.uint64(3), np.array(3)])
def test_integers_of_numpy_become_python_s(value):
    assert type(check_integer("n", value, 1)) is int


@pytest.mark.parametrize("bad", [1.0, "3", None, True, np.True_, [3], np.array([3])])
def test_a_value_that_is_not_an_integer_is_a_type_error(bad):
    with pytest.raises(TypeError, match="n must be an integer of at least 1, got ") as caught:
        check_integer("n", bad, 1)
    assert str(caught.value).endswith(repr(bad))
    with pytest.raises(TypeError, match="n must be an integer, got "):
        check_integer("n", bad)


@given(st.floats())
def test_numbers_pass_within_their_bounds(value):
    fits = {
        "above": value > -1,
        "minimum": value >= -1,
        "below": value < -1,
        "maximum": value <= -1,
    }
    for bound, within in fits.items():
        if within and math.isfinite(value):
            assert check_number("p", value, **{bound: -1}) == value
        else:
            with pytest.raises(ValueError, match=r"p must be a finite number .* -1, got "):
                check_number("p", value, **{bound: -1})


@pytest.mark.parametrize("value", [2, np.float32(2), np.int64(2), Fraction(2), Decimal(2)])
def test_every_kind_of_number_becomes_a_float(value):
    found = check_number("p", value)
    assert type(found) is float
    assert found == 2


@pytest.mark.parametrize("bad", ["1", b"1", None, True, np.True_, 1j, [1.0]])
def test_a_value_that_is_not_a_number_is_a_type_error(bad):
    with pytest.raises(TypeError, match="p must be a finite number, got ") as caught:
        check_number("p", bad)
    assert str(caught.value).endswith(repr(bad))


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan, 10**400])
def test_a_number_that_is_not_finite_is_a_value_error(bad):
    with pytest.raises(ValueError, match="p must be a finite number, got "):
        check_number("p", bad)


def test_all_bounds_are_in_the_message():
    with pytest.raises(ValueError, match=r"rate must be .* of at least 0 and below 1, got 1$"):
        check_number("rate", 1, minimum=0, below=1)


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_every_kind_of_truth_becomes_a_bool(value):
    assert check_boolean("bias", value) is bool(value)


@pytest.mark.parametrize("bad", ["no", 0, 1, None, np.array([True])])
def test_a_value_that_is_not_boolean_is_a_type_error(bad):
    with pytest.raises(TypeError, match="bias must be True or False, got "):
        check_boolean("bias", bad)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [(None, None), (-1, -1), (np.int64(2), 2), ((0, 1), (0, 1)), ([0, -1], (0, -1)), ((), ())],
)
def test_an_axis_becomes_what_numpy_takes(axis, expected):
    found = check_axis(axis)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("bad", [1.0, "0", (0, 1.5), [None], {0}])
def test_a_value_that_is_not_an_axis_is_a_type_error(bad):
    with pytest.raises(TypeError, match="axis must be an integer, a tuple of integers or None"):
        check_axis(bad)


@pytest.mark.parametrize("value", ["no", 0, 1, None, 1.0, []])
@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda value: nn.Affine(2, 1, bias=value), "bias"),
        (lambda value: nn.Sum(keepdims=value), "keepdims"),
        (lambda value: nn.Mean(keepdims=value), "keepdims"),
        (lambda value: nn.Parameter([1.0], trainable=value), "trainable"),
        (lambda value: setattr(nn.Parameter([1.0]), "trainable", value), "trainable"),
        (lambda value: nn.optim.SGD([nn.Parameter([1.0])], 1e-3, nesterov=value), "nesterov"),
        (lambda value: nn.optim.RMSProp([nn.Parameter([1.0])], centered=value), "centered"),
        (
            lambda value: nn.callbacks.EarlyStopping("loss", restore_best=value),
            "restore_best",
        ),
    ],
)
def test_a_flag_that_is_not_boolean_is_refused_by_name(make, name, value):
    with pytest.raises(TypeError, match=rf"{name} must be True or False, got "):
        make(value)


@pytest.mark.parametrize("value", [True, np.True_, np.False_])
def test_true_and_false_are_not_numbers(value):
    with pytest.raises(TypeError, match=r"rate must be a finite number .* got"):
        nn.Dropout(value)
    with pytest.raises(TypeError, match="in_features must be an integer"):
        nn.Affine(value, 1)


def test_seeds_are_integers_side_by_side():
    itself = []
    itself.append(itself)
    state = np.random.default_rng([1, 2]).bit_generator.state
    for seeds in ([1, 2], (1, 2), range(1, 3), np.array([1, 2])):
        assert as_generator(seeds).bit_generator.state == state
    # NumPy crashes on the first two, which end in themselves.
    for seeds in (itself, np.ones((1, 2), int).view(np.matrix), [[1]], ["1"], {1: 2}, [1.0]):
        with pytest.raises(TypeError, match=r"^rng must be an integer of at least 0, "):
            as_generator(seeds)
