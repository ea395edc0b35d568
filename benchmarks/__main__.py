"""Command line of the benchmarks."""

import argparse
import os
from importlib import import_module
from pathlib import Path

from benchmarks.race import is_pinned
from benchmarks.report import FOLDER

# Each a module whose ``run`` takes the options.
COMMANDS = {
    "step": "step",
    "fit": "fit",
    "many": "many",
    "start": "start",
    "memory": "memory",
    "long": "long",
    "predict": "predict",
    "import": "import_time",
    "accuracy": "accuracy",
    "graph": "graph",
    "kernels": "kernels",
    "estimators": "estimators",
    "estimator-scores": "estimator_scores",
    "parts": "parts",
    "initialization": "initialization",
    "export": "export",
    "reading": "reading",
    "tables": "tables",
    "peers": "peers",
    "intervals": "intervals",
    "checkpoints": "checkpoints",
    "film": "film",
}
# The splits of rows into those to train on and those to test, where there is a choice.
SPLITS = {"tables": 5, "peers": 3, "intervals": 20}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        command = commands.add_parser(name)
        command.set_defaults(module=module)
        if name in ("tables", "peers"):
            command.add_argument("directory", type=Path, help="folder of the CSV files")
        if name in SPLITS:
            command.add_argument("--seeds", type=int, default=SPLITS[name], help="splits of rows")
        if name == "tables":
            command.add_argument("--part", choices=["init", "estimators"], help="one part alone")
        command.add_argument("--quick", action="store_true", help="fewer rounds, no variants")
        command.add_argument("--only", nargs="+", help="contenders beside nnlayers, or tables")
        command.add_argument("--threads", type=int, nargs="+", default=[1, 2])
        command.add_argument("--size", nargs="+", help="such as 64-64-10")
        command.add_argument("--output", type=Path, default=FOLDER, help="folder for the files")
    options = parser.parse_args()
    for name in filter(is_pinned, list(os.environ)):  # before NumPy is loaded
        del os.environ[name]
    import_module(f"benchmarks.{options.module}").run(options)


if __name__ == "__main__":
    main()
