"""nnlayers, as its README recommends."""

import numpy as np

import nnlayers as nn
from benchmarks.contenders import (
    DECAY,
    LEARNING_RATE,
    MOMENTUM,
    WEIGHT_DECAY,
    UnsupportedError,
    chosen,
    in_turn,
    repeated,
)

ACTIVATIONS = {
    "relu": "ReLU",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "gelu": "GELU",
    "silu": "SiLU",
    "softplus": "Softplus",
}


def model_of(task):
    name = chosen(task, "activation", ACTIVATIONS)
    if not hasattr(nn, name):
        raise UnsupportedError(f"has no {name}")
    return nn.mlp(task.sizes, activation=getattr(nn, name), rng=0)


def parts(task):
    model = model_of(task)
    optimizers = {
        "sgd": lambda params: nn.optim.SGD(params, LEARNING_RATE),
        "momentum": lambda params: nn.optim.SGD(params, LEARNING_RATE, momentum=MOMENTUM),
        "adam": lambda params: nn.optim.Adam(params, LEARNING_RATE),
        "adamw": lambda params: nn.optim.AdamW(params, LEARNING_RATE, weight_decay=WEIGHT_DECAY),
        "rmsprop": lambda params: nn.optim.RMSProp(params, LEARNING_RATE, alpha=DECAY),
        "lion": lambda params: nn.optim.Lion(params, LEARNING_RATE),
    }
    optimizer = chosen(task, "optimizer", optimizers)(model.parameters())
    return model, nn.SoftmaxCrossEntropy(), optimizer


def trainer_step(task):
    return in_turn(nn.Trainer(*parts(task)).step, list(zip(*task.batches(), strict=True)))


def numpy_step(task):
    trainer = nn.Trainer(*parts(task), engine="numpy")
    return in_turn(trainer.step, list(zip(*task.batches(), strict=True)))


def fit_step(task):
    """Steps inside ``fit``, over rows in random order."""
    batches, _ = epoch = task.epoch()
    x, y = map(np.concatenate, epoch)
    trainer = nn.Trainer(*parts(task))

    def run(n):
        epochs = -(-n // len(batches))
        if epochs:
            trainer.fit(x, y, epochs=epochs, batch_size=task.rows, rng=0)
        return epochs * len(batches)

    return run


def loop_step(task):
    model, loss, optimizer = parts(task)

    def step(x, y):
        loss.forward(model.forward(x), y)
        model.backward(loss.backward(), input_grad=False)
        optimizer.step()

    return in_turn(step, list(zip(*task.batches(), strict=True)))


def numpy_fit(task):
    return fit(task, "numpy")


def fit(task, engine="auto"):
    x, y = task.rows_and_classes()
    trainer = nn.Trainer(*parts(task), engine=engine)
    arguments = {"epochs": task.epochs, "batch_size": task.batch_size, "rng": 0}
    return repeated(lambda: trainer.fit(x, y, **arguments))


def bare_steps(task):
    """The steps of :func:`fit` on batches that are cut beforehand."""
    x, y = task.rows_and_classes()
    trainer = nn.Trainer(*parts(task))
    order = np.random.default_rng(0).permutation(len(x))
    row_groups = np.split(order, range(task.batch_size, len(x), task.batch_size))
    batches = [(x[rows], y[rows]) for rows in row_groups]

    def steps():
        for _ in range(task.epochs):
            for batch in batches:
                trainer.step(*batch)

    return repeated(steps)


def predict(task):
    model, x = model_of(task), task.batches()[0][0]
    return repeated(lambda: model.predict(x))
