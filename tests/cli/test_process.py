import os
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-m", "nnlayers"]


@pytest.fixture
def environment(request):
    return os.environ | {"PYTHONPATH": str(request.config.rootpath)}


def start(*arguments, environment):
    return subprocess.Popen(
        [*COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def test_output_in_a_pipe_is_plain_and_short(workplace, environment):
    process = start("train", "small.toml", "--out", "a", environment=environment)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) == 5
    assert out.isprintable() or all(line.isprintable() for line in lines)
    assert lines[-1].startswith("test accuracy ")
    curves = workplace / "a" / "curves.png"
    assert curves.read_bytes().startswith(b"\x89PNG")


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
    many = ["--set", "training.epochs=100000"]
    process = start("train", "small.toml", "--out", "a", *many, environment=environment)
    metrics = workplace / "a" / "metrics.csv"
    deadline = time.monotonic() + 60
    while not (metrics.exists() and metrics.read_text().count("\n") > 3):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # the processor is the run's
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith("nnlayers: interrupted after ")
    assert err.count("\n") == 1

    done = metrics.read_text().count("\n") - 1
    for name, *resume in (("a", "--resume"), ("whole",)):
        epochs = ["--set", f"training.epochs={done + 2}"]
        status, _, err = run("train", "small.toml", "--out", name, *resume, *epochs)
        assert (status, err) == (0, [])
    first, second = ((workplace / name / "model.nn").read_bytes() for name in ("a", "whole"))
    assert first == second
    assert metrics.read_text() == (workplace / "whole" / "metrics.csv").read_text()
