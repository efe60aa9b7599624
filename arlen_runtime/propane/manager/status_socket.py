"""The status socket: where a running manager is found and queried.

Invariant: a query cannot hold the manager up; it writes one answer and closes. The unix socket
`<pid>.sock` may be used only by its own user, in a folder that others may share. An application can
have several managers or none. If the folder cannot be written, only the status is unavailable.
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
"""The longest path that every system accepts for a unix socket (unix(7): 108, macOS: 104)."""
TIMEOUT_SECONDS = 5.0


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """Yield an address for the socket at `path`.

    If the path is too long, the address goes through a descriptor of its folder.
    """
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class StatusSocket:
    """The manager's end: listens in `folder`, answers with `snapshot`. Raises OSError."""

    def __init__(self, folder: Path, snapshot: Callable[[], Any]) -> None:
        self._snapshot = snapshot
        self._path = folder / f"{os.getpid()}.sock"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in folder.glob("*.sock"):
            if path.stem.isdecimal() and _is_stale(path):
                path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        old_umask = os.umask(0o177)  # other users may have access to the folder
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
        """Listen in the configured folder. If that fails, log a warning and return None."""
        folder = config.propane_accessories.status_folder
        if not folder:
            return None
        try:
            return cls(config.root / folder, snapshot)
        except OSError as error:
            log.warning("status_unavailable", folder=folder, reason=error.strerror or error)
            return None

    def answer(self) -> None:
        """Answer one query. A slow reader gets what fits in its socket buffer."""
        with suppress(OSError):
            connection, _address = self._listener.accept()
            with connection:
                connection.setblocking(False)
                connection.sendall(json.dumps(self._snapshot()).encode())

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._listener.close()
        self._path.unlink(missing_ok=True)


def _is_stale(path: Path) -> bool:
    """Return True if nothing listens on this socket: a killed manager has left it."""
    with socket.socket(socket.AF_UNIX) as probe, socket_address(path) as address:
        probe.settimeout(TIMEOUT_SECONDS)
        return path.is_socket() and probe.connect_ex(address) == errno.ECONNREFUSED


def query_managers(folder: Path) -> list[dict[str, Any]]:
    """Return the snapshot of each manager that answers in that folder."""
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
