"""Reading, splitting and preparing a table, beside pandas' own reading of its file."""

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.race import environment
from benchmarks.report import Report

ROWS, QUICK_ROWS = 1_000_000, 100_000
ROUNDS, QUICK_ROUNDS = 7, 3

# 30 numbers, 14 whole numbers, five categories of 4 to 12 levels, and a target of three classes.
WRITE = """
import sys
import numpy as np
import pandas as pd

path, rows = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
columns = {f"x{i}": rng.normal(size=rows).round(6) for i in range(30)}
columns |= {f"n{i}": rng.integers(0, 1000, rows) for i in range(14)}
for i in range(5):
    levels = np.array([f"level {level}" for level in range(4 + 2 * i)])
    columns[f"c{i}"] = rng.choice(levels, rows)
columns["y"] = rng.integers(0, 3, rows)
pd.DataFrame(columns).to_csv(path, index=False)
"""

MEASURE = """
import json, resource, sys
from time import perf_counter

import numpy as np
import pandas as pd
import nnlayers as nn

def resident(field):
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith(field)).split()[1]) / 1000

before = resident("VmRSS")
times = [perf_counter()]
{code}
megabytes = resident("VmHWM") - before
size = {size}
print(json.dumps([list(np.diff(times)), megabytes, size]))
"""

PANDAS = """
frame = pd.read_csv(sys.argv[1])
times.append(perf_counter())
"""

NNLAYERS = """
table = nn.data.csv(sys.argv[1], "y")
times.append(perf_counter())
split = nn.data.split_table(table, stratify=table.target)
parts = [table.rows(rows) for rows in split]
times.append(perf_counter())
preprocessing = nn.data.Preprocessing().fit(parts[0], "classes")
arrays = [(preprocessing.features(part), preprocessing.targets(part)) for part in parts]
times.append(perf_counter())
"""

PANDAS_NAME = f"pandas {metadata.version('pandas')}: read_csv"
CONTENDERS = {
    PANDAS_NAME: MEASURE.format(code=PANDAS, size="frame.memory_usage(deep=True).sum() / 1e6"),
    "nnlayers": MEASURE.format(code=NNLAYERS, size="sum(x.nbytes for x, _ in arrays) / 1e6"),
}


def measure(code, *arguments):
    """Return what a process prints that runs the code."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    result = subprocess.run(command, check=True, env=environment(2), capture_output=True, text=True)
    return json.loads(result.stdout or "null")


def run(options):
    """Time the contenders in turn, and print and write the table."""
    rows, rounds = (QUICK_ROWS, QUICK_ROUNDS) if options.quick else (ROWS, ROUNDS)
    with TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        measure(WRITE, path, rows)
        results = {name: [] for name in CONTENDERS}
        for _ in range(1 + rounds):  # The first fills the file's cache.
            for name, code in CONTENDERS.items():
                results[name].append(measure(code, path))
        results = {name: measured[1:] for name, measured in results.items()}
        report_results(results, rows, path.stat().st_size / 1e6, options)


def report_results(results, rows, megabytes, options):
    """Print and write the table of the best rounds, which others' work on the machine slows least.

    `results` holds the seconds of each step, and megabytes at the peak and of the result.
    """
    header = ("", "read", "split", "prepare", "seconds", "times pandas", "peak MB", "times table")
    report = Report("reading", header, options.output)
    best = {
        name: min(rounds, key=lambda result: sum(result[0])) for name, rounds in results.items()
    }
    reference, _, size = best[PANDAS_NAME]
    lines = []
    for name, (steps, _, _) in best.items():
        peak = median(peak for _, peak, _ in results[name])
        columns = [f"{seconds:.2f}" for seconds in steps] + [""] * (3 - len(steps))
        ratios = f"{sum(steps) / sum(reference):.2f}", f"{peak:.0f}", f"{peak / size:.2f}"
        lines.append((name, *columns, f"{sum(steps):.2f}", *ratios))
        report.add(lines[-1])
    print(f"\n{rows:,} rows, {megabytes:.0f} MB as CSV, {size:.0f} MB as a DataFrame")
    report.save([header, *lines])
