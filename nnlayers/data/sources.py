"""Load tables of rows from files, shipped data sets and generators.

Each function returns a :class:`~nnlayers.data.Table`. A relative path is relative to the working
directory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_integer, check_number, optional_library, unknown_name
from nnlayers.data.readers import CsvFile, npz_arrays, npz_columns
from nnlayers.data.table import ColumnKind, DataError, Table

__all__ = [
    "breast_cancer",
    "csv",
    "diabetes",
    "digits",
    "iris",
    "moons",
    "npz",
    "read_rows",
    "spirals",
    "wine",
]


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


def csv(
    path: str, target: str, *, categorical: tuple[str, ...] = (), delimiter: str = ","
) -> Table:
    """Read a delimited UTF-8 text file with a header.

    A column is numeric if its cells are numbers, and categorical if most of them are not (booleans
    are not); a target column of integers gives integer classes. A blank cell, or one such as ``NA``
    or ``null``, is a missing value, which is an error; lines without any value are skipped.

    Parameters
    ----------
    path : str
        The file.
    target : str
        The column to predict.
    categorical : tuple of str
        Columns whose cells are text, even if they look like numbers or missing values;
        only a blank cell is missing.
    delimiter : str
        The delimiter, one character.

    Raises
    ------
    TypeError, ValueError
        If `delimiter` is not one character, or is a quote or a line break.
    DataError
        If the file cannot be read as described; the message names the line and the column.
    ModuleNotFoundError
        Without pandas.
    """
    file = CsvFile(path, delimiter)
    columns = {name: file.text(name) for name in categorical}
    for name in (target, *file.indices):
        if name not in columns:
            columns[name] = file.column(name)
    features = {name: columns[name] for name in file.indices if name != target}
    return Table(features, columns[target], target, path)


def npz(path: str, *, features: str = "X", target: str = "y") -> Table:
    """Read two arrays of an .npz archive; nothing is unpickled.

    Parameters
    ----------
    path : str
        The file.
    features : str
        The key of the features, an array of shape (rows, ...): columns ``X[0]``, ``X[1]``, ... in
        C order.
    target : str
        The key of the target, of shape (rows,) or (rows, 1): numbers or strings.

    Raises
    ------
    DataError
        If the file cannot be read or lacks an array, or an array does not fit.
    """
    arrays = npz_arrays(path, [features, target])
    labels = arrays[target]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    return Table(npz_columns(path, features, arrays[features]), labels, target, path)


def read_rows(path: str, columns: Mapping[str, ColumnKind], *, delimiter: str = ",") -> Table:
    """Read rows for prediction: the given columns of a .csv or .npz file, without a target.

    Parameters
    ----------
    path : str
        The file; other columns in it are ignored.
    columns : mapping of str to {"numeric", "categorical"}
        The columns of the training rows: :attr:`Preprocessing.columns`. In an .npz archive, the
        columns ``X[0]``, ``X[1]``, ... are those of the array ``X``.
    delimiter : str
        The delimiter of a .csv file, one character.

    Raises
    ------
    TypeError, ValueError
        If `delimiter` is not one character, or is a quote or a line break.
    DataError
        If the file is of neither format or cannot be read, a column is missing, or a cell of a
        numeric column is not a number.
    ModuleNotFoundError
        For a .csv file without pandas.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        return _csv_rows(path, columns, delimiter)
    if suffix == ".npz":
        return _npz_rows(path, columns)
    raise DataError(f"{path}: rows are read from .csv and .npz files, not from {suffix!r}")


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
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
    index, label = np.divmod(np.arange(rows), classes)
    radius = (index + 1) / np.bincount(label)[label]
    angle = 2 * math.pi * (label / classes + turns * radius) + noise * rng.standard_normal(rows)
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
    rng = np.random.default_rng(check_integer("seed", seed, minimum=0))
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


def _csv_rows(path: str, columns: Mapping[str, ColumnKind], delimiter: str) -> Table:
    file = CsvFile(path, delimiter)
    cells = {
        name: file.text(name) if kind == "categorical" else file.numbers(name)
        for name, kind in columns.items()
    }
    return Table(cells, origin=path)


def _npz_rows(path: str, columns: Mapping[str, ColumnKind]) -> Table:
    keys = dict.fromkeys(name.rpartition("[")[0] or name for name in columns)
    present: dict[str, Array] = {}
    for key, array in npz_arrays(path, list(keys)).items():
        present |= npz_columns(path, key, array)
    for name, kind in columns.items():
        if name not in present:
            raise DataError(f"{path}: {unknown_name('column', name, present)}")
        if kind == "categorical":
            raise DataError(f"{path}: column {name!r} must hold text, got numbers")
    return Table({name: present[name] for name in columns}, origin=path)
