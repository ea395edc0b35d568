"""A run writes its history row by row, so that the cost of an epoch does not grow."""

import tracemalloc

import numpy as np
import pytest

from nnlayers.config import ConfigError, Run, load_run, prepare
from nnlayers.training.callbacks import LambdaCallback

COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


def start(directory, epochs, *, resume=False):
    config = {
        "data": {"type": "spirals", "rows": 60},
        "model": {"type": "Sequential", "layers": [{"type": "Dropout"}, {"type": "Affine"}]},
        "loss": {"type": "SoftmaxCrossEntropy"},
        "optimizer": {"type": "Adam", "lr": 0.01},
        "training": {
            "epochs": epochs,
            "checkpoint_every": "1 epoch",
            "record": False,  # Which epochs are filmed depends on the time that they take.
            "metrics": ["accuracy"],
            "callbacks": [{"type": "EarlyStopping", "patience": 10_000}],
        },
    }
    run = Run(prepare(config, "x.toml"), directory)
    if resume:
        run.resume()
    return run


def cost_of_epochs(run, before):
    """Train three epochs after `before` others; return the bytes allocated and written by one."""
    history, path = run.experiment.trainer.history, run.directory / "metrics.csv"
    columns = {name: np.linspace(1, 2, before) for name in COLUMNS} if before else {}
    history.load_state_dict(columns)
    append, write = history.append, run.write_checkpoint

    def measuring(row):
        tracemalloc.start()
        before = path.stat().st_size
        append(row)
        sizes.append(before)

    def writing():
        write()
        if tracemalloc.is_tracing():
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    peaks, sizes = [], []
    history.append, run.write_checkpoint = measuring, writing
    run.train()
    written = path.stat().st_size - sizes[-1] + (run.directory / "checkpoint.npz").stat().st_size
    return min(peaks), written


def test_an_epoch_costs_no_more_after_twenty_thousand_others(tmp_path):
    few_bytes, few_written = cost_of_epochs(start(tmp_path / "few", 3), 0)
    many_bytes, many_written = cost_of_epochs(start(tmp_path / "many", 20_003), 20_000)
    assert many_bytes < few_bytes + 20_000  # a single column of numbers takes 160,000
    assert many_written < few_written + 500
    resumed = start(tmp_path / "many", 20_003, resume=True)
    assert len(resumed.experiment.trainer.history) == 20_003
    np.testing.assert_array_equal(
        resumed.experiment.trainer.history["loss"][:20_000], np.linspace(1, 2, 20_000)
    )


def test_a_history_read_back_is_the_same_to_the_last_bit(tmp_path):
    run = start(tmp_path / "a", 3)
    run.train()
    again = start(tmp_path / "a", 3, resume=True)
    assert again.experiment.trainer.history == run.experiment.trainer.history
    assert again.experiment.trainer.history.columns == COLUMNS


def test_a_row_whose_checkpoint_was_never_written_is_left_out(tmp_path):
    start(tmp_path / "whole", 4).train()
    start(tmp_path / "parts", 2).train()
    path = tmp_path / "parts" / "metrics.csv"
    with path.open("a") as file:
        file.write("3,0.5,0.5,0.5,0.5\r\n4,0.")
    start(tmp_path / "parts", 4, resume=True).train()
    assert path.read_text() == (tmp_path / "whole" / "metrics.csv").read_text()


def test_a_column_that_a_lost_epoch_added_does_not_stand_against_a_resume(tmp_path):
    start(tmp_path / "a", 2).train()
    path = tmp_path / "a" / "metrics.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},late", *(f"{row},nan" for row in rows)]))
    resumed = start(tmp_path / "a", 4, resume=True)
    assert resumed.experiment.trainer.history.columns == (*COLUMNS, "late")


def test_a_row_that_a_callback_changes_at_the_end_is_read_as_it_was_written(tmp_path):
    def change(trainer):
        state = trainer.history.state_dict()
        state["loss"][0] = 7.0
        trainer.history.load_state_dict(state)

    run = start(tmp_path / "a", 2)
    # The last callback writes.
    run.experiment.trainer.callbacks.insert(1, LambdaCallback(on_fit_end=change))
    run.train()
    assert load_run(tmp_path / "a").history["loss"][0] == 7.0


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "epoch,loss\r\n",
        "epoch,loss\r\n1,0.5\r\n",
        "epoch,loss\r\n1,0.5\r\n3,0.5\r\n",
        "epoch,loss\r\n1,0.5\r\n2\r\n",
        "epoch,loss\r\n1,0.5\r\n2,half\r\n",
        "loss\r\n0.5\r\n0.5\r\n",
        "epoch,loss\r\n1,0.5\r\n2,\x00\r\n",
        "\udcff",
    ],
)
def test_metrics_that_are_not_those_of_the_checkpoint_are_an_error_that_names_them(tmp_path, text):
    start(tmp_path / "a", 2).train()
    path = tmp_path / "a" / "metrics.csv"
    path.unlink()
    if text is not None:
        path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=r"metrics\.csv: "):
        start(tmp_path / "a", 3, resume=True)
