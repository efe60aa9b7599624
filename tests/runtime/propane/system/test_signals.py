"""Signals are values in a queue that wakes its owner."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, select, signal
from arlen_runtime.propane.system import signals
signals.block()
os.kill(os.getpid(), signal.SIGHUP)  # before there is a queue: it must stay pending
queue = signals.SignalQueue({signal.SIGHUP, signal.SIGTERM}, {signal.SIGUSR2})
os.kill(os.getpid(), signal.SIGUSR2)
os.kill(os.getpid(), signal.SIGTERM)
assert select.select([queue.fd], [], [], 5)[0]
print(*[sig.name for sig in queue.take()])
print(*queue.take())
"""


def test_signals_are_queued_ignored_or_blocked_but_never_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, timeout=30, check=True)

    assert sorted(ran.stdout.split()) == [b"SIGHUP", b"SIGTERM"]


HOLD = """
import os, signal
from arlen_runtime.propane.system import signals
queue = signals.SignalQueue({signal.SIGHUP, signal.SIGTERM})
os.kill(os.getpid(), signal.SIGHUP)
queue.block_signals()
os.kill(os.getpid(), signal.SIGTERM)
print(len(queue.take()), *sorted(sig.name for sig in signal.sigpending()))
signals.unblock()
print(*sorted(sig.name for sig in queue.take()))
"""


def test_unhandled_signals_stay_pending_for_the_program_that_replaces_this_one() -> None:
    ran = subprocess.run([sys.executable, "-c", HOLD], capture_output=True, text=True, timeout=30, check=True)

    assert ran.stdout == "0 SIGHUP SIGTERM\nSIGHUP SIGTERM\n"


RACE = """
import os, signal, sys, time
from arlen_runtime.propane.system.signals import SignalQueue
queue = SignalQueue({signal.SIGHUP, signal.SIGTERM})
read_fd, write_fd = os.pipe()
here = os.getpid()
if os.fork() == 0:
    for _ in range(5000):
        os.kill(here, signal.SIGHUP)
        os.read(read_fd, 1)  # pending signals of one kind would merge in the kernel
    os.kill(here, signal.SIGTERM)
    os._exit(0)
count, last = 0, time.monotonic()
while True:
    for sig in queue.take():
        if sig is signal.SIGTERM:
            print(count)
            sys.exit()
        count, last = count + 1, time.monotonic()
        os.write(write_fd, b"x")
    if time.monotonic() > last + 20:
        sys.exit(f"the one after {count} was lost")
"""


def test_a_signal_that_arrives_while_others_are_taken_is_not_lost() -> None:
    ran = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, timeout=100, check=False)

    assert (ran.stdout, ran.stderr) == ("5000\n", "")
