"""Predict, score and look at a trained model from its run directory."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nnlayers._core.arrays import Array
from nnlayers._core.checks import check_path
from nnlayers._core.display import Described
from nnlayers.config.builder import Builder
from nnlayers.config.checkpoints import load_newest_weights, read_checkpoint, split_run_state
from nnlayers.config.document import ConfigError, read
from nnlayers.config.experiment import build_loss, read_metrics, read_sections
from nnlayers.config.filming import read_film
from nnlayers.config.parts import read_parts
from nnlayers.config.predictor import Predictor
from nnlayers.config.run_entries import entries_of_run
from nnlayers.config.run_files import (
    BASELINE,
    CONFIG,
    METRICS,
    MODEL,
    PREPROCESSING,
    TEST,
    read_history,
    read_sealed_json,
    read_seconds,
)
from nnlayers.config.scoring import Baseline, Scores, score
from nnlayers.data import (
    ColumnKind,
    DataError,
    Preprocessing,
    Table,
    as_column,
    has_column,
    npz,
    read_rows,
    table_from_rows,
)
from nnlayers.data.targets import Values
from nnlayers.data.texts import levels_of
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.saving import load
from nnlayers.training import History
from nnlayers.training.metrics import Metrics

__all__ = ["TrainedRun", "load_run"]


class TrainedRun(Described):
    """A trained model with all that its run directory holds; :func:`load_run` makes one.

    Rows are raw, in the columns, units and categories of the training data: a data frame of pandas
    or polars; a dictionary of columns; a list of dictionaries, one a row; an array with the columns
    of the training data in their order; or the path of a file, such as ``.csv``, ``.parquet`` or
    ``.npz``, which is read as the training data were. Columns with names may come in any order, and
    others are ignored.

    Attributes
    ----------
    directory : Path
        The run directory.
    config : dict
        The completed config.
    predictor : Predictor
        The model with its loss and its fitted preprocessing.
    """

    def __init__(
        self, directory: Path, config: dict[str, Any], predictor: Predictor, modules: Iterable[str]
    ) -> None:
        self.directory = directory
        self.config = config
        self.predictor = predictor
        self._modules = tuple(modules)

    def _entries(self) -> dict[str, str]:
        return entries_of_run(self)

    @property
    def model(self) -> Layer:
        """The trained model, which takes preprocessed rows."""
        return self.predictor.model

    @property
    def loss(self) -> Loss:
        """The loss that the model was trained with."""
        return self.predictor.loss

    @property
    def dtype(self) -> str:
        """The dtype of the model's input."""
        return self.predictor.dtype

    @property
    def preprocessing(self) -> Preprocessing:
        """The fitted preprocessing, from raw rows to the model's input and back."""
        return self.predictor.preprocessing

    @cached_property
    def history(self) -> History:
        """The losses and metrics of each epoch, with the film that the run recorded.

        Raises
        ------
        ConfigError
            If the files of the history are missing or damaged.
        """
        history = History()
        run = split_run_state(read_checkpoint(self.directory))[0]
        history.load_state_dict(read_history(self.directory / METRICS, run))
        history.film = read_film(self.directory, int(run["epochs"]), self.preprocessing)
        return history

    @property
    def test_scores(self) -> dict[str, float]:
        """The scores of the test rows when training ended; empty if there were none.

        Raises
        ------
        ConfigError
            If their file is damaged.
        """
        path = self.directory / TEST
        if not path.exists():
            return {}
        scores = read_sealed_json(path)
        return {name: value for name, value in scores.items() if isinstance(value, int | float)}

    @property
    def seconds(self) -> float | None:
        """The duration of the training in seconds; None if the directory does not say."""
        return read_seconds(self.directory)

    def predict(self, rows: Any) -> Array:
        """Return the predicted target of each row: its class, or a number in the data's units.

        Parameters
        ----------
        rows : DataFrame, mapping, list of mappings, array_like, or path
            The raw rows, see :class:`TrainedRun`. No rows give no predictions.

        Returns
        -------
        (rows,) ndarray
            Classes (int64, or objects of ``str``), or float64 values.

        Raises
        ------
        DataError
            If a column is missing, or a value is not of the column's kind; the message names the
            column and the row.
        """
        return self.predictor.predict(self.table(rows))

    def predict_proba(self, rows: Any) -> Array:
        """Return the probability of each class, in the order of ``run.preprocessing.classes``.

        Parameters
        ----------
        rows : DataFrame, mapping, list of mappings, array_like, or path
            The raw rows, as in :meth:`predict`.

        Returns
        -------
        (rows, classes) float64 ndarray

        Raises
        ------
        ValueError
            If the loss was not one of class probabilities.
        DataError
            As in :meth:`predict`.
        """
        return self.predictor.probabilities(self.table(rows))

    def evaluate(self, rows: Any = None, target: npt.ArrayLike | None = None) -> dict[str, float]:
        """Return the loss and the scores of the predictions for rows with known targets.

        Parameters
        ----------
        rows : DataFrame, mapping, list of mappings, array_like, or path, optional
            The raw rows, as in :meth:`predict`, with the column of the target, which is the last
            one of an array. By default, the test rows of the run's own data.
        target : (rows,) array_like, optional
            The targets, if they are not a column of `rows`.

        Returns
        -------
        dict
            ``"loss"`` and, for classes, ``"accuracy"``; for values ``"rmse"``, in raw units, and
            ``"r2"``; and the metrics of the config.

        Raises
        ------
        DataError
            As in :meth:`predict`; also if a target is missing or does not fit, or there are no
            rows.
        """
        return self.score(rows, target).values

    def score(self, rows: Any = None, target: npt.ArrayLike | None = None) -> Scores:
        """Return the scores as :meth:`evaluate` does, beside those of a constant prediction.

        The constant is the most frequent class of the training rows, or their mean or median.

        Raises
        ------
        ConfigError
            If the config names a metric of a module that `modules` does not, or one that does not
            fit the loss, or a file is damaged.
        DataError
            As in :meth:`evaluate`.
        """
        source = str(self.directory / CONFIG)
        metrics = read_metrics(read_sections(self.config, source), source, self._modules)
        Builder(source).attempt("training.metrics", (), lambda: Metrics(metrics, self.loss))
        table = self.labelled_table(rows, target)
        return score(self.predictor, table, metrics, self._baseline())

    def _baseline(self) -> Baseline | None:
        """Return the constant prediction; None if the run is older than baselines."""
        path = self.directory / BASELINE
        if not path.exists():
            return None
        try:
            return Baseline.from_dict(read_sealed_json(path), self.preprocessing)
        except ConfigError:  # It names the file already.
            raise
        except ValueError as error:
            raise ConfigError(f"{path}: {error}") from None

    def table(self, rows: Any) -> Table:
        """Return raw rows as a table, without their target."""
        if isinstance(rows, Table):
            return rows
        return self._read(rows, self.preprocessing.columns)

    def labelled_table(self, rows: Any = None, target: npt.ArrayLike | None = None) -> Table:
        """Return raw rows as a table with their target, see :meth:`evaluate`."""
        if rows is None:
            return self._test_rows()
        if isinstance(rows, Table):
            return rows
        is_npz = isinstance(rows, str | os.PathLike) and Path(rows).suffix.lower() == ".npz"
        if is_npz and target is None:
            return npz(os.fspath(rows), **self._options(npz))
        encoded, name, kind = self.preprocessing, *self._target_column()
        columns, weights = dict(encoded.columns), None
        if target is None:
            columns[name] = kind
            weights = self._weights_column(rows)
            columns |= {} if weights is None else {weights: "numeric"}
        table = self._read(rows, columns)
        labels = table.columns[name] if target is None else as_column(target, name, kind)
        if encoded.classes and kind == "categorical":
            # Classes that look like numbers may come as numbers.
            texts, indices = levels_of(labels)
            labels = np.array(texts, object)[indices]
        weight = None if weights is None else table.columns[weights]
        features = table.without({name, weights}).columns
        return encoded.labelled(Table(features, labels, name, table.origin, table.lines, weight))

    def _weights_column(self, rows: Any) -> str | None:
        """Return the column of the rows' weights, None if they have none."""
        weights: str | None = self.config["data"].get("weights")
        if weights and isinstance(rows, str | os.PathLike):
            rows = read_rows(os.fspath(rows), **self._options(read_rows)).columns
        return weights if weights and has_column(rows, weights) else None

    def _target_column(self) -> tuple[str, ColumnKind]:
        """Return the name of the target, and the kind of column in which it is read."""
        encoded = self.preprocessing
        is_text = isinstance(next(iter(encoded.classes), 0), str)
        is_notation = isinstance(encoded.target, Values) and encoded.target.notation is not None
        return encoded.target_name, "categorical" if is_text or is_notation else "numeric"

    def _read(self, rows: Any, columns: Mapping[str, ColumnKind]) -> Table:
        if isinstance(rows, str | os.PathLike):
            return read_rows(os.fspath(rows), columns, **self._options(read_rows))
        return table_from_rows(rows, columns)

    def _options(self, function: Any) -> dict[str, Any]:
        """Return the arguments of the run's data source that a reader of other files has too."""
        names = inspect.signature(function).parameters.keys() - {"path", "columns"}
        return {name: value for name, value in self.config["data"].items() if name in names}

    def _test_rows(self) -> Table:
        """Return the test rows of the run's data."""
        source = str(self.directory / CONFIG)
        sections = read_sections(self.config, source)
        if not sections.data:
            raise ConfigError(f"{source}: data: the rows were a program's: pass rows to evaluate")
        predictor = self.predictor
        parts = read_parts(
            sections.data,
            sections.split,
            source,
            predictor.loss,
            predictor.preprocessing,
            self._modules,
        )[1]
        test: Table = parts.value["test"]
        if not len(test):
            raise ConfigError(f"{source}: split.test: is 0, there are no test rows")
        return test


def load_run(directory: str | os.PathLike[str], *, modules: Iterable[str] = ()) -> TrainedRun:
    """Load a trained model from its run directory, with all that it takes to use it.

    Parameters
    ----------
    directory : str or path-like
        The directory that ``nnlayers train`` names in its output.
    modules : iterable of str
        Modules besides nnlayers whose classes its files may name. Their code runs, so name only
        modules that you trust; nothing else in a directory runs code.

    Returns
    -------
    TrainedRun
        The run, with ``predict``, ``predict_proba`` and ``evaluate`` for raw rows, and ``model``,
        ``history`` and ``config``.

    Raises
    ------
    ConfigError
        If there is no run, or one of its files is missing or damaged.

    Examples
    --------
    >>> import tempfile
    >>> from nnlayers.config import Run, prepare
    >>> config = {
    ...     "data": {"type": "moons", "rows": 200},
    ...     "model": {"type": "mlp", "sizes": [2, 16, 2]},
    ...     "loss": {"type": "SoftmaxCrossEntropy"},
    ...     "optimizer": {"type": "Adam", "lr": 0.01},
    ...     "training": {"epochs": 20},
    ... }
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     Run(prepare(config, "moons.toml"), Path(directory, "moons")).train()
    ...     run = load_run(f"{directory}/moons")
    ...     run.predict([{"x1": 0.0, "x2": 1.0}, {"x1": 1.0, "x2": -0.5}])
    ...     run.predict_proba({"x2": [1.0], "x1": [0.0]}).shape, len(run.history)
    array([0, 1])
    ((1, 2), 20)
    """
    directory = check_path("directory", directory)
    path = directory / CONFIG
    config = read(path)
    sections = read_sections(config, str(path))
    loss = build_loss(sections, str(path), modules).value
    path = directory / PREPROCESSING
    try:
        preprocessing = Preprocessing.from_dict(read_sealed_json(path))
    except DataError as error:
        raise ConfigError(f"{path}: {error}") from None
    path = directory / MODEL
    try:
        model = load(path, modules=modules)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:  # It names the file.
        raise ConfigError(str(error)) from None
    load_newest_weights(model, directory)
    predictor = Predictor(model, loss, preprocessing, sections.dtype)
    try:
        with np.errstate(all="ignore"):
            # A stranger's model may make any number of features of a row, and of no row none.
            rows = np.zeros((0, preprocessing.width), sections.dtype)
            preprocessing.decode(loss.decide(predictor.check_model(rows)))
    except Exception as error:  # It may fail in any way too.
        raise ConfigError(f"{path}: does not fit {CONFIG} and {PREPROCESSING}: {error}") from None
    return TrainedRun(directory, config, predictor, modules)
