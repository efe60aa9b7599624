"""Listening sockets. One rule: they are bound once, by the supervisor, and inherited: no generation ever binds.

A socket with SO_REUSEPORT per worker loses the queue of each listener that closes, so there is one socket and one queue.
"""

from __future__ import annotations

import errno
import socket

from arlen_runtime.errors import BootError


def bind(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Bind every address of `host` (a name, IPv4 or IPv6) and listen; port 0 takes a free one. Raise BootError."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise BootError(f"cannot listen on {host!r}: {error.strerror}") from error
    opened: list[socket.socket] = []
    for family, _kind, _protocol, _name, address in dict.fromkeys(found):
        chosen = opened[0].getsockname()[1] if opened else port
        try:
            opened.append(_listen(family, (address[0], chosen, *address[2:]), backlog))
        except OSError as error:
            for each in opened:
                each.close()
            raise BootError(_reason(host, port, error)) from error
    return opened


def _listen(family: int, address: tuple[object, ...], backlog: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has its own socket
        listener.bind(address)
        listener.listen(backlog)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _reason(host: str, port: int, error: OSError) -> str:
    reasons = {
        errno.EADDRINUSE: f"port {port} on {host} is in use; choose another with --port",
        errno.EACCES: f"port {port} on {host} may not be bound by this user; choose one above 1023 with --port",
        errno.EADDRNOTAVAIL: f"{host} is not an address of this machine",
    }
    return reasons.get(error.errno or 0, f"cannot listen on {host}:{port}: {error.strerror}")


def adopt(fd: int) -> socket.socket:
    """Return the inherited listener behind `fd`."""
    listener = socket.socket(fileno=fd)
    listener.setblocking(False)
    return listener


def address_of(listener: socket.socket) -> str:
    """Return where it listens, for people: http://host:port."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if listener.family == socket.AF_INET6 else f"http://{host}:{port}"
