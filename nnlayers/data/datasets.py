"""Load the data sets that scikit-learn ships, and generate others, as tables."""

from __future__ import annotations

import math

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer, check_number, optional_library
from nnlayers._core.sizes import fits_memory
from nnlayers.data.table import Table

__all__ = ["breast_cancer", "diabetes", "digits", "iris", "moons", "spirals", "wine"]


def digits() -> Table:
    """Return 1797 handwritten digits: 8x8 pixels of 0 to 16, and the digit as an ``int``.

    Raises
    ------
    ModuleNotFoundError
        Without scikit-learn, which ships this data set and those below.

    References
    ----------
    E. Alpaydin and C. Kaynak, *Optical Recognition of Handwritten Digits*, UCI Machine Learning
    Repository, 1998.

    Examples
    --------
    >>> len(digits()), len(digits().columns)
    (1797, 64)
    """
    return _load_shipped("digits", named_classes=False)


def iris() -> Table:
    """Return 150 irises of three species: four lengths in cm, and the species' name.

    References
    ----------
    R. A. Fisher, "The use of multiple measurements in taxonomic problems", 1936.

    Examples
    --------
    >>> iris().rows([0, 149]).target
    array(['setosa', 'virginica'], dtype=object)
    """
    return _load_shipped("iris", named_classes=True)


def wine() -> Table:
    """Return 178 wines of three growers: 13 chemical measurements, and the class's name.

    References
    ----------
    S. Aeberhard and M. Forina, *Wine*, UCI Machine Learning Repository, 1992.

    Examples
    --------
    >>> wine().target[0]
    'class_0'
    """
    return _load_shipped("wine", named_classes=True)


def breast_cancer() -> Table:
    """Return 569 tumours: 30 measurements of cell nuclei, and "benign" or "malignant".

    References
    ----------
    W. Wolberg, O. Mangasarian, N. Street and W. Street, *Breast Cancer Wisconsin (Diagnostic)*,
    UCI Machine Learning Repository, 1993.

    Examples
    --------
    >>> breast_cancer().target[0]
    'malignant'
    """
    return _load_shipped("breast_cancer", named_classes=True)


def diabetes() -> Table:
    """Return 442 patients: ten scaled measurements, and a score of the disease a year later.

    References
    ----------
    B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, "Least Angle Regression", 2004.

    Examples
    --------
    >>> diabetes().target[0]
    np.float64(151.0)
    """
    return _load_shipped("diabetes", named_classes=False)


def spirals(
    rows: int = 1000,
    *,
    classes: int = 3,
    turns: float = 1.0,
    noise: float = 0.2,
    seed: int = 0,
) -> Table:
    r"""Generate points on spiral arms, one arm a class.

    .. math:: x = r (\cos\theta, \sin\theta), \quad
              \theta = 2\pi (k / \mathrm{classes} + \mathrm{turns} \cdot r) + \varepsilon

    for class :math:`k`, radii :math:`r` evenly spaced in (0, 1] and normal
    :math:`\varepsilon`.

    Parameters
    ----------
    rows : int
        Number of points, at least `classes`; classes take turns, so that their sizes differ by at
        most one.
    classes : int
        Number of arms, at least 2.
    turns : float
        Revolutions of an arm, at least 0.
    noise : float
        Standard deviation of the angle, in radians, at least 0.
    seed : int
        Seed of the draw, at least 0.

    Returns
    -------
    Table
        Columns ``x1``, ``x2``; the target is the number of the class.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    The example of CS231n, *Neural Networks Case Study*, https://cs231n.github.io/neural-networks-case-study/.

    Examples
    --------
    >>> spirals(6, classes=2).target
    array([0, 1, 0, 1, 0, 1])
    """
    classes = check_integer("classes", classes, minimum=2)
    rows = check_integer("rows", rows, minimum=classes)
    turns, noise = check_number("turns", turns, minimum=0), check_number("noise", noise, minimum=0)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0, maximum=None))
    with fits_memory(rows=rows):
        index, label = np.divmod(np.arange(rows), classes)
        radius = (index + 1) / np.bincount(label)[label]
        angle = 2 * math.pi * (label / classes + turns * radius)
        angle += noise * rng.standard_normal(rows)
        return _points(radius * np.cos(angle), radius * np.sin(angle), label, "spirals")


def moons(rows: int = 1000, *, noise: float = 0.1, seed: int = 0) -> Table:
    """Generate two interleaving half circles of radius 1.

    Parameters
    ----------
    rows : int
        Number of points, at least 2; the classes' sizes differ by at most one.
    noise : float
        Standard deviation of both coordinates, at least 0.
    seed : int
        Seed of the draw, at least 0.

    Returns
    -------
    Table
        Columns ``x1``, ``x2``; the target is 0 for the upper, 1 for the lower half circle.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    References
    ----------
    scikit-learn, ``sklearn.datasets.make_moons``.

    Examples
    --------
    >>> moons(4, noise=0).columns["x1"].round(1)
    array([ 1.,  0., -1.,  2.])
    """
    rows = check_integer("rows", rows, minimum=2)
    noise = check_number("noise", noise, minimum=0)
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0, maximum=None))
    with fits_memory(rows=rows):
        index, label = np.divmod(np.arange(rows), 2)
        angle = math.pi * index / np.maximum(np.bincount(label)[label] - 1, 1)
        x1 = np.where(label == 0, np.cos(angle), 1 - np.cos(angle))
        x2 = np.where(label == 0, np.sin(angle), 0.5 - np.sin(angle))
        jitter = noise * rng.standard_normal((2, rows))
    return _points(x1 + jitter[0], x2 + jitter[1], label, "moons")


def _points(x1: Array, x2: Array, label: Array, origin: str) -> Table:
    return Table({"x1": x1, "x2": x2}, label, "class", origin)


def _load_shipped(name: str, *, named_classes: bool) -> Table:
    datasets = optional_library("sklearn.datasets", "sklearn")
    bunch = getattr(datasets, f"load_{name}")()
    target = np.asarray(bunch.target_names)[bunch.target] if named_classes else bunch.target
    names = map(str, bunch.feature_names)
    return Table(dict(zip(names, bunch.data.T, strict=True)), target, "target", name)
