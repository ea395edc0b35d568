"""Figures of the documentation: functions, the cost of a tensor derivative, and a history."""

import matplotlib.pyplot as plt
import numpy as np
from tensor_derivative import measure_costs


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


def draw_tensor_costs(sizes=(4, 8, 16, 32, 64, 128, 256)):
    """Draw the memory and time of a tensor derivative, and of the outer product, over h = m."""
    rows = measure_costs(sizes)
    h, tensor_bytes, tensor_times, outer_bytes, outer_times = zip(*rows, strict=True)
    _, (left, right) = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
    left.loglog(h, tensor_bytes, "o-", label="tensor")
    left.loglog(h, outer_bytes, "o--", label="outer product")
    left.set_ylabel("bytes")
    right.loglog(h, tensor_times, "o-", label="tensor")
    right.loglog(h, outer_times, "o--", label="outer product")
    right.set_ylabel("seconds")
    for axes in (left, right):
        axes.set_xlabel("h = m")
        axes.legend()


def draw_history(history):
    """Draw the columns of a history over its epochs."""
    _, axes = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
    history.plot(axes)


def _draw_pair(x, y, slopes, of=""):
    _, axes = plt.subplots(figsize=(4.5, 2.8), layout="constrained")
    axes.axhline(0, color="0.5", alpha=0.5, linewidth=0.8)
    axes.axvline(0, color="0.5", alpha=0.5, linewidth=0.8)
    axes.plot(x, y, label=f"y {of}")
    axes.plot(x, slopes, "--", label="dy/dx")
    axes.set_xlabel("x")
    axes.legend()
