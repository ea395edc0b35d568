"""Export of a model of a million weights, and size and speed of the C code of a small network."""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import nnlayers as nn
from benchmarks.report import Report

LARGE = (500, 1000, 500)  # a million weights
SMALL = (6, 64, 8, 4)
ROUNDS = 3
TIMER = """
#include <stdio.h>
#include <time.h>

void model_predict(const float *x, float *y);

int main(void)
{
    float x[6] = {0.1f, -0.2f, 0.3f, -0.4f, 0.5f, -0.6f}, y[4], sum = 0;
    double best = 1;
    for (int round = 0; round < 20; round++) {
        const clock_t start = clock();
        for (int i = 0; i < 20000; i++) {
            x[0] = 0.001f * (float)(i % 1000);
            model_predict(x, y);
            sum += y[0];
        }
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC / 20000;
        best = seconds < best ? seconds : best;
    }
    printf("%.0f\\n", best * 1e9);
    return sum > 1e9f;
}
"""


def run(options):
    """Print two tables, and update those of the documentation."""
    with TemporaryDirectory() as directory:
        time_formats(options, Path(directory))
        measure_code(options, Path(directory))


def time_formats(options, directory):
    """Time the export of the large model to each format."""
    model = nn.mlp(LARGE, rng=0)
    formats = {
        "ONNX": lambda: nn.export.onnx(model, directory / "model.onnx"),
        "PyTorch": lambda: nn.export.to_torch(model),
        "safetensors": lambda: nn.save(model, directory / "model.safetensors"),
        "C": lambda: nn.export.c(model, directory / "model.c"),
        "Python": lambda: nn.export.python(model, directory / "model.py"),
    }
    report = Report("export", ["a million weights", "seconds"], options.output)
    rows = [["format", "seconds"]]
    for name, write in formats.items():
        try:
            seconds = min(timed(write) for _ in range(ROUNDS))
        except ModuleNotFoundError as error:
            print(error)
            continue
        report.add([f"to {name}", f"{seconds:.2f}"])
        rows.append([name, seconds])
    compiler = shutil.which("cc")
    if compiler is not None:
        for level in ("-O0", "-O2"):
            command = [compiler, "-std=c99", level, "-c", "model.c"]
            start = perf_counter()
            subprocess.run(command, cwd=directory, check=True)
            seconds = perf_counter() - start
            report.add([f"`cc {level}` of the C file", f"{seconds:.2f}"])
            rows.append([f"cc {level}", seconds])
    report.save(rows)


def measure_code(options, directory):
    """Measure the code of the small network and its time for a row, by activation and option."""
    compiler = shutil.which("cc")
    if compiler is None:
        print("there is no C compiler")
        return
    report = Report(
        "export-code",
        ["6-64-8-4 in C", "option", "weights, bytes", "code and data beside, bytes", "ns a row"],
        options.output,
    )
    rows = [["activation", "option", "weights", "beside", "nanoseconds"]]
    (directory / "timer.c").write_text(TIMER)
    for activation in ("relu", "tanh", "sigmoid", "silu", "gelu"):
        sizes = nn.export.c(nn.mlp(SMALL, activation=activation, rng=0), directory / "model.c")
        for level in ("-Os", "-O2"):
            command = [compiler, "-std=c99", level]
            subprocess.run([*command, "-c", "model.c"], cwd=directory, check=True)
            beside = section_bytes(directory / "model.o") - sizes.weights
            program = [*command, "model.c", "timer.c", "-o", "timer", "-lm"]
            subprocess.run(program, cwd=directory, check=True)
            done = subprocess.run([directory / "timer"], capture_output=True, text=True, check=True)
            row = [activation, level, sizes.weights, beside, int(done.stdout)]
            report.add([activation, f"`{level}`", *row[2:]])
            rows.append(row)
    report.save(rows)


def section_bytes(path):
    """Return the bytes of code and data in an object file."""
    text = subprocess.run(["size", path], capture_output=True, text=True, check=True).stdout
    return sum(map(int, text.splitlines()[1].split()[:3]))


def timed(function):
    start = perf_counter()
    function()
    return perf_counter() - start
