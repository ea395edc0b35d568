"""The progress bar appears on terminals only."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("rich")
pty = pytest.importorskip("pty")

PROGRAM = """
import numpy as np
import nnlayers as nn
from nnlayers.training import Trainer
model = nn.Affine(1, 1, rng=0)
sgd = nn.optim.SGD(model.parameters(), lr=0.1)
# The compiled engine says on standard error that it compiles, where it has not yet.
trainer = Trainer(model, nn.MeanSquaredError(), sgd, engine="numpy")
X = np.ones((4, 1))
trainer.fit(X, X, epochs=2, progress=True)
trainer.fit(X, X, epochs=3, progress=True, validation=(X, X))
"""


def test_nothing_is_written_to_pipes():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_terminal_shows_epochs_and_losses_and_a_piped_stdout_stays_clean():
    terminal, child_side = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM + "print('done')"],
        stdout=subprocess.PIPE,
        stderr=child_side,
        env=environment,
    ) as process:
        os.close(child_side)
        shown = b""
        while True:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:  # Linux signals the end of a pseudo-terminal this way.
                break
            if not chunk:
                break
            shown += chunk
        printed = process.communicate()[0]
    os.close(terminal)
    assert process.returncode == 0
    assert printed == b"done\n"
    assert b"epoch 2/2" in shown
    assert b"epoch 5/5" in shown
    assert b"loss" in shown
    assert b"val_loss" in shown


def test_without_rich_the_error_says_which_extra_to_install(monkeypatch):
    from nnlayers.training.callbacks.progress import progress_bars

    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ModuleNotFoundError, match=r"nnlayers\[cli\]"):
        progress_bars(3)
