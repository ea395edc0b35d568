"""Public names with valid values of their arguments, for the tests of what else may come."""

import inspect
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from catalogue import ENTRIES

import nnlayers as nn
from nnlayers import initializers, losses, testing

HAS_ARROW = find_spec("pyarrow") is not None
X = np.random.default_rng(0).normal(size=(8, 2))
CLASSES = np.arange(8) % 2


def model():
    return nn.mlp([2, 3, 2], rng=0)


def model_of(rng):
    return nn.mlp([2, 3, 2], rng=rng)


def parameters():
    return [nn.Parameter([1.0, 2.0])]


def optimizer():
    return nn.optim.SGD([nn.Parameter([1.0, 2.0])], 0.1)


def trainer(engine="numpy"):
    network = model()
    step = nn.optim.SGD(network.parameters(), 0.1)
    return nn.Trainer(network, nn.SoftmaxCrossEntropy(), step, engine=engine)


# Valid values by the name of the argument, made afresh for each call.
VALID = {
    "a": lambda: np.ones(2),
    "b": lambda: np.ones(2),
    "batch_size": lambda: 3,
    "clip_value": lambda: 1.0,
    "columns": lambda: [0],
    "condition": lambda: np.ones(2),
    "derivatives": lambda: ("1",),
    "dim": lambda: 2,
    "epochs": lambda: 1,
    "exponent": lambda: 2,
    "fan_in": lambda: 2,
    "fan_out": lambda: 2,
    "features": lambda: 3,
    "gamma": lambda: 0.5,
    "groups": lambda: 2,
    "high": lambda: 1.0,
    "in_features": lambda: 3,
    "initializer": lambda: "zeros",
    "inputs": lambda: (np.ones((2, 2)),),
    "key": lambda: 0,
    "layer": model,
    "layers": lambda: (nn.ReLU(),),
    "levels": lambda: [3],
    "low": lambda: 0.0,
    "loss": nn.SoftmaxCrossEntropy,
    "lr": lambda: 0.1,
    "log_dir": lambda: "file",
    "make_layer": lambda: nn.ReLU,
    "make_model": lambda: model_of,
    "max_lr": lambda: 0.1,
    "max_norm": lambda: 1.0,
    "members": lambda: 2,
    "model": model,
    "model_or_run": model,
    "name": lambda: "x",
    "num_embeddings": lambda: 4,
    "optimizer": optimizer,
    "out_features": lambda: 2,
    "outputs": lambda: nn.exp(nn.Input("x")),
    "params": parameters,
    "path": lambda: "file",
    "q": lambda: 0.5,
    "rng": lambda: np.random.default_rng(0),
    "rows": lambda: 10,
    "scale": lambda: 1.0,
    "shape": lambda: (2, 1),
    "sign": lambda: "<",
    "sizes": lambda: [2, 3, 2],
    "std": lambda: 0.5,
    "step_size": lambda: 2,
    "steps": lambda: 5,
    "table": lambda: nn.data.moons(20),
    "target": lambda: "t",
    "value": lambda: X,
    "X": lambda: X,
    "x": lambda: X,
    "y": lambda: CLASSES,
}
# Those of one function, where they differ; `write_files` writes the files.
VALID_HERE = {
    "nn.Formula.value": lambda: "x",
    "nn.jacobian.x": lambda: X[:1],
    "nn.load.path": lambda: "model.nn",
    "initializers.VarianceScaling.fan": lambda: "in",
    "initializers.VarianceScaling.distribution": lambda: "normal",
    "data.Table.columns": lambda: {"a": X[:, 0]},
    "data.as_column.values": lambda: [1.0, 2.0],
    "data.as_column.kind": lambda: "numeric",
    "data.csv.path": lambda: "rows.csv",
    "data.from_frame.frame": lambda: _frame(),
    "data.from_frame.target": lambda: "t",
    "data.has_column.rows": lambda: {"x": [1.0]},
    "data.infer.table": lambda: "rows.csv",
    "data.npy.path": lambda: "x.npy",
    "data.npy.target": lambda: "y.npy",
    "data.feather.path": lambda: "rows.feather",
    "data.parquet.path": lambda: "rows.parquet",
    "data.npz.path": lambda: "rows.npz",
    "data.npz.target": lambda: "y",
    "data.read_rows.path": lambda: "rows.csv",
    "data.table_from_rows.rows": lambda: {"a": [1.0]},
    "data.table_from_rows.columns": lambda: {"a": "numeric"},
    "testing.check_gradients.layer": lambda: nn.ReLU(),
    "export.from_onnx.path": lambda: "model.onnx",
    "export.from_torch.module": lambda: nn.export.to_torch(nn.ReLU()),
    "export.from_torch_state.state": lambda: nn.export.to_torch_state(model()),
}
# Of losses whose targets are no numbers from 0 to 1 of the prediction's shape.
TARGETS = {
    "GaussianNLL": lambda: np.zeros((4, 1)),
    "Hinge": lambda: np.arange(4) % 2,
    "SoftmaxCrossEntropy": lambda: np.arange(4) % 2,
}
# What needs an optional library.
LIBRARIES = {
    "callbacks.TensorBoard": "tensorboard",
    "data.feather": "pyarrow",
    "data.parquet": "pyarrow",
}
CLIPS = {"nn.Clip", "nn.clip"}  # They need one of their optional arguments.
# Classes whose objects the library makes, functions of arguments that it has checked, the trainer,
# whose arguments belong together, and what `hostile_objects` has.
MADE_BY_THE_LIBRARY = {
    "nn.DivergenceError",
    "nn.Layer",
    "nn.Loss",
    "nn.Trainer",
    "nn.load_run",
    "optim.NonfiniteGradientError",
    "optim.Optimizer",
    "data.ColumnProfile",
    "data.DataError",
    "data.Inference",
    "data.Split",
    "initializers.draw",
    "initializers.full",
    "testing.GradientError",
    "testing.LayerError",
}


class Case(NamedTuple):
    """A function, and functions that make valid arguments of it by name.

    Of the arguments in `foreign`, another library's words say what is wrong, without the name.
    """

    function: Callable[..., Any]
    valid: dict[str, Callable[[], Any]]
    foreign: frozenset[str] = frozenset()

    def arguments(self):
        """Return the parameters that are tested: all but ``**options``."""
        signature = inspect.signature(self.function)
        return [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]

    def missing(self):
        """Return the names of the arguments that need a valid value and have none."""
        needed = [p.name for p in self.arguments() if p.default is p.empty]
        return [name for name in needed if name not in self.valid]

    def call(self, **changed):
        """Call the function with valid arguments but those that are given."""
        positional, named = [], {}
        by_position = any(p.kind is p.VAR_POSITIONAL for p in self.arguments())
        for parameter in self.arguments():
            name = parameter.name
            if name not in changed and name not in self.valid:
                continue
            value = changed[name] if name in changed else self.valid[name]()
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += [value] if name in changed else value
            elif by_position and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                positional.append(value)
            else:
                named[name] = value
        return self.function(*positional, **named)


def write_files():
    """Write the files that valid arguments name into the working directory."""
    lines = [f"{row % 7},{row / 2},{row % 2}" for row in range(40)]
    with open("rows.csv", "w") as file:
        file.write("\n".join(["a,b,t", *lines]))
    np.save("x.npy", X)
    np.save("y.npy", CLASSES)
    np.savez("rows.npz", X=X, y=CLASSES)
    nn.save(model(), "model.nn")
    if HAS_ARROW:
        import pandas as pd

        pd.read_csv("rows.csv").to_parquet("rows.parquet")
        pd.read_csv("rows.csv").to_feather("rows.feather")


def cases():
    """Return the cases by name: public constructors and functions, and methods."""
    rooms = {
        "nn": nn,
        "optim": nn.optim,
        "schedules": nn.optim.schedules,
        "callbacks": nn.callbacks,
        "losses": losses,
        "data": nn.data,
        "initializers": initializers,
        "testing": testing,
    }
    found = {}
    for room, package in rooms.items():
        for name in package.__all__:
            function = getattr(package, name)
            title = f"{room}.{name}"
            is_abstract = inspect.isclass(function) and inspect.isabstract(function)
            is_missing = find_spec(LIBRARIES.get(title, "numpy")) is None
            is_left_out = is_missing or title in MADE_BY_THE_LIBRARY
            if is_function(function) and not is_abstract and not is_left_out:
                found[title] = _case(title, function)
    writers = ("c", "python", "program_of", "trace")
    found |= {f"export.{n}": _case(f"export.{n}", getattr(nn.export, n)) for n in writers}
    return found | _methods()


def is_function(function):
    return callable(function) and (inspect.isclass(function) or inspect.isfunction(function))


def _case(title, function):
    valid = {}
    for parameter in inspect.signature(function).parameters.values():
        name = parameter.name
        here = f"{title}.{name}"
        if here in VALID_HERE:
            valid[name] = VALID_HERE[here]
        elif name in VALID and (parameter.default is parameter.empty or title in CLIPS):
            valid[name] = VALID[name]
    return Case(function, valid)


def _needs(function):
    return [p for p in inspect.signature(function).parameters.values() if p.default is p.empty]


def _methods():
    found = {f"Trainer.{name}": _method(trainer, name) for name in ("step", "evaluate", "predict")}
    found["Trainer.fit"] = _method(trainer, "fit")
    found["Trainer"] = Case(_make_trainer, {})
    state = {"state": lambda: model().state_dict()}
    found["Layer.load_state_dict"] = _method(model, "load_state_dict", **state)
    found["Layer.scale_lr"] = _method(model, "scale_lr", factor=lambda: 0.5)
    found["Layer.astype"] = _method(model, "astype", dtype=lambda: "float32")
    found["Layer.initialize"] = _method(model, "initialize")
    found["Layer.from_config"] = _method(model, "from_config", config=lambda: {"layers": []})
    state = {"state": lambda: optimizer().state_dict()}
    found["Optimizer.load_state_dict"] = _method(optimizer, "load_state_dict", **state)
    for name in ("value", "grad", "trainable", "lr_scale", "decay"):
        present = partial(getattr, nn.Parameter(1.0), name)
        found[f"Parameter.{name}"] = Case(partial(_assign, name), {"value": present})
    for name in ("Constant", "CosineDecay", "ExponentialDecay", "LinearWarmup", "OneCycle"):
        schedule = _case(f"schedules.{name}", getattr(nn.optim.schedules, name))
        found[f"{name}.__call__"] = _method(schedule.call, "__call__", step=lambda: 1)
    for name, entry in ENTRIES.items():
        if len(entry.shapes) == 1:
            found[f"{name}.forward"] = Case(partial(_forward, entry), {})
            found[f"{name}.backward"] = Case(partial(_backward, entry), {})
    for name in losses.__all__:
        make = partial(losses.Quantile, 0.5) if name == "Quantile" else getattr(losses, name)
        is_loss = not inspect.isclass(make) or issubclass(make, losses.Loss)
        # A loss made of another one takes the predictions of several members.
        if callable(make) and is_loss and not inspect.isabstract(make) and not _needs(make):
            target = TARGETS.get(name, lambda: np.full((4, 2), 0.5))
            valid = {"prediction": partial(np.full, (4, 2), 0.5), "target": target}
            found[f"{name}.forward"] = _method(make, "forward", **valid)
    return found


def _method(make, name, **valid):
    """Return the case of a method of a new object for each call."""

    def function(*arguments, **named):
        return getattr(make(), name)(*arguments, **named)

    function.__signature__ = inspect.signature(getattr(make(), name))
    parameters = function.__signature__.parameters.values()
    needed = {p.name: VALID[p.name] for p in parameters if p.default is p.empty and p.name in VALID}
    return Case(function, needed | valid)


def _make_trainer(
    model=None,
    loss=None,
    optimizer=None,
    metrics=(),
    callbacks=(),
    clip_norm=None,
    engine="numpy",
    loss_weights=None,
    clip_value=None,
):
    network = nn.mlp([2, 3, 2], rng=0)
    return nn.Trainer(
        network if model is None else model,
        nn.SoftmaxCrossEntropy() if loss is None else loss,
        nn.optim.SGD(network.parameters(), 0.1) if optimizer is None else optimizer,
        metrics=metrics,
        callbacks=callbacks,
        clip_norm=clip_norm,
        engine=engine,
        loss_weights=loss_weights,
        clip_value=clip_value,
    )


def _assign(name, value):
    setattr(nn.Parameter(1.0), name, value)


def _forward(entry, x=None):
    return entry.make().forward(*entry.draw() if x is None else [x])


def _backward(entry, dout=None):
    layer = entry.make()
    y = layer.forward(*entry.draw())
    return layer.backward(y if dout is None else dout)


def _frame():
    import pandas as pd

    return pd.DataFrame({"a": [1.0, 2.0], "t": [0, 1]})
