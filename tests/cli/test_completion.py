"""Shells complete commands, options, files and keys by the scripts that the program prints."""

import os
import select
import shutil
import subprocess
import sys
import time

import pytest

from nnlayers.cli import main
from nnlayers.config import known_keys

pty = pytest.importorskip("pty")

# What is typed before a tab, and the last word that the shell then has.
CASES = {
    "tra": "train",
    "completion fi": "fish",
    "train --res": "--resume",
    "train netw": "network.toml",
    "train network.toml --out ru": "runs/",
    "train network.toml --set training.ep": "training.epochs=",
    "train network.toml --set model.siz": "model.sizes=",
    "evaluate runs/di": "runs/digits/",
    "evaluate runs/digits new": "new.csv",
    "export runs/digits --na": "--name",
}
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
START = {
    "bash": "source scripts/_nnlayers",
    "zsh": "fpath=(scripts $fpath); autoload -U compinit; compinit -u -D",
}


@pytest.fixture
def write_script(tmp_path, monkeypatch, capsys):
    """Write the script of a shell, in a directory with a config, a run and a table."""
    pytest.importorskip("shtab")
    for directory in ("runs/digits", "scripts"):
        (tmp_path / directory).mkdir(parents=True)
    for name in ("network.toml", "network.txt", "new.csv"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    def write(shell):
        assert main(["completion", shell]) == 0
        (tmp_path / "scripts" / "_nnlayers").write_text(capsys.readouterr().out)

    return write


class Terminal:
    """An interactive shell in a terminal, in which a command prints its last argument."""

    def __init__(self, shell):
        self.screen, child_side = pty.openpty()
        environment = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": os.getcwd()}
        self.process = subprocess.Popen(
            SHELLS[shell],
            stdin=child_side,
            stdout=child_side,
            stderr=child_side,
            env=environment,
            start_new_session=True,
        )
        os.close(child_side)
        self.unread = ""
        self.send("nnlayers() { printf 'last <%s>\\n' \"${@: -1}\"; }\n")
        self.send(f"{START[shell]}; PS1='$(echo ready)> '; setopt promptsubst 2>/dev/null\n")
        self.wait_for("ready> ")

    def send(self, text):
        os.write(self.screen, text.encode())

    def wait_for(self, text):
        """Read until the shell has printed a text, or for ten seconds."""
        deadline = time.monotonic() + 10
        while text not in self.unread and time.monotonic() < deadline:
            if select.select([self.screen], [], [], 1)[0]:
                self.unread += os.read(self.screen, 4096).decode()
        assert text in self.unread
        self.unread = self.unread.partition(text)[2]

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.screen)


@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab_completes_the_last_word(shell, write_script):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    write_script(shell)
    terminal = Terminal(shell)
    try:
        for typed, expected in CASES.items():
            terminal.send(f"nnlayers {typed}\t")
            terminal.wait_for(expected)
            terminal.send("\n")
            # Zsh removes the slash that it has added.
            terminal.wait_for(f"last <{expected.rstrip('/') if shell == 'zsh' else expected}")
            terminal.wait_for("ready> ")
    finally:
        terminal.close()


def test_fish_completes_the_last_word(write_script):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    write_script("fish")
    lines = [f"complete -C 'nnlayers {typed}'; echo" for typed in CASES]
    program = "\n".join(["source scripts/_nnlayers", *lines])
    done = subprocess.run(["fish", "-N", "-c", program], capture_output=True, text=True, check=True)
    answers = done.stdout.removesuffix("\n\n").split("\n\n")
    # Each line has a word, a tab and a description.
    found = [[line.split("\t")[0] for line in answer.splitlines()] for answer in answers]
    assert found == [[expected] for expected in CASES.values()]


def test_every_key_is_one_that_a_config_may_have():
    keys = known_keys()
    assert len(set(keys)) == len(keys)
    assert {"training.epochs", "optimizer.lr", "data.path", "model.sizes", "seed"} <= {*keys}


def test_without_shtab_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == (
        'nnlayers: shtab is not installed: pip install "nnlayers[cli]"\n'
    )
