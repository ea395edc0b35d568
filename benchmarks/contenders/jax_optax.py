"""JAX with optax: a jitted step whose state is donated, and a whole epoch under ``lax.scan``."""

from functools import partial

import jax
import jax.numpy as jnp
import optax

from benchmarks.contenders import (
    BATCHES,
    DECAY,
    LEARNING_RATE,
    MOMENTUM,
    WEIGHT_DECAY,
    chosen,
    repeated,
)

ACTIVATIONS = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "silu": jax.nn.silu,
    "softplus": jax.nn.softplus,
}
OPTIMIZERS = {
    "sgd": optax.sgd(LEARNING_RATE),
    "momentum": optax.sgd(LEARNING_RATE, momentum=MOMENTUM),
    "adam": optax.adam(LEARNING_RATE),
    "adamw": optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY),
    "rmsprop": optax.rmsprop(LEARNING_RATE, decay=DECAY),
    "lion": optax.lion(LEARNING_RATE),
}


def forward_of(task):
    activation = chosen(task, "activation", ACTIVATIONS)

    def forward(params, x):
        for W, b in params[:-1]:
            x = activation(x @ W + b)
        W, b = params[-1]
        return x @ W + b

    return forward


def update_of(task):
    """Return the initial state, and the function from a state and a batch to the next state."""
    forward, optimizer = forward_of(task), chosen(task, "optimizer", OPTIMIZERS)

    def loss(params, x, y):
        logits = forward(params, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    def update(state, x, y):
        params, memory = state
        value, gradients = jax.value_and_grad(loss)(params, x, y)
        updates, memory = optimizer.update(gradients, memory, params)
        return (optax.apply_updates(params, updates), memory), value

    params = jax.tree.map(jnp.asarray, task.weights())
    return (params, optimizer.init(params)), update


def jitted_step(task):
    state, update = update_of(task)
    step = jax.jit(update, donate_argnums=0)
    batches = list(zip(*map(jnp.asarray, task.batches()), strict=True))

    def run(n):
        nonlocal state
        for i in range(n):
            state, _ = step(state, *batches[i % BATCHES])
        jax.block_until_ready(state)
        return n

    return run


def scanned_epoch(task):
    state, update = update_of(task)
    x, y = map(jnp.asarray, task.epoch())

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, x, y):
        return jax.lax.scan(lambda state, batch: update(state, *batch), state, (x, y))

    def run(n):
        nonlocal state
        epochs = -(-n // len(x))
        for _ in range(epochs):
            state, _ = epoch(state, x, y)
        jax.block_until_ready(state)
        return epochs * len(x)

    return run


def vmapped_epochs(task):
    """Many networks in one call: each step is that of all of them."""
    (params, _), update = update_of(task)
    keys = jax.random.split(jax.random.key(0), task.networks)
    params = jax.tree.map(
        lambda W: jnp.stack([W + 1e-3 * jax.random.normal(key, W.shape) for key in keys]), params
    )
    optimizer = chosen(task, "optimizer", OPTIMIZERS)
    state = params, jax.vmap(optimizer.init)(params)
    x, y = map(jnp.asarray, task.epoch())
    updates = jax.vmap(update, in_axes=(0, None, None))

    @partial(jax.jit, donate_argnums=0)
    def epoch(state, x, y):
        return jax.lax.scan(lambda state, batch: updates(state, *batch), state, (x, y))

    def run(n):
        nonlocal state
        for _ in range(n * task.epochs):
            state, _ = epoch(state, x, y)
        jax.block_until_ready(state)
        return n

    return run


def predict(task):
    forward = jax.jit(forward_of(task))
    params, x = jax.tree.map(jnp.asarray, task.weights()), jnp.asarray(task.batches()[0][0])
    return repeated(lambda: jax.block_until_ready(forward(params, x)))
