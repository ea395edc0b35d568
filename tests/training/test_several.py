"""Graphs of several inputs and outputs: arrays, losses, weights and metrics by name."""

import copy

import numpy as np
import pytest

import nnlayers as nn
from nnlayers.training import DivergenceError, Trainer
from nnlayers.training.callbacks import Checkpoint, CSVLogger, EarlyStopping, ReduceOnPlateau

RNG = np.random.default_rng(0)
ROWS = 60
X = {"a": RNG.normal(size=(ROWS, 3)), "b": RNG.normal(size=(ROWS, 2))}
Y = {
    "class": (X["a"][:, 0] * X["b"][:, 1] > 0).astype(int),
    "value": X["a"][:, :1] - X["b"][:, :1] ** 2,
}
WEIGHTS = RNG.uniform(0, 3, ROWS)


def mean_error(y_true, y_pred):
    return float(np.mean(y_true - y_pred))


def two_heads(dtype=np.float64, seed=0):
    """Return a graph of the inputs a and b and the outputs class and value."""
    rng = np.random.default_rng(seed)
    a, b = nn.Input("a"), nn.Input("b")
    h = nn.tanh(nn.Affine(5, 8, dtype=dtype, rng=rng)(nn.concatenate(a, b)))
    head = nn.Affine(8, 2, dtype=dtype, rng=rng)(h).named("class")
    return nn.Graph([head, nn.Affine(8, 1, dtype=dtype, rng=rng)(h).named("value")])


LOSSES = {"class": nn.SoftmaxCrossEntropy(), "value": nn.MeanSquaredError()}


def trainer_of(graph, loss=LOSSES, lr=0.05, **options):
    return Trainer(graph, loss, nn.optim.Adam(graph.parameters(), lr=lr), **options)


def one_head(dtype=np.float64):
    graph = two_heads(dtype)
    return nn.Graph(graph["value"])


def weights_of(graph):
    return {name: parameter.value.copy() for name, parameter in graph.named_parameters().items()}


@pytest.mark.parametrize("weights", [None, {"value": 0.25}, {"class": 2.0, "value": 0.0}])
def test_a_fit_is_the_loop_over_weighted_losses(weights):
    graph, other = two_heads(), two_heads()
    losses = {name: copy.copy(loss) for name, loss in LOSSES.items()}
    optimizer = nn.optim.Adam(other.parameters(), lr=0.05)
    w = {"class": 1.0, "value": 1.0} | (weights or {})
    totals = []
    for batch in (slice(0, 25), slice(25, 50), slice(50, 60)):
        outputs = other.forward(X["a"][batch], X["b"][batch])
        values = [
            loss.forward(p, Y[name][batch])
            for p, (name, loss) in zip(outputs, losses.items(), strict=True)
        ]
        totals.append(w["class"] * values[0] + w["value"] * values[1])
        other.backward(*[w[name] * loss.backward() for name, loss in losses.items()])
        optimizer.step()
    trainer = trainer_of(graph, loss_weights=weights)
    history = trainer.fit(X, Y, epochs=1, batch_size=25, shuffle=False)
    for name, value in weights_of(other).items():
        np.testing.assert_array_equal(graph.named_parameters()[name].value, value)
    assert history["loss"][0] == pytest.approx(np.average(totals, weights=[25, 25, 10]))
    assert history.columns == ("loss", "loss_class", "loss_value")


def test_gradients_of_weighted_losses_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    graph = two_heads()
    p = {name: torch.tensor(v, requires_grad=True) for name, v in weights_of(graph).items()}
    x = torch.cat([torch.tensor(X["a"]), torch.tensor(X["b"])], 1)
    names = list(p)
    h = torch.tanh(x @ p[names[0]] + p[names[1]])
    one = torch.nn.functional.cross_entropy(h @ p[names[2]] + p[names[3]], torch.tensor(Y["class"]))
    two = torch.nn.functional.mse_loss(h @ p[names[4]] + p[names[5]], torch.tensor(Y["value"]))
    (0.5 * one + 3 * two).backward()
    optimizer = nn.optim.SGD(graph.parameters(), lr=1.0)
    before = weights_of(graph)
    trainer = Trainer(graph, LOSSES, optimizer, loss_weights={"class": 0.5, "value": 3})
    assert trainer.step(X, Y) == pytest.approx((0.5 * one + 3 * two).item())
    for name, parameter in graph.named_parameters().items():
        moved = before[name] - parameter.value
        np.testing.assert_allclose(moved, p[name].grad.numpy(), rtol=1e-9, atol=1e-12)


def test_tuples_are_in_the_order_of_inputs_and_outputs():
    histories = []
    for x, y in [(X, Y), ((X["a"], X["b"]), (Y["class"], Y["value"]))]:
        trainer = trainer_of(two_heads())
        histories.append(trainer.fit(x, y, epochs=2, validation=0.3, rng=0).rows)
        assert trainer.evaluate(x, y) == trainer.evaluate(X, Y)
        assert trainer.step(x, y) > 0
    reordered = {"b": X["b"], "a": X["a"]}, {"value": Y["value"], "class": Y["class"]}
    trainer = trainer_of(two_heads())
    histories.append(trainer.fit(*reordered, epochs=2, validation=0.3, rng=0).rows)
    assert histories[0] == histories[1] == histories[2]


def test_losses_and_metrics_appear_by_output_in_history_and_evaluation():
    metrics = {"class": ["accuracy"], "value": [mean_error]}
    trainer = trainer_of(two_heads(), metrics=metrics, loss_weights={"value": 0.5}, lr=0.0)
    history = trainer.fit(X, Y, epochs=1, batch_size=7, validation=(X, Y))
    columns = ["loss", "loss_class", "loss_value", "accuracy_class", "mean_error_value"]
    assert history.columns == (*columns, *(f"val_{name}" for name in columns))
    logits, values = trainer.model.predict(**X)
    expected = {
        "loss_class": LOSSES["class"](logits, Y["class"]),
        "loss_value": LOSSES["value"](values, Y["value"]),
        "accuracy_class": np.mean(logits.argmax(1) == Y["class"]),
        "mean_error_value": np.mean(Y["value"] - values),
    }
    expected["loss"] = expected["loss_class"] + 0.5 * expected["loss_value"]
    measured = trainer.evaluate(X, Y)
    assert list(measured) == columns
    for name, value in expected.items():
        assert measured[name] == pytest.approx(value)
        assert history.last[name] == pytest.approx(value)
        assert history.last[f"val_{name}"] == pytest.approx(value)


def test_one_output_of_several_inputs_trains_as_a_network_of_the_joined_columns():
    joined = nn.Sequential(*(one_head()[name].layer for name in ("affine", "tanh", "value")))
    histories = []
    for model, x in [(one_head(), X), (joined, np.hstack([X["a"], X["b"]]))]:
        optimizer = nn.optim.Adam(model.parameters(), lr=0.05)
        trainer = Trainer(model, nn.MeanSquaredError(), optimizer, metrics=[mean_error])
        trainer.fit(x, Y["value"], epochs=3, validation=0.25, sample_weight=WEIGHTS, rng=1)
        histories.append([*trainer.history.rows])
        assert trainer.predict(x).shape == (ROWS, 1)
    assert list(histories[0][0]) == ["loss", "mean_error", "val_loss", "val_mean_error"]
    for one, two in zip(*histories, strict=True):
        assert one == pytest.approx(two)


def test_an_output_has_the_loss_of_a_dictionary_even_if_it_is_the_only_one():
    graph = one_head()
    trainer = trainer_of(graph, {"value": nn.MeanSquaredError()})
    history = trainer.fit(X, {"value": Y["value"]}, epochs=1)
    assert history.columns == ("loss", "loss_value")
    assert history["loss"] == history["loss_value"]
    assert trainer.fit(X, Y["value"], epochs=1)["loss"][1] < history["loss"][0]
    assert list(trainer.predict(X)) == ["value"]


def test_a_graph_whose_outputs_are_a_list_of_one_trains_on_one_array():
    inner = one_head()
    graph = nn.Graph([inner["value"]])
    trainer = trainer_of(graph, nn.MeanSquaredError())
    assert trainer.fit(X, Y["value"], epochs=1).columns == ("loss",)


def test_one_input_may_be_an_array_where_outputs_have_names():
    x = nn.Input("x")
    outputs = [nn.Affine(3, 2, rng=0)(x).named("class"), nn.Affine(3, 1, rng=1)(x).named("value")]
    for given in (X["a"], {"x": X["a"]}):
        trainer = trainer_of(nn.Graph(outputs))
        assert trainer.fit(given, Y, epochs=1).last["loss"] > 0


def test_the_only_input_of_a_graph_may_be_given_by_its_name():
    results = []
    for given in (X["a"], {"x": X["a"]}):
        graph = nn.Graph(nn.Affine(3, 1, rng=0)(nn.Input("x")))
        trainer = trainer_of(graph, nn.MeanSquaredError())
        losses = [trainer.step(given, Y["value"])]
        losses += trainer.fit(given, Y["value"], epochs=2, validation=0.2, rng=0)["val_loss"]
        results.append([*losses, *trainer.predict(given)[:, 0]])
        with pytest.raises(ValueError, match=r"X: unknown input 'z'\. Known: x"):
            trainer.evaluate({"z": X["a"]}, Y["value"])
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)


def test_predict_gives_outputs_by_name_in_the_model_s_dtype():
    trainer = trainer_of(two_heads(np.float32))
    found = trainer.predict(X)
    logits, values = trainer.model.predict(**{k: x.astype(np.float32) for k, x in X.items()})
    assert list(found) == ["class", "value"]
    assert found["class"].dtype == np.float32
    np.testing.assert_array_equal(found["class"], logits)
    np.testing.assert_array_equal(found["value"], values)
    empty = trainer.predict({name: x[:0] for name, x in X.items()})
    assert {name: y.shape for name, y in empty.items()} == {"class": (0, 2), "value": (0, 1)}


def test_predictions_of_many_rows_are_joined():
    many = {name: np.repeat(x, 100, axis=0) for name, x in X.items()}
    found = trainer_of(two_heads()).predict(many)
    expected = trainer_of(two_heads()).predict(X)
    np.testing.assert_allclose(found["value"], np.repeat(expected["value"], 100, axis=0))


def test_ids_beside_numbers_stay_integers():
    ids, x = nn.Input("ids"), nn.Input("x")
    table = nn.Embedding(4, 2, rng=0)
    graph = nn.Graph(nn.Affine(5, 1, rng=0)(nn.concatenate(table(ids), x)))
    data = {"ids": np.arange(ROWS) % 4, "x": X["a"]}
    before = table.W.value.copy()
    trainer = trainer_of(graph, nn.MeanSquaredError())
    trainer.fit(data, Y["value"], epochs=2, validation=0.5, rng=0)
    assert (table.W.value != before).all()


def test_files_mapped_into_memory_train_as_their_arrays_do(tmp_path):
    mapped = {}
    for name, x in X.items():
        np.save(tmp_path / f"{name}.npy", x)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    histories = []
    for x in (X, mapped):
        trainer = trainer_of(two_heads(np.float32))
        histories.append(trainer.fit(x, Y, epochs=2, validation=0.25, rng=0).rows)
        assert trainer.predict(x)["value"].dtype == np.float32
    assert histories[0] == histories[1]


# Sample weights.


def test_weights_count_for_all_outputs_or_by_output():
    for given, by_output in [
        (WEIGHTS, {"class": WEIGHTS, "value": WEIGHTS}),
        ({"value": WEIGHTS}, {"class": None, "value": WEIGHTS}),
        ({"value": WEIGHTS * 1e307}, {"class": None, "value": WEIGHTS}),
    ]:
        trainer = trainer_of(two_heads(), lr=0.0)
        history = trainer.fit(X, Y, epochs=1, batch_size=7, sample_weight=given, validation=0.2)
        trainer = trainer_of(two_heads(), lr=0.0)
        trainer.fit(X, Y, epochs=1, batch_size=7, sample_weight=given, validation=(X, Y, given))
        outputs = trainer.predict(X)
        measured = trainer.evaluate(X, Y, given)
        for name, weight in by_output.items():
            expected = LOSSES[name](outputs[name], Y[name], weight)
            assert measured[f"loss_{name}"] == pytest.approx(expected)
            assert trainer.history.last[f"loss_{name}"] == pytest.approx(expected)
            assert trainer.history.last[f"val_loss_{name}"] == pytest.approx(expected)
        assert np.isfinite(list(history.last.values())).all()
        assert trainer.step(X, Y, given) == pytest.approx(measured["loss"])


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_each_loss_of_an_epoch_is_that_of_all_rows_at_once(reduction):
    losses = {
        "class": nn.SoftmaxCrossEntropy(class_weight=[0.3, 2.0], reduction=reduction),
        "value": nn.Huber(reduction="mean"),
    }
    trainer = trainer_of(two_heads(), losses, lr=0.0)
    history = trainer.fit(X, Y, epochs=1, batch_size=7, sample_weight=WEIGHTS, rng=0)
    assert history.last == pytest.approx(trainer.evaluate(X, Y, WEIGHTS))


def test_one_loss_for_two_outputs_computes_the_gradients_of_both():
    loss = nn.MeanSquaredError()
    results = []
    for losses in ({"p": loss, "q": loss}, {"p": loss, "q": nn.MeanSquaredError()}):
        x = nn.Input("x")
        graph = nn.Graph(
            [nn.Affine(3, 1, rng=0)(x).named("p"), nn.Affine(3, 1, rng=1)(x).named("q")]
        )
        trainer = trainer_of(graph, losses)
        trainer.fit(X["a"], {"p": Y["value"], "q": -Y["value"]}, epochs=2, rng=0)
        results.append(weights_of(graph))
    for name, value in results[0].items():
        np.testing.assert_array_equal(value, results[1][name])


def test_an_output_of_weight_0_is_measured_and_not_trained():
    graph = two_heads()
    before = weights_of(nn.Graph(graph["value"]))
    losses = LOSSES | {"value": nn.Poisson()}  # whose loss and gradient are infinite for 1e300
    y = Y | {"value": np.full((ROWS, 1), 1e300)}
    graph["value"].layer.b.value[...] = 1e300
    trainer = trainer_of(graph, losses, loss_weights={"value": 0})
    history = trainer.fit(X, y, epochs=1)
    assert history["loss"] == history["loss_class"]
    assert np.isfinite(history["loss"][0])
    name = next(name for name in before if before[name].shape == (8, 1))
    np.testing.assert_array_equal(graph["value"].layer.W.value, before[name])


def test_a_callback_changes_the_weight_of_a_loss_between_steps():
    seen = []

    def anneal(trainer):
        trainer.loss_weights["value"] = 0.5 ** len(seen)
        seen.append(trainer.loss_weights["value"])

    trainer = trainer_of(
        two_heads(), lr=0.0, callbacks=[nn.callbacks.LambdaCallback(on_step_start=anneal)]
    )
    losses = []
    trainer.callbacks.append(
        nn.callbacks.LambdaCallback(on_step_end=lambda t: losses.append(t.step_loss))
    )
    trainer.fit(X, Y, epochs=1, batch_size=20, shuffle=False)
    for k, loss in enumerate(losses):
        batch = slice(20 * k, 20 * k + 20)
        part = trainer.evaluate(
            {n: x[batch] for n, x in X.items()}, {n: y[batch] for n, y in Y.items()}
        )
        assert loss == pytest.approx(part["loss_class"] + 0.5**k * part["loss_value"])


# Validation, callbacks and resuming.


def test_a_random_split_keeps_the_classes_of_an_output_in_proportion():
    y = Y | {"class": np.repeat([0, 1], [48, 12])}
    counts = []

    def count(y_true, y_pred):
        counts.append(np.bincount(y_true).tolist())
        return 0.0

    trainer = trainer_of(two_heads(), metrics={"class": [count]})
    trainer.fit(X, y, epochs=1, validation=0.25, rng=0)
    assert counts == [[36, 9], [12, 3]]


def test_callbacks_watch_the_columns_of_an_output(tmp_path):
    stop = EarlyStopping("val_accuracy_class", patience=2)
    plateau = ReduceOnPlateau("val_loss_value", patience=1)
    best = Checkpoint(tmp_path / "kept", monitor="val_loss_class")
    logger = CSVLogger(tmp_path / "log.csv")
    assert (stop.mode, plateau.mode) == ("max", "min")
    trainer = trainer_of(
        two_heads(), metrics={"class": ["accuracy"]}, callbacks=[stop, plateau, best, logger]
    )
    history = trainer.fit(X, Y, epochs=30, validation=0.3, rng=0)
    assert stop.best == max(history["val_accuracy_class"])
    assert best.best == min(history["val_loss_class"])
    assert [node.name for node in nn.load(best.best_path).outputs] == ["class", "value"]
    header = (tmp_path / "log.csv").read_text().splitlines()[0]
    assert header == ",".join(["epoch", *history.columns])


def test_a_resumed_fit_equals_the_uninterrupted_one_to_the_last_bit():
    def make():
        stop = EarlyStopping("val_loss_class", patience=50)
        return trainer_of(two_heads(), callbacks=[stop], loss_weights={"value": 0.3})

    def fit(trainer, epochs, rng):
        trainer.fit(X, Y, epochs=epochs, batch_size=16, validation=0.25, rng=rng)

    rng = np.random.default_rng(3)
    whole = make()
    fit(whole, 4, rng)
    rng = np.random.default_rng(3)
    first, second = make(), make()
    fit(first, 2, rng)
    second.load_state_dict(first.state_dict())
    fit(second, 2, rng)
    expected, found = whole.state_dict(), second.state_dict()
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_the_picture_of_a_history_has_the_losses_of_outputs_among_the_losses():
    pytest.importorskip("matplotlib")
    trainer = trainer_of(two_heads(), metrics={"class": ["accuracy"]})
    figure = trainer.fit(X, Y, epochs=2).plot()
    labels = [[line.get_label() for line in axes.lines] for axes in figure.axes]
    columns = [[label for label in panel if label in trainer.history] for panel in labels]
    assert columns == [["loss", "loss_class", "loss_value"], ["accuracy_class"]]


# Errors.


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ({"a": X["a"]}, Y, "X: missing input 'b'"),
        (X | {"c": X["a"]}, Y, "X: unknown input 'c'. Known: a, b"),
        (X, {"class": Y["class"]}, "y: missing output 'value'"),
        (X, Y | {"valeu": 1}, "y: unknown output 'valeu', did you mean 'value'? Known: class, "),
        ((X["a"],), Y, "X must have one entry for each of 'a', 'b', got 1"),
        (X, (Y["class"],) * 3, "y must have one entry for each of 'class', 'value', got 3"),
        (
            X | {"b": X["b"][:5]},
            Y,
            "X['a'] and X['b'] must have the same number of rows, got 60 and 5",
        ),
        (
            X,
            Y | {"value": Y["value"][:7]},
            "X['a'] and y['value'] must have the same number of rows, got 60 and 7",
        ),
        (
            {name: x[:0] for name, x in X.items()},
            {name: y[:0] for name, y in Y.items()},
            "X['a'] must have at least one row, got shape (0, 3)",
        ),
        (X | {"a": 3.0}, Y, "X['a'] must have rows, got the single value 3.0"),
        (X, Y | {"value": Y["value"][:, 0]}, "output 'value': target must have the prediction's"),
        (
            X,
            Y | {"class": Y["class"] + 1},
            "output 'class': target must hold classes from 0 to 1, got 2 ",
        ),
    ],
)
def test_data_that_does_not_fit_is_named(x, y, message):
    trainer = trainer_of(two_heads())
    for call in (lambda: trainer.fit(x, y, epochs=1), lambda: trainer.evaluate(x, y)):
        with pytest.raises(ValueError, match=r"^.*$") as caught:
            call()
        assert str(caught.value).startswith(message)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            X["a"],
            Y,
            "X must be a dictionary by input, of 'a', 'b', or a tuple in this order, got",
        ),
        (X, Y["class"], "y must be a dictionary by output, of 'class', 'value', or a tuple in th"),
        (X | {"a": [["x"]] * ROWS}, Y, "X['a'] must hold real numbers, got dtype <U1"),
    ],
)
def test_data_of_another_type_is_named(x, y, message):
    trainer = trainer_of(two_heads())
    for call in (trainer.step, trainer.evaluate, lambda x, y: trainer.fit(x, y, epochs=1)):
        with pytest.raises(TypeError, match=r"^.*$") as caught:
            call(x, y)
        assert message.lower() in str(caught.value).lower()


def test_a_batch_of_arrays_of_different_lengths_is_refused_before_it_trains():
    graph = two_heads()
    before = weights_of(graph)
    trainer = trainer_of(graph)
    with pytest.raises(
        ValueError, match=r"x\['a'\] and x\['b'\] must have the same number of rows"
    ):
        trainer.step(X | {"b": X["b"][:1]}, Y)
    with pytest.raises(ValueError, match=r"X\['a'\] and X\['b'\] must have the same number"):
        trainer.predict(X | {"b": X["b"][:1]})
    for name, value in weights_of(graph).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ({"klass": WEIGHTS}, "sample_weight: unknown output 'klass', did you mean 'class'"),
        ({"class": WEIGHTS[:3]}, "output 'class': sample_weight must have one number a row"),
        (-WEIGHTS, "output 'class': sample_weight must be finite and at least 0"),
    ],
)
def test_sample_weights_that_do_not_fit_are_named(weight, message):
    trainer = trainer_of(two_heads())
    with pytest.raises(ValueError, match=message):
        trainer.fit(X, Y, epochs=1, sample_weight=weight)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"loss": {"class": LOSSES["class"]}}, ValueError, "loss: missing output 'value'"),
        (
            {"loss": LOSSES | {"valeu": LOSSES["value"]}},
            ValueError,
            "loss: unknown output 'valeu', did you mean 'value'",
        ),
        (
            {"loss": LOSSES | {"value": "mse"}},
            TypeError,
            r"loss\['value'\] must be a Loss, got 'mse'",
        ),
        (
            {"loss": nn.MeanSquaredError()},
            TypeError,
            r"loss must be a dictionary by output, of 'class', 'value', got MeanSquaredError\(\)",
        ),
        (
            {"loss_weights": {"val": 1}},
            ValueError,
            "loss_weights: unknown output 'val', did you mean 'value'",
        ),
        (
            {"loss_weights": {"value": -1}},
            ValueError,
            r"loss_weights\['value'\] must be a finite number of at least 0, got -1",
        ),
        ({"loss_weights": [1, 2]}, TypeError, "loss_weights must be a dictionary by output, got"),
        (
            {"metrics": ["accuracy"]},
            TypeError,
            r"metrics must be a dictionary by output, such as {'class': \['accuracy'\]}, got \[",
        ),
        ({"metrics": 3}, TypeError, "metrics must be a dictionary by output, such as .*, got 3"),
        ({"metrics": {"klass": []}}, ValueError, "metrics: unknown output 'klass', did you mean"),
        (
            {"metrics": {"value": ["accuracy"]}},
            ValueError,
            "output 'value': metric 'accuracy' needs a loss whose targets are classes",
        ),
        (
            {"metrics": {"value": ["acuracy"]}},
            ValueError,
            "output 'value': unknown metric 'acuracy', did you mean 'accuracy'",
        ),
        (
            {"metrics": {"value": "accuracy"}},
            TypeError,
            "output 'value': metrics must be a list of names or functions, got 'accuracy'",
        ),
    ],
)
def test_losses_weights_and_metrics_that_do_not_fit_are_named(options, error, message):
    with pytest.raises(error, match=message):
        trainer_of(two_heads(), **options)


def test_columns_of_one_name_are_refused():
    x = nn.Input("x")
    graph = nn.Graph([nn.Affine(3, 1)(x).named("b_c"), nn.Affine(3, 1)(x).named("c")])

    def a(y_true, y_pred):
        return 0.0

    def a_b(y_true, y_pred):
        return 0.0

    losses = {"b_c": nn.MeanSquaredError(), "c": nn.MeanSquaredError()}
    with pytest.raises(ValueError, match="must have different names, got 'a_b_c' twice"):
        trainer_of(graph, losses, metrics={"b_c": [a], "c": [a_b]})
    twice = nn.Graph([graph["c"], graph["c"]])
    with pytest.raises(ValueError, match="the graph has 2 nodes named 'c'"):
        trainer_of(twice, losses)


def test_other_models_take_arrays_and_one_loss():
    model = nn.Affine(3, 1)
    with pytest.raises(TypeError, match=r"loss must be a Loss, got {'y': .*: only a Graph has"):
        trainer_of(model, {"y": nn.MeanSquaredError()})
    with pytest.raises(TypeError, match=r"loss_weights needs a loss that is a dictionary by"):
        trainer_of(model, nn.MeanSquaredError(), loss_weights={"y": 1})
    trainer = trainer_of(model, nn.MeanSquaredError())
    with pytest.raises(TypeError, match="X must be an array, got a dictionary of 'a', 'b'"):
        trainer.fit(X, Y["value"], epochs=1)
    with pytest.raises(TypeError, match="y must be an array, got a dictionary of 'value'"):
        trainer.fit(X["a"], {"value": Y["value"]}, epochs=1)
    with pytest.raises(TypeError, match=r"metrics must be a list of names or functions, got {"):
        trainer_of(model, nn.SoftmaxCrossEntropy(), metrics={"y": ["accuracy"]})


def test_an_invalid_target_is_reported_by_its_row_in_the_user_s_data():
    y = Y | {"class": Y["class"].copy()}
    y["class"][41] = 7
    with pytest.raises(ValueError, match=r"output 'class': target .* row 41"):
        trainer_of(two_heads()).fit(X, y, epochs=1, batch_size=8, rng=0)


def test_a_diverging_fit_names_the_input_or_the_node():
    x = X | {"b": X["b"].copy()}
    x["b"][13] = np.nan
    with pytest.raises(DivergenceError, match=r"x\['b'\] is not finite in row 13"):
        trainer_of(two_heads()).fit(x, Y, epochs=1, batch_size=8, rng=0)
    a, b = nn.Input("a"), nn.Input("b")
    h = nn.exp(nn.Affine(3, 1, dtype=np.float64, weight_init="ones")(a)).named("growth")
    graph = nn.Graph([h * b[:, :1] * 0.0, h.named("growth")])
    losses = {graph.names[graph.nodes.index(y)]: nn.MeanSquaredError() for y in graph.outputs}
    y = dict.fromkeys(losses, Y["value"])
    with pytest.raises(DivergenceError, match=r"the node 'growth' of Graph\(a, b -> .* is not fin"):
        trainer_of(graph, losses).fit(X | {"a": X["a"] * 1e4}, y, epochs=1)
