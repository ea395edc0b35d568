"""Faults of real processes and of a real disk, which take too long for every test run.

    python -m tests.nightly [--faults 200] [--losses 20]

Each fault is one of ``nnlayers train``'s own system calls that strace ends the process at, or lets
fail. Each power loss is a copy, in the middle of a run, of the file behind a mounted ext4 file
system: it holds what that moment has brought to the disk. In each case the run is resumed and must
end at the weights and the metrics of a run without faults. What this machine lacks is left out,
with a line that says so.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

CONFIG = """
seed = 3
[data]
type = "spirals"
rows = 60
[model]
type = "mlp"
sizes = [2, 4, 3]
dropout = 0.2
[loss]
type = "SoftmaxCrossEntropy"
[optimizer]
type = "Adam"
lr = {type = "StepDecay", lr = 0.1, step_size = 6}
[training]
epochs = 9
batch_size = 20
engine = "numpy"
checkpoint_every = "1 epoch"
callbacks = [{type = "EarlyStopping", patience = 2, monitor = "loss", min_delta = 0.1}]
"""
# The calls by which files change. Those before the run has its directory change nothing.
CALLS = ("openat", "write", "fsync", "rename", "link", "unlink", "mkdir", "close")
PROBLEMS = {"killed": "signal=KILL", "full disk": "error=ENOSPC", "bad disk": "error=EIO"}


class Trial:
    """A folder with a config, in which runs are started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "small.toml").write_text(CONFIG, encoding="utf-8")

    def command(self, *prefix: str, resume: bool = False) -> list[str]:
        """Return the command of a run."""
        train = [sys.executable, "-m", "nnlayers", "train", "small.toml", "--out", "run"]
        return [*prefix, *train, *(["--resume"] if resume else [])]

    def start(self, *prefix: str, resume: bool = False) -> subprocess.CompletedProcess[str]:
        """Run to the end, whatever that is."""
        command = self.command(*prefix, resume=resume)
        environment = os.environ | {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
        return subprocess.run(
            command, cwd=self.folder, check=False, capture_output=True, text=True, env=environment
        )

    def finish(self) -> tuple[bytes, bytes]:
        """Resume, or start where there is no run yet, and return the results."""
        done = self.start(resume=(self.folder / "run").exists())
        if done.returncode:
            raise AssertionError(f"it cannot be resumed: {done.stderr.strip()}")
        left = [path.name for path in self.folder.rglob(".nnlayers-*")]
        if left:
            raise AssertionError(f"temporary files are left: {left}")
        names = ("model.nn", "metrics.csv")
        weights, metrics = ((self.folder / "run" / name).read_bytes() for name in names)
        return weights, metrics


def main() -> int:
    """Run the command line, and return the number of findings."""
    parser = argparse.ArgumentParser(prog="python -m tests.nightly", description=__doc__)
    parser.add_argument("--faults", type=int, default=200, help="system calls to fail at")
    parser.add_argument("--losses", type=int, default=20, help="power losses")
    arguments = parser.parse_args()
    # An end from outside must unmount disks, and tell what was found so far.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as name:
        trial = Trial(Path(name))
        whole = trial.finish()
        shutil.rmtree(Path(name, "run"))
        findings = _fail_at_calls(trial, whole, arguments.faults)
    return findings + _lose_power(whole, arguments.losses)


def _fail_at_calls(trial: Trial, whole: tuple[bytes, bytes], count: int) -> int:
    """Let runs end at, or fail in, chosen system calls; return how many do not go on exactly."""
    if shutil.which("strace") is None:
        print("system calls: left out, there is no strace")
        return 0
    log = trial.folder / "strace.log"
    prefix = ["strace", "-f", "-qq", "-o", str(log), "-e", f"trace={','.join(CALLS)}"]
    if trial.start(*prefix).returncode:
        print("system calls: left out, strace cannot trace here")
        return 0
    cases = list(_cases(log.read_text(encoding="utf-8", errors="replace")))
    shutil.rmtree(trial.folder / "run")
    chosen = random.Random(0).sample(cases, min(count, len(cases)))
    outcomes: Counter[str] = Counter()
    print(f"system calls: {len(chosen)} of {len(cases)} faults", flush=True)
    try:
        for call, number, problem in chosen:
            inject = f"inject={call}:{PROBLEMS[problem]}:when={number}"
            ended = trial.start("strace", "-f", "-qq", "-o", os.devnull, "-e", inject)
            fault = f"{problem} at {call} {number}"
            _judge(outcomes, fault, trial, whole)
            outcomes[f"{problem}, exit {ended.returncode}"] += 1
            if "Traceback" in ended.stderr:
                outcomes["traceback"] += 1
                print(f"{fault}: {ended.stderr.strip()}", flush=True)
            shutil.rmtree(trial.folder / "run", ignore_errors=True)
    finally:
        print(f"system calls: {dict(sorted(outcomes.items()))}", flush=True)
    return outcomes["not as without faults"] + outcomes["traceback"]


def _cases(log: str) -> list[tuple[str, int, str]]:
    """Return the calls on files of the run, each with its number and the problems to cause.

    Before the directory of the run is made, a process only starts.
    """
    numbers: Counter[str] = Counter()
    cases, has_begun = [], False
    for line in log.splitlines():
        match = re.match(r"\d+ +(\w+)\(", line)
        if match is None:
            continue
        call = match[1]
        numbers[call] += 1
        has_begun = has_begun or (call == "mkdir" and ".nnlayers-" in line)
        is_reading = call == "openat" and "O_CREAT" not in line
        if has_begun and not is_reading:
            problems = ["killed"] if call in ("close", "unlink") else PROBLEMS
            cases += [(call, numbers[call], problem) for problem in problems]
    return cases


def _lose_power(whole: tuple[bytes, bytes], count: int) -> int:
    """Resume from copies of a disk at moments of a run; return how many do not go on exactly."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk, mounted = folder / "disk", folder / "mounted"
        mounted.mkdir()
        if not _make_disk(disk) or not _mount(disk, mounted):
            print("power loss: left out, no loop device can be mounted here")
            return 0
        try:
            copies = _copy_while_running(Trial(mounted), disk, folder, count)
        finally:
            _unmount(mounted)
        outcomes: Counter[str] = Counter()
        try:
            for index, copy in enumerate(copies):
                _judge_copy(outcomes, index, copy, mounted, whole)
        finally:
            print(f"power loss: {dict(sorted(outcomes.items()))}", flush=True)
        return outcomes["not as without faults"] + outcomes["cannot be mounted"]


def _judge_copy(
    outcomes: Counter[str], index: int, copy: Path, mounted: Path, whole: tuple[bytes, bytes]
) -> None:
    """Resume from a copy of a disk, and count the outcome."""
    if not _mount(copy, mounted):
        outcomes["cannot be mounted"] += 1
        return
    try:
        outcomes[f"after epoch {_epochs(mounted / 'run' / 'metrics.csv')}"] += 1
        _judge(outcomes, f"power loss {index}", Trial(mounted), whole)
    finally:
        _unmount(mounted)


def _copy_while_running(trial: Trial, disk: Path, folder: Path, count: int) -> list[Path]:
    """Return copies of a disk, taken at equal distances while a run trains on it."""
    os.sync()
    environment = os.environ | {"MPLBACKEND": "agg", "OPENBLAS_NUM_THREADS": "1"}
    copies: list[Path] = []
    while len(copies) < count:
        shutil.rmtree(trial.folder / "run", ignore_errors=True)
        with subprocess.Popen(
            trial.command(),
            cwd=trial.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        ) as process:
            while process.poll() is None:
                if (trial.folder / "run").exists() and len(copies) < count:
                    copy = folder / f"copy-{len(copies)}"
                    # The run stands still meanwhile, because the moment has to be one.
                    process.send_signal(signal.SIGSTOP)
                    shutil.copyfile(disk, copy)
                    process.send_signal(signal.SIGCONT)
                    copies.append(copy)
                time.sleep(random.Random(len(copies)).uniform(0.005, 0.03))
    return copies


def _judge(outcomes: Counter[str], fault: str, trial: Trial, whole: tuple[bytes, bytes]) -> None:
    """Resume after a fault, and count the outcome."""
    try:
        is_same = trial.finish() == whole
        problem = "it ends otherwise"
    except AssertionError as error:
        is_same, problem = False, str(error)
    outcomes["as without faults" if is_same else "not as without faults"] += 1
    if not is_same:
        print(f"{fault}: {problem}", flush=True)


def _epochs(metrics: Path) -> int:
    return len(metrics.read_text(encoding="utf-8").splitlines()) - 1 if metrics.exists() else 0


def _make_disk(path: Path) -> bool:
    with path.open("wb") as file:
        file.truncate(32 << 20)
    return shutil.which("mkfs.ext4") is not None and not _call("mkfs.ext4", "-q", str(path))


def _mount(disk: Path, folder: Path) -> bool:
    return not _call("mount", "-o", "loop", str(disk), str(folder))


def _unmount(folder: Path) -> None:
    _call("umount", str(folder))


def _call(*command: str) -> int:
    return subprocess.run(command, check=False, capture_output=True).returncode


if __name__ == "__main__":
    sys.exit(min(main(), 1))
