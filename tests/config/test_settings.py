"""Learning rates and weight decay by patterns of parameter names in a config."""

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config import ConfigError, Run, prepare
from nnlayers.config.document import override, read


def config(**optimizer):
    return {
        "data": {"type": "spirals", "rows": 60},
        "model": {
            "type": "Sequential",
            "layers": [
                {"type": "Affine", "out_features": 4},
                {"type": "BatchNorm"},
                {"type": "Affine"},
            ],
        },
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "AdamW", "lr": 0.01} | optimizer,
        "training": {"epochs": 2, "batch_size": 8},
    }


def parameters(**optimizer):
    return prepare(config(**optimizer), "x.toml").predictor.model.named_parameters()


def test_patterns_set_the_parameters_that_match_and_the_last_one_counts():
    found = parameters(scale={"*": 0.5, "2.*": 2, "*.b": 0.1}, decay={"*.b": False, "1.*": False})
    assert {name: (p.lr_scale, p.decay) for name, p in found.items()} == {
        "0.W": (0.5, True),
        "0.b": (0.1, False),
        "1.gamma": (0.5, False),
        "1.beta": (0.5, False),
        "2.W": (2.0, True),
        "2.b": (0.1, False),
    }


def test_without_tables_nothing_is_set_or_written():
    experiment = prepare(config(), "x.toml")
    assert all(p.lr_scale == 1 and p.decay for p in experiment.predictor.model.parameters())
    assert not {"scale", "decay"} & experiment.config["optimizer"].keys()


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (
            {"scale": {"*.c": 0.1}},
            'optimizer.scale."*.c": matches no parameter. '
            "Known: 0.W, 0.b, 1.gamma, 1.beta, 2.W, 2.b",
        ),
        ({"scale": {"*.b": -1}}, 'optimizer.scale."*.b": must be a finite number of at least 0'),
        ({"scale": {"*.b": float("inf")}}, 'optimizer.scale."*.b": must be a finite number'),
        ({"scale": {"*.b": "slow"}}, 'optimizer.scale."*.b": must be a number, got "slow"'),
        ({"scale": {"*.b": True}}, 'optimizer.scale."*.b": must be a number, got true'),
        ({"decay": {"*.b": 0}}, 'optimizer.decay."*.b": must be true or false, got 0'),
        ({"decay": {"*.b": {"x": 1}}}, 'optimizer.decay."*.b": must be true or false, got {x = 1}'),
        ({"decay": 0.1}, "optimizer.decay: unknown key 'decay', did you mean 'weight_decay'?"),
    ],
)
def test_a_pattern_or_value_that_does_not_fit_is_named(optimizer, message):
    with pytest.raises(ConfigError) as caught:
        prepare(config(**optimizer), "x.toml")
    assert str(caught.value).startswith(f"x.toml: {message}")


def test_an_optimizer_with_an_argument_of_the_name_keeps_it(monkeypatch):
    class Scaled(nn.optim.SGD):
        def __init__(self, params, scale):
            super().__init__(params, lr=scale)

    monkeypatch.setitem(globals(), "Scaled", Scaled)
    table = config() | {"optimizer": {"type": f"{__name__}.Scaled", "scale": 0.25}}
    experiment = prepare(table, "x.toml", modules=[__name__])
    assert experiment.trainer.optimizer.lr == 0.25


def test_a_run_keeps_its_settings_and_resumes_to_the_last_bit(tmp_path):
    settings = {"scale": {"0.*": 0.1}, "decay": {"*.b": False}, "weight_decay": 0.5}

    def run(name, epochs, *, resume=False):
        table = config(**settings)
        table["training"]["epochs"] = epochs
        run = Run(prepare(table, "x.toml"), tmp_path / name)
        if resume:
            run.resume()
        run.train()

    run("whole", 4)
    run("parts", 2)
    run("parts", 4, resume=True)
    assert (tmp_path / "whole/model.nn").read_bytes() == (tmp_path / "parts/model.nn").read_bytes()
    written = read(tmp_path / "whole" / "config.toml")
    assert written["optimizer"]["scale"] == {"0.*": 0.1}
    assert written["optimizer"]["decay"] == {"*.b": False}
    model = nn.load(tmp_path / "whole" / "model.nn")
    assert [p.lr_scale for p in model.parameters()] == [0.1, 0.1, 1, 1, 1, 1]
    again = prepare(written, "y.toml").config
    assert again["optimizer"] == written["optimizer"]


def test_a_run_of_other_settings_is_not_resumed(tmp_path):
    Run(prepare(config(scale={"*.b": 0.1}), "x.toml"), tmp_path / "run").train()
    other = Run(prepare(config(scale={"*.b": 0.2}), "x.toml"), tmp_path / "run")
    with pytest.raises(ConfigError, match=r'optimizer\.scale\."\*\.b": is 0\.2, but 0\.1 in') as e:
        other.resume()
    assert str(e.value).endswith("""so add --set 'optimizer.scale."*.b"=0.1'""")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ('optimizer.scale."*.b"=0.1', {"*.b": 0.1}),
        ("optimizer.scale.'*.b'=0.1", {"*.b": 0.1}),
        ('optimizer.scale."a=b.c" = 0.1', {"a=b.c": 0.1}),
        (r'optimizer.scale."\"=\"."=0.1', {'"=".': 0.1}),
        ("optimizer.scale.*=0.1", {"*": 0.1}),
    ],
)
def test_an_assignment_names_a_pattern_in_quotes(assignment, expected):
    table = {"optimizer": {"type": "SGD"}}
    override(table, [assignment], "x.toml")
    assert table == {"optimizer": {"type": "SGD", "scale": expected}}


@pytest.mark.parametrize("assignment", ['a."b', '"a=1"', "a", "=1", '""'])
def test_an_assignment_without_an_equals_sign_outside_quotes_is_an_error(assignment):
    with pytest.raises(ConfigError, match="--set must be key=value, got "):
        override({}, [assignment], "x.toml")


def test_scaled_parameters_move_less(tmp_path):
    moved = {}
    for factor in (0.0, 1.0):
        experiment = prepare(config(scale={"0.*": factor}), "x.toml")
        before = experiment.predictor.model[0].W.value.copy()
        experiment.fit()
        moved[factor] = float(np.abs(experiment.predictor.model[0].W.value - before).max())
    assert moved[0.0] == 0 < moved[1.0]
