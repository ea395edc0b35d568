"""Configs that are drafted for rows of a program."""

import numpy as np
import pytest

from nnlayers.config import prepare
from nnlayers.data import from_frame, infer

pandas = pytest.importorskip("pandas")


def test_a_config_drafted_for_a_data_frame_trains_on_it():
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame(
        {
            "size": rng.normal(size=80),
            "city": rng.choice([f"city {number}" for number in range(60)], 80),
            "color": rng.choice(["red", "blue", None], 80),
            "day": np.datetime64("2026-01-01") + rng.integers(0, 300, 80),
        }
    )
    frame["paid"] = frame["size"] + rng.normal(size=80) > 0
    config = infer(frame, "paid").config
    config["training"]["epochs"] = 2
    experiment = prepare(config, "frame", table=from_frame(frame, "paid"))
    experiment.fit()
    assert len(experiment.trainer.history) == 2
