import numpy as np
import pytest

import nnlayers as nn


@pytest.mark.parametrize(
    ("activation", "layer", "initial"),
    [
        ("relu", nn.ReLU, "he_normal"),
        ("tanh", nn.Tanh, "glorot_uniform"),
        (nn.Sigmoid, nn.Sigmoid, "he_normal"),
        (lambda: nn.Softplus(beta=2.0), nn.Softplus, "he_normal"),
    ],
)
def test_mlp_alternates_affine_layers_activations_and_dropout(activation, layer, initial):
    network = nn.mlp([5, 4, 3, 2], activation=activation, dropout=0.2, dtype="float64", rng=0)
    kinds = [type(inner) for inner in network]
    assert kinds == [nn.Affine, layer, nn.Dropout] * 2 + [nn.Affine]
    affines = network[::3]
    assert [(a.in_features, a.out_features) for a in affines] == [(5, 4), (4, 3), (3, 2)]
    assert {a.weight_init for a in affines} == {initial}
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
        (3, {}, ValueError, "sizes must be a list of at least two sizes, got 3"),
        ([3, 0], {}, ValueError, "out_features must be an integer of at least 1, got 0"),
        ([3, 2.5], {}, TypeError, "out_features must be an integer of at least 1"),
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
