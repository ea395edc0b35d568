"""Inference of a trained network for one row and for many."""

from benchmarks.contenders import Task
from benchmarks.series import run_races

CONTENDERS = {
    "nnlayers": "ours:predict",
    "NumPy by hand": "products:predict_by_hand",
    "PyTorch": "pytorch:predict",
    "JAX": "jax_optax:predict",
    "scikit-learn": "scikit_learn:predict",
    "Keras": "keras_jax:predict",
}
SIZES = (64, 128, 64, 10)


def run(options):
    """Race 1 row and 10,000 rows."""
    tasks = {
        label: Task(SIZES, rows=rows) for label, rows in (("1 row", 1), ("10,000 rows", 10_000))
    }
    run_races("predict", CONTENDERS, tasks, options)
