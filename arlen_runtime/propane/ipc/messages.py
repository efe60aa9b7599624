"""What the processes say to each other. One rule: a message is one packet, whole or not at all.

The supervisor and each generation share a pair of SOCK_SEQPACKET sockets; the workers inherit the generation's end, to
speak (`ready`) and to notice the supervisor's end, not to listen. A second pair carries connections that are passed on.
"""

from __future__ import annotations

import errno
import json
import socket
from typing import Any, NamedTuple

PACKET_BYTES = 65536
MAX_TEXT_CHARACTERS = 4000
"""How much of a text is said, so that a packet is never too long: in JSON a character takes twelve bytes at most."""
CONNECTION_PACKET_BYTES = 131072
"""A connection that is passed on travels with what has been received of a request: the kernel takes twice this (socket(7))."""
FIELDS: dict[str, dict[str, type]] = {
    "fork": {"number": int, "row": int},
    "end": {},
    "booted": {"pid": int},
    "failed": {"pid": int, "reason": str},
    "forked": {"row": int, "pid": int},
    "not_forked": {"row": int, "reason": str},
    "ready": {"row": int, "pid": int},
    "retiring": {"pid": int},
    "exited": {"pid": int, "status": int},
}
"""The kinds of messages and what each tells; `failed` has a number too, or None for the generation as a whole."""
_FULL_ERRNOS = {errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM}
Message = dict[str, Any]


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Open two connected ends; both non-blocking, closed on exec unless passed on."""
    kind = socket.SOCK_SEQPACKET if hasattr(socket, "SOCK_SEQPACKET") else socket.SOCK_DGRAM
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.setblocking(False)
    return ends


def send(end: socket.socket, kind: str, **fields: Any) -> bool:  # noqa: ANN401 - JSON values
    """Send a message, long texts cut; False when the other side is gone or takes no more just now."""
    shortened = {
        name: value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) else value for name, value in fields.items()
    }
    try:
        end.send(json.dumps({"kind": kind, **shortened}).encode())
    except OSError:
        return False
    return True


def receive(end: socket.socket) -> Message | None:
    """Return the next message, None when none is waiting; EOFError when the other side is gone."""
    while True:
        try:
            packet = end.recv(PACKET_BYTES)
        except BlockingIOError:
            return None
        except ConnectionError as error:
            raise EOFError from error
        if not packet:
            raise EOFError
        message = _parse(packet)
        if message is not None:
            return message


def _parse(packet: bytes) -> Message | None:
    """Read a packet; None for what is nothing of ours: an application may write to any descriptor that it has."""
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    fields = FIELDS.get(str(message.get("kind")))
    if fields is None or not all(isinstance(message.get(name), kind) for name, kind in fields.items()):
        return None
    return message


class ConnectionInfo(NamedTuple):
    """What is known of a connection that comes in: its peer and scheme, and what another worker has learned of it.

    `introduced` says that a balancer has named the client already, or that none is to; `received` are the bytes of a
    request that has begun; `passed` says that another worker had it before.
    """

    peer: str
    scheme: str = "http"
    proxy_header_read: bool = False
    received: bytes = b""
    handed_over: bool = False


class PacketTooLargeError(Exception):
    """More than a packet takes has been received on a connection; it cannot be passed on as it is."""


def send_connection(end: socket.socket, connection: socket.socket, info: ConnectionInfo) -> bool:
    """Send a connection and what is known of it; False when the pair is full just now. PacketTooLargeError."""
    facts = json.dumps(info[:3]).encode()
    if len(facts) + len(info.received) >= CONNECTION_PACKET_BYTES:
        raise PacketTooLargeError
    try:
        socket.send_fds(end, [facts, b"\n", info.received], [connection.fileno()])
    except OSError as error:
        if error.errno in _FULL_ERRNOS:
            return False
        raise
    return True


def receive_connection(end: socket.socket) -> tuple[socket.socket, ConnectionInfo] | None:
    """Return the next connection that was passed on, and what is known of it; None when none is waiting."""
    try:
        packet, fds, _flags, _address = socket.recv_fds(end, CONNECTION_PACKET_BYTES, 1)
    except BlockingIOError:
        return None
    if not fds:
        return None
    facts, _, received = packet.partition(b"\n")
    peer, scheme, proxy_header_read = json.loads(facts)
    return socket.socket(fileno=fds[0]), ConnectionInfo(peer, scheme, proxy_header_read, received, handed_over=True)
