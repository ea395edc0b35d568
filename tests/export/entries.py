"""The layers that every format is tried with: the catalogue's, and ensembles of networks."""

from functools import partial

from catalogue import ENTRIES as CATALOGUE
from catalogue import Entry

import nnlayers as nn

__all__ = ["ENTRIES"]


def make_ensemble(outputs):
    """Return an ensemble of two networks of four outputs."""
    models = [nn.mlp([4, 3, 4], activation="tanh", rng=seed) for seed in range(2)]
    return nn.Ensemble.of(models, outputs=outputs)


KINDS = ["values", "classes", "binary", "log_probabilities", "counts", "gaussian"]
ENTRIES = CATALOGUE | {
    f"Ensemble of {outputs}": Entry(partial(make_ensemble, outputs), ((5, 4),)) for outputs in KINDS
}
