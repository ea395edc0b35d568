"""The layers that every format is tried with: the catalogue's, other arguments, and ensembles."""

from functools import partial

from catalogue import ENTRIES as CATALOGUE
from catalogue import Entry

import nnlayers as nn

__all__ = ["ENTRIES"]

ROW, MATRIX = ((5, 4),), ((5, 3, 4),)
EXPONENTS = (-2, -1, -0.5, 0, 0.5, 1, 2, 2.5)
FEW = [[0.0, 1.0, 5.0, 2.0], [0.0, 3.0, 6.0, 2.5]]
# Arguments that a format may write in another way than those in the catalogue.
ARGUMENTS = {
    "Softplus of beta 1": Entry(nn.Softplus, ROW),
    "LeakyReLU of slope 0": Entry(lambda: nn.LeakyReLU(0), ROW),
    "LeakyReLU of slope 1.5": Entry(lambda: nn.LeakyReLU(1.5), ROW),
    "LeakyReLU of slope -0.5": Entry(lambda: nn.LeakyReLU(-0.5), ROW),
    "PReLU of a row": Entry(lambda: nn.PReLU(4), ROW),
    "Softmax of rows": Entry(nn.Softmax, MATRIX),
    "LogSoftmax of rows": Entry(nn.LogSoftmax, MATRIX),
    "Compare with >=": Entry(lambda: nn.Compare(">="), ROW * 2),
    "Compare with <": Entry(lambda: nn.Compare("<"), ROW * 2),
    **{
        f"Power of {e}": Entry(partial(nn.Power, e), ROW) for e in (-2, -1, -0.5, 0, 0.5, 1, 2, 2.5)
    },
    "Mean of axes": Entry(lambda: nn.Mean(axis=(1, 2), keepdims=True), MATRIX, positive=True),
    "Sum of axes": Entry(lambda: nn.Sum(axis=(-1, 1)), MATRIX, positive=True),
    "Concatenate of columns": Entry(lambda: nn.Concatenate(axis=1), ((5, 3, 4), (5, 1, 4))),
    "LayerNorm of eps 0.1": Entry(lambda: nn.LayerNorm(4, eps=0.1), MATRIX),
    "RMSNorm of eps 0.1": Entry(lambda: nn.RMSNorm(4, eps=0.1), MATRIX),
    "PiecewiseLinear with empty bins": Entry(lambda: nn.PiecewiseLinear(4, 6).fit(FEW), ROW),
}


def make_ensemble(outputs):
    """Return an ensemble of two networks of four outputs."""
    models = [nn.mlp([4, 3, 4], activation="tanh", rng=seed) for seed in range(2)]
    return nn.Ensemble.of(models, outputs=outputs)


OUTPUTS = ["values", "classes", "binary", "log_probabilities", "counts", "gaussian"]
ENSEMBLES = {f"Ensemble of {kind}": Entry(partial(make_ensemble, kind), ROW) for kind in OUTPUTS}
ENTRIES = CATALOGUE | ARGUMENTS | ENSEMBLES
