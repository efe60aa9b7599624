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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from arlen_runtime.config.sections import Config, PropaneSection
from arlen_runtime.log.logger import Log

MAX_PATH_BYTES = 100
"""The longest path that every system accepts for a unix socket (unix(7): 108, macOS: 104)."""
TIMEOUT_SECONDS = 5.0
RUNTIME_FOLDERS = Path("/run")
"""Where systemd makes a service's RuntimeDirectory (systemd.exec(5))."""


def status_folder(config: Config, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder for the socket of a manager that runs in this environment, if any.

    It is the configured one. A service that systemd has given a folder (RUNTIME_DIRECTORY) uses
    that instead of the default, for its application's folder may be read-only.
    """
    folder = config.propane_accessories.status_folder
    runtime_folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if runtime_folder and folder == PropaneSection().status_folder:
        return Path(runtime_folder)
    return config.root / folder if folder else None


def search_folders(config: Config, environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the folders where the sockets of an application's managers may be.

    A service with the generated unit, whose RuntimeDirectory is app-NAME, is found from any shell.
    """
    own, configured = status_folder(config, environ), status_folder(config, {})
    if configured is None:
        return []
    return list(dict.fromkeys([*filter(None, (own,)), configured, RUNTIME_FOLDERS / f"app-{config.name}"]))


def find_managers(config: Config, environ: Mapping[str, str] = os.environ) -> list[dict[str, Any]]:
    """Return the snapshot of each manager of the application that answers.

    In a folder that is not its own, those of other applications are left out.
    """
    root = os.path.realpath(config.root)
    snapshots = [snapshot for folder in search_folders(config, environ) for snapshot in query_managers(folder)]
    return [snapshot for snapshot in snapshots if os.path.realpath(snapshot.get("root", root)) == root]


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
    def open(
        cls, config: Config, snapshot: Callable[[], Any], log: Log, environ: Mapping[str, str] = os.environ
    ) -> StatusSocket | None:
        """Listen in the folder for it. If that fails, log a warning and return None."""
        folder = status_folder(config, environ)
        if folder is None:
            return None
        try:
            return cls(folder, snapshot)
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
        with suppress(OSError, ValueError):
            snapshots.append(query_manager(path))
    return snapshots


def query_manager(
    path: Path,
    seconds: float = TIMEOUT_SECONDS,
    is_trusted: Callable[[socket.socket, Path], bool] = lambda _connection, _path: True,
) -> dict[str, Any]:
    """Return the snapshot of the manager that answers at a socket. Raises OSError, ValueError."""
    with socket.socket(socket.AF_UNIX) as connection, socket_address(path) as address:
        connection.settimeout(seconds)
        connection.connect(address)
        if not is_trusted(connection, path):
            raise ValueError(f"{path} belongs to another process")
        with connection.makefile("rb") as answer:
            snapshot: dict[str, Any] = json.load(answer)
            return snapshot
