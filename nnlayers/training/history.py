"""Losses and metrics of each epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from nnlayers._core.checks import optional_library, unknown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["History"]

# A printed table has at most this many rows, so that it fits on a screen.
MOST_ROWS = 20


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

    def __init__(self, columns: Mapping[str, list[float]]) -> None:
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
        self._columns: dict[str, list[float]] = {}

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
                self._columns[name] = [math.nan] * epochs
        for name, column in self._columns.items():
            column.append(float(row.get(name, math.nan)))

    def plot(self, axes: Axes | Sequence[Axes] | None = None) -> Figure:
        """Plot the loss over the epochs and, beside it, the metrics if there are any.

        Training is drawn with solid lines, validation with dashed ones. Needs matplotlib, but no
        display.

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
            figure = optional_library("matplotlib.figure", "plot").Figure(
                figsize=(5 * len(panels), 3.5), layout="constrained"
            )
            axes = list(figure.subplots(1, len(panels), squeeze=False)[0])
        all_axes: list[Any] = list(axes) if isinstance(axes, Sequence | np.ndarray) else [axes]
        if len(all_axes) < len(panels):
            raise ValueError(f"axes must hold {len(panels)} Axes, got {len(all_axes)}")
        for panel_axes, names in zip(all_axes, panels, strict=False):
            self._draw(panel_axes, names)
        result: Figure = all_axes[0].figure
        return result

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
        self._columns = {name: column.tolist() for name, column in columns.items()}

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
        return f"History({len(self)} epoch{'' if len(self) == 1 else 's'}{last})"

    def __str__(self) -> str:
        """Return the table; the middle of a long one is left out."""
        header = ["epoch", *self._columns]
        rows = [
            [str(epoch), *(f"{value:.4g}" for value in row.values())]
            for epoch, row in enumerate(self, 1)
        ]
        if len(rows) > MOST_ROWS:
            rows[MOST_ROWS // 2 : -(MOST_ROWS // 2)] = [["..."] * len(header)]
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        return "\n".join("  ".join(map(str.rjust, line, widths)) for line in [header, *rows])
