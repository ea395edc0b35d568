"""Search 100 settings of a network, or another number, on a local Dask cluster.

    python examples/search.py [SETTINGS]

scikit-learn's search hands its fits to joblib, and joblib to Dask: on a cluster of many machines,
only the ``Client`` differs. Needs ``pip install "nnlayers[dask]"``.
"""

import sys
import warnings

import joblib
import scipy.stats
from dask.distributed import Client
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnlayers.estimators import MLPClassifier

SETTINGS = {
    "mlpclassifier__hidden_layer_sizes": [(32,), (64,), (64, 32)],
    "mlpclassifier__activation": ["relu", "tanh", "gelu", "silu"],
    "mlpclassifier__normalization": [None, "batch", "layer"],
    "mlpclassifier__dropout": [0.0, 0.1, 0.3],
    "mlpclassifier__alpha": scipy.stats.loguniform(1e-5, 1e-1),
    "mlpclassifier__learning_rate_init": scipy.stats.loguniform(1e-3, 1e-1),
}


def main(n_iter=100):
    # A few epochs are enough to compare settings.
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = make_pipeline(StandardScaler(), MLPClassifier(max_iter=10, random_state=0))
    search = RandomizedSearchCV(model, SETTINGS, n_iter=n_iter, cv=2, random_state=0, refit=False)

    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        with joblib.parallel_backend("dask"):
            search.fit(X_train, y_train)
        workers = len(client.scheduler_info()["workers"])
    print(f"{len(search.cv_results_['params'])} settings on {workers} workers")
    for name, value in search.best_params_.items():
        print(f"  {name.removeprefix('mlpclassifier__')}: {value}")
    print(f"accuracy of the best in cross-validation: {search.best_score_:.1%}")

    best = model.set_params(**search.best_params_, mlpclassifier__max_iter=60)
    print(f"accuracy on test rows: {best.fit(X_train, y_train).score(X_test, y_test):.1%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
