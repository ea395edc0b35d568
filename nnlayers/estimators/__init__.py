"""Estimators with the interface of scikit-learn, intervals and calibrated probabilities.

>>> from sklearn.datasets import load_iris
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> X, y = load_iris(return_X_y=True)
>>> network = MLPClassifier((16,), activation="tanh", solver="lbfgs", alpha=1.0, random_state=0)
>>> model = make_pipeline(StandardScaler(), network).fit(X, y)
>>> round(model.score(X, y), 2)
0.98
"""

from nnlayers._core.checks import optional_library

try:
    from nnlayers.estimators.calibration import expected_calibration_error, fit_temperature
    from nnlayers.estimators.classifier import MLPClassifier
    from nnlayers.estimators.conformal import (
        conformal_quantile,
        conformity_scores,
        cv_plus_interval,
        split_interval,
    )
    from nnlayers.estimators.intervals import ConformalRegressor
    from nnlayers.estimators.pictures import draw_coverage, draw_reliability
    from nnlayers.estimators.regressor import MLPRegressor
    from nnlayers.estimators.tabular import TabularClassifier, TabularRegressor
except ModuleNotFoundError:
    optional_library("sklearn", "sklearn")  # This error names the extra to install.
    raise

__all__ = [
    "ConformalRegressor",
    "MLPClassifier",
    "MLPRegressor",
    "TabularClassifier",
    "TabularRegressor",
    "conformal_quantile",
    "conformity_scores",
    "cv_plus_interval",
    "draw_coverage",
    "draw_reliability",
    "expected_calibration_error",
    "fit_temperature",
    "split_interval",
]
