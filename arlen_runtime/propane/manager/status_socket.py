"""Where a running manager is found and asked. One rule: asking cannot hold it up: it writes one answer and closes.

A unix socket `<pid>.sock` that only its user may ask, in a folder that may be others' too. There may be several managers of
one application, and there may be none: a folder that cannot be written costs the status, not the service.
"""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from arlen_runtime.config.sections import Config
from arlen_runtime.log.logger import Log

MAX_PATH_BYTES = 100
"""Bytes of a path that every system takes as the address of a unix socket (unix(7): 108, on macOS 104)."""
TIMEOUT_SECONDS = 5.0


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Yield an address for the socket at `path`, however long that is: through an open folder where it is too long."""
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class StatusSocket:
    """The manager's end."""

    def __init__(self, folder: Path, snapshot: Callable[[], Any]) -> None:
        """Listen in `folder`; `tell` is what is answered. OSError where that cannot be."""
        self._snapshot = snapshot
        self._path = folder / f"{os.getpid()}.sock"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.glob("*.sock"):
            if path.stem.isdecimal() and _is_stale(path):
                path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        old_umask = os.umask(0o177)  # the folder may let others in
        try:
            with socket_address(self._path) as address:
                self._listener.bind(address)
            self._listener.listen(8)
            self._listener.setblocking(False)
        except OSError:
            self._listener.close()
            raise
        finally:
            os.umask(old_umask)
        self.fd = self._listener.fileno()

    @classmethod
    def open(cls, config: Config, snapshot: Callable[[], Any], log: Log) -> StatusSocket | None:
        """Listen where the settings say; where that cannot be it is said, and nothing else is worse for it."""
        folder = config.propane_accessories.status_folder
        if not folder:
            return None
        try:
            return cls(config.root / folder, snapshot)
        except OSError as error:
            log.warning("status_unavailable", folder=folder, reason=error.strerror or error)
            return None

    def answer(self) -> None:
        """Answer who asks; a reader that is too slow gets what fits in its socket."""
        with suppress(OSError):
            connection, _address = self._listener.accept()
            with connection:
                connection.setblocking(False)
                connection.sendall(json.dumps(self._snapshot()).encode())

    def close(self) -> None:
        """Stop listening and leave nothing behind."""
        self._listener.close()
        self._path.unlink(missing_ok=True)


def _is_stale(path: Path) -> bool:
    """Say whether this is a socket behind which nobody is: a manager that was killed has left it."""
    with socket.socket(socket.AF_UNIX) as probe, socket_address(path) as address:
        probe.settimeout(TIMEOUT_SECONDS)
        return path.is_socket() and probe.connect_ex(address) == errno.ECONNREFUSED


def query_managers(folder: Path) -> list[dict[str, Any]]:
    """Return what each manager in that folder answers."""
    snapshots = []
    for path in sorted(folder.glob("*.sock")):
        with (
            suppress(OSError, ValueError),
            socket.socket(socket.AF_UNIX) as connection,
            socket_address(path) as address,
        ):
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(address)
            with connection.makefile("rb") as answer:
                snapshots.append(json.load(answer))
    return snapshots
