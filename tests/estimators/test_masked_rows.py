"""Masked arrays, which the estimators refuse."""

import numpy as np
import pytest

from nnlayers.estimators import MLPClassifier, MLPRegressor

X, Y, ONES = np.arange(16.0).reshape(8, 2), np.arange(8) % 2, np.ones(8)


def masked(array):
    return np.ma.masked_array(array, mask=np.arange(array.size).reshape(array.shape) == 0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("make", [MLPClassifier, MLPRegressor])
def test_a_masked_entry_is_refused(make):
    model = make(hidden_layer_sizes=(2,), max_iter=1)
    words = "must have no masked entries, got 1"
    for arguments in ((masked(X), Y), (X, masked(Y)), (X, Y, masked(ONES))):
        with pytest.raises(ValueError, match=words):
            model.fit(*arguments)
    with pytest.raises(ValueError, match=words):
        model.fit(X, Y, validation_data=(X, masked(Y)))
    model.fit(np.ma.masked_array(X), np.ma.masked_array(Y), np.ma.masked_array(ONES))
    for call in (model.predict, model.partial_fit):
        with pytest.raises(ValueError, match=words):
            call(masked(X), *[Y] * (call == model.partial_fit))
