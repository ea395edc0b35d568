"""Train from TOML configs, which name constructors and their arguments.

From a config to a trained run: :func:`read` reads the file, :func:`prepare` builds the data, the
model, the loss, the optimizer and the trainer that it describes, and :class:`Run` trains in a run
directory. :func:`load_run` reads the trained model from there.

>>> experiment = prepare(
...     {
...         "data": {"type": "spirals", "rows": 60},
...         "model": {"type": "Sequential", "layers": [{"type": "Affine"}]},
...         "loss": {"type": "SoftmaxCrossEntropy"},
...         "optimizer": {"type": "SGD", "lr": 0.1},
...         "training": {"epochs": 2},
...     },
...     source="spirals.toml",
... )
>>> experiment.config["model"]["layers"][0]["out_features"]
3
>>> experiment.fit()
>>> len(experiment.trainer.history)
2
"""

from nnlayers.config.comparison import Comparison
from nnlayers.config.document import ConfigError, override, read
from nnlayers.config.experiment import Experiment, prepare
from nnlayers.config.keys import known_keys
from nnlayers.config.predictor import Predictor
from nnlayers.config.run import Run, keep_engine
from nnlayers.config.run_files import numbered_directories, write_file
from nnlayers.config.scoring import Scores, score
from nnlayers.config.trained_run import TrainedRun, load_run

__all__ = [
    "Comparison",
    "ConfigError",
    "Experiment",
    "Predictor",
    "Run",
    "Scores",
    "TrainedRun",
    "keep_engine",
    "known_keys",
    "load_run",
    "numbered_directories",
    "override",
    "prepare",
    "read",
    "score",
    "write_file",
]
