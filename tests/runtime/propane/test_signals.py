"""Signals are values in a queue that wakes its owner."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, select, signal
from arlen_runtime.propane import signals
signals.block()
os.kill(os.getpid(), signal.SIGHUP)  # before anybody listens: it must wait, and not be lost
queue = signals.SignalQueue({signal.SIGHUP, signal.SIGTERM}, {signal.SIGUSR2})
os.kill(os.getpid(), signal.SIGUSR2)
os.kill(os.getpid(), signal.SIGTERM)
assert select.select([queue.fd], [], [], 5)[0]
print(*[each.name for each in queue.take()])
print(*queue.take())
"""


def test_signals_are_queued_ignored_or_held_back_but_never_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=30, check=True)

    assert sorted(ran.stdout.split()) == [b"SIGHUP", b"SIGTERM"]
