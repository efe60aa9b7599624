"""Names the manager that listens at an address that is in use, if it is one of propane's.

Managers are asked by their status sockets. The kernel lists the unix sockets of all applications in
/proc/net/unix (Linux); elsewhere only those of the same application are found. What answers is
believed only if it is the process that its socket is named after.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from arlen_runtime.config.sections import Config
from arlen_runtime.propane.manager.status_socket import query_manager, search_folders
from arlen_runtime.propane.system.listeners import AddressInUseError

SECONDS = 1.0
"""How long one manager may take to answer: the command that asks is ending."""

_UNIX_SOCKETS = Path("/proc/net/unix")
_STATUS_PATH = re.compile(r"(/\S.*/[0-9]+\.sock)$", re.MULTILINE)
_WILDCARDS = ("http://0.0.0.0", "http://[::]")


@contextmanager
def naming_holder(config: Config) -> Iterator[None]:
    """Add the holder of an address in use to the error that says so. Raises BootError."""
    try:
        yield
    except AddressInUseError as error:
        for path in _status_sockets(config):
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # whatever it answers
                snapshot = query_manager(path, SECONDS, _is_named_after_its_process)
                if any(_collide(error.address, address) for address in snapshot["listening"]):
                    raise error.held_by(_describe(snapshot)) from error
        raise


def _status_sockets(config: Config) -> list[Path]:
    paths = [path for folder in search_folders(config) for path in folder.glob("*.sock")]
    with suppress(OSError):
        listed = _UNIX_SOCKETS.read_text(encoding="utf-8", errors="surrogateescape")
        paths += [Path(path) for path in _STATUS_PATH.findall(listed)]
    return list(dict.fromkeys(paths))


def _is_named_after_its_process(connection: socket.socket, path: Path) -> bool:
    """Return True if the peer's process id is the one in the name of the socket (unix(7))."""
    if sys.platform != "linux":
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return str(struct.unpack("3i", credentials)[0]) == path.stem


def _collide(first: str, second: str) -> bool:
    """Return True if two listeners, written as `address_of` does, cannot both be open."""
    (host, _, port), (other_host, _, other_port) = first.rpartition(":"), second.rpartition(":")
    same_family = ("[" in host) == ("[" in other_host)
    has_wildcard = host in _WILDCARDS or other_host in _WILDCARDS
    return first == second or (port == other_port and same_family and has_wildcard)


def _describe(snapshot: dict[str, Any]) -> str:
    program, root, pid = snapshot["program"], str(snapshot["root"]), int(snapshot["pid"])
    name = program if program in {"arlen serve", "propane"} else "propane"
    return f"`{name}` of {root if root.isprintable() else ascii(root)} (pid {pid})"
