"""Check parameters and rows as scikit-learn does, with errors of one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from numbers import Number, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    InvalidParameterError,
    validate_parameter_constraints,
)
from sklearn.utils.validation import _check_sample_weight

from nnlayers._core.archives import one_line
from nnlayers._core.arrays import Array, refuse_masked
from nnlayers._core.checks import check_number
from nnlayers._core.showing import shown

try:
    from sklearn.utils.validation import validate_data
except ImportError:  # In scikit-learn 1.5 it is a method of estimators.

    def validate_data(estimator: Any, *arrays: Any, **options: Any) -> Any:
        """Check the arrays, and return them."""
        if "skip_check_array" in options:
            options["cast_to_ndarray"] = not options.pop("skip_check_array")
        if "ensure_all_finite" in options:
            options["force_all_finite"] = options.pop("ensure_all_finite")
        return estimator._validate_data(*arrays, **options)


__all__ = ["as_row_weights", "as_rows", "check_parameters", "in_one_line", "validate_data"]


def check_parameters(
    estimator: str, parameters: Mapping[str, Any], constraints: Mapping[str, Any]
) -> None:
    """Raise an error for the first parameter that does not meet its constraints.

    Examples
    --------
    >>> from nnlayers.estimators.constraints import CONSTRAINTS
    >>> check_parameters("MLPRegressor", {"alpha": -1}, CONSTRAINTS)
    Traceback (most recent call last):
    sklearn.utils._param_validation.InvalidParameterError: The 'alpha' parameter of MLPRegressor \
must be a float in the range [0.0, inf). Got -1 instead.
    """
    for name, value in parameters.items():
        try:
            validate_parameter_constraints(constraints, {name: value}, caller_name=estimator)
        except InvalidParameterError as error:
            expected = str(error).partition(". Got ")[0]
            raise InvalidParameterError(f"{expected}. Got {shown(value)} instead.") from None
        except (
            ArithmeticError,
            TypeError,
            ValueError,
        ):  # It is a number that NumPy cannot compare.
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be a number that NumPy can compare. "
                f"Got {shown(value)} instead."
            ) from None
        if isinstance(value, np.ndarray) and not value.ndim:
            raise InvalidParameterError(
                f"The {name!r} parameter of {estimator} must be a single object or a list. "
                f"Got {shown(value)} instead."
            )
        if isinstance(value, Real) and not isinstance(value, bool) and value != np.inf:
            check_number(name, value)  # An integer or a long double may be beyond all floats.


def as_rows(estimator: Any, *arrays: Any, **options: Any) -> Any:
    """Return X, or X and y, as arrays; X of floats, dense or sparse."""
    dtypes = (np.float64, np.float32)
    with in_one_line():
        return validate_data(estimator, *arrays, accept_sparse="csr", dtype=dtypes, **options)


def as_row_weights(sample_weight: Any, X: Any) -> Array:
    """Return the weight of each row of X."""
    refuse_masked(sample_weight, "sample_weight")
    if isinstance(sample_weight, Number) and not isinstance(sample_weight, bool):
        sample_weight = check_number("sample_weight", sample_weight)
    with in_one_line():
        weight: Array = _check_sample_weight(sample_weight, X)
    if (weight < 0).any():
        raise ValueError("Negative values in data passed to `sample_weight`.")
    return weight


@contextmanager
def in_one_line() -> Iterator[None]:
    """Let errors of scikit-learn's checks of rows have one line of bounded length.

    That of features with other names keeps its list of them.
    """
    try:
        yield
    except ArithmeticError as error:  # A number is beyond all floats, or a signalling NaN.
        raise ValueError(one_line(str(error))) from error
    except (TypeError, ValueError) as error:
        message = str(error)
        if type(error) not in (TypeError, ValueError) or message.startswith("The feature names"):
            raise
        raise type(error)(one_line(message)) from None
