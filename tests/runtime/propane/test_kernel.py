"""Orphaned grandchildren become the subreaper's."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import os, sys
from arlen_runtime.propane.kernel import become_subreaper
assert become_subreaper()
child = os.fork()
if child == 0:
    if os.fork() == 0:
        os.read(0, 1)  # until the test lets go
        os._exit(7)
    os._exit(0)
os.waitpid(child, 0)
print("orphaned", flush=True)
print(os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]))
"""


def test_an_orphan_is_reaped_by_its_grandparent() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], input=b"x", capture_output=True, timeout=30, check=True)

    assert ran.stdout.split() == [b"orphaned", b"7"]
