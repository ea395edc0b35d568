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
from nnlayers.drawing.arrays import block_means
from nnlayers.drawing.film import (
    BINS,
    MOST_LAYERS,
    MOST_WEIGHTS,
    SCALE,
    FilmContents,
    FilmLayer,
    FilmView,
    grid_sides,
    levels,
)
from nnlayers.graphs import Graph, Node, as_graph
from nnlayers.layer import Layer, Parameter
from nnlayers.training.film_views import rows_in_view, see_view, view_of
from nnlayers.training.generators import Generators
from nnlayers.training.rows import Rows, spread
from nnlayers.training.task import Task

if TYPE_CHECKING:
    from nnlayers.training.trainer import Trainer

__all__ = ["points_of", "take_snapshot"]

# Gradients and outputs are those of at most so many rows, and of fewer for a large network, with
# which a pass then takes some milliseconds.
_MOST_ROWS, _FEWEST_ROWS, _MOST_PRODUCTS = 200, 16, 20_000_000


def take_snapshot(
    trainer: Trainer,
    contents: FilmContents | None,
    features: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> tuple[FilmContents, dict[str, Array]]:
    """Return what a film shows of the network as it is now: the contents, and the arrays.

    The passes are those of a copy of the model in evaluation mode, in which dropout is off, on rows
    at equal distances in the training data. Nothing of the training changes: its random generators,
    and those of the process, are set back.

    Parameters
    ----------
    trainer : Trainer
        The trainer, in a fit.
    contents : FilmContents, optional
        Those of the film so far, whose view stays.
    features, classes : sequence of str
        Names of the features and of the classes, where they are known.

    Returns
    -------
    contents : FilmContents
        Other ones than before if the model has other layers now.
    frame : dict of str to ndarray
        The arrays by name.
    """
    rows, loss = trainer.rows, trainer.loss
    with np.errstate(all="ignore"), _generators_set_back(trainer):
        subject = _Subject(trainer.model)
        found = subject.contents(rows, None if contents is None else contents.view)
        # A user's layer may fail in any way in another mode or on other rows. That must not end the
        # training: the frame then lacks what could not be seen.
        if contents is None and rows is not None:
            with suppress(Exception):
                found = replace(found, view=view_of(rows, subject.model, loss, features, classes))
        frame = found.blank()
        subject.see_weights(found, frame)
        if rows is not None:
            with suppress(Exception):
                subject.see_passes(trainer._task, rows, found.rows, frame)
        if found.view is not None:
            with suppress(Exception):
                see_view(found.view, subject.model, loss, frame)
    return found, frame


def points_of(trainer: Trainer, contents: FilmContents) -> tuple[Array, Array]:
    """Return rows of the training and their targets for the view of a film; none without one."""
    if contents.view is None or trainer.rows is None:
        return np.empty((0, 0)), np.empty(0)
    return rows_in_view(trainer.rows, trainer.loss)


@contextmanager
def _generators_set_back(trainer: Trainer) -> Iterator[None]:
    """Restore the random generators of model and loss, and those of the process, at the end."""
    # A copy of the model has its own generators, but shares those of closures and modules.
    generators = Generators(trainer.model, {"loss": trainer.loss})
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
        The copy, or the model itself if it cannot be copied.
    graph : Graph or None
        The graph of the copy, None without one.
    """

    def __init__(self, model: Layer) -> None:
        self.model: Layer = model
        self.graph: Graph | None = None
        layers, parameters = model.named_layers(), model.named_parameters()
        with suppress(Exception):  # A user's layer may refuse to be copied in any way.
            copies = _copies(layers, parameters)
            self.model = copies[id(model)]
            self.graph = as_graph(self.model)
            layers = {name: copies[id(layer)] for name, layer in layers.items()}
            parameters = {name: copies[id(p)] for name, p in parameters.items()}
        self.parameters: dict[str, Parameter] = parameters
        parts = list(self._find_parts(layers))
        totals = accumulate(len(layer.weights) for layer, _ in parts)
        fitting = [p for p, total in zip(parts, totals, strict=True) if total <= MOST_WEIGHTS]
        self._parts = fitting[:MOST_LAYERS]
        self._left_out = len(parts) - len(self._parts)

    def contents(self, rows: Rows | None, view: FilmView | None) -> FilmContents:
        """Return what a frame shows."""
        size = sum(parameter.size for parameter in self.parameters.values())
        most = max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_PRODUCTS // max(1, size)))
        layers = tuple(layer for layer, _ in self._parts)
        count = 0 if rows is None else min(len(rows), most)
        return FilmContents(layers, count, self._left_out, view)

    def see_weights(self, contents: FilmContents, frame: dict[str, Array]) -> None:
        """Note heat maps of the parameters, their ranges and means."""
        cells = []
        sides = grid_sides(contents.weights.values())
        for i, (name, side) in enumerate(zip(contents.weights, sides, strict=True)):
            value = self.parameters[name].value
            if value.size:
                means = block_means(value, *side)
                scale = float(np.abs(means[np.isfinite(means)]).max(initial=0.0))
                cells.append(levels(means, 0.0, scale).ravel())
                frame["weights"][i] = value.min(), value.max(), value.mean(dtype=FLOAT64), scale
        frame["cells"] = np.concatenate([frame["cells"][:0], *cells])

    def see_passes(self, task: Task, rows: Rows, count: int, frame: dict[str, Array]) -> None:
        """Note the outputs of the layers, and the norms of the gradients of their weights."""
        if self.graph is None:
            return
        indices = rows.indices(spread(len(rows), count))
        network, loss = task.network_of(self.graph), copy.deepcopy(task.loss)
        output = network.forward(rows.inputs(indices))
        for i, (layer, node) in enumerate(self._parts):
            if node is not None:
                _see_output(node, not layer.weights, i, frame)
        loss.forward(output, *rows.targets(indices))
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
