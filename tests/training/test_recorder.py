"""A film shows what the network was like, in bounded time, and leaves no trace in the training."""

import copy
import random
from types import SimpleNamespace

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.drawing.film import SCALE, Film, FilmContents
from nnlayers.training import snapshots
from nnlayers.training.callbacks import recorder as recorder_module

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 2)).astype(np.float32)
CLASSES = (X[:, 0] * X[:, 1] > 0).astype(int)
VALUES = X[:, :1] - X[:, 1:]


@pytest.fixture(autouse=True)
def no_haste(monkeypatch):
    """Let frames take as long as they do, so that tests do not depend on the machine."""
    monkeypatch.setattr(recorder_module, "_FREE_SECONDS", 1e9)


class Careless(nn.Layer):
    """A layer that draws in any mode, from its own generators and those of the process."""

    def __init__(self):
        generator = np.random.default_rng(7)
        self.draw = lambda: generator.random()  # A closure is not copied.

    def forward(self, x):
        noise = self.draw() + np.random.random() + random.random()
        return x * np.float32(1 + 0.01 * noise)

    def backward(self, dout):
        return dout


def network(*more):
    layers = (nn.Affine(2, 8, rng=1), nn.BatchNorm(8), nn.ReLU(), nn.Dropout(0.3, rng=2))
    return nn.Sequential(*more, *layers, nn.Affine(8, 2, rng=3))


def train(model, *callbacks, epochs=4, x=X, y=CLASSES, loss=None, **options):
    loss = nn.SoftmaxCrossEntropy() if loss is None else loss
    optimizer = nn.optim.Adam(model.parameters(), lr=0.05)
    trainer = nn.Trainer(model, loss, optimizer, callbacks=callbacks, **options)
    trainer.fit(x, y, epochs=epochs, batch_size=16, rng=4)
    return trainer


def film_of(model, **options):
    return train(model, nn.callbacks.Recorder(), **options).history.film


def state_of(trainer):
    state = {name: a.tobytes() for name, a in trainer.state_dict().items()}
    return {name: a for name, a in state.items() if ".film." not in name}


@pytest.mark.usefixtures("each_engine")
def test_a_training_ends_with_the_same_bits_as_without_a_film():
    filmed = train(network(), nn.callbacks.Recorder(), metrics=["accuracy"], clip_norm=1.0)
    assert len(filmed.history.film.epochs) == 5
    plain = train(network(), metrics=["accuracy"], clip_norm=1.0)
    assert state_of(filmed) == state_of(plain)


def test_generators_of_closures_and_of_the_process_are_set_back():
    results = []
    for callbacks in ([], [nn.callbacks.Recorder()]):
        np.random.seed(1)
        random.seed(1)
        trainer = train(network(Careless()), *callbacks)
        results.append((state_of(trainer), np.random.random(), random.random()))
    assert results[0] == results[1]


def test_a_film_has_the_start_the_end_and_at_most_fifty_frames():
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    recorder = nn.callbacks.Recorder()
    trainer = train(model, recorder, epochs=1)
    assert trainer.history.film.epochs == [0, 1]
    trainer.fit(X, CLASSES, epochs=699, batch_size=90)
    film = trainer.history.film
    assert film is recorder.film
    assert len(film.epochs) == len(film.frames) == 50
    assert (film.epochs[0], film.epochs[-1]) == (0, 700)
    gaps = np.diff(np.sqrt(film.epochs))
    assert gaps.max() < 4 * np.sqrt(700) / 49


def test_frames_are_recorded_while_their_share_of_the_time_lasts(monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr(recorder_module, "time", clock)
    monkeypatch.setattr(recorder_module, "_FREE_SECONDS", 0.025)

    def pass_time(seconds):
        return nn.callbacks.LambdaCallback(lambda trainer: now.__setitem__(0, now[0] + seconds))

    take = snapshots.take_snapshot

    def take_slowly(*arguments):
        now[0] += 0.01
        return take(*arguments)

    monkeypatch.setattr("nnlayers.training.snapshots.take_snapshot", take_slowly)
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    trainer = train(model, pass_time(0.1), nn.callbacks.Recorder(), epochs=100)
    frames = len(trainer.history.film.epochs)
    assert 0.015 < frames * 0.01 / now[0] <= 0.02
    assert trainer.history.film.epochs[-1] == 100


def test_frames_of_a_short_fit_are_spread_over_it(monkeypatch):
    now = [0.0]
    clock = SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr(recorder_module, "time", clock)
    monkeypatch.setattr(recorder_module, "_FREE_SECONDS", 0.025)
    snapshot = FilmContents(()), FilmContents(()).blank()

    def take(*arguments):
        now[0] += 0.003
        return snapshot

    monkeypatch.setattr("nnlayers.training.snapshots.take_snapshot", take)
    trainer = train(nn.Sequential(nn.Affine(2, 2, rng=0)), nn.callbacks.Recorder(), epochs=64)
    assert trainer.history.film.epochs == [0, 1, 4, 9, 15, 24, 34, 46, 59, 64]


def test_numbers_are_those_of_the_network_at_the_end_of_the_epoch():
    trainer = train(network(), nn.callbacks.Recorder())
    film, model = trainer.history.film, copy.deepcopy(trainer.model).eval()
    frame, names = film.frames[-1], list(film.contents.weights)
    assert names == list(model.named_parameters())
    for (low, high, mean, scale), name in zip(frame["weights"], names, strict=True):
        value = model.named_parameters()[name].value
        assert (low, high) == (value.min(), value.max())
        assert mean == pytest.approx(value.mean(), abs=1e-7)
        assert scale == np.abs(value).max()
    # Each weight of a small array has a block of its own.
    first = model[0].W.value
    np.testing.assert_allclose(
        frame["cells"][:16] / SCALE * frame["weights"][0][3], first.ravel(), atol=1e-4
    )
    loss = nn.SoftmaxCrossEntropy()
    loss.forward(model.forward(X), CLASSES)
    model.backward(loss.backward())
    for i, layer in enumerate(film.contents.layers):
        own = [model.named_parameters()[name].grad for name, _ in layer.weights]
        expected = np.sqrt(sum(np.sum(np.square(grad, dtype=float)) for grad in own)) or np.nan
        assert frame["gradients"][i] == pytest.approx(expected, rel=1e-5, nan_ok=True)
    hidden = model[:3].predict(X)
    assert tuple(frame["outputs"][2]) == (hidden.min(), hidden.max())
    counts = np.histogram(hidden, bins=32)[0] / hidden.size
    assert np.abs(frame["shares"][2] / SCALE - counts).max() < 0.02
    assert frame["dead"][2] == (hidden == 0).all(axis=0).mean()
    assert np.isnan(frame["dead"][0])


def test_units_that_are_zero_for_all_rows_are_dead():
    model = nn.Sequential(nn.Affine(2, 4, rng=0), nn.ReLU(), nn.Affine(4, 2, rng=1))
    model[0].b.value[:3] = -1000.0
    film = film_of(model)
    assert [frame["dead"][1] for frame in film.frames] == [0.75] * 5


def test_a_view_of_two_features_shows_classes_and_probabilities():
    trainer = train(network(), nn.callbacks.Recorder(features=["a", "b"], classes=["no", "yes"]))
    film = trainer.history.film
    view = film.contents.view
    assert (view.kind, view.features, view.classes) == ("classes", ("a", "b"), ("no", "yes"))
    scores = np.exp(trainer.model.predict(view.grid().astype(np.float32)).astype(float))
    chances = scores / scores.sum(axis=1, keepdims=True)
    packed = film.frames[-1]["view"][0]
    np.testing.assert_array_equal(packed >> 8, chances.argmax(axis=1))
    np.testing.assert_allclose((packed & 255) / 255, chances.max(axis=1), atol=1 / 500)
    (left, right), (bottom, top) = view.ranges
    assert left < X[:, 0].min() < X[:, 0].max() < right
    assert bottom < X[:, 1].min() < X[:, 1].max() < top
    np.testing.assert_array_equal(film.targets, CLASSES)
    np.testing.assert_array_equal(film.points, X)


@pytest.mark.parametrize("features", [1, 2])
def test_a_view_of_values_has_them_in_their_range(features):
    model = nn.mlp([features, 5, 1], rng=0)
    trainer = train(
        model, nn.callbacks.Recorder(), x=X[:, :features], y=VALUES, loss=nn.MeanSquaredError()
    )
    film = trainer.history.film
    expected = model.predict(film.contents.view.grid().astype(np.float32)).ravel()
    low, high = film.frames[-1]["view_range"]
    seen = low + film.frames[-1]["view"].ravel() / SCALE * (high - low)
    np.testing.assert_allclose(seen, expected, atol=1e-3)
    assert (low, high) == (expected.min(), expected.max())


def test_a_binary_target_has_two_classes():
    film = film_of(nn.mlp([2, 1], rng=0), y=CLASSES[:, None], loss=nn.SigmoidCrossEntropy())
    assert film.contents.view.classes == ("0", "1")
    assert set(film.frames[-1]["view"][0] >> 8) == {0, 1}


def test_large_weights_are_means_of_blocks():
    x = rng.normal(size=(20, 100))
    model = nn.Sequential(nn.Affine(100, 96, rng=0, dtype=np.float64))
    film = film_of(model, x=x, y=np.zeros((20, 96)), loss=nn.MeanSquaredError(), epochs=1)
    assert film.contents.view is None
    frame, value = film.frames[-1], model[0].W.value
    rows = [row.mean(axis=0) for row in np.array_split(value, np.arange(1, 32) * 100 // 32)]
    expected = np.array(rows).reshape(32, 32, 3).mean(axis=2)
    cells = frame["cells"][: 32 * 32].reshape(32, 32) / SCALE * frame["weights"][0][3]
    np.testing.assert_allclose(cells, expected, atol=1e-5)


class Fragile(nn.Layer):
    """A layer that fails outside of training mode, and cannot be copied if it says so."""

    def __init__(self, is_copied=True):
        self.is_copied = is_copied

    def __deepcopy__(self, memo):
        if not self.is_copied:
            raise TypeError("cannot be copied")
        return Fragile()

    def forward(self, x):
        if not self.training:
            raise RuntimeError("only for training")
        return x * 1

    def backward(self, dout):
        return dout * 1


@pytest.mark.parametrize("is_copied", [True, False])
def test_a_layer_that_fails_in_a_copy_does_not_end_the_training(is_copied):
    model = nn.Sequential(nn.Affine(2, 2, rng=0), Fragile(is_copied))
    trainer = train(model, nn.callbacks.Recorder())
    frame = trainer.history.film.frames[-1]
    assert frame["weights"][0][0] == model[0].W.value.min()
    assert np.isnan(frame["gradients"]).all()
    assert model.training


@pytest.mark.parametrize("is_first", [True, False])
def test_the_last_epoch_is_recorded_wherever_the_recorder_stands(is_first):
    stop = nn.callbacks.LambdaCallback(
        lambda trainer: trainer.stop() if len(trainer.history) == 3 else None
    )
    recorder = nn.callbacks.Recorder(frames=2)
    callbacks = [recorder, stop] if is_first else [stop, recorder]
    trainer = train(nn.Sequential(nn.Affine(2, 2, rng=0)), *callbacks, epochs=9)
    assert trainer.history.film.epochs == [0, 3]


def test_a_fit_that_is_interrupted_within_an_epoch_has_no_frame_of_it():
    def interrupt(trainer):
        if len(trainer.history) == 2:
            raise KeyboardInterrupt

    recorder = nn.callbacks.Recorder()
    stop = nn.callbacks.LambdaCallback(on_step_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(nn.Sequential(nn.Affine(2, 2, rng=0)), recorder, stop, epochs=9)
    assert recorder.film.epochs == [0, 1, 2]


def test_a_recorder_of_another_training_begins_a_new_film():
    recorder = nn.callbacks.Recorder()
    first = train(nn.Sequential(nn.Affine(2, 2, rng=0)), recorder).history.film
    second = train(nn.mlp([2, 3, 2], rng=0), recorder, epochs=2).history.film
    assert (first.epochs, second.epochs) == ([0, 1, 2, 3, 4], [0, 1, 2])


def test_a_resumed_fit_goes_on_with_its_film(tmp_path):
    def fit(epochs, resume=None):
        model = network()
        keep = nn.callbacks.Checkpoint(tmp_path / "checkpoints")
        optimizer = nn.optim.Adam(model.parameters())
        callbacks = [nn.callbacks.Recorder(), keep]
        trainer = nn.Trainer(model, nn.SoftmaxCrossEntropy(), optimizer, callbacks=callbacks)
        return trainer.fit(X, CLASSES, epochs=epochs, rng=0, resume=resume)

    before = fit(3).film
    after = fit(5, resume=tmp_path / "checkpoints").film
    assert after.epochs == [0, 1, 2, 3, 4, 5]
    assert after.contents == before.contents
    for one, other in zip(before.frames, after.frames, strict=False):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def embedding():
    return nn.Sequential(nn.Embedding(4, 3, rng=0), nn.Flatten(), nn.Affine(6, 2, rng=1))


def expression():
    x = nn.Input("x")
    w = nn.Input("w", value=nn.Parameter(np.ones((2, 3), np.float32)))
    return nn.Graph(nn.Affine(3, 2, rng=0)(nn.relu(x @ w)).named("scores"))


@pytest.mark.parametrize(
    ("make", "x", "names"),
    [
        (embedding, (X > 0).astype(int), ["0", "1", "2"]),
        (expression, X, ["matmul", "relu", "scores", "w"]),
        (lambda: nn.Affine(2, 2, rng=0), X, [""]),
        (lambda: nn.Sequential(nn.Sequential(nn.Affine(2, 2, rng=0)), nn.ReLU()), X, ["0", "1"]),
        (lambda: nn.Sequential(nn.Residual(nn.Affine(2, 2, rng=0))), X, ["0"]),
    ],
)
def test_models_of_any_kind_have_a_film(make, x, names):
    model = make()
    film = film_of(model, x=x, epochs=1)
    assert [layer.name for layer in film.contents.layers] == names
    assert sorted(film.contents.weights) == sorted(model.named_parameters())
    frame = film.frames[-1]
    assert np.isfinite(frame["outputs"][: 1 if names == [""] else len(names) - 1]).all()
    has_weights = [bool(layer.weights) for layer in film.contents.layers]
    seen = np.isfinite(frame["gradients"])
    assert seen.tolist() == has_weights


def test_a_graph_of_several_inputs_and_outputs_has_a_film():
    a, b = nn.Input("a"), nn.Input("b")
    hidden = nn.relu(nn.Affine(2, 4, rng=0)(a) + nn.Affine(2, 4, rng=1)(b))
    outputs = [nn.Affine(4, 2, rng=2)(hidden).named("c"), nn.Affine(4, 1, rng=3)(hidden).named("v")]
    model = nn.Graph(outputs)
    losses = {"c": nn.SoftmaxCrossEntropy(), "v": nn.MeanSquaredError()}
    film = film_of(model, x={"a": X, "b": X}, y={"c": CLASSES, "v": VALUES}, loss=losses)
    gradients = film.frames[-1]["gradients"]
    assert np.isfinite(gradients).sum() == 4
    assert film.contents.view is None


def test_a_deep_network_shows_its_first_layers():
    layers = [nn.Affine(2, 2, rng=i) for i in range(70)]
    film = film_of(nn.Sequential(*layers), epochs=1)
    assert (len(film.contents.layers), film.contents.left_out) == (64, 6)
    assert film.frames[-1]["cells"].shape == (64 * 6,)


def test_one_row_and_one_epoch_have_a_film():
    film = film_of(nn.mlp([2, 3, 2], rng=0), x=X[:1], y=CLASSES[:1], epochs=1)
    assert film.contents.rows == 1
    assert all(low < high for low, high in film.contents.view.ranges)


def test_huge_weights_and_features_that_are_nan_do_not_end_the_training():
    x = np.column_stack([X[:, 0], np.where(X[:, 1] > 0, 1e30, -1e30)])
    model = nn.mlp([2, 3, 1], rng=0, dtype=np.float64)
    model[0].W.value[...] *= 1e120
    film = film_of(model, x=x, y=VALUES, loss=nn.Huber(), epochs=1)
    assert film.epochs == [0, 1]


def test_estimators_record_films():
    estimators = pytest.importorskip("nnlayers.estimators")
    recorder = nn.callbacks.Recorder()
    model = estimators.MLPClassifier((4,), max_iter=3, callbacks=[recorder], random_state=0)
    with pytest.warns(UserWarning, match="iterations"):
        model.fit(X, CLASSES)
    film = model.history_.film
    assert film.epochs == [0, 1, 2, 3]
    assert film.contents.view.kind == "classes"
    assert np.isfinite(film.frames[-1]["gradients"]).any()


ENTRIES = ["cells", "weights", "gradients", "outputs", "shares", "dead", "view", "view_range"]


@pytest.mark.parametrize("name", [*ENTRIES, "contents", "epochs", "points", "targets"])
def test_a_state_that_is_not_that_of_a_film_is_refused(name):
    film = film_of(nn.mlp([2, 3, 2], rng=0), epochs=2)
    state = film.state_dict()
    other = Film()
    other.load_state_dict(state)
    assert other.epochs == [0, 1, 2]
    bad = [None, state[name][:-1] if state[name].ndim else np.array("{}"), np.array("x")]
    bad += [state[name].astype(complex) if state[name].ndim else np.array("[" * 5000)]
    for entry in bad:
        changed = {key: a for key, a in state.items() if key != name}
        if entry is not None:
            changed[name] = entry
        if name == "epochs" and entry is not None and entry.size == 2:
            changed["epochs"] = np.array([0, 2, 1])
        with pytest.raises(ValueError, match=r"^(state|Film)[^\n]*$"):
            other.load_state_dict(changed)
    assert other.epochs == [0, 1, 2]


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="frames must be"):
        nn.callbacks.Recorder(frames=1)
    with pytest.raises(ValueError, match="frames must be"):
        nn.callbacks.Recorder(frames=51)
    with pytest.raises(TypeError, match="features must be a list of names"):
        nn.callbacks.Recorder(features="x")
