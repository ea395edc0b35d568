"""The figures of the reference: what a layer, a loss or a schedule looks like."""

import matplotlib.pyplot as plt
import numpy as np


def draw_activation(layer, reach=4.0):
    """Draw an activation and, as its backward pass gives it, its derivative."""
    x = np.linspace(-reach, reach, 801)
    y = layer.forward(x)
    _draw_pair(x, y, layer.backward(np.ones_like(x)))


def draw_first_of_two(layer, reach=4.0):
    """Draw the first entry of rows (x, 0) and its derivative with respect to x."""
    x = np.linspace(-reach, reach, 801)
    y = layer.forward(np.column_stack([x, np.zeros_like(x)]))
    slopes = layer.backward(np.tile([1.0, 0.0], (len(x), 1)))
    _draw_pair(x, y[:, 0], slopes[:, 0], "of (x, 0)")


def draw_loss(losses, target=0.0, reach=3.0, label="prediction"):
    """Draw losses by name over the prediction of one number."""
    p = np.linspace(-reach, reach, 601)
    _, axes = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
    for name, loss in losses.items():
        axes.plot(p, [loss.forward([[value]], [[target]]) for value in p], label=name)
    axes.set_xlabel(label)
    axes.set_ylabel(f"loss for target {target:g}")
    axes.legend()


def draw_schedules(schedules, steps=1000):
    """Draw learning rates by name over the steps."""
    _, axes = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
    for name, schedule in schedules.items():
        axes.plot([schedule(step) for step in range(steps)], label=name)
    axes.set_xlabel("step")
    axes.set_ylabel("learning rate")
    axes.legend()


def _draw_pair(x, y, slopes, of=""):
    _, axes = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.axvline(0, color="0.8", linewidth=0.8)
    axes.plot(x, y, label=f"y {of}")
    axes.plot(x, slopes, "--", label="dy/dx")
    axes.set_xlabel("x")
    axes.legend()
