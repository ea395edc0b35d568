"""Processes that are killed in the middle of a training."""

import contextlib
import os
import signal
import warnings

import pytest

import nnlayers as nn

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which Windows lacks")


class Killer(nn.callbacks.Callback):
    """Kills its process where training pauses after some steps, if there are so many."""

    def __init__(self, step=None):
        self.step = step

    def on_pause(self, trainer):
        if self.step is not None and trainer.optimizer.steps >= self.step:
            os.kill(os.getpid(), signal.SIGKILL)


def run_and_die(function, *arguments, after=None):
    """Call a function in another process, and return the signal that ended it.

    `after` is a number of seconds, after which the process ends at whatever it does then.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Forking a process with threads is a warning.
        process = os.fork()
    if process == 0:
        with contextlib.suppress(BaseException):
            if after is not None:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.setitimer(signal.ITIMER_REAL, after)
            function(*arguments)
        os._exit(0)
    return os.WTERMSIG(os.waitpid(process, 0)[1])
