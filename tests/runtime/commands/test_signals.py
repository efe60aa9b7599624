"""Signals that end a command: an exception inside, the handlers of before outside."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from arlen_runtime.commands.signals import interrupting


@pytest.fixture(autouse=True)
def _same_handlers() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    after = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    assert after == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_interrupts_the_block_and_gives_its_exit_status(number: int, status: int) -> None:
    with pytest.raises(KeyboardInterrupt), interrupting() as interruption:
        os.kill(os.getpid(), number)
    assert interruption.exit_status == status


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interrupting():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_leaves_the_handlers_alone() -> None:
    seen: list[object] = []

    def look() -> None:
        with interrupting():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
