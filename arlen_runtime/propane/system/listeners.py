"""Listening sockets.

Invariant: the manager binds them once and generations inherit them; no generation ever binds. With
a SO_REUSEPORT socket for each worker, the backlog of a listener that closes would be lost, so there
is one socket with one backlog. An address is written `host:port`, `[v6]:port` or `unix:path`.
Sockets from systemd replace all configured addresses.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from arlen_runtime.config.sections import ServerSection
from arlen_runtime.errors import BootError

UNIX = "unix:"
FIRST_FD = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""

_SO_BINDTOIFINDEX = 62  # asm-generic/socket.h; from Linux 5.7 on an ordinary user may set it, once
_NO_INTERFACE = 0x7FFFFFFF


class BindAddress(NamedTuple):
    """Where to listen: host (name, IPv4, IPv6) and port, or a unix socket's path."""

    host: str
    port: int
    path: str = ""


class AddressInUseError(BootError):
    """Another program listens at the address, which is written as `address_of` does."""

    def __init__(self, name: str, remedy: str, address: str) -> None:
        """Say what is in use and what to do about it."""
        super().__init__(f"{name} is in use; {remedy}")
        self.address = address
        self._name = name
        self._remedy = remedy

    def held_by(self, holder: str) -> BootError:
        """Return the same error with the holder in it."""
        return BootError(f"{self._name} is in use by {holder}; {self._remedy}")


def addresses_of(server: ServerSection) -> list[BindAddress]:
    """Return the configured addresses: `bind` if set, else `host` and `port`.

    Raise BootError if one is invalid.
    """
    if server.bind:
        return [_bind_address(text) for text in server.bind]
    return [_bind_address(server.host) if server.host.startswith(UNIX) else BindAddress(server.host, server.port)]


def check_addresses(server: ServerSection) -> None:
    """Raise BootError if no server could listen at a configured address.

    Nothing is bound: the address may be in use.
    """
    mode_of(server)
    for address in addresses_of(server):
        if not address.path:
            _resolve(address.host, address.port)


def _bind_address(text: str) -> BindAddress:
    path = text.removeprefix(UNIX)
    if path and path != text:
        return BindAddress("", 0, path)
    host, _, port = text.rpartition(":")
    name = host.removeprefix("[").removesuffix("]")
    max_port = 65535
    number = int(port) if port.isdecimal() and len(port) <= len(str(max_port)) else max_port + 1
    if not name or (":" in name and name == host) or number > max_port:
        raise BootError(f"cannot listen on {text!r}: write host:port, [IPv6]:port or unix:/path")
    return BindAddress(name, number)


class Listeners:
    """Listening sockets, and the paths to remove when the command ends.

    `paths` are our own unix sockets with their inodes. `addresses` has one entry for each socket,
    or none if the sockets come from elsewhere.
    """

    def __init__(
        self,
        sockets: Iterable[socket.socket],
        paths: Mapping[str, int] | None = None,
        addresses: Iterable[BindAddress] = (),
    ) -> None:
        self.sockets = list(sockets)
        self.paths = dict(paths or {})
        self.addresses = list(addresses)

    @classmethod
    def open(cls, server: ServerSection, backlog: int, root: Path, environ: MutableMapping[str, str]) -> Listeners:
        """Use the sockets from systemd, else bind the configured addresses.

        Raise BootError; nothing is left open then.
        """
        inherited = from_systemd(environ)
        if inherited:
            return cls(inherited)
        return cls.bind_all(addresses_of(server), mode_of(server), backlog, root)

    @classmethod
    def bind_all(cls, addresses: Iterable[BindAddress], mode: int, backlog: int, root: Path) -> Listeners:
        """Listen at these addresses. Raise BootError; nothing is left open then."""
        listeners = cls([])
        try:
            for address in addresses:
                listeners._bind(address, mode, backlog, root)
        except BootError:
            listeners.close()
            raise
        return listeners

    def _bind(self, address: BindAddress, mode: int, backlog: int, root: Path) -> None:
        if address.path:
            path = root / address.path
            bound = [bind_unix(path, mode, backlog)]
            self.paths[str(path)] = path.stat().st_ino
        else:
            bound = bind(address.host, address.port, backlog)
        self.sockets += bound
        self.addresses += [address] * len(bound)

    def add(self, others: Listeners) -> None:
        """Take over the listeners of another object."""
        self.sockets += others.sockets
        self.addresses += others.addresses
        self.paths |= others.paths

    def remove(self, addresses: Iterable[BindAddress]) -> Listeners:
        """Remove the listeners at these addresses, and return them."""
        removed_addresses = set(addresses)
        removed, kept = Listeners([]), Listeners([])
        for listener, address in zip(self.sockets, self.addresses, strict=True):
            side = removed if address in removed_addresses else kept
            side.sockets.append(listener)
            side.addresses.append(address)
        removed_paths = {address_of(listener).removeprefix(UNIX) for listener in removed.sockets}
        removed.paths = {path: inode for path, inode in self.paths.items() if path in removed_paths}
        for path in removed.paths:
            del self.paths[path]
        self.sockets, self.addresses = kept.sockets, kept.addresses
        return removed

    @property
    def owned(self) -> bool:
        """Return True if this process has bound them.

        Clients in the backlog of another process's sockets wait for the next server that gets them.
        """
        return bool(self.addresses)

    def shut_down(self) -> None:
        """Refuse new connections; those in the backlog can still be accepted."""
        if self.owned:
            for listener in self.sockets:
                shut_down(listener)

    def close(self) -> None:
        """Close all. Remove our unix sockets, unless another process has replaced them."""
        for listener in self.sockets:
            listener.close()
        for path, inode in self.paths.items():
            with suppress(OSError):
                if os.stat(path).st_ino == inode:  # noqa: PTH116 - only the number is needed
                    os.unlink(path)  # noqa: PTH108 - likewise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def from_systemd(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the sockets passed to this process; remove the variables from `environ`."""
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not count.isdecimal() or pid != str(os.getpid()):
        return []
    inherited = []
    for fd in range(FIRST_FD, FIRST_FD + int(count)):
        try:
            listener = adopt(fd)
            is_listening = listener.type == socket.SOCK_STREAM and listener.getsockopt(
                socket.SOL_SOCKET, socket.SO_ACCEPTCONN
            )
        except OSError as error:
            raise BootError(f"descriptor {fd} from LISTEN_FDS is not a socket: {error.strerror}") from error
        if not is_listening:
            raise BootError(f"descriptor {fd} from LISTEN_FDS is not a listening stream socket")
        inherited.append(listener)
    return inherited


def bind(host: str, port: int, backlog: int) -> list[socket.socket]:
    """Listen at every address of `host`; port 0 takes a free one. Raise BootError."""
    listeners: list[socket.socket] = []
    for family, address in _resolve(host, port):
        bound_port = listeners[0].getsockname()[1] if listeners else port
        try:
            listeners.append(_listen(family, (address[0], bound_port, *address[2:]), backlog))
        except OSError as error:
            for listener in listeners:
                listener.close()
            if error.errno == errno.EADDRINUSE:
                name, remedy = f"port {bound_port} on {host}", "choose another with --port"
                raise AddressInUseError(name, remedy, _http_address(family, address[0], bound_port)) from error
            raise BootError(_bind_error(host, port, error)) from error
    return listeners


def _resolve(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    """Return family and address of every address of a name. Raise BootError."""
    try:
        results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError) as error:  # UnicodeError is a ValueError: no resolver accepts such a label
        raise BootError(f"cannot listen on {host!r}: {getattr(error, 'strerror', None) or error}") from error
    return list(dict.fromkeys((family, address) for family, _kind, _protocol, _name, address in results))


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


def _bind_error(host: str, port: int, error: OSError) -> str:
    reasons = {
        errno.EACCES: f"port {port} on {host} may not be bound by this user; choose one above 1023 with --port",
        errno.EADDRNOTAVAIL: f"{host} is not an address of this machine",
    }
    return reasons.get(error.errno or 0, f"cannot listen on {host}:{port}: {error.strerror}")


def mode_of(server: ServerSection) -> int:
    """Return the permissions of a unix socket. Raise BootError."""
    try:
        return int(server.socket_mode, 8) & 0o777
    except ValueError:
        raise BootError(f"[server] socket_mode must be octal digits like 0660, not {server.socket_mode!r}") from None


def bind_unix(path: Path, mode: int, backlog: int) -> socket.socket:
    """Listen at a path, with these permissions from the start. Raise BootError.

    The socket of a server that has exited is replaced.
    """
    listener = socket.socket(socket.AF_UNIX)
    old_umask = os.umask(0o777 & ~mode)
    try:
        _remove_stale_socket(path)
        listener.bind(str(path))
        path.chmod(mode)
        listener.listen(backlog)
        listener.setblocking(False)
    except BootError:
        listener.close()
        raise
    except (OSError, ValueError) as error:  # a path too long, or with a zero byte
        listener.close()
        raise BootError(f"cannot listen on {UNIX}{path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        os.umask(old_umask)
    return listener


def _remove_stale_socket(path: Path) -> None:
    """Remove an exited server's socket. Raise BootError if it is in use or no socket."""
    if not path.exists() and not path.is_symlink():
        return
    if not path.is_socket():
        raise BootError(f"cannot listen on {UNIX}{path}: the path exists and is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(str(path)) != errno.ECONNREFUSED:
            name, remedy = f"{UNIX}{path}", "stop the server that listens there, or choose another path"
            raise AddressInUseError(name, remedy, name)
    path.unlink()


def shut_down(listener: socket.socket) -> None:
    """Refuse new connections and keep the backlog, where that is possible.

    Closing would reset the connections in the backlog. A unix socket is shut down for reading:
    connecting fails from then on (unix(7)). For TCP that would drop the backlog, so the socket is
    bound to an interface that does not exist: no SYN reaches it any more, and clients are refused
    at once. A handshake in progress has the interface of its own SYN and completes. Undoing this
    needs CAP_NET_RAW.
    """
    with suppress(OSError):
        if listener.family == socket.AF_UNIX:
            listener.shutdown(socket.SHUT_RD)
        elif sys.platform == "linux":
            listener.setsockopt(socket.SOL_SOCKET, _SO_BINDTOIFINDEX, _NO_INTERFACE)


def adopt(fd: int) -> socket.socket:
    """Return the inherited listener behind `fd`."""
    listener = socket.socket(fileno=fd)
    listener.setblocking(False)
    os.set_inheritable(fd, False)
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted sockets inherit it
    return listener


def address_of(listener: socket.socket) -> str:
    """Return a listener's address as text: http://host:port or unix:/path."""
    if listener.family == socket.AF_UNIX:
        return f"{UNIX}{listener.getsockname()}"
    return _http_address(listener.family, *listener.getsockname()[:2])


def _http_address(family: int, host: object, port: int) -> str:
    return f"http://[{host}]:{port}" if family == socket.AF_INET6 else f"http://{host}:{port}"
