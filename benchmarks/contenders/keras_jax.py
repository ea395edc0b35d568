"""Keras on JAX, which its documentation names as the fastest backend for most models."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras

from benchmarks.contenders import (
    DECAY,
    LEARNING_RATE,
    MOMENTUM,
    WEIGHT_DECAY,
    chosen,
    in_turn,
    repeated,
)

OPTIMIZERS = {
    "sgd": lambda: keras.optimizers.SGD(LEARNING_RATE),
    "momentum": lambda: keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM),
    "adam": lambda: keras.optimizers.Adam(LEARNING_RATE),
    "adamw": lambda: keras.optimizers.AdamW(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
    "rmsprop": lambda: keras.optimizers.RMSprop(LEARNING_RATE, rho=DECAY),
    "lion": lambda: keras.optimizers.Lion(LEARNING_RATE),
}


def model_of(task):
    layers = [keras.layers.Dense(size, activation=task.activation) for size in task.sizes[1:-1]]
    return keras.Sequential(
        [keras.Input((task.sizes[0],)), *layers, keras.layers.Dense(task.sizes[-1])]
    )


def train_on_batch(task):
    model = model_of(task)
    model.compile(
        chosen(task, "optimizer", OPTIMIZERS)(),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    return in_turn(model.train_on_batch, list(zip(*task.batches(), strict=True)))


def predict(task):
    model, x = model_of(task), task.batches()[0][0]
    return repeated(lambda: model.predict_on_batch(x))
