"""One training step on a batch: forward, softmax cross-entropy, backward, optimizer."""

from dataclasses import replace

from benchmarks.contenders import Task
from benchmarks.picture import draw_speed
from benchmarks.report import FOLDER, IMAGES
from benchmarks.series import run_races

CONTENDERS = {
    "nnlayers": "ours:fit_step",
    "Trainer.step": "ours:trainer_step",
    "NumPy engine": "ours:numpy_step",
    "explicit loop": "ours:loop_step",
    "products": "products:step",
    "PyTorch": "pytorch:eager_step",
    "PyTorch compiled": "pytorch:compiled_step",
    "JAX": "jax_optax:jitted_step",
    "JAX scan": "jax_optax:scanned_epoch",
    "scikit-learn": "scikit_learn:partial_fit",
    "scikit-learn epoch": "scikit_learn:partial_fit_epoch",
    "Keras": "keras_jax:train_on_batch",
    "thinc": "thinc_model:update",
}
SIZES = {
    "2-16-16-2": 32,
    "64-64-10": 32,
    "64-128-64-10": 128,
    "784-256-128-10": 128,
    "784-512-512-10": 256,
    "1024-1024-1024-1024-10": 256,
}
THIRD = "64-128-64-10"


def variants(chosen):
    """Yield a label and a task for each race."""
    for size in chosen:
        task = Task(tuple(map(int, size.split("-"))), rows=SIZES[size])
        yield f"{size}, {task.rows}", task
        if size == THIRD:
            for activation in ("sigmoid", "tanh", "gelu", "silu", "softplus"):
                yield f"{size}, {activation}", replace(task, activation=activation)
            for optimizer in ("sgd", "momentum", "adamw", "rmsprop", "lion"):
                yield f"{size}, {optimizer}", replace(task, optimizer=optimizer)


def run(options):
    """Race all sizes and variants; ``--size`` selects one, ``--quick`` leaves out variants.

    In the documentation, the README's picture of speed is drawn too.
    """
    tasks = dict(variants(options.size or SIZES))
    if options.quick:
        plain = (Task.activation, Task.optimizer)
        tasks = {
            label: task
            for label, task in tasks.items()
            if (task.activation, task.optimizer) == plain
        }
    run_races("step", CONTENDERS, tasks, options)
    if options.output == FOLDER:
        draw_speed(FOLDER / "step.csv", IMAGES / "speed.svg")
