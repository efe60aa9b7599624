"""Watches an application's files and reports changes of their content.

It is a process of its own, so that the manager stays single-threaded:
`python -m arlen_runtime.propane.watcher FOLDER PARENT` writes the digest of the source tree to
standard output, one line at its start and one for each change. With watchfiles installed the kernel
reports events; otherwise the files are polled.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from arlen_runtime.propane.ipc.source_tree import SourceTree

POLL_SECONDS = 0.1


def _wait_for_changes(root: Path) -> Iterator[None]:
    """Yield whenever something may have changed."""
    if importlib.util.find_spec("watchfiles") is not None:
        watchfiles = __import__("watchfiles")  # optional: it comes with the `dev` extra
        with suppress(OSError, RuntimeError):  # the kernel may refuse (inotify(7): max_user_watches)
            for _changes in watchfiles.watch(root, step=10, debounce=50, yield_on_timeout=True, rust_timeout=1000):
                yield
    while True:
        time.sleep(POLL_SECONDS)
        yield


def main(root: Path, parent: int, delay: float = 0.0) -> int:
    """Write the digest at the start and after each change, until process `parent` has exited.

    `delay` is in seconds, for a watcher that replaces one that exited.
    """
    time.sleep(delay)
    tree = SourceTree(root)
    try:
        # The first digest too: a file may have changed since the generation read it, or since a
        # previous watcher exited. The manager compares.
        os.write(1, f"{tree.digest}\n".encode())
        for _ in _wait_for_changes(root):
            if os.getppid() != parent:
                return 0
            if tree.refresh():
                os.write(1, f"{tree.digest}\n".encode())
    except (BrokenPipeError, KeyboardInterrupt):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])))
