import inspect

import pytest

import nnlayers as nn
from nnlayers._core.constructors import call, constructor_arguments


class Item:
    def __init__(self, kept, method, static, own, missing=3, *rest, only=4, **options):
        self.kept, self.own, self.rest, self.options = kept, own, rest, options

    def method(self):
        return self.kept

    @staticmethod
    def static():
        return 1

    def own(self):
        return 2

    @property
    def only(self):
        return max


def test_methods_are_not_stored_arguments():
    kept = {p.name: value for p, value in constructor_arguments(Item(1, 2, 3, min, 5, 6, 7, a=8))}
    empty = inspect.Parameter.empty
    assert kept == {
        "kept": 1,
        "method": empty,
        "static": empty,
        "own": min,
        "missing": empty,
        "rest": (6, 7),
        "only": max,
        "options": {"a": 8},
    }


def test_call_passes_each_kind_of_argument():
    def function(a, /, b, *rest, c=0, **options):
        return a, b, rest, c, options

    arguments = {"options": {"d": 5}, "c": 4, "rest": [3], "b": 2, "a": 1}
    assert call(function, arguments) == (1, 2, (3,), 4, {"d": 5})


def test_call_names_an_argument_that_there_is_not():
    with pytest.raises(TypeError, match="there is no argument 'z'"):
        call(lambda a=1: a, {"z": 1})


class Odd(nn.ReLU):
    """Takes arguments that are named like what every layer has, or like nothing it keeps."""

    def __init__(self, train, parameters=(), holder=None, function=None):
        self.holder, self.function = holder, function


def test_repr_of_a_layer_leaves_out_arguments_named_like_its_methods():
    assert repr(Odd(1, [2])) == "Odd()"


def test_repr_of_a_layer_that_holds_itself_ends():
    layer = Odd(1)
    layer.holder, layer.function = [layer], layer.forward
    assert repr(layer).startswith("Odd(holder=[...], function=<bound method ")
