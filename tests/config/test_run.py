import tracemalloc

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config import ConfigError, Run, load_run, prepare

LAYERS = [
    {"type": "Affine", "out_features": 6},
    {"type": "ReLU"},
    {"type": "Dropout", "rate": 0.3},
    {"type": "Affine"},
]


def config(**training):
    return {
        "seed": 3,
        "data": {"type": "spirals", "rows": 60},
        "model": {"type": "Sequential", "layers": LAYERS},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "Adam", "lr": 0.01},
        "training": {
            "epochs": 4,
            "batch_size": 8,
            "checkpoint_every": "1 epoch",
            **training,
        },
    }


def start(directory, *, resume=False, **training):
    run = Run(prepare(config(**training), "x.toml"), directory)
    if resume:
        run.resume()
    return run


def contents(directory):
    return [(directory / file).read_bytes() for file in ("model.nn", "checkpoint.npz")]


def test_the_same_config_gives_the_same_files_to_the_last_bit(tmp_path):
    for name in "ab":
        start(tmp_path / name).train()
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_seed_gives_other_weights(tmp_path):
    start(tmp_path / "a").train()
    Run(prepare(config() | {"seed": 4}, "x.toml"), tmp_path / "b").train()
    assert contents(tmp_path / "a") != contents(tmp_path / "b")


def test_the_completed_config_gives_the_same_run(tmp_path):
    run = start(tmp_path / "a")
    run.train()
    Run(prepare(run.experiment.config, "y.toml"), tmp_path / "b").train()
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    files = [(tmp_path / name / "config.toml").read_text() for name in "ab"]
    assert files[0] == files[1]


@pytest.mark.parametrize("stopping", [[], [{"type": "EarlyStopping", "patience": 30}]])
@pytest.mark.parametrize("epoch", [1, 3])
def test_an_interrupted_run_resumes_bit_for_bit(tmp_path, stopping, epoch):
    start(tmp_path / "whole", callbacks=stopping, engine="numpy").train()
    run = start(tmp_path / "parts", callbacks=stopping, engine="numpy")
    forward, calls = run.experiment.trainer.model.forward, []

    def interrupted(x):  # Interrupts the third step of the epoch.
        calls.append(1)
        if len(calls) == 6 * (epoch - 1) + 3:
            raise KeyboardInterrupt
        return forward(x)

    run.experiment.trainer.model.forward = interrupted
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert len(run.experiment.trainer.history) == epoch - 1
    assert load_run(tmp_path / "parts") is not None
    again = start(tmp_path / "parts", resume=True, callbacks=stopping, engine="numpy")
    again.train()
    assert again.finished
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    for file in ("metrics.csv", "config.toml"):
        assert (tmp_path / "parts" / file).read_text() == (tmp_path / "whole" / file).read_text()


def test_a_finished_run_with_more_epochs_is_one_longer_run(tmp_path):
    stopping = [{"type": "EarlyStopping", "patience": 30}]
    start(tmp_path / "whole", callbacks=stopping).train()
    start(tmp_path / "parts", epochs=2, callbacks=stopping).train()
    start(tmp_path / "parts", resume=True, callbacks=stopping).train()
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_run_that_was_stopped_early_stays_stopped(tmp_path):
    stopping = [{"type": "EarlyStopping", "patience": 1, "min_delta": 10.0}]
    start(tmp_path / "a", callbacks=stopping).train()
    before = contents(tmp_path / "a")
    run = start(tmp_path / "a", resume=True, epochs=9, callbacks=stopping)
    assert run.finished
    run.train()
    assert len(run.experiment.trainer.history) == 2
    assert contents(tmp_path / "a") == before


def test_early_stopping_saves_the_best_model(tmp_path):
    stopping = [{"type": "EarlyStopping", "patience": 30, "monitor": "val_loss"}]
    run = start(tmp_path / "a", epochs=30, callbacks=stopping)
    run.experiment.trainer.optimizer.lr = 0.5  # So large that the last epoch is not the best.
    run.train()
    losses = run.experiment.trainer.history["val_loss"]
    assert losses[-1] > min(losses)
    loaded = load_run(tmp_path / "a")
    assert loaded.evaluate(run.experiment.parts["validation"])["loss"] == pytest.approx(min(losses))


def test_only_the_number_of_epochs_may_change(tmp_path):
    start(tmp_path / "a", epochs=1).train()
    with pytest.raises(ConfigError, match=r"x.toml: training.batch_size: is 9, but 8 in the run"):
        start(tmp_path / "a", resume=True, batch_size=9)


def test_a_config_that_is_refused_in_the_first_epoch_leaves_nothing(tmp_path):
    callbacks = [{"type": "EarlyStopping", "monitor": "my_loss"}]
    run = start(tmp_path / "a", callbacks=callbacks)
    with pytest.raises(ConfigError, match=r"x\.toml: training: unknown monitor 'my_loss'"):
        run.train()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_directory_is_left_unchanged(tmp_path):
    run = start(tmp_path / "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(ConfigError, match="cannot make this directory: File exists"):
        run.train()
    assert list((tmp_path / "a").iterdir()) == []


def test_numbers_of_directories_increase(tmp_path):
    for _ in range(2):
        Run(prepare(config(epochs=1), "x"), tmp_path / "x", numbered=True).train()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-001", "x-002"]


@pytest.mark.parametrize(
    "file", ["config.toml", "preprocessing.json", "model.nn", "checkpoint.npz"]
)
def test_a_damaged_or_missing_file_is_an_error_that_names_it(tmp_path, file):
    start(tmp_path / "a", epochs=1).train()
    (tmp_path / "a" / "checkpoint-previous.npz").unlink()
    path = tmp_path / "a" / file

    def load():
        if file == "checkpoint.npz":
            start(tmp_path / "a", resume=True)
        else:
            load_run(tmp_path / "a")

    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ConfigError, match=file):
        load()
    path.unlink()
    with pytest.raises(ConfigError, match=f"{file}: No such file"):
        load()


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (nn.Affine(9, 3), r"Affine\(9, 3\) expected x of shape \(\.\.\., 9\)"),
        (nn.Affine(2, 2), r"must give 3 outputs, one for each class, got shape \(2,\)"),
        (nn.Sequential(nn.Reshape((3, 7)), nn.Affine(7, 3)), "expected"),
        (nn.Add(), "Add"),
    ],
)
def test_a_model_that_does_not_belong_to_its_run_is_refused(tmp_path, model, problem):
    start(tmp_path / "a", epochs=1).train()
    nn.save(model, tmp_path / "a" / "model.nn")
    with pytest.raises(ConfigError, match=rf"model\.nn: does not fit config\.toml and .*{problem}"):
        load_run(tmp_path / "a")


def test_the_model_of_a_run_is_a_file_of_save(tmp_path):
    run = start(tmp_path / "a", epochs=1)
    run.train()
    model, x = nn.load(tmp_path / "a" / "model.nn"), np.ones((4, 2))
    np.testing.assert_array_equal(model.predict(x), run.experiment.predictor.model.predict(x))
    nn.save(model, tmp_path / "model.nn")
    content = [path.read_bytes() for path in (tmp_path / "a" / "model.nn", tmp_path / "model.nn")]
    assert content[0] == content[1]


class Forgetful(nn.Affine):
    def __init__(self, width: int = 2) -> None:
        super().__init__(width, 3)


def test_a_model_that_no_file_can_hold_is_refused_before_it_is_trained():
    model = {"type": f"{__name__}.Forgetful"}
    with pytest.raises(ConfigError, match=r"^x\.toml: model: Forgetful cannot be saved: .*'width'"):
        prepare(config() | {"model": model}, "x.toml", modules=[__name__])


def test_the_checkpoint_of_another_model_is_refused(tmp_path):
    start(tmp_path / "a", epochs=1).train()
    path = tmp_path / "a" / "checkpoint.npz"
    with np.load(path) as archive:
        state = {name: archive[name] for name in archive if name != "model.0.W"}
    np.savez(path, **state)
    with pytest.raises(ConfigError, match=r"checkpoint\.npz: not a checkpoint of this run: state"):
        start(tmp_path / "a", resume=True)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("epochs", np.array([1, 1])),
        ("epochs", np.array(1.0)),
        ("ended", np.array([True, False])),
        ("stopped", np.array("no")),
        ("rng", np.array(b"{}")),
        ("data", np.array(0)),
    ],
)
def test_a_checkpoint_whose_own_entries_are_malformed_is_refused(tmp_path, name, entry):
    start(tmp_path / "a", epochs=1).train()
    (tmp_path / "a" / "checkpoint-previous.npz").unlink()
    path = tmp_path / "a" / "checkpoint.npz"
    with np.load(path) as archive:
        state = dict(archive)
    np.savez(path, **state | {name: entry})
    problem = rf"checkpoint\.npz: not a checkpoint of this run: entry '{name}' is malformed"
    with pytest.raises(ConfigError, match=problem):
        load_run(tmp_path / "a")
    with pytest.raises(ConfigError, match=problem):
        start(tmp_path / "a", resume=True)


def test_weights_of_a_checkpoint_that_are_not_finite_are_not_used(tmp_path):
    start(tmp_path / "a", epochs=1).train()
    path = tmp_path / "a" / "checkpoint.npz"
    with np.load(path) as archive:
        state = dict(archive)
    state["model.0.W"][0, 1] = np.nan
    np.savez(path, **state | {"ended": np.array(False)})
    with pytest.raises(ConfigError, match=r"checkpoint\.npz: .*'0\.W' holds NaN or infinite"):
        load_run(tmp_path / "a")


def test_a_model_that_makes_a_row_ever_longer_takes_no_memory_when_its_run_is_loaded(tmp_path):
    start(tmp_path / "a", epochs=1).train()
    x = nn.Input("x")
    y = nn.Affine(2, 3, rng=0)(x)
    for _ in range(28):
        y = nn.concatenate(y, y)
    nn.save(nn.Graph(y[:, :3]), tmp_path / "a" / "model.nn")
    tracemalloc.start()
    load_run(tmp_path / "a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
