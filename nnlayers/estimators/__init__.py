"""Multi-layer perceptrons with the interface of scikit-learn, and further options.

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
    from nnlayers.estimators.classifier import MLPClassifier
    from nnlayers.estimators.regressor import MLPRegressor
except ModuleNotFoundError:
    optional_library("sklearn", "sklearn")  # This error names the extra to install.
    raise

__all__ = ["MLPClassifier", "MLPRegressor"]
