"""Implement the command that completes the others in a shell."""

from __future__ import annotations

import argparse
from typing import Any

from nnlayers._core.checks import optional_library
from nnlayers.config import known_keys

__all__ = ["SHELLS", "completion"]

SHELLS = ["bash", "fish", "zsh"]

# Bash adds a space after a word that is complete, but a value follows a key.
_BASH_WITHOUT_SPACE = """
_nnlayers() {
  _shtab_nnlayers "$@"
  [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
  return 0
}
complete -o bashdefault -F _nnlayers nnlayers
"""


def completion(arguments: argparse.Namespace) -> int:
    """Print the script with which a shell completes commands, options, files and keys."""
    shtab = optional_library("shtab", "cli")
    completers = {
        # Zsh would take shtab's (*.toml) for properties of files.
        "CONFIG": shtab.glob("*.toml") | {"zsh": "_files -g '*.toml'"},
        "DIR": shtab.DIRECTORY,
        "DATA": shtab.FILE,
        "FILE": shtab.FILE,
        "KEY=VALUE": _key_completer(),
    }
    _mark(arguments.parser, completers)
    script = shtab.complete(arguments.parser, arguments.shell)
    print(script + (_BASH_WITHOUT_SPACE if arguments.shell == "bash" else ""), flush=True)
    return 0


def _mark(parser: argparse.ArgumentParser, completers: dict[str, Any]) -> None:
    """Tell how each argument is completed, by what the help calls it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _mark(command, completers)
        elif action.metavar in completers:
            setattr(action, "complete", completers[action.metavar])


def _key_completer() -> dict[str, Any]:
    """Return how each shell completes the keys of a config."""
    words = " ".join(f"{key}=" for key in known_keys())
    return {
        "bash": "_nnlayers_keys",
        "zsh": f"{{compadd -S '' - {words}}}",
        "fish": f"(printf '%s\\n' {words})",
        "preamble": {"bash": f"_nnlayers_keys() {{ compgen -W '{words}' -- \"$1\"; }}\n"},
    }
