from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

from nnlayers import Layer, ReLU
from nnlayers.config.builder import arguments_of
from nnlayers.config.hints import HintError, check_hint


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        ([1, 2], tuple[float, float], (1.0, 2.0)),
        ([1, 2], Sequence[int], [1, 2]),
        ("mean", Literal["mean", "sum"], "mean"),
        ({"a": 1}, dict[str, Any], {"a": 1}),
        ([1.0, 2.0], npt.ArrayLike | None, [1.0, 2.0]),
        (2.0, npt.ArrayLike | None, 2.0),
        (2, npt.ArrayLike, 2),
    ],
)
def test_a_fitting_value_is_returned_in_the_type_of_the_hint(value, hint, expected):
    checked = check_hint(value, hint)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("value", "hint", "keys", "message"),
    [
        ("10", int, [], 'must be an integer, got "10"'),
        (1.0, int, [], "must be an integer, got 1.0"),
        (True, int, [], "must be an integer, got true"),
        (1, bool, [], "must be true or false, got 1"),
        ("x", float | Callable[[int], float], [], "must be a number or a table with a type"),
        ([1, "a"], Sequence[int], ["1"], 'must be an integer, got "a"'),
        ([1, "a"], tuple[int, ...] | None, ["1"], 'must be an integer, got "a"'),
        ([1.0], tuple[float, float], [], "must be tuple[float, float], got [1.0]"),
        ("x", Literal["mean", "sum"], [], "must be 'mean' or 'sum', got \"x\""),
        (["x"], list[Layer], ["0"], 'must be an instance of Layer, got "x"'),
        (["x"], Iterable[Layer], ["0"], 'must be an instance of Layer, got "x"'),
        ([3], Iterable[str] | None, ["0"], "must be a string, got 3"),
    ],
)
def test_the_error_of_a_misfit_names_its_keys_and_the_value(value, hint, keys, message):
    with pytest.raises(HintError) as caught:
        check_hint(value, hint)
    assert caught.value.keys == keys
    assert str(caught.value).startswith(message)


def test_an_object_of_a_hinted_class_fits():
    layer = ReLU()
    assert check_hint([layer], list[Layer]) == [layer]


def test_a_hint_that_pydantic_cannot_check_is_left_to_the_constructor():
    assert check_hint("float32", npt.DTypeLike) == "float32"


def test_a_constructor_whose_hints_are_unknown_takes_anything():
    def build(x, y=np.float32, **rest): ...

    build.__annotations__["x"] = "ImportedForTypeCheckersOnly"

    arguments = arguments_of(build)
    assert list(arguments) == ["x", "y"]
    assert check_hint({"any": 1}, arguments["x"].hint) == {"any": 1}
    assert arguments["x"].required
    assert not arguments["y"].required
