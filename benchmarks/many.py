"""Many small networks at once, and a search over settings: by threads, processes and one call.

Every contender trains the same networks, each of its own seed, on the same rows, and has two cores.
The products of one network stay on one of them.
"""

from benchmarks.contenders import Task
from benchmarks.series import run_races

CONTENDERS = {
    "nnlayers": "many:two_threads",
    "one thread": "many:one_thread",
    "two processes": "many:two_processes",
    "JAX vmap": "jax_optax:vmapped_epochs",
}
SEARCH_CONTENDERS = {
    "nnlayers": "many:search_by_threads",
    "one thread": "many:search_by_one",
    "two processes": "many:search_by_processes",
    "scikit-learn, two processes": "many:search_scikit_learn",
}
SIZES = ("2-16-16-2", "64-64-10", "64-128-64-10")
NETWORKS = 64


def run(options):
    """Race fits of all networks; then searches over eight settings with three folds."""
    options.threads = [2]
    # In fits of a few milliseconds, threads wait for each other's Python code.
    fits = [(SIZES[0], 50), *((size, 10) for size in SIZES)]
    tasks = {
        f"{NETWORKS} networks of {size}, {epochs} epochs of 2,048 rows": Task(
            tuple(map(int, size.split("-"))), rows=32, epochs=epochs, networks=NETWORKS
        )
        for size, epochs in fits
        if size in (options.size or SIZES)
    }
    run_races("many", CONTENDERS, tasks, options)
    search = Task((64, 100, 10), rows=1797, data="digits", batch_size=200, epochs=10)
    run_races("search", SEARCH_CONTENDERS, {"GridSearchCV, 24 fits of digits": search}, options)
