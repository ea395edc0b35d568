"""What a training run recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nnlayers._core.checks import optional_library, unknown_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["History"]


class History:
    """A table with one row an epoch: the loss, the metrics, and with ``val_`` the same held out.

    ``history["loss"]`` is a column, ``len(history)`` the number of epochs, ``history.last`` the row
    of the last one, and iteration goes over the rows. A value that was not recorded in an epoch is
    NaN. Columns and rows are copies, so that they take longer the more epochs there are; ``last``
    does not.

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
    """

    def __init__(self) -> None:
        self._columns: dict[str, list[float]] = {}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the order in which they came."""
        return tuple(self._columns)

    @property
    def rows(self) -> list[dict[str, float]]:
        """The epochs, each a dictionary by column."""
        return list(self)

    @property
    def last(self) -> dict[str, float]:
        """The last epoch, as a dictionary by column.

        Raises
        ------
        IndexError
            If there is no epoch.
        """
        if not len(self):
            raise IndexError("history has no last row before the end of the first epoch")
        return {name: column[-1] for name, column in self._columns.items()}

    def append(self, row: Mapping[str, float]) -> None:
        """Add an epoch; a column not seen before is NaN in those that went before."""
        epochs = len(self)
        for name in row:
            if name not in self._columns:
                self._columns[name] = [math.nan] * epochs
        for name, column in self._columns.items():
            column.append(float(row.get(name, math.nan)))

    def plot(self, axes: Axes | Sequence[Axes] | None = None) -> Figure:
        """Draw the loss over the epochs and, beside it, the metrics if there are any.

        Training is drawn solid, validation dashed. Needs matplotlib, but no display.

        Parameters
        ----------
        axes : matplotlib.axes.Axes, or a sequence of them, optional
            Where to draw the loss and then the metrics; without them a new figure is made.

        Returns
        -------
        matplotlib.figure.Figure
            Such as for ``history.plot().savefig("run.png")``.

        Raises
        ------
        ModuleNotFoundError
            If matplotlib is not installed.
        ValueError
            If there are fewer axes than needed.
        """
        metrics = [name for name in self._columns if name.removeprefix("val_") != "loss"]
        panels = [[name for name in self._columns if name not in metrics]]
        panels += [metrics] if metrics else []
        if axes is None:
            figure = optional_library("matplotlib.figure", "plot").Figure(
                figsize=(5 * len(panels), 3.5), layout="constrained"
            )
            places = list(figure.subplots(1, len(panels), squeeze=False)[0])
        else:
            places = list(axes) if isinstance(axes, Sequence | np.ndarray) else [axes]
        if len(places) < len(panels):
            raise ValueError(f"axes must hold {len(panels)} Axes, got {len(places)}")
        for place, names in zip(places, panels, strict=False):
            self._draw(place, names)
        drawn: Figure = places[0].figure
        return drawn

    def state_dict(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return the columns as arrays by name."""
        return {name: np.array(column) for name, column in self._columns.items()}

    def load_state_dict(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Set the columns to what :meth:`state_dict` gave.

        Raises
        ------
        ValueError
            If they differ in length.
        """
        columns = {name: np.asarray(column, np.float64) for name, column in state.items()}
        shapes = {name: column.shape for name, column in columns.items()}
        if len(set(shapes.values())) > 1 or any(len(shape) != 1 for shape in shapes.values()):
            raise ValueError(f"columns of a History must be of one length, got shapes {shapes}")
        self._columns = {name: column.tolist() for name, column in columns.items()}

    def _draw(self, axes: Axes, names: list[str]) -> None:
        epochs = range(1, len(self) + 1)
        colours = {name: f"C{i}" for i, name in enumerate(_without_prefix(names))}
        for name in names:
            style = "--" if name.startswith("val_") else "-"
            colour = colours[name.removeprefix("val_")]
            axes.plot(epochs, self[name], style, color=colour, marker=".", label=name)
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True)
        if names:
            axes.legend()

    def __getitem__(self, name: str) -> list[float]:
        """Return a column, one value an epoch."""
        if name not in self._columns:
            raise KeyError(unknown_name("column", name, self._columns))
        return list(self._columns[name])

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[dict[str, float]]:
        for values in zip(*self._columns.values(), strict=True):
            yield dict(zip(self._columns, values, strict=True))

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), []))

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


def _without_prefix(names: list[str]) -> dict[str, None]:
    return dict.fromkeys(name.removeprefix("val_") for name in names)
