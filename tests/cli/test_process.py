import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "nnlayers"]


@pytest.fixture(scope="module")
def environment(request, tmp_path_factory):
    """The environment of processes without matplotlib, whose import takes half of their time."""
    hidden = tmp_path_factory.mktemp("hidden")
    (hidden / "matplotlib.py").write_text("raise ModuleNotFoundError(name='matplotlib')\n")
    return os.environ | {"PYTHONPATH": f"{hidden}{os.pathsep}{request.config.rootpath}"}


# The compiled engine says on standard error that it compiles, where it has not yet.
NUMPY = ["--set", 'training.engine="numpy"']


def start(*arguments, environment, on_interrupt=signal.SIG_DFL):
    """Start a command; tests that run in the background would pass on that SIGINT is ignored."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, on_interrupt),
    )


def test_output_in_a_pipe_is_plain_and_short_and_pictures_are_drawn(workplace, request):
    environment = os.environ | {"PYTHONPATH": str(request.config.rootpath)}
    process = start("train", "small.toml", "--out", "a", *NUMPY, environment=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 7
    assert lines[2] == "engine: numpy"
    assert [line.split(":")[0] for line in lines[3:5]] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert out.isprintable() or all(line.isprintable() for line in lines)
    assert lines[-1].startswith("test accuracy ")
    for name in ("curves", "confusion", "calibration"):
        assert (workplace / "a" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_closed_pipe_causes_no_traceback(workplace, environment, run):
    assert run("train", "small.toml", "--out", "a")[0] == 0
    rows = "0.1,0.2\n" * 20_000
    (workplace / "rows.csv").write_text(f"x1,x2\n{rows}")
    process = start("predict", "a", "rows.csv", environment=environment)
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 1
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_resumes_bit_for_bit(workplace, environment, run, number):
    many = ["--set", "training.epochs=100000", *NUMPY]
    process = start("train", "small.toml", "--out", "a", *many, environment=environment)
    metrics = workplace / "a" / "metrics.csv"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count("\n") > 3):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the processor is the run's
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err.startswith("nnlayers: interrupted after ")
    assert err.count("\n") == 1

    done = metrics.read_text().count("\n") - 1
    for name, *resume in (("a", "--resume"), ("whole",)):
        epochs = ["--set", f"training.epochs={done + 2}", *NUMPY]
        status, _, err = run("train", "small.toml", "--out", name, *resume, *epochs)
        assert (status, err) == (0, [])
    first, second = ((workplace / name / "model.nn").read_bytes() for name in ("a", "whole"))
    assert first == second
    assert metrics.read_text() == (workplace / "whole" / "metrics.csv").read_text()


def answers_signals(process):
    """Return whether a process has replaced Python's own treatment of SIGTERM, which is none."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)
    return bool(caught >> signal.SIGTERM - 1 & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells which are caught")
@pytest.mark.parametrize(
    ("seconds", "number"),
    [(0, 2), (0.05, 15), (0.1, 2), (0.2, 15), (0.3, 2), (0.5, 15), (0.7, 2)],
)
def test_a_signal_at_any_moment_ends_a_command_by_one_line(workplace, environment, number, seconds):
    many = ["--set", "training.epochs=100000", *NUMPY]
    process = start("train", "small.toml", "--out", "a", *many, environment=environment)
    while not answers_signals(process):
        time.sleep(0.001)
    time.sleep(seconds)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert re.fullmatch(r"nnlayers: interrupted.*\n", err)


def test_a_process_in_the_background_ignores_ctrl_c(workplace, environment):
    arguments = ("train", "small.toml", "--out", "a", *NUMPY)
    process = start(*arguments, environment=environment, on_interrupt=signal.SIG_IGN)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert "test accuracy" in out


@pytest.mark.parametrize("closing", [">&- 2>&-", "> >(true) 2> >(true)"])
def test_a_run_outlives_its_output(workplace, environment, closing):
    command = f"sleep 0.1; exec {' '.join(COMMAND)} train small.toml --out a"
    subprocess.run(["bash", "-c", f"{{ {command}; }} {closing}"], env=environment, check=True)
    assert (workplace / "a" / "test.json").exists()
