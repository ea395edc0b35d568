"""Look at a network in training without changing anything: the frames of a film."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from nnlayers._core.arrays import FLOAT64, Array
from nnlayers._core.showing import shown
from nnlayers._core.tree import join
from nnlayers.drawing.arrays import block_means
from nnlayers.drawing.film import (
    BINS,
    MOST_LAYERS,
    MOST_WEIGHTS,
    SCALE,
    FilmContents,
    FilmLayer,
    grid_sides,
    levels,
)
from nnlayers.graphs import Graph, Node, as_graph
from nnlayers.layer import Layer, Parameter
from nnlayers.training.film_views import MOST_POINTS, has_view, rows_in_view, see_view, view_of
from nnlayers.training.generators import Generators
from nnlayers.training.rows import Rows, spread
from nnlayers.training.task import Task

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["Camera", "Exposure"]

# Gradients and outputs are those of at most so many rows, and of fewer for a large network, with
# which a pass then takes some milliseconds.
_MOST_ROWS, _FEWEST_ROWS, _MOST_PRODUCTS = 200, 16, 20_000_000

# Copies of weights and state by name, from which a frame is made later.
Exposure = dict[str, Array]


class Camera:
    """Copies the weights of a network in training, and makes frames of the copies later.

    A copy takes microseconds, a frame milliseconds. What a frame needs beside it, some rows of the
    data, is copied at the start of a fit.

    Parameters
    ----------
    trainer : Trainer
        The trainer, in a fit.
    features, classes : sequence of str
        Names of the features and of the classes, where they are known.
    """

    def __init__(
        self, trainer: Trainer, features: Sequence[str] = (), classes: Sequence[str] = ()
    ) -> None:
        self._model, self._loss, self._task = trainer.model, trainer.loss, trainer._task
        self._names = features, classes
        # One search of the model for both, because this takes most of the start of a film.
        found = self._model._walk()
        self._parameters = {n: item for n, item in found.items() if isinstance(item, Parameter)}
        self._layers = {n: item for n, item in found.items() if isinstance(item, Layer)}
        self._states = [
            (join(prefix, name), layer, name)
            for prefix, layer in self._layers.items()
            for name in layer.state_names
        ]
        size = sum(parameter.size for parameter in self._parameters.values())
        self._most = max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_PRODUCTS // max(1, size)))
        self._rows: Rows | None = None
        rows = trainer.rows
        self._has_view = rows is not None and has_view(rows, self._loss)
        if rows is not None:
            most = max(MOST_POINTS, self._most) if self._has_view else self._most
            self._rows = rows.part(spread(len(rows), min(len(rows), most)))

    def expose(self) -> Exposure:
        """Return copies of the weights and the state of the network as it is now."""
        copies = {name: parameter.value.copy() for name, parameter in self._parameters.items()}
        for name, layer, attribute in self._states:
            copies[name] = getattr(layer, attribute).copy()
        return copies

    def develop(
        self, exposures: Sequence[Exposure], contents: FilmContents | None
    ) -> tuple[FilmContents, list[dict[str, Array]]]:
        """Return what a film shows of the network as it was: the contents, and the frames.

        The passes are those of a copy of the model in evaluation mode, in which dropout is off, on
        rows at equal distances in the training data. Nothing of the training changes: its random
        generators, and those of the process, are set back.

        Parameters
        ----------
        exposures : sequence of dict
            Copies of the network.
        contents : FilmContents, optional
            Those of the film so far, whose view stays.

        Returns
        -------
        contents : FilmContents
            Other ones than before if the model has other layers now.
        frames : list of dict
            The arrays of each frame by name.
        """
        rows = self._rows
        if rows is not None:
            rows = rows.part(spread(len(rows), min(len(rows), self._most)))
        with np.errstate(all="ignore"), _generators_set_back(self._model, self._loss):
            subject = _Subject(self._model, self._layers, self._parameters)
            found = subject.contents(0 if rows is None else len(rows))
            view = None if contents is None else contents.view
            # A user's layer may fail in any way in another mode or on other rows. That must not end
            # a training: the frame then lacks what could not be seen.
            if contents is None and self._rows is not None and self._has_view and subject.is_copy:
                with suppress(Exception):
                    points, _ = rows_in_view(self._rows, self._loss)
                    view = view_of(points, subject.model, self._loss, *self._names)
            found = replace(found, view=view)
            return found, [self._frame(subject, found, copies, rows) for copies in exposures]

    def points(self, contents: FilmContents) -> tuple[Array, Array]:
        """Return rows of the training and their targets for a view; none without one."""
        if contents.view is None or self._rows is None:
            return np.empty((0, 0)), np.empty(0)
        return rows_in_view(self._rows, self._loss)

    def _frame(
        self, subject: _Subject, contents: FilmContents, copies: Exposure, rows: Rows | None
    ) -> dict[str, Array]:
        """Return the arrays of the frame of a copy."""
        frame = contents.blank()
        subject.see_weights(contents, copies, frame)
        if not subject.is_copy:
            return frame
        subject.load(copies, self._states)
        if rows is not None:
            with suppress(Exception):
                subject.see_passes(self._task, rows, frame)
        if contents.view is not None:
            with suppress(Exception):
                see_view(contents.view, subject.model, self._loss, frame)
        return frame


@contextmanager
def _generators_set_back(model: Layer, loss: Any) -> Iterator[None]:
    """Restore the random generators of model and loss, and those of the process, at the end."""
    # A copy of the model has its own generators, but shares those of closures and modules.
    generators = Generators(model, {"loss": loss})
    states = generators.state_dict(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        generators.load_state_dict(states[0])
        np.random.set_state(states[1])
        random.setstate(states[2])


class _Subject:
    """A copy of the model in training, with its layers and parameters.

    Attributes
    ----------
    model : Layer
        The copy.
    is_copy : bool
        Whether the model could be copied; otherwise only its weights can be seen.
    graph : Graph or None
        The graph of the copy, None without one.
    """

    def __init__(
        self, model: Layer, layers: dict[str, Layer], parameters: dict[str, Parameter]
    ) -> None:
        self.model: Layer = model
        self.graph: Graph | None = None
        self.is_copy = False
        # A user's layer may refuse to be copied in any way, or have lost layers since.
        with suppress(Exception):
            copies = _copies(layers, parameters)
            self.model = copies[id(model)]
            self._originals = {id(layer): copies[id(layer)] for layer in layers.values()}
            parameters = {name: copies[id(p)] for name, p in parameters.items()}
            layers = {name: copies[id(layer)] for name, layer in layers.items()}
            self.is_copy = True
            self.graph = as_graph(self.model)
        self.parameters: dict[str, Parameter] = parameters
        parts = list(self._find_parts(layers))
        totals = accumulate(len(layer.weights) for layer, _ in parts)
        fitting = [p for p, total in zip(parts, totals, strict=True) if total <= MOST_WEIGHTS]
        self._parts = fitting[:MOST_LAYERS]
        self._left_out = len(parts) - len(self._parts)

    def contents(self, rows: int) -> FilmContents:
        """Return what a frame shows, but for a view."""
        return FilmContents(tuple(layer for layer, _ in self._parts), rows, self._left_out)

    def load(self, copies: Exposure, states: Sequence[tuple[str, Layer, str]]) -> None:
        """Set the weights and the state of the copy."""
        for name, parameter in self.parameters.items():
            parameter.value = copies[name]
            parameter.zero_grad()
        for name, layer, attribute in states:
            setattr(self._originals[id(layer)], attribute, copies[name].copy())

    def see_weights(
        self, contents: FilmContents, copies: Exposure, frame: dict[str, Array]
    ) -> None:
        """Note heat maps of the parameters, their ranges and means."""
        cells = []
        sides = grid_sides(contents.weights.values())
        for i, (name, side) in enumerate(zip(contents.weights, sides, strict=True)):
            value = copies[name]
            if value.size:
                means = block_means(value, *side)
                scale = float(np.abs(means[np.isfinite(means)]).max(initial=0.0))
                cells.append(levels(means, 0.0, scale).ravel())
                frame["weights"][i] = value.min(), value.max(), value.mean(dtype=FLOAT64), scale
        frame["cells"] = np.concatenate([frame["cells"][:0], *cells])

    def see_passes(self, task: Task, rows: Rows, frame: dict[str, Array]) -> None:
        """Note the outputs of the layers, and the norms of the gradients of their weights."""
        if self.graph is None:
            return
        every = slice(0, len(rows))
        network, loss = task.network_of(self.graph), copy.deepcopy(task.loss)
        output = network.forward(rows.inputs(every))
        for i, (layer, node) in enumerate(self._parts):
            if node is not None:
                _see_output(node, not layer.weights, i, frame)
        loss.forward(output, *rows.targets(every))
        network.backward_parameters(loss.backward())
        for i, (layer, _) in enumerate(self._parts):
            if layer.weights:
                grads = [self.parameters[name].grad.ravel() for name, _ in layer.weights]
                squares = [np.einsum("i,i->", grad, grad, dtype=FLOAT64) for grad in grads]
                frame["gradients"][i] = np.sqrt(sum(squares))

    def _find_parts(self, layers: dict[str, Layer]) -> Iterator[tuple[FilmLayer, Node | None]]:
        """Yield the layers in the order of the forward pass, each with its node."""
        names = {id(layer): name for name, layer in layers.items()}
        containers = {name.rpartition(".")[0] for name in layers if name}
        left = {name: parameter.shape for name, parameter in self.parameters.items()}
        graph = self.graph
        nodes = [] if graph is None else zip(graph.nodes, graph.names, strict=True)
        for node, own_name in nodes:
            layer = node.layer
            if layer is None:
                continue
            name = names.get(id(layer), own_name)
            own = [key for key in left if not name or key.startswith(f"{name}.")]
            weights = tuple((key, left.pop(key)) for key in own)
            kind = type(layer).__name__ if name in containers else shown(layer)
            yield FilmLayer(name, kind, weights), node
        # Weights that are nodes themselves, or of layers that could not be seen.
        for name, shape in left.items():
            yield FilmLayer(name, "", ((name, shape),)), None


def _copies(layers: dict[str, Layer], parameters: dict[str, Parameter]) -> dict[int, Any]:
    """Return copies of layers, in evaluation mode, and of parameters, by identities of originals.

    The first layer holds all others.
    """
    copies: dict[int, Any] = {id(p): copy.copy(p) for p in parameters.values()}
    for parameter in parameters.values():
        copies[id(parameter)].zero_grad()
    for layer in layers.values():
        # What layers have cached may be all rows of the data, and is only read.
        cache = vars(layer).get("_cache")
        items = cache if isinstance(cache, tuple | list) else (cache,)
        copies |= {id(item): item for item in items if isinstance(item, np.ndarray)}
    copy.deepcopy(layers[""], copies)
    for layer in layers.values():
        copies[id(layer)].training = False
    return copies


def _see_output(node: Node, is_activation: bool, i: int, frame: dict[str, Array]) -> None:
    """Note a histogram of a layer's output and, for an activation, the share of dead units."""
    value = np.asarray(node.value)
    finite = value[np.isfinite(value)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    bars = levels(finite, low, high).astype(np.intp) * BINS // (SCALE + 1)
    counts = np.bincount(bars, minlength=BINS)
    frame["outputs"][i] = low, high
    frame["shares"][i] = np.rint(counts / finite.size * SCALE)
    has_shape_of_input = [np.shape(parent.value) for parent in node.parents] == [value.shape]
    if is_activation and has_shape_of_input and value.ndim > 1:
        frame["dead"][i] = (value.reshape(-1, value.shape[-1]) == 0).all(axis=0).mean()
