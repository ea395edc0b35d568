"""Prepare experiments from configs, with messages in the terms of a config."""

import sys

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config import ConfigError, prepare
from nnlayers.config.builder import Builder
from nnlayers.config.families import LAYERS, LOSSES, OPTIMIZERS


def config(**sections):
    return {
        "data": {"type": "spirals", "rows": 100},
        "model": {"type": "Sequential", "layers": [{"type": "Affine"}]},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "SGD", "lr": 0.1},
        "training": {"epochs": 3, "batch_size": 8},
        **sections,
    }


def message_of(**sections):
    with pytest.raises(ConfigError) as caught:
        prepare(config(**sections), "x.toml")
    return str(caught.value).removeprefix("x.toml: ")


@pytest.mark.parametrize(
    ("build", "mine", "not_mine"),
    [
        (lambda: message_of(optimizer={"type": "Adm"}), "AdamW", "CosineDecay"),
        (lambda: message_of(model={"type": "Afine"}), "ReLU", "VarianceScaling"),
        (
            lambda: message_of(optimizer={"type": "SGD", "lr": {"type": "Cosine"}}),
            "CosineDecay",
            "Adam",
        ),
        (
            lambda: message_of(model={"type": "Affine", "weight_init": {"type": "Norml"}}),
            "VarianceScaling",
            "ReLU",
        ),
        (
            lambda: message_of(training={"epochs": 1, "callbacks": [{"type": "Early"}]}),
            "EarlyStopping",
            "ReLU",
        ),
    ],
)
def test_the_error_of_a_misspelt_name_lists_names_of_its_family_alone(build, mine, not_mine):
    known = build().partition("Known: ")[2].split(", ")
    assert mine in known
    assert not_mine not in known


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (
            {"optimizer": {"type": "Adam", "learning_rate": 0.1}},
            "optimizer.learning_rate: unknown key 'learning_rate', did you mean 'lr'?",
        ),
        (
            {"model": {"type": "Linear"}},
            "model.type: unknown layer 'Linear', did you mean 'Affine'?",
        ),
        (
            {"optimizer": {"type": "SGD", "lr": {"type": "CosineAnnealingLR"}}},
            "optimizer.lr.type: unknown schedule 'CosineAnnealingLR', did you mean 'CosineDecay'?",
        ),
        (
            {"training": {"epochs": 1, "metrics": "accuracy"}},
            'training.metrics: must be an array, such as ["accuracy"], got "accuracy"',
        ),
        (
            {"model": {"type": "Sequential", "layers": "ReLU"}},
            'model.layers: must be an array, such as ["ReLU"], got "ReLU"',
        ),
        (
            {"loss": {"type": "SoftmaxCrossEntropy", "class_weight": {"a": 1}}},
            "loss.class_weight: must be a number or an array, got {a = 1}",
        ),
        (
            {"optimizer": {"type": "nnlayers.ReLU"}},
            "optimizer.type: must name an optimizer (your own must be a class derived from Opti",
        ),
        (
            {"training": {"epochs": 1, "clip_norm": {"type": "ReLU"}}},
            'training.clip_norm: must be a number, got {type = "ReLU"}',
        ),
        (
            {"data": {"type": "spirals", "a\x1b\n": 1}},
            'data."a\\u001b\\n": unknown key',
        ),
    ],
)
def test_messages_use_the_terms_of_a_config(sections, message):
    assert message_of(**sections).startswith(message)
    assert " _" not in message_of(**sections)  # No name of a private class of any library.


@pytest.mark.parametrize(
    ("part", "part_class"),
    [({"type": "ReLU"}, nn.ReLU), ({"type": "Normal"}, nn.initializers.Normal)],
)
def test_an_argument_without_a_hint_takes_layers_and_initializers(monkeypatch, part, part_class):
    class Holder(nn.ReLU):
        def __init__(self, part):
            self.part = part

    monkeypatch.setitem(sys.modules, "of_the_user", sys.modules[__name__])
    monkeypatch.setattr(sys.modules[__name__], "Holder", Holder, raising=False)
    builder = Builder("x.toml", modules=["of_the_user"])
    built = builder.build({"type": "of_the_user.Holder", "part": part}, "model", LAYERS)
    assert isinstance(built.value.part, part_class)


def make_loss() -> nn.MeanSquaredError:
    return nn.MeanSquaredError()


def make_nothing():
    raise AssertionError("must not be called")


def break_promise() -> nn.MeanSquaredError:
    return nn.ReLU()


def test_a_function_is_called_only_if_annotated_to_return_the_right_type():
    builder = Builder("x.toml", modules=[__name__])
    built = builder.build({"type": f"{__name__}.make_loss"}, "loss", LOSSES)
    assert isinstance(built.value, nn.MeanSquaredError)
    with pytest.raises(ConfigError, match="must name a loss"):
        builder.build({"type": f"{__name__}.make_nothing"}, "loss", LOSSES)
    with pytest.raises(ConfigError, match="must make a loss, it makes ReLU"):
        builder.build({"type": f"{__name__}.break_promise"}, "loss", LOSSES)


def share_of_zeros(y_true, y_pred):
    return float(np.mean(y_pred == 0))


def test_a_metric_may_be_a_function_of_an_allowed_module():
    training = {"epochs": 1, "metrics": ["accuracy", f"{__name__}.share_of_zeros"]}
    with pytest.raises(ConfigError, match=rf"training.metrics.1: .* add --allow {__name__} "):
        prepare(config(training=training), "x.toml")
    experiment = prepare(config(training=training), "x.toml", modules=[__name__])
    experiment.fit()
    assert {"accuracy", "share_of_zeros"} <= set(experiment.trainer.history.columns)
    assert experiment.config["training"]["metrics"] == training["metrics"]
    scikit = {"epochs": 1, "metrics": ["sklearn.metrics.balanced_accuracy_score"]}
    prepare(config(training=scikit), "x.toml", modules=["sklearn.metrics"]).fit()


@pytest.mark.parametrize(
    ("lr", "steps"),
    [
        ({"type": "CosineDecay", "lr": 0.1}, 27),  # 70 of 100 rows, in batches of 8, 3 times
        ({"type": "OneCycle", "max_lr": 0.1}, 27),
        ({"type": "CosineDecay", "lr": 0.1, "steps": 5}, 5),
    ],
)
def test_a_schedule_of_a_config_lasts_as_long_as_the_run(lr, steps):
    experiment = prepare(config(optimizer={"type": "SGD", "lr": lr}), "x.toml")
    assert experiment.config["optimizer"]["lr"]["steps"] == steps
    experiment.fit()
    assert experiment.trainer.optimizer.steps == 27


def test_a_schedule_after_a_warm_up_ends_with_the_run():
    lr = {"type": "LinearWarmup", "steps": 7, "lr": {"type": "CosineDecay", "lr": 0.1}}
    experiment = prepare(config(optimizer={"type": "SGD", "lr": lr}), "x.toml")
    assert experiment.config["optimizer"]["lr"]["lr"]["steps"] == 20
    experiment.fit()
    assert experiment.trainer.optimizer.lr == pytest.approx(0.0, abs=1e-9)


def test_without_a_run_a_schedule_must_state_its_steps():
    table = {"type": "SGD", "lr": {"type": "CosineDecay", "lr": 0.5}}
    with pytest.raises(ConfigError, match=r"optimizer.lr.steps: is missing"):
        Builder("x.toml", {"params": []}).build(table, "optimizer", OPTIMIZERS)
