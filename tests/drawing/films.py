"""Histories with a film, for the tests of pages."""

import numpy as np

import nnlayers as nn
from nnlayers.drawing.film import Film, FilmContents, FilmLayer, FilmView
from nnlayers.training import History


def trained(model, x, y, loss, *, epochs=6, **names):
    """Return a trainer after a fit whose epochs have all been recorded."""
    recorder = nn.callbacks.Recorder(**names, share=None)
    optimizer = nn.optim.Adam(model.parameters(), lr=0.02)
    trainer = nn.Trainer(model, loss, optimizer, callbacks=[recorder], engine="numpy")
    trainer.fit(x, y, epochs=epochs, validation=(x, y), rng=0)
    return trainer


def trained_on_moons(**names):
    table = nn.data.moons(80)
    x = np.column_stack(list(table.columns.values())).astype(np.float32)
    model = nn.mlp([2, 6, 2], rng=0)
    return trained(model, x, table.target, nn.SoftmaxCrossEntropy(), **names)


def trained_on_a_curve():
    x = np.linspace(-2, 2, 40)[:, None]
    return trained(nn.mlp([1, 8, 1], rng=0), x, np.sin(x), nn.MeanSquaredError())


def history_of(epochs, name="loss"):
    """Return the history of a training of so many epochs, without a film."""
    history = History()
    history.load_state_dict({name: 1 / np.arange(1.0, epochs + 1)})
    return history


def film_of(layers, frames, view=None, names=("0", "Affine", "0.W")):
    """Return a film of random numbers: so many layers of 1024 by 1024."""
    rng = np.random.default_rng(0)
    name, kind, weight = names
    contents = FilmContents(
        tuple(
            FilmLayer(f"{name}{i}", kind, ((f"{weight}{i}", (1024, 1024)),)) for i in range(layers)
        ),
        rows=16,
        view=view,
    )
    film = Film()
    film.start(contents, rng.normal(size=(400, 2)), rng.integers(0, 2, 400).astype(float))
    for epoch in range(frames):
        frame = contents.blank()
        for array in frame.values():
            is_float = array.dtype.kind == "f"
            array[...] = (
                rng.normal(size=array.shape) if is_float else rng.integers(0, 256, array.shape)
            )
        film.add(epoch, frame)
    return film


def plane(features=("x1", "x2"), classes=("0", "1")):
    return FilmView("classes", len(classes), ((-1.0, 1.0), (-2.0, 2.0)), features, classes)
