"""Fits of the members of an ensemble, in threads or in processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any, TypeAlias

import numpy as np

from nnlayers._core.checks import check_choice, check_instance, check_integer, optional_library
from nnlayers._core.cores import count_cores
from nnlayers._core.showing import shown
from nnlayers.layer import Layer
from nnlayers.losses import Loss
from nnlayers.training.trainer import Trainer

__all__ = ["MakeTrainer", "MemberFit", "make_fits", "train_members"]

MakeTrainer: TypeAlias = Callable[[Any], Trainer]


class MemberFit:
    """The model of one member, with its stream and its trainer.

    Raises
    ------
    TypeError, ValueError
        If `make_trainer` does not make a trainer of the model.
    """

    def __init__(
        self, number: int, model: Layer, stream: np.random.Generator, make_trainer: MakeTrainer
    ) -> None:
        if not callable(make_trainer):
            raise TypeError(f"make_trainer must be a function, got {shown(make_trainer)}")
        self.number, self.model, self.stream = number, model, stream
        self.trainer = make_trainer(model)
        check_instance("what make_trainer returns", self.trainer, Trainer)
        check_instance("the loss of make_trainer", self.trainer.loss, Loss)
        if self.trainer.model is not model:
            raise ValueError("make_trainer must return a trainer of the model that it gets")
        self.is_running = self.is_cancelled = False

    def run(self, X: Any, y: Any, settings: Mapping[str, Any]) -> MemberFit:
        """Train the member, and return the fit, which comes from another process as a copy."""
        self.is_running = True
        try:
            if not self.is_cancelled:
                self.trainer.fit(X, y, rng=self.stream, **settings)
        except Exception as error:
            error.add_note(f"in member {self.number} of the ensemble")
            raise
        finally:
            self.is_running = False
        return self


def make_fits(
    models: list[Layer], streams: list[np.random.Generator], make_trainer: MakeTrainer
) -> list[MemberFit]:
    """Return the fits of all members.

    Raises
    ------
    TypeError, ValueError
        If `make_trainer` does not make a trainer of each model, or two trainers share a part.
    """
    members = zip(models, streams, strict=True)
    fits = [MemberFit(number, *member, make_trainer) for number, member in enumerate(members)]
    seen: dict[int, Any] = {}
    for fit in fits:
        # Losses and callbacks hold the state of one training, and members train at the same time.
        loss = fit.trainer.loss
        inner = [part for part in vars(loss).values() if isinstance(part, Loss)]
        for part in (loss, *inner, fit.trainer.optimizer, *fit.trainer.callbacks):
            if id(part) in seen:
                raise ValueError(
                    "make_trainer must make a loss, an optimizer and callbacks for each member, "
                    f"got {shown(part)} twice"
                )
            seen[id(part)] = part
    return fits


def train_members(
    fits: list[MemberFit],
    X: Any,
    y: Any,
    settings: Mapping[str, Any],
    workers: int | None,
    backend: str,
) -> list[MemberFit]:
    """Train the members at the same time, as :meth:`nnlayers.Ensemble.fit` says."""
    check_choice("backend", backend, ["threads", "processes"])
    if workers is not None:
        workers = check_integer("workers", workers, minimum=1)
    if backend == "threads":
        count = workers or count_cores()
        return _in_threads(fits, X, y, settings, min(count, len(fits)))
    joblib = optional_library("joblib", "sklearn")
    tasks = (joblib.delayed(fit.run)(X, y, settings) for fit in fits)
    trained: list[MemberFit] = joblib.Parallel(n_jobs=workers or -1)(tasks)
    return trained


def _in_threads(
    fits: list[MemberFit], X: Any, y: Any, settings: Mapping[str, Any], workers: int
) -> list[MemberFit]:
    with ThreadPoolExecutor(workers) as pool:
        try:
            futures = [pool.submit(fit.run, X, y, settings) for fit in fits]
            for future in _wait_for_all(futures):
                future.result()
        except BaseException:
            _cancel(fits)
            raise
    return fits


def _wait_for_all(futures: list[Future[MemberFit]]) -> set[Future[MemberFit]]:
    """Return the futures that are done, once all are or one has raised an error."""
    # Ctrl-C does not end a wait if it comes right before it, so that none may last long.
    while True:
        done, others = wait(futures, timeout=0.1, return_when=FIRST_EXCEPTION)
        if not others or any(future.exception() for future in done):
            return done


def _cancel(fits: list[MemberFit]) -> None:
    """End all trainings after their epochs; those that have not begun never do."""
    for fit in fits:
        fit.is_cancelled = True
    # A fit that begins right now forgets that it was told to stop.
    while any(fit.is_running for fit in fits):
        for fit in fits:
            fit.trainer.stop()
        time.sleep(0.001)
