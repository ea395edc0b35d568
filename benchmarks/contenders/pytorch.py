"""PyTorch: eager with a fused optimizer, and compiled."""

from itertools import pairwise

import torch

from benchmarks.contenders import (
    DECAY,
    LEARNING_RATE,
    MOMENTUM,
    WEIGHT_DECAY,
    chosen,
    in_turn,
    repeated,
)

nn = torch.nn
ACTIVATIONS = {
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
OPTIMIZERS = {
    "sgd": lambda params: torch.optim.SGD(params, LEARNING_RATE, fused=True),
    "momentum": lambda params: torch.optim.SGD(
        params, LEARNING_RATE, momentum=MOMENTUM, fused=True
    ),
    "adam": lambda params: torch.optim.Adam(params, LEARNING_RATE, fused=True),
    "adamw": lambda params: torch.optim.AdamW(
        params, LEARNING_RATE, weight_decay=WEIGHT_DECAY, fused=True
    ),
    "rmsprop": lambda params: torch.optim.RMSprop(params, LEARNING_RATE, alpha=DECAY),
}


def model_of(task):
    torch.set_num_threads(task.threads)
    activation = chosen(task, "activation", ACTIVATIONS)
    layers = []
    for fan_in, fan_out in pairwise(task.sizes):
        layers += [nn.Linear(fan_in, fan_out), activation()]
    return nn.Sequential(*layers[:-1])


def eager_step(task):
    return steps(task, lambda function: function)


def compiled_step(task):
    torch.compiler.reset()
    return steps(task, torch.compile)


def steps(task, prepared):
    model = model_of(task)
    criterion = nn.CrossEntropyLoss()
    optimizer = chosen(task, "optimizer", OPTIMIZERS)(model.parameters())
    loss_of = prepared(lambda x, y: criterion(model(x), y))

    def step(x, y):
        loss = loss_of(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    x, y = map(torch.from_numpy, task.batches())
    return in_turn(step, list(zip(x, y, strict=True)))


def predict(task):
    model = model_of(task).eval()
    x = torch.from_numpy(task.batches()[0][0])

    @torch.inference_mode()
    def work():
        return model(x)

    return repeated(work)
