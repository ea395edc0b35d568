"""A film shows what the network was like, in bounded time, and leaves no trace in the training."""

import copy
import pickle
import random
from types import SimpleNamespace

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.drawing.film import SCALE, Film
from nnlayers.training import reel, snapshots
from nnlayers.training.callbacks import recorder as recorder_module

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 2)).astype(np.float32)
CLASSES = (X[:, 0] * X[:, 1] > 0).astype(int)
VALUES = X[:, :1] - X[:, 1:]


def every_epoch(**options):
    """Return a recorder of every epoch, so that tests do not depend on the speed of the machine."""
    return nn.callbacks.Recorder(**{"share": None} | options)


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
    return train(model, every_epoch(), **options).history.film


def state_of(trainer):
    state = {name: a.tobytes() for name, a in trainer.state_dict().items()}
    return {name: a for name, a in state.items() if ".film." not in name}


@pytest.mark.usefixtures("each_engine")
def test_a_training_ends_with_the_same_bits_as_without_a_film():
    filmed = train(network(), every_epoch(), metrics=["accuracy"], clip_norm=1.0)
    assert len(filmed.history.film.epochs) == 5
    plain = train(network(), metrics=["accuracy"], clip_norm=1.0)
    assert state_of(filmed) == state_of(plain)


def test_generators_of_closures_and_of_the_process_are_set_back():
    results = []
    for callbacks in ([], [every_epoch()]):
        np.random.seed(1)
        random.seed(1)
        trainer = train(network(Careless()), *callbacks)
        results.append((state_of(trainer), np.random.random(), random.random()))
    assert results[0] == results[1]


def test_a_film_has_the_start_the_end_and_at_most_fifty_frames():
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    recorder = every_epoch()
    trainer = train(model, recorder, epochs=1)
    assert trainer.history.film.epochs == [0, 1]
    trainer.fit(X, CLASSES, epochs=699, batch_size=90)
    film = trainer.history.film
    assert film is recorder.film
    assert len(film.epochs) == len(film.frames) == 50
    assert (film.epochs[0], film.epochs[-1]) == (0, 700)
    gaps = np.diff(np.sqrt(film.epochs))
    assert gaps.max() < 4 * np.sqrt(700) / 49


@pytest.fixture
def clock(monkeypatch):
    """A clock that hardly moves unless a test moves it, by the first entry; a copy takes 1 ms."""
    now = [0.0]

    def tick():
        now[0] += 1e-6
        return now[0]

    clock = SimpleNamespace(thread_time=tick)
    monkeypatch.setattr(recorder_module, "time", clock)
    monkeypatch.setattr(reel, "time", clock)
    expose = snapshots.Camera.expose

    def expose_slowly(camera):
        now[0] += 0.001
        return expose(camera)

    monkeypatch.setattr(snapshots.Camera, "expose", expose_slowly)
    return now


def pass_time(clock, seconds):
    """Return a callback that lets each epoch take some seconds."""
    return nn.callbacks.LambdaCallback(lambda trainer: clock.__setitem__(0, clock[0] + seconds))


@pytest.mark.parametrize(("seconds", "least"), [(0.0001, 2), (0.002, 3), (0.01, 15), (0.05, 50)])
def test_copies_take_at_most_their_share_of_the_time_of_a_fit(clock, seconds, least):
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    trainer = train(model, pass_time(clock, seconds), nn.callbacks.Recorder(), epochs=100)
    epochs = trainer.history.film.epochs
    assert (epochs[0], epochs[-1]) == (0, 100)
    assert least <= len(epochs) <= 50
    assert len(epochs) == 2 or 0.001 * len(epochs) <= 0.02 * clock[0]


def test_the_start_of_a_film_counts_as_time_of_the_film(clock, monkeypatch):
    init = snapshots.Camera.__init__

    def init_slowly(camera, *arguments):
        clock[0] += 0.01
        init(camera, *arguments)

    monkeypatch.setattr(snapshots.Camera, "__init__", init_slowly)
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    trainer = train(model, pass_time(clock, 0.01), nn.callbacks.Recorder(), epochs=100)
    frames = len(trainer.history.film.epochs)
    assert 2 < frames < 12
    assert 0.01 + 0.001 * frames <= 0.02 * clock[0]


def test_most_epochs_without_a_frame_are_not_timed(clock, monkeypatch):
    looks = []
    tick = recorder_module.time.thread_time
    look = SimpleNamespace(thread_time=lambda: looks.append(1) or tick())
    monkeypatch.setattr(recorder_module, "time", look)
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    train(model, pass_time(clock, 1e-5), nn.callbacks.Recorder(), epochs=1000)
    assert len(looks) < 50


def test_frames_that_a_checkpoint_needs_count_as_time_of_the_film(clock, monkeypatch):
    develop = snapshots.Camera.develop

    def develop_slowly(camera, exposures, contents):
        clock[0] += 0.01 * len(exposures)
        return develop(camera, exposures, contents)

    monkeypatch.setattr(snapshots.Camera, "develop", develop_slowly)
    recorder = nn.callbacks.Recorder()
    read = nn.callbacks.LambdaCallback(lambda trainer: recorder.state_dict())
    model = nn.Sequential(nn.Affine(2, 2, rng=0))
    train(model, pass_time(clock, 0.1), recorder, read, epochs=100)
    frames = len(recorder.film.epochs)
    assert 10 < frames < 50
    assert 0.011 * frames <= 0.02 * clock[0] + 0.011


def test_copies_that_would_take_much_memory_become_frames_at_once(monkeypatch):
    monkeypatch.setattr(reel, "_MOST_BYTES", 500)
    counts = []
    develop = snapshots.Camera.develop

    def develop_and_count(camera, exposures, contents):
        counts.append(len(exposures))
        return develop(camera, exposures, contents)

    monkeypatch.setattr(snapshots.Camera, "develop", develop_and_count)
    trainer = train(nn.mlp([2, 8, 2], rng=0), every_epoch(), epochs=9)  # 168 bytes
    assert counts == [3, 3, 3]
    assert trainer.history.film.epochs == list(range(10))
    assert counts == [3, 3, 3, 1]


def test_a_film_that_is_read_later_shows_the_network_as_it_was():
    models = [network(), network()]
    at_once, later = (train(model, every_epoch()) for model in models)
    before = at_once.history.film.stacked()
    models[1].initialize(9)
    models[1].train()
    np.random.seed(5)
    after = later.history.film.stacked()
    assert np.random.random() == np.random.RandomState(5).random()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


class Pair(nn.Layer):
    """Two layers in a row."""

    def __init__(self):
        self.first, self.second = nn.Affine(2, 2, rng=0), nn.Affine(2, 2, rng=1)

    def forward(self, x):
        return self.second.forward(self.first.forward(x))

    def backward(self, dout):
        return self.first.backward(self.second.backward(dout))


def test_a_model_that_has_lost_a_layer_since_still_shows_its_weights():
    model = Pair()
    trainer = train(model, every_epoch())
    value = model.second.W.value.copy()
    model.second = nn.Identity()
    film = trainer.history.film
    assert [*film.contents.weights] == ["first.W", "first.b", "second.W", "second.b"]
    assert film.frames[-1]["weights"][2][0] == value.min()
    assert np.isnan(film.frames[-1]["gradients"]).all()


def test_a_copy_of_a_history_has_the_film_and_not_the_model():
    trainer = train(network(), every_epoch())
    copied = pickle.loads(pickle.dumps(trainer.history))
    assert copied.film.epochs == [0, 1, 2, 3, 4]
    assert vars(copied.reel).keys() == vars(trainer.history.reel).keys()
    assert not vars(copied.reel)["_exposures"]


def test_short_epochs_run_in_one_call_beside_a_film(clock):
    pytest.importorskip("numba")
    calls = []

    class Ends(nn.callbacks.Callback):
        def epochs_to_call(self, trainer):
            return trainer.epochs_left

        def on_epoch_end(self, trainer):
            calls.append(len(trainer.history))

    filmed = train(nn.mlp([2, 3, 2], rng=0), nn.callbacks.Recorder(), Ends(), epochs=200)
    assert filmed.history.film.epochs == [0, 200]
    assert calls[-1] == len(filmed.history) == 200
    assert len(calls) < 20
    assert state_of(filmed) == state_of(train(nn.mlp([2, 3, 2], rng=0), epochs=200))


def test_numbers_are_those_of_the_network_at_the_end_of_the_epoch():
    trainer = train(network(), every_epoch())
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
    trainer = train(network(), every_epoch(features=["a", "b"], classes=["no", "yes"]))
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
    trainer = train(model, every_epoch(), x=X[:, :features], y=VALUES, loss=nn.MeanSquaredError())
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
    trainer = train(model, every_epoch())
    frame = trainer.history.film.frames[-1]
    assert frame["weights"][0][0] == model[0].W.value.min()
    assert np.isnan(frame["gradients"]).all()
    assert model.training


@pytest.mark.parametrize("is_first", [True, False])
def test_the_last_epoch_is_recorded_wherever_the_recorder_stands(is_first):
    stop = nn.callbacks.LambdaCallback(
        lambda trainer: trainer.stop() if len(trainer.history) == 3 else None
    )
    recorder = every_epoch(frames=2)
    callbacks = [recorder, stop] if is_first else [stop, recorder]
    trainer = train(nn.Sequential(nn.Affine(2, 2, rng=0)), *callbacks, epochs=9)
    assert trainer.history.film.epochs == [0, 3]


def test_a_fit_that_is_interrupted_within_an_epoch_has_no_frame_of_it():
    def interrupt(trainer):
        if len(trainer.history) == 2:
            raise KeyboardInterrupt

    recorder = every_epoch()
    stop = nn.callbacks.LambdaCallback(on_step_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(nn.Sequential(nn.Affine(2, 2, rng=0)), recorder, stop, epochs=9)
    assert recorder.film.epochs == [0, 1, 2]


def test_a_parameter_that_another_callback_freezes_stays_beside_a_film():
    seen = []

    def freeze(trainer):
        trainer.model[0].freeze()
        seen.append(trainer.model[0].W.value.copy())

    model = network()
    train(model, every_epoch(), nn.callbacks.LambdaCallback(freeze), engine="numpy")
    assert all((value == seen[0]).all() for value in seen)
    assert not model[0].W.grad.any()


def test_a_recorder_of_another_training_begins_a_new_film():
    recorder = every_epoch()
    first = train(nn.Sequential(nn.Affine(2, 2, rng=0)), recorder).history.film
    second = train(nn.mlp([2, 3, 2], rng=0), recorder, epochs=2).history.film
    assert (first.epochs, second.epochs) == ([0, 1, 2, 3, 4], [0, 1, 2])


def test_a_resumed_fit_goes_on_with_its_film(tmp_path):
    def fit(epochs, resume=None):
        model = network()
        keep = nn.callbacks.Checkpoint(tmp_path / "checkpoints")
        optimizer = nn.optim.Adam(model.parameters())
        callbacks = [every_epoch(), keep]
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
    recorder = every_epoch()
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
    with pytest.raises(ValueError, match="share must be a finite number above 0"):
        nn.callbacks.Recorder(share=3)
    with pytest.raises(ValueError, match="frames must be"):
        nn.callbacks.Recorder(frames=1)
    with pytest.raises(ValueError, match="frames must be"):
        nn.callbacks.Recorder(frames=51)
    with pytest.raises(TypeError, match="features must be a list of names"):
        nn.callbacks.Recorder(features="x")
