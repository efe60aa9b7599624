"""Signals during a write raise an exception, and only during it."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from arlen_cli.generators.signals import signals_raise


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_becomes_an_exception(number: signal.Signals) -> None:
    with pytest.raises(SystemExit) as stopped, signals_raise():
        signal.raise_signal(number)
    assert stopped.value.code == 128 + number


def test_the_signal_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]
    with signals_raise():
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)] == before


def test_another_thread_changes_no_handler() -> None:
    def look() -> object:
        with signals_raise():
            return signal.getsignal(signal.SIGTERM)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(look).result() == signal.getsignal(signal.SIGTERM)
