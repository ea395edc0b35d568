import numpy as np
import pytest

import nnlayers as nn
from nnlayers.layers.mlp import ACTIVATIONS

# The numerators of the variances that the docstring states, over fan_in or over fan_in + fan_out.
GLOROT = {"hidden": (2, "both"), "output": (2, "both")}
OTHERS = {"hidden": (1, "in"), "output": (0.01, "in")}
BOUNDED = {name for name, make in ACTIVATIONS.items() if abs(make().forward([-1e9, 1e9])).max() < 9}
STATED = (
    dict.fromkeys(ACTIVATIONS, OTHERS)
    | dict.fromkeys(BOUNDED | {"identity"}, GLOROT)
    | {"softplus": {"hidden": (2, "in"), "output": (0.01, "in")}}
)


@pytest.mark.parametrize("by", ["name", "class", "function"])
@pytest.mark.parametrize("name", STATED)
def test_draws_have_the_variance_that_is_stated_for_the_activation(name, by):
    make = ACTIVATIONS[name]
    activation = {"name": name, "class": make, "function": lambda: make()}[by]
    network = nn.mlp(
        [200, 300, 150, 100], activation=activation, norm="rms", dtype="float64", rng=0
    )
    affines = [layer for layer in network if isinstance(layer, nn.Affine)]
    for layer, place in zip(affines, ["hidden", "hidden", "output"], strict=True):
        numerator, fan = STATED[name][place]
        width = layer.in_features + (layer.out_features if fan == "both" else 0)
        draws = layer.W.value
        # Four standard errors: of the mean, and of a normal distribution's variance.
        assert abs(draws.mean()) < 4 * np.sqrt(numerator / width / draws.size)
        assert draws.var() * width / numerator == pytest.approx(1, abs=4 * np.sqrt(2 / draws.size))
        assert not layer.b.value.any()


def test_weights_of_a_user_s_activation_are_those_of_a_relu():
    class Cube(nn.Layer):
        def forward(self, x):
            return x**3

        def backward(self, dout):
            raise NotImplementedError

    own, relu = (nn.mlp([3, 4, 2], activation=a, rng=0) for a in (Cube, nn.ReLU))
    for mine, theirs in zip(own.parameters(), relu.parameters(), strict=True):
        np.testing.assert_array_equal(mine.value, theirs.value)


@pytest.mark.parametrize("activation", ["relu", "elu", "gelu", "silu", "mish"])
def test_a_network_for_numbers_starts_near_zero_and_keeps_the_scale_inside(activation):
    x = np.random.default_rng(0).normal(size=(500, 10))
    for hidden in ([100], [100] * 4):
        network = nn.mlp([10, *hidden, 1], activation=activation, dtype="float64", rng=0)
        inside = network[:-1].predict(x)
        assert 1e-3 < np.mean(inside**2) < 10
        assert np.mean(network.predict(x) ** 2) < 0.02 * np.mean(inside**2) + 1e-3


@pytest.mark.parametrize(
    ("activation", "layer"),
    [
        ("relu", nn.ReLU),
        ("tanh", nn.Tanh),
        (nn.Sigmoid, nn.Sigmoid),
        (lambda: nn.Softplus(beta=2.0), nn.Softplus),
    ],
)
def test_mlp_alternates_affine_layers_activations_and_dropout(activation, layer):
    network = nn.mlp([5, 4, 3, 2], activation=activation, dropout=0.2, dtype="float64", rng=0)
    kinds = [type(inner) for inner in network]
    assert kinds == [nn.Affine, layer, nn.Dropout] * 2 + [nn.Affine]
    affines = network[::3]
    assert [(a.in_features, a.out_features) for a in affines] == [(5, 4), (4, 3), (3, 2)]
    assert {p.dtype for p in network.parameters()} == {np.dtype(np.float64)}


@pytest.mark.parametrize(
    ("norm", "layer"),
    [
        ("batch", nn.BatchNorm),
        ("layer", nn.LayerNorm),
        ("rms", nn.RMSNorm),
        (nn.RMSNorm, nn.RMSNorm),
    ],
)
def test_mlp_normalises_before_each_activation(norm, layer):
    network = nn.mlp([5, 4, 3, 2], norm=norm, dropout=0.2, dtype="float64", rng=0)
    kinds = [type(inner) for inner in network]
    assert kinds == [nn.Affine, layer, nn.ReLU, nn.Dropout] * 2 + [nn.Affine]
    assert [inner.features for inner in network[1::4]] == [4, 3]
    assert {p.dtype for p in network.parameters()} == {np.dtype(np.float64)}


def test_mlp_repeats_with_its_seed():
    first, second = nn.mlp([3, 4, 2], rng=1), nn.mlp([3, 4, 2], rng=np.random.default_rng(1))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        np.testing.assert_array_equal(a.value, b.value)


@pytest.mark.parametrize(
    ("sizes", "options", "error", "words"),
    [
        ([3], {}, ValueError, r"sizes must be a list of at least two sizes, got \[3\]"),
        (3, {}, TypeError, "sizes must be a list of integers, got 3"),
        ([3, 0], {}, ValueError, "sizes must be an integer of at least 1, got 0"),
        ([3, 2.5], {}, TypeError, "sizes must be an integer of at least 1"),
        ([3, 2], {"activation": "rellu"}, ValueError, "unknown activation 'rellu', did you mean"),
        ([3, 2], {"norm": "bach"}, ValueError, "unknown norm 'bach', did you mean 'batch'"),
        ([3, 2], {"dropout": 1}, ValueError, "dropout must be .* and below 1, got 1"),
        ([3, 2], {"dtype": int}, ValueError, "dtype must be float32 or float64"),
    ],
)
def test_mlp_arguments_out_of_range_are_named(sizes, options, error, words):
    with pytest.raises(error, match=words):
        nn.mlp(sizes, **options)


def test_mlp_gives_activations_with_weights_its_dtype():
    network = nn.mlp([3, 4, 2], activation="prelu", dtype="float64", rng=0)
    assert {p.dtype for p in network.parameters()} == {np.dtype(np.float64)}
