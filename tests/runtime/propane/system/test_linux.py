"""A subreaper gets orphaned grandchildren, and a program can exit with its parent."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from arlen_runtime.propane.system.linux import become_subreaper
assert become_subreaper()
child = os.fork()
if child == 0:
    if os.fork() == 0:
        os.read(0, 1)  # until the test writes
        os._exit(7)
    os._exit(0)
os.waitpid(child, 0)
print("orphaned", flush=True)
print(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]))
"""


def test_an_orphan_is_reaped_by_its_grandparent() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], input=b"x", capture_output=True, timeout=30, check=True)

    assert ran.stdout.split() == [b"orphaned", b"7"]


LEFT = """
import os, signal
from arlen_runtime.propane.system.linux import die_with_parent
signal.signal(signal.SIGTERM, lambda *_: (print("signalled", flush=True), os._exit(0)))
parent = os.fork()
if parent == 0:
    here = os.getpid()
    read_fd, write_fd = os.pipe()
    if os.fork() == 0:
        die_with_parent(here)
        os.write(write_fd, b"x")
        signal.pause()
    os.read(read_fd, 1)
    os.kill(here, signal.SIGKILL)
os.waitpid(parent, 0)
"""


def test_a_program_can_get_a_signal_when_its_parent_exits() -> None:
    ran = subprocess.run([sys.executable, "-c", LEFT], capture_output=True, timeout=30, check=True)

    assert ran.stdout == b"signalled\n"
