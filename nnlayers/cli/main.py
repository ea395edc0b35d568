"""Parse arguments, run a command, and report errors by a line and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn, TextIO

import nnlayers
from nnlayers._core.interruption import exit_on_signals, exit_status, ignore_signals
from nnlayers.cli.commands import (
    compare,
    evaluate,
    graph,
    init,
    predict,
    replay,
    resume,
    summary,
    train,
)
from nnlayers.cli.completion import SHELLS, completion
from nnlayers.cli.exporting import export
from nnlayers.cli.printing import discard, inform, printable
from nnlayers.config import ConfigError
from nnlayers.data import DataError
from nnlayers.training import DivergenceError

__all__ = ["main", "run"]

FAILED_RUN = 1
USAGE_ERROR = 2
MAX_MESSAGE_LENGTH = 2000


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, by default those of the process.

    Examples
    --------
    >>> main(["train"])
    2
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as stop:
        return int(stop.code or 0)
    # A user's modules are often in the working directory.
    if arguments.allow and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return int(arguments.run(arguments))
        except (ConfigError, DataError, ModuleNotFoundError) as error:
            return _report(error, USAGE_ERROR, lines=False)
        except DivergenceError as error:
            return _report(error, FAILED_RUN)
        except KeyboardInterrupt as interrupt:
            return _report("interrupted", exit_status(interrupt))
        except BrokenPipeError:  # A reader such as head has closed the output.
            discard(sys.stdout)
            return FAILED_RUN
        except OSError as error:
            return _report(error, FAILED_RUN)


def run() -> NoReturn:
    """Run the command of this process's arguments, and exit.

    SIGINT and SIGTERM are answered by a line and exit status 130 or 143 at any time.
    """
    exit_on_signals()
    status = main()
    ignore_signals()
    sys.exit(status)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors escape control characters in the arguments that they repeat."""

    def error(self, message: str) -> NoReturn:
        """Print the message, and exit."""
        super().error(printable(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="nnlayers", description="Train small neural networks that TOML configs describe."
    )
    parser.add_argument("--version", action="version", version=f"nnlayers {nnlayers.__version__}")
    parser.set_defaults(allow=[])  # A command without configs does not have the option.
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    modules = _module_arguments()
    _add_command_of_a_table(commands)
    _add_commands_of_configs(commands, _config_arguments(modules))
    _add_commands_of_runs(commands, _run_arguments(modules))
    _add_replay(commands, _run_arguments(modules))
    _add_export(commands, _run_arguments(modules))
    _add_command_of_several_runs(commands, modules)
    _add_completion(commands, parser)
    return parser


def _module_arguments() -> argparse.ArgumentParser:
    """Return the parser of the argument that all commands take."""
    parser = _Parser(add_help=False)
    parser.add_argument(
        "--allow",
        metavar="MODULE",
        action="append",
        default=[],
        help="let the config name classes and functions of this module, whose code then runs; "
        "can be repeated",
    )
    return parser


def _config_arguments(modules: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return the parser of the arguments that describe a config."""
    parser = _Parser(add_help=False, parents=[modules])
    parser.add_argument("config", metavar="CONFIG", help="the TOML file")
    _add_assignments(
        parser, "override a key, such as optimizer.lr=0.01 or model.layers.0.out_features=32"
    )
    return parser


def _add_assignments(parser: argparse.ArgumentParser, text: str) -> None:
    """Add the argument that sets keys of a config."""
    parser.add_argument(
        "--set", dest="assignments", metavar="KEY=VALUE", action="append", default=[], help=text
    )


def _run_arguments(modules: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Return the parser of the arguments that describe a run."""
    parser = _Parser(add_help=False, parents=[modules])
    parser.add_argument("directory", metavar="DIR", help="the run directory")
    return parser


def _add_command_of_a_table(commands: Any) -> None:
    """Add the command that takes a table."""
    command = commands.add_parser(
        "init",
        help="write a config that trains a network on a table",
        description="Look at a table, show the role of each column, and write a commented config "
        "that trains a network on it.",
    )
    command.add_argument("data", metavar="DATA", help="the file of the table, such as a .csv")
    command.add_argument("--target", required=True, metavar="NAME", help="the column to predict")
    command.add_argument(
        "-o", dest="output", metavar="CONFIG", help="the config (default: DATA's name with .toml)"
    )
    _add_assignments(
        command,
        "say how a text file is written, such as data.encoding=latin-1 or data.decimal=,",
    )
    command.set_defaults(run=init)


def _add_commands_of_configs(commands: Any, config: argparse.ArgumentParser) -> None:
    """Add the commands that take a config."""
    command = commands.add_parser("train", parents=[config], help="train the model of a config")
    command.add_argument("--out", metavar="DIR", help="run directory (default runs/CONFIG-NNN)")
    command.add_argument(
        "--resume", action="store_true", help="continue the run in --out, or the latest one"
    )
    command.set_defaults(run=train)
    command = commands.add_parser("summary", parents=[config], help="show the layers of a model")
    command.set_defaults(run=summary)
    command = commands.add_parser("graph", parents=[config], help="draw a model")
    command.add_argument(
        "-o",
        dest="output",
        required=True,
        metavar="FILE",
        help="the output file: .svg, .png, .pdf or .dot",
    )
    command.add_argument("--expand", action="store_true", help="open the containers within")
    command.set_defaults(run=graph)


def _add_commands_of_runs(commands: Any, run: argparse.ArgumentParser) -> None:
    """Add the commands that take a run directory."""
    command = commands.add_parser("resume", parents=[run], help="train a run on")
    command.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="the number of epochs of the whole run, if it shall be longer",
    )
    command.set_defaults(run=resume)
    command = commands.add_parser("evaluate", parents=[run], help="score a trained model")
    command.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="a file of raw rows with their target, such as .csv, .parquet or .npz "
        "(default: the run's test rows)",
    )
    command.set_defaults(run=evaluate)
    command = commands.add_parser(
        "predict",
        parents=[run],
        help="predict the target of new rows, as CSV",
        description="Predict the target of new rows, as CSV. Text that a spreadsheet would take "
        "for a formula, such as a label that begins with =, gets a ' before it.",
    )
    command.add_argument(
        "data", metavar="DATA", help="a file of raw rows, such as .csv, .parquet or .npz"
    )
    command.add_argument(
        "-o", dest="output", metavar="FILE", help="the output file (default: standard output)"
    )
    command.set_defaults(run=predict)


def _add_replay(commands: Any, run: argparse.ArgumentParser) -> None:
    """Add the command that plays a training."""
    command = commands.add_parser(
        "replay",
        parents=[run],
        help="write a page that plays a training",
        description="Write one file that plays the training of a run in a browser: the curves and, "
        "of the epochs that were recorded, weights, gradients, outputs of the layers and, for one "
        "or two features, what the network makes of them.",
    )
    command.add_argument(
        "-o", dest="output", required=True, metavar="FILE", help="the page, an .html file"
    )
    command.set_defaults(run=replay)


def _add_export(commands: Any, run: argparse.ArgumentParser) -> None:
    """Add the command that writes a run in other formats."""
    command = commands.add_parser(
        "export", parents=[run], help="write a trained model in the format of another program"
    )
    command.add_argument(
        "-o",
        dest="output",
        required=True,
        metavar="FILE",
        help="the output file: .onnx, .c and .py take raw rows; .safetensors and .pt hold the "
        "weights of the model",
    )
    command.add_argument(
        "--name",
        default="model",
        help="the beginning of the names in a .c file (default: model)",
    )
    command.set_defaults(run=export)


def _add_command_of_several_runs(commands: Any, modules: argparse.ArgumentParser) -> None:
    """Add the command that takes any number of run directories."""
    command = commands.add_parser(
        "compare", parents=[modules], help="print a table of runs, and draw their curves together"
    )
    command.add_argument("directories", metavar="DIR", nargs="+", help="the run directories")
    command.add_argument(
        "-o",
        dest="output",
        default="comparison.png",
        metavar="FILE",
        help="the picture: .png, .svg or .pdf (default: comparison.png)",
    )
    command.set_defaults(run=compare)


def _add_completion(commands: Any, parser: argparse.ArgumentParser) -> None:
    """Add the command that prints a script for a shell."""
    command = commands.add_parser(
        "completion",
        help="print the script with which a shell completes these commands",
        description="Print the script with which a shell completes commands, options, files and "
        "the keys of configs. For bash, write it to "
        "~/.local/share/bash-completion/completions/nnlayers; for fish, to "
        "~/.config/fish/completions/nnlayers.fish; for zsh, to a file _nnlayers in a directory of "
        "$fpath.",
    )
    command.add_argument("shell", metavar="SHELL", choices=SHELLS, help="bash, fish or zsh")
    command.set_defaults(run=completion, parser=parser)


def _report(problem: object, status: int, *, lines: bool = True) -> int:
    text = str(problem)
    if len(text) > MAX_MESSAGE_LENGTH:  # A value in a damaged file may be as long as the file.
        text = f"{text[:MAX_MESSAGE_LENGTH]}..."
    inform(f"nnlayers: {text}", file=sys.stderr, lines=lines)
    return status


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning in one line, without the line of code that Python shows."""
    inform(f"nnlayers: warning: {message}", file=sys.stderr, lines=False)
