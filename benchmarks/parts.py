"""Time of each call of a training step, in the order of a real step."""

from statistics import median
from time import perf_counter

from threadpoolctl import threadpool_limits

from benchmarks.contenders import BATCHES, Task, products
from benchmarks.contenders.ours import parts
from benchmarks.report import PERFORMANCE, Report
from benchmarks.step import SIZES

HEADER = ("step", "forward", "loss", "loss backward", "backward", "Adam", "all", "products")


def laps(task, steps):
    """Return the median microseconds of each part and of the whole step."""
    model, loss, optimizer = parts(task)
    batches = list(zip(*task.batches(), strict=True))
    rows = []
    for step in range(steps):
        x, y = batches[step % BATCHES]
        times = [perf_counter()]
        output = model.forward(x)
        times.append(perf_counter())
        loss.forward(output, y)
        times.append(perf_counter())
        dout = loss.backward()
        times.append(perf_counter())
        model.backward(dout, input_grad=False)
        times.append(perf_counter())
        optimizer.step()
        times.append(perf_counter())
        rows.append([b - a for a, b in zip(times, times[1:] + times[:1], strict=True)])
    return [abs(median(column)) * 1e6 for column in zip(*rows, strict=True)]


def products_alone(task, steps):
    """Return the median microseconds of the step's matrix products."""
    run, times = products.step(task), []
    for _ in range(steps):
        start = perf_counter()
        run(1)
        times.append(perf_counter() - start)
    return median(times) * 1e6


def run(options):
    """Time each network on one thread."""
    report, rows = Report("parts", HEADER, options.output, page=PERFORMANCE), [HEADER]
    for size in options.size or SIZES:
        task = Task(tuple(map(int, size.split("-"))), rows=SIZES[size])
        steps = 3000 if max(task.sizes) < 256 else 100
        with threadpool_limits(1):
            times = [*laps(task, steps), products_alone(task, steps)]
        row = [f"{size}, {task.rows}", *(f"{time:,.1f}" for time in times)]
        report.add(row)
        rows.append(row)
    report.save(rows)
