"""Training loop over epochs and batches, with its history and callbacks.

>>> import numpy as np
>>> import nnlayers as nn
>>> rng = np.random.default_rng(0)
>>> X = rng.normal(size=(200, 2))
>>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
>>> model = nn.mlp([2, 16, 2], rng=0)
>>> optimizer = nn.optim.Adam(model.parameters(), lr=0.01)
>>> trainer = Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, metrics=["accuracy"])
>>> history = trainer.fit(X, y, epochs=30, validation=0.2, rng=0)
>>> history.columns
('loss', 'accuracy', 'val_loss', 'val_accuracy')
>>> trainer.evaluate(X, y)["accuracy"] > 0.9
True
"""

from nnlayers.training import callbacks
from nnlayers.training.divergence import DivergenceError
from nnlayers.training.ensemble import Ensemble
from nnlayers.training.ensemble_outputs import EnsemblePrediction
from nnlayers.training.history import History
from nnlayers.training.trainer import Trainer

__all__ = [
    "DivergenceError",
    "Ensemble",
    "EnsemblePrediction",
    "History",
    "Trainer",
    "callbacks",
]
