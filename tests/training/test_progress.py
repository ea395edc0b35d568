"""Progress is a bar in terminals and notebooks, and lines where they are asked for."""

import itertools
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from scripted import X, Y, trainer_with

from nnlayers.training.callbacks import LambdaCallback, progress

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
    pytest.importorskip("rich")
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_terminal_shows_epochs_and_losses_and_a_piped_stdout_stays_clean():
    pytest.importorskip("rich")
    pty = pytest.importorskip("pty")
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
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(ModuleNotFoundError, match=r"nnlayers\[cli\]"):
        progress.show_progress(True, 3)


def epochs_of(lines):
    return [int(re.match(r"epoch (\d+) of \d+: loss \S+ \(", line)[1]) for line in lines]


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, [1]),
        (3, [1, 2, 3]),
        (50, [1, *range(5, 51, 5)]),
        (300, [1, *range(20, 301, 20)]),
        (103, [1, *range(10, 101, 10), 103]),
    ],
)
def test_a_log_has_the_first_and_the_last_epoch_and_about_twenty_lines(epochs, expected, capsys):
    trainer_with().fit(X, Y, epochs=epochs, progress="log")
    assert epochs_of(capsys.readouterr().out.splitlines()) == expected


def test_a_log_goes_on_with_the_epochs_of_earlier_fits(capsys):
    trainer = trainer_with()
    trainer.fit(X, Y, epochs=7)
    trainer.fit(X, Y, epochs=3, progress="log")
    lines = capsys.readouterr().out.splitlines()
    assert epochs_of(lines) == [8, 9, 10]
    assert lines[0].startswith("epoch 8 of 10: loss ")


def test_a_log_ends_with_the_epoch_in_which_a_callback_stops(capsys):
    stop = LambdaCallback(lambda trainer: len(trainer.history) == 17 and trainer.stop())
    trainer_with(stop).fit(X, Y, epochs=200, progress="log")
    assert epochs_of(capsys.readouterr().out.splitlines()) == [1, 10, 17]


def test_slow_epochs_have_a_line_each_minute(capsys, monkeypatch):
    now = iter(range(0, 10_000, 25))
    clock = SimpleNamespace(perf_counter=lambda: next(now))
    monkeypatch.setattr(progress, "time", clock)
    trainer_with().fit(X, Y, epochs=100, progress="log")
    epochs = epochs_of(capsys.readouterr().out.splitlines())
    assert max(after - before for before, after in itertools.pairwise(epochs)) == 3
    assert epochs[-1] == 100


def test_a_log_without_a_reader_ends_no_fit(monkeypatch):
    class Gone:
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Gone())
    assert len(trainer_with().fit(X, Y, epochs=2, progress="log")) == 2
    monkeypatch.setattr(sys, "stdout", None)
    assert len(trainer_with().fit(X, Y, epochs=2, progress="log")) == 2


class Notebook:
    """A stand-in for IPython in a notebook, which records what it displays."""

    def __init__(self):
        self.shown = []
        self.display = SimpleNamespace(display=self.show)

    def get_ipython(self):
        return SimpleNamespace(kernel=object())

    def show(self, item, display_id):
        assert display_id is True
        return SimpleNamespace(
            update=lambda item: self.shown.append((repr(item), item._repr_html_()))
        )


def test_a_notebook_has_a_bar_that_is_updated_and_shows_the_end(monkeypatch):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setattr(progress, "_MIN_SECONDS", 0.0)
    trainer_with().fit(X, Y, epochs=3, validation=(X, Y), progress=True)
    texts, pages = zip(*notebook.shown, strict=True)
    assert [text.split(":")[0] for text in texts] == [f"epoch {n} of 3" for n in (1, 2, 3, 3)]
    assert re.fullmatch(r"epoch 3 of 3: loss \S+, val_loss \S+ \(\d\.\d s\)", texts[-1])
    assert '<progress value="3" max="3"' in pages[-1]


def test_a_notebook_is_told_at_most_ten_times_a_second(monkeypatch):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setattr(progress, "_MIN_SECONDS", 1000.0)
    trainer_with().fit(X, Y, epochs=50, progress=True)
    (text, _), *others = notebook.shown
    assert text.startswith("epoch 50 of 50")
    assert others == []


def test_a_fit_that_fails_leaves_the_bar_where_it_was(monkeypatch):
    notebook = Notebook()
    monkeypatch.setitem(sys.modules, "IPython", notebook)

    def fail(trainer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer_with(LambdaCallback(on_epoch_start=fail)).fit(X, Y, epochs=2, progress=True)
    assert notebook.shown[-1][0].startswith("epoch 0 of 2")


@pytest.mark.parametrize("bad", ["bar", 1, None, "LOG", ["log"]])
def test_another_progress_is_refused(bad):
    with pytest.raises(TypeError, match="progress must be True, False or 'log', got "):
        trainer_with().fit(X, Y, epochs=1, progress=bad)


@pytest.mark.parametrize("shown", [True, "log"])
def test_a_fit_that_cannot_start_shows_its_own_error(shown, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "IPython", Notebook())

    def fail(trainer):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trainer_with(LambdaCallback(on_fit_start=fail)).fit(X, Y, epochs=2, progress=shown)
    assert capsys.readouterr().out == ""
