"""A whole fit, including shuffling and history, and its bare steps."""

from benchmarks.contenders import Task
from benchmarks.series import run_races

CONTENDERS = {
    "nnlayers": "ours:fit",
    "NumPy engine": "ours:numpy_fit",
    "bare steps": "ours:bare_steps",
    "scikit-learn": "scikit_learn:fit",
}
TASKS = {
    "digits, 64-64-10, batch 32, 5 epochs": Task(
        (64, 64, 10), rows=1797, data="digits", batch_size=32, epochs=5
    ),
    "100,000 x 50, 50-100-10, batch 200, 1 epoch": Task(
        (50, 100, 10), rows=100_000, batch_size=200
    ),
}


def run(options):
    """Race both fits."""
    run_races("fit", CONTENDERS, TASKS, options)
