"""Losses and metrics of each epoch."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from nnlayers._core.checks import unknown_name
from nnlayers._core.display import Grid
from nnlayers.training.figures import new_figure

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from nnlayers.drawing.film import Film
    from nnlayers.training.reel import Reel

__all__ = ["History"]

# A printed table has at most this many rows, so that it fits on a screen.
MOST_ROWS = 20
# The columns that tell the best epoch; an estimator with early stopping decides by its score.
_DECIDING = ("val_score", "val_loss", "loss")


class HistoryRows(Sequence[dict[str, float]]):
    """Rows of a table that is stored by columns.

    Examples
    --------
    >>> rows = HistoryRows({"loss": [0.7, 0.5], "val_loss": [0.8, 0.6]})
    >>> rows[-1]
    {'loss': 0.5, 'val_loss': 0.6}
    >>> rows == [{"loss": 0.7, "val_loss": 0.8}, {"loss": 0.5, "val_loss": 0.6}]
    True
    """

    def __init__(self, columns: Mapping[str, Sequence[float]]) -> None:
        self._columns = columns

    @overload
    def __getitem__(self, index: SupportsIndex) -> dict[str, float]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, float]]: ...
    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not self._columns:
            raise IndexError("history has no rows")
        return {name: column[index] for name, column in self._columns.items()}

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), []))

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, HistoryRows) else other)

    def __repr__(self) -> str:
        return repr(list(self))


class History:
    """Table of losses and metrics with one row per epoch.

    ``history["loss"]`` is a column, ``history.last`` the row of the last epoch, ``len(history)``
    the number of epochs, and iteration yields the rows. Columns of the validation rows start with
    ``val_``. A value that was not recorded in an epoch is NaN. ``print(history)`` shows the table.

    Columns are copies, so getting one takes longer the more epochs there are; a row, such as
    ``history.last`` or ``history.rows[-1]``, does not.

    Attributes
    ----------
    reel : Reel or None
        The film while it is recorded.

    Examples
    --------
    >>> history = History()
    >>> history.append({"loss": 0.7})
    >>> history.append({"loss": 0.5, "val_loss": 0.6})
    >>> history["loss"]
    [0.7, 0.5]
    >>> history.last
    {'loss': 0.5, 'val_loss': 0.6}
    >>> history
    History(2 epochs, loss=0.5, val_loss=0.6)
    >>> print(history)
    epoch  loss  val_loss
        1   0.7       nan
        2   0.5       0.6
    """

    def __init__(self) -> None:
        # An array takes a quarter of the memory of a list, and no collection of garbage visits it.
        self._columns: dict[str, array[float]] = {}
        self.reel: Reel | None = None

    @property
    def film(self) -> Film | None:
        """Film of the network by a :class:`~nnlayers.callbacks.Recorder`; None without one.

        Reading it makes frames of the copies of the weights, see :meth:`to_html`.
        """
        return None if self.reel is None else self.reel.film

    @film.setter
    def film(self, film: Film | None) -> None:
        from nnlayers.training.reel import Reel

        self.reel = None if film is None else Reel(film)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in the order in which they were added."""
        return tuple(self._columns)

    @property
    def rows(self) -> HistoryRows:
        """Rows of all epochs, a sequence of dictionaries by column."""
        return HistoryRows(self._columns)

    @property
    def last(self) -> dict[str, float]:
        """Row of the last epoch, a dictionary by column.

        Raises
        ------
        IndexError
            If there are no epochs.
        """
        if not len(self):
            raise IndexError("history has no last row before the end of the first epoch")
        return self.rows[-1]

    def append(self, row: Mapping[str, float]) -> None:
        """Add the row of an epoch; a new column is NaN in the epochs before."""
        epochs = len(self)
        for name in row:
            if name not in self._columns:
                self._columns[name] = array("d", [math.nan]) * epochs
        for name, column in self._columns.items():
            column.append(float(row.get(name, math.nan)))

    @property
    def best_epoch(self) -> int:
        """Epoch of the best value of ``val_score``, ``val_loss`` or ``loss``, counted from 1.

        The first of these columns that there is decides. It is 0 before there is a value.

        Examples
        --------
        >>> history = History()
        >>> for loss in [0.6, 0.4, 0.5]:
        ...     history.append({"loss": 0.1, "val_loss": loss})
        >>> history.best_epoch
        2
        """
        column = self._deciding_column()
        values = np.array(self._columns.get(column, []))
        if np.isnan(values).all():
            return 0
        best = np.nanargmax if column == "val_score" else np.nanargmin
        return int(best(values)) + 1

    def _deciding_column(self) -> str:
        return next((name for name in _DECIDING if name in self._columns), "loss")

    def plot(self, axes: Axes | Sequence[Axes] | None = None) -> Figure:
        """Plot the loss over the epochs and, beside it, the metrics if there are any.

        Training is drawn with solid lines, validation with dashed ones; a dotted line marks the
        :attr:`best_epoch`. Needs matplotlib, but no display: a notebook shows the figure as the
        result of a cell.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, or a sequence of them, optional
            Axes for the loss and for the metrics; by default, a new figure is made.

        Returns
        -------
        matplotlib.figure.Figure
            The figure; save it with ``history.plot().savefig("run.png")``.

        Raises
        ------
        ModuleNotFoundError
            If matplotlib is not installed.
        ValueError
            If there are fewer axes than needed.
        """
        # With several outputs there are also columns such as loss_price.
        metrics = [
            name for name in self._columns if name.removeprefix("val_").split("_")[0] != "loss"
        ]
        panels = [[name for name in self._columns if name not in metrics]]
        panels += [metrics] if metrics else []
        if axes is None:
            figure = new_figure(figsize=(5 * len(panels), 3.5), layout="constrained")
            axes = list(figure.subplots(1, len(panels), squeeze=False)[0])
        all_axes: list[Any] = list(axes) if isinstance(axes, Sequence | np.ndarray) else [axes]
        if len(all_axes) < len(panels):
            raise ValueError(f"axes must hold {len(panels)} Axes, got {len(all_axes)}")
        for panel_axes, names in zip(all_axes, panels, strict=False):
            self._draw(panel_axes, names)
        result: Figure = all_axes[0].figure
        return result

    def to_html(self, path: str | os.PathLike[str], *, title: str = "Training run") -> None:
        """Write a page that plays the training: the curves and, if it was recorded, the network.

        It is one file, and needs nothing but a browser. With a
        :class:`~nnlayers.callbacks.Recorder` among the callbacks it shows, for the epochs that were
        recorded, the weights as heat maps, the norms of the gradients, the outputs of the layers
        and, for one or two features, what the network makes of them.

        Parameters
        ----------
        path : path-like
            The file to write.
        title : str
            The title of the page.

        Raises
        ------
        OSError
            If the page cannot be written; an earlier file stays as it was.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> history = History()
        >>> history.append({"loss": 0.7})
        >>> with tempfile.TemporaryDirectory() as directory:
        ...     history.to_html(Path(directory, "run.html"))
        ...     Path(directory, "run.html").read_text(encoding="utf-8").splitlines()[0]
        '<!DOCTYPE html>'
        """
        from nnlayers.drawing.film_page import film_to_html

        film_to_html(self._columns, self.film, path, title)

    def state_dict(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the columns as arrays by name."""
        return {name: np.array(column) for name, column in self._columns.items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Restore the columns that :meth:`state_dict` returned.

        Raises
        ------
        ValueError
            If the columns differ in length.
        """
        columns = {name: np.asarray(column, np.float64) for name, column in state.items()}
        shapes = {name: column.shape for name, column in columns.items()}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            raise ValueError(f"columns of a History must be of one length, got shapes {shapes}")
        self._columns = {name: array("d", column.tobytes()) for name, column in columns.items()}

    def _draw(self, axes: Axes, names: list[str]) -> None:
        epochs = range(1, len(self) + 1)
        unprefixed = dict.fromkeys(name.removeprefix("val_") for name in names)
        colours = {name: f"C{i}" for i, name in enumerate(unprefixed)}
        for name in names:
            style = "--" if name.startswith("val_") else "-"
            colour = colours[name.removeprefix("val_")]
            axes.plot(epochs, self[name], style, color=colour, marker=".", label=name)
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True)
        best = self.best_epoch
        if best:
            axes.axvline(best, color="0.5", linestyle=":", label=f"best epoch {best}", zorder=0)
        if names:
            axes.legend()

    def __getitem__(self, name: str) -> list[float]:
        """Return a column as a list with one value per epoch."""
        if name not in self._columns:
            raise KeyError(unknown_name("column", name, self._columns))
        return list(self._columns[name])

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self.columns == other.columns and all(
            np.array_equal(self[name], other[name], equal_nan=True) for name in self.columns
        )

    def __repr__(self) -> str:
        row = self.last if len(self) else {}
        last = "".join(f", {name}={value:.4g}" for name, value in row.items())
        return f"History({_count(len(self))}{last})"

    def __str__(self) -> str:
        """Return the table; the middle of a long one is left out."""
        return self._grid()[0].text()

    def _repr_html_(self) -> str:
        """Return the table for a notebook, with the row of the best epoch in bold."""
        grid, epochs = self._grid()
        best = self.best_epoch
        note = f"best epoch {best}, by {self._deciding_column()}" if best else ""
        strong = [epochs.index(best)] if best in epochs else []
        return grid.html(f"{_count(len(self))}", note, strong)

    def _grid(self) -> tuple[Grid, list[int]]:
        """Return the table, and the epoch of each of its rows, 0 for that of the left out ones."""
        epochs = list(range(1, len(self) + 1))
        if len(epochs) > MOST_ROWS:
            epochs[MOST_ROWS // 2 : -(MOST_ROWS // 2)] = [0]
        header = ["epoch", *self._columns]
        rows = [
            [str(epoch), *(f"{column[epoch - 1]:.4g}" for column in self._columns.values())]
            if epoch
            else ["..."] * len(header)
            for epoch in epochs
        ]
        return Grid(header, rows, "r" * len(header)), epochs


def _count(epochs: int) -> str:
    return f"{epochs:,} epoch{'' if epochs == 1 else 's'}"
