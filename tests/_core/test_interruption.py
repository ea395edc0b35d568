"""Signals end work in progress wherever it is."""

import signal
import sys
import time
import weakref

import pytest

from nnlayers._core.interruption import Interruption, raising_on_signals


class Item:
    pass


class StruckItem:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)


def drop_an_item_with_a_finalizer():
    StruckItem()


def drop_an_item_with_a_weak_reference():
    item = Item()
    _ = weakref.ref(item, lambda reference: signal.raise_signal(signal.SIGTERM))
    del item


@pytest.mark.parametrize(
    "drop", [drop_an_item_with_a_finalizer, drop_an_item_with_a_weak_reference]
)
def test_a_signal_in_a_finalizer_ends_the_work_after_it_without_a_word(drop, capsys):
    hook = sys.unraisablehook

    def work():
        drop()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            time.sleep(0.001)

    with pytest.raises(Interruption) as caught, raising_on_signals():
        work()
    assert caught.value.number == signal.SIGTERM
    assert capsys.readouterr().err == ""
    assert sys.unraisablehook is hook


def test_other_errors_of_finalizers_are_reported_as_ever(monkeypatch):
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: reported.append(dropped.exc_value))

    class FailingItem:
        def __del__(self):
            raise ZeroDivisionError

    with raising_on_signals():
        FailingItem()
    assert [type(error) for error in reported] == [ZeroDivisionError]
