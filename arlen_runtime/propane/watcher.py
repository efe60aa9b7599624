"""Watches an application's files and reports changes of their content.

It is a process of its own, so that the manager stays single-threaded:
`python -m arlen_runtime.propane.watcher FOLDER PARENT` writes a line to standard output for each
change. Contents are compared by digest: touching a file is no change, and a second edit within one
second is one. With watchfiles installed the kernel reports events; otherwise files are polled.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SUFFIXES = {".py", ".html", ".toml", ".sql", ".txt", ".md", ".css", ".js"}
IGNORED = {"__pycache__", "node_modules", "venv", "build", "dist"}
POLL_SECONDS = 0.3
RECENT_NS = 2_000_000_000
"""A file changed this recently is read again in any case: file system clocks are coarse."""
SETTLE_SECONDS = 0.05
"""Editors write a file in several steps: wait this long before a change is reported."""


def watched_files(root: Path) -> Iterator[Path]:
    """Yield the files whose content matters; skip hidden and generated folders."""
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name not in IGNORED and not name.startswith(".")]
        for name in files:
            if Path(name).suffix in SUFFIXES and not name.startswith("."):
                yield Path(folder, name)


class Fingerprints:
    """Digests of an application's files.

    A file is read again if its size or modification time has changed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[Path, tuple[int, int, bytes]] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read the files again. Return True if any content has changed since."""
        old_digests = {path: entry[2] for path, entry in self._files.items()}
        self._files = dict(self._scan())
        return old_digests != {path: entry[2] for path, entry in self._files.items()}

    def _scan(self) -> Iterator[tuple[Path, tuple[int, int, bytes]]]:
        for path in watched_files(self._root):
            try:
                stat = path.stat()
                entry = self._files.get(path)
                is_recent = time.time_ns() - stat.st_mtime_ns < RECENT_NS
                if entry is not None and entry[:2] == (stat.st_size, stat.st_mtime_ns) and not is_recent:
                    yield path, entry
                else:
                    digest = hashlib.blake2b(path.read_bytes(), digest_size=16).digest()
                    yield path, (stat.st_size, stat.st_mtime_ns, digest)
            except OSError:
                continue  # removed since it was listed


def _wait_for_changes(root: Path) -> Iterator[None]:
    """Yield whenever something may have changed."""
    if importlib.util.find_spec("watchfiles") is not None:
        watchfiles = __import__("watchfiles")  # optional: it comes with the `dev` extra
        with suppress(OSError, RuntimeError):  # the kernel may refuse (inotify(7): max_user_watches)
            for _changes in watchfiles.watch(root, step=20, debounce=100, yield_on_timeout=True, rust_timeout=1000):
                yield
    while True:
        time.sleep(POLL_SECONDS)
        yield


def main(root: Path, parent: int, delay: float | None = None) -> int:
    """Write a line for each change, until the reader, process `parent`, has exited.

    With a `delay` in seconds this watcher replaces one that exited. Nothing is known about changes
    since then, so it reports one at once.
    """
    time.sleep(delay or 0.0)
    fingerprints = Fingerprints(root)
    try:
        if delay is not None:
            os.write(1, b"changed\n")
        for _ in _wait_for_changes(root):
            if os.getppid() != parent:
                return 0
            if fingerprints.refresh():
                time.sleep(SETTLE_SECONDS)
                fingerprints.refresh()
                os.write(1, b"changed\n")
    except (BrokenPipeError, KeyboardInterrupt):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])))
