"""Implement the command that writes a run in the format of other programs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from nnlayers import export as formats
from nnlayers._core.checks import optional_library
from nnlayers._core.files import write_file
from nnlayers._core.interruption import raising_on_signals
from nnlayers.cli.printing import say
from nnlayers.config import ConfigError, TrainedRun, load_run
from nnlayers.saving import save

__all__ = ["export"]

_WEIGHTS_ALONE = "the model alone, without the preprocessing of its columns"


def export(arguments: Namespace) -> int:
    """Write a run in the format that the name of the file says."""
    path = Path(arguments.output)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        *known, last = _WRITERS
        kinds = f"{', '.join(known)} or {last}"
        raise ConfigError(f"-o: a run is exported as a {kinds} file, got {arguments.output}")
    run = load_run(arguments.directory, modules=arguments.allow)
    try:
        with raising_on_signals():
            note = write(run, path, arguments.name)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ConfigError(str(error)) from error
    say(f"saved in {path}: {note}", lines=False)
    return 0


def _write_onnx(run: TrainedRun, path: Path, name: str) -> str:
    formats.onnx(run, path)
    return "raw columns in, predictions out"


def _write_c(run: TrainedRun, path: Path, name: str) -> str:
    return str(formats.c(run, path, name=name))


def _write_python(run: TrainedRun, path: Path, name: str) -> str:
    formats.python(run, path)
    return "raw rows in, predictions out"


def _write_safetensors(run: TrainedRun, path: Path, name: str) -> str:
    save(run.model, path)
    return _WEIGHTS_ALONE


def _write_torch(run: TrainedRun, path: Path, name: str) -> str:
    torch = optional_library("torch", "torch")
    state = formats.to_torch_state(run.model)
    write_file(path, lambda file: torch.save(state, file))
    return f"the state dictionary of {_WEIGHTS_ALONE}"


# The functions that write a file, by the end of its name; each returns a note on what is in it.
_WRITERS: Mapping[str, Callable[[TrainedRun, Path, str], str]] = {
    ".c": _write_c,
    ".onnx": _write_onnx,
    ".pt": _write_torch,
    ".py": _write_python,
    ".safetensors": _write_safetensors,
}
