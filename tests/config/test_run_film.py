"""A run films its training in its directory, and goes on with the film when it is resumed."""

import copy
import functools

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.config import ConfigError, Run, filming, load_run, prepare
from nnlayers.config.run_files import write_arrays

CONFIG = {
    "data": {"type": "moons", "rows": 60},
    "model": {"type": "mlp", "sizes": [2, 4, 2]},
    "loss": {"type": "SoftmaxCrossEntropy"},
    "optimizer": {"type": "Adam", "lr": 0.05},
    "training": {"epochs": 4, "checkpoint_every": "1 epoch", "engine": "numpy"},
}


@pytest.fixture(autouse=True)
def no_haste(monkeypatch):
    every = functools.partial(filming.RunRecorder, share=None)
    monkeypatch.setattr(filming, "RunRecorder", every)


def start(directory, *, config=CONFIG, **training):
    config = copy.deepcopy(config)
    config["training"] |= training
    run = Run(prepare(config, "x.toml"), directory)
    if directory.exists():
        run.resume()
    return run


def stop_after(run, epoch):
    def interrupt(trainer):
        if len(trainer.history) == epoch:
            raise KeyboardInterrupt

    run.experiment.trainer.callbacks.append(nn.callbacks.LambdaCallback(interrupt))
    with pytest.raises(KeyboardInterrupt):
        run.train()


def film_in(directory):
    return load_run(directory).history.film


def test_a_film_has_the_names_and_the_units_of_the_data(tmp_path):
    run = start(tmp_path / "run")
    run.train()
    film = film_in(tmp_path / "run")
    assert film.epochs == [0, 1, 2, 3, 4]
    assert film.contents.view.features == ("x1", "x2")
    assert film.contents.view.classes == ("0", "1")
    rows = run.experiment.parts["train"]
    for column, x, (zero, one) in zip(
        rows.columns.values(), film.points.T, film.units, strict=True
    ):
        np.testing.assert_allclose(zero + one * x, column, atol=1e-6)


def test_predicted_values_have_their_units(tmp_path):
    data = nn.data.moons(60)
    table = nn.data.Table({"a": data.columns["x1"]}, 100 + 10 * data.columns["x2"], "price")
    config = copy.deepcopy(CONFIG) | {"loss": {"type": "MeanSquaredError"}}
    config["model"]["sizes"] = [1, 4, 1]
    del config["data"]
    run = Run(prepare(config, "x.toml", table=table), tmp_path / "run")
    run.train()
    film = film_in(tmp_path / "run")
    zero, one = film.value_unit
    target = run.experiment.parts["train"].target
    np.testing.assert_allclose(zero + one * film.targets, target, rtol=1e-5)


def test_a_run_ends_with_the_same_bits_with_and_without_a_film(tmp_path):
    for name, is_recorded in [("with", True), ("without", False)]:
        start(tmp_path / name, record=is_recorded).train()
    assert not (tmp_path / "without" / "film.npz").exists()
    assert film_in(tmp_path / "without") is None
    for file in ("model.nn", "checkpoint.npz", "metrics.csv"):
        contents = [(tmp_path / name / file).read_bytes() for name in ("with", "without")]
        assert contents[0] == contents[1]


def test_a_resumed_run_goes_on_with_its_film_and_a_finished_one_too(tmp_path):
    stop_after(start(tmp_path / "run"), 2)
    assert film_in(tmp_path / "run").epochs == [0, 1, 2]
    start(tmp_path / "run").train()
    assert film_in(tmp_path / "run").epochs == [0, 1, 2, 3, 4]
    start(tmp_path / "run", epochs=6).train()
    film = film_in(tmp_path / "run")
    assert film.epochs == [0, 1, 2, 3, 4, 5, 6]
    start(tmp_path / "whole", epochs=6).train()
    whole = film_in(tmp_path / "whole")
    for one, other in zip(film.frames, whole.frames, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_frames_after_the_last_checkpoint_are_left_out(tmp_path):
    stop_after(start(tmp_path / "run", checkpoint_every="3 epochs"), 3)
    ahead = film_in(tmp_path / "run")
    assert ahead.epochs == [0, 1, 2, 3]
    write_arrays(tmp_path / "run" / "film.npz", ahead.state_dict() | {"epochs": np.arange(4) + 1})
    assert film_in(tmp_path / "run").epochs == [1, 2, 3]
    run = start(tmp_path / "run")
    run.train()
    assert film_in(tmp_path / "run").epochs == [1, 2, 3, 4]


def test_a_run_may_begin_and_end_to_record_when_it_is_resumed(tmp_path):
    stop_after(start(tmp_path / "run", record=False), 2)
    stop_after(start(tmp_path / "run"), 3)
    assert film_in(tmp_path / "run").epochs == [2, 3]
    start(tmp_path / "run", record=False).train()
    assert film_in(tmp_path / "run").epochs == [2, 3]


def test_a_recorder_of_the_config_records_instead(tmp_path):
    run = start(tmp_path / "run", callbacks=[{"type": "Recorder", "frames": 2}])
    run.train()
    assert film_in(tmp_path / "run").epochs == [0, 4]


def test_a_damaged_film_is_refused_and_a_resumed_run_begins_a_new_one(tmp_path):
    stop_after(start(tmp_path / "run"), 2)
    path = tmp_path / "run" / "film.npz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=r"film\.npz[^\n]*$"):
        film_in(tmp_path / "run")
    write_arrays(path, {"epochs": np.arange(3)})
    with pytest.raises(ConfigError, match=r"film\.npz: not the film of a run: [^\n]*$"):
        film_in(tmp_path / "run")
    with pytest.warns(UserWarning, match="the run goes on with a new one"):
        run = start(tmp_path / "run")
    run.train()
    assert film_in(tmp_path / "run").epochs == [2, 3, 4]
