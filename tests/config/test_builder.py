import sys
import types

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config.builder import Builder
from nnlayers.config.document import ConfigError
from nnlayers.config.families import LAYERS, OPTIMIZERS


def build(table, **options):
    given = {"rng": np.random.default_rng(0), "dtype": np.float32}
    options = {"modules": ["of_the_user"]} | options
    return Builder("x.toml", given, **options).build(table, "model", LAYERS)


def sequential(*layers):
    return {"type": "Sequential", "layers": list(layers)}


def test_input_widths_and_the_last_output_follow_from_the_data():
    built = build(
        sequential({"type": "Affine", "out_features": 8}, {"type": "ReLU"}, {"type": "Affine"}),
        width=5,
        outputs=3,
    )
    assert built.value.predict(np.zeros((2, 5))).shape == (2, 3)
    assert built.table["layers"][2]["in_features"] == 8


def test_widths_follow_through_nested_containers():
    inner = sequential({"type": "Affine", "out_features": 4}, {"type": "Affine"})
    built = build(sequential({"type": "Affine", "out_features": 6}, inner), width=5, outputs=3)
    assert [p.shape for p in built.value.parameters() if p.name == "W"] == [(5, 6), (6, 4), (4, 3)]


def test_a_layer_before_the_last_must_state_its_outputs():
    with pytest.raises(ConfigError, match=r"^x.toml: model.layers.0.out_features: is missing$"):
        build(sequential({"type": "Affine"}, {"type": "Affine"}), width=5, outputs=3)


def test_the_completed_table_builds_the_same_without_the_data():
    table = sequential({"type": "Affine", "out_features": 8}, {"type": "Affine"})
    built = build(table, width=5, outputs=3)
    again = build(built.table)
    assert again.table == built.table
    for first, second in zip(built.value.parameters(), again.value.parameters(), strict=True):
        np.testing.assert_array_equal(first.value, second.value)


def test_the_given_table_is_not_changed():
    table = sequential({"type": "Affine"})
    build(table, width=5, outputs=3)
    assert table == sequential({"type": "Affine"})


def test_one_generator_draws_for_all_layers():
    layer = {"type": "Affine", "in_features": 4, "out_features": 4}
    first, second = build(sequential(layer, layer)).value
    assert not np.array_equal(first.W.value, second.W.value)


def test_a_nested_table_with_a_type_is_a_constructor():
    init = {"type": "Constant", "value": 0.5}
    layer = build({"type": "Affine", "in_features": 2, "out_features": 1, "weight_init": init})
    np.testing.assert_array_equal(layer.value.W.value, [[0.5], [0.5]])
    assert layer.table["weight_init"] == init


def test_an_argument_may_be_a_schedule():
    parameter = nn.Parameter([1.0])
    table = {"type": "SGD", "lr": {"type": "CosineDecay", "lr": 0.5, "steps": 10}}
    built = Builder("x.toml", {"params": [parameter]}).build(table, "optimizer", OPTIMIZERS)
    assert built.value.lr == 0.5
    assert built.table["lr"]["steps"] == 10
    assert "params" not in built.table


@pytest.fixture
def module(monkeypatch):
    module = types.ModuleType("of_the_user")
    monkeypatch.setitem(sys.modules, "of_the_user", module)
    return module


def test_a_dotted_path_names_a_user_class(module):
    class Scale(nn.Layer):
        def __init__(self, features, options=None):
            self.s = nn.Parameter(np.ones(features))
            self.options = options

        def forward(self, x):
            return x * self.s.value

        def backward(self, dout): ...

    module.Scale = Scale
    built = build({"type": "of_the_user.Scale"}, width=7)
    assert built.value.s.shape == (7,)
    with pytest.raises(
        ConfigError, match="unknown name in of_the_user 'Scal', did you mean 'Scale'"
    ):
        build({"type": "of_the_user.Scal"})


def test_an_argument_hinted_as_a_mapping_is_passed_unchanged(module):
    class Table(nn.ReLU):
        def __init__(self, options: dict[str, str]) -> None:
            self.options = options

    module.Table = Table
    assert build({"type": "of_the_user.Table", "options": {"type": "ReLU"}}).value.options == {
        "type": "ReLU"
    }


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "Afine"}, ".type: unknown layer 'Afine', did you mean 'Affine'?"),
        ({"type": "nowhere.X"}, ".type: 'nowhere.X' is code outside nnlayers, which runs only if"),
        ({"type": 3}, ": must be a table with a type, got {type = 3}"),
        ("ReLU", ': must be an instance of Layer, got "ReLU"'),
        ({"type": "Affine", "out_feature": 3}, ".out_feature: unknown key 'out_feature', did you"),
        ({"type": "Affine", "out_features": "ten"}, '.out_features: must be an integer, got "ten"'),
        ({"type": "Affine", "out_features": 0}, ".out_features: must be an integer of at least 1"),
        ({"type": "Affine", "in_features": 3}, ": Affine(3, 2) expected x of shape (..., 3), got"),
        (
            {"type": "Dropout", "rate": 1.5},
            ".rate: must be a finite number of at least 0 and below",
        ),
        ({"type": "Dropout", "rng": 1}, ".rng: cannot be set, it follows from the rest"),
    ],
)
def test_an_error_of_building_is_one_line_with_file_and_key(layer, message):
    with pytest.raises(ConfigError) as caught:
        build(sequential(layer), width=5, outputs=2)
    assert str(caught.value).startswith(f"x.toml: model.layers.0{message}")
    assert "\n" not in str(caught.value)
