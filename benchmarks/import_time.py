"""What ``import nnlayers`` costs beyond the NumPy and SciPy that it needs, in seconds.

    python benchmarks/import_time.py

Processes alternate, and the medians are compared, since the machine's load drifts.
"""

import os
import subprocess
import sys
from statistics import median
from time import perf_counter

ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
ALTERNATIVES = ("import numpy, scipy.special", "import numpy, scipy.special, nnlayers")


def seconds(code):
    start = perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)
    return perf_counter() - start


def main():
    rounds = [[seconds(code) for code in ALTERNATIVES] for _ in range(15)]
    without, with_nnlayers = (median(column) for column in zip(*rounds, strict=True))
    print(f"without {without:.3f} s, with {with_nnlayers:.3f} s: {with_nnlayers - without:+.3f} s")


if __name__ == "__main__":
    main()
