"""Messages between the processes.

Invariant: a message is one packet: it arrives whole or not at all.

The manager and each generation share a pair of SOCK_SEQPACKET sockets. The workers inherit the
generation's end: they send on it (`ready`) and notice the manager's exit, but never receive from
it. A second pair carries connections that are handed over.
"""

from __future__ import annotations

import errno
import json
import socket
from typing import Any, NamedTuple

PACKET_BYTES = 65536
MAX_TEXT_CHARACTERS = 4000
"""Longer texts are cut, so that a packet is never too long: in JSON a character takes at most
twelve bytes.
"""
CONNECTION_PACKET_BYTES = 131072
"""A connection is handed over with what was received of a request: the kernel takes twice this
(socket(7)).
"""
FIELDS: dict[str, dict[str, type]] = {
    "fork": {"number": int, "row": int},
    "end": {},
    "importing": {"pid": int, "source_digest": str},
    "changed_during_import": {"pid": int, "source_digest": str},
    "booted": {"pid": int},
    "failed": {"pid": int, "reason": str},
    "forked": {"row": int, "pid": int},
    "not_forked": {"row": int, "reason": str},
    "ready": {"row": int, "pid": int},
    "outdated": {"pid": int, "source_digest": str},
    "retiring": {"pid": int},
    "exited": {"pid": int, "status": int},
}
"""Kinds of messages and their fields. `failed` also has a number: None for the whole generation."""
_FULL_ERRNOS = {errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM}
Message = dict[str, Any]


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Open a connected pair: non-blocking, closed on exec unless passed on."""
    kind = socket.SOCK_SEQPACKET if hasattr(socket, "SOCK_SEQPACKET") else socket.SOCK_DGRAM
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.setblocking(False)
    return ends


def send(end: socket.socket, kind: str, **fields: Any) -> bool:  # noqa: ANN401 - JSON values
    """Send a message, long texts cut. Return False if the peer takes no more now.

    It is also False if the peer has closed.
    """
    shortened = {
        name: value[:MAX_TEXT_CHARACTERS] if isinstance(value, str) else value for name, value in fields.items()
    }
    try:
        end.send(json.dumps({"kind": kind, **shortened}).encode())
    except OSError:
        return False
    return True


def receive(end: socket.socket) -> Message | None:
    """Return the next message, None if none waits. EOFError if the peer has closed."""
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
    """Return the message of a packet; None for a stray one.

    An application can write to any descriptor that it has.
    """
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
    """What is known of a connection: peer, scheme, what another worker has learned.

    `proxy_header_read` is True if the PROXY header was read already, or if none is expected.
    `received` are the bytes of a request that has begun. `handed_over` is True if another worker
    had it before.
    """

    peer: str
    scheme: str = "http"
    proxy_header_read: bool = False
    received: bytes = b""
    handed_over: bool = False


class PacketTooLargeError(Exception):
    """More was received on a connection than fits in a packet.

    It cannot be handed over as it is.
    """


def send_connection(end: socket.socket, connection: socket.socket, info: ConnectionInfo) -> bool:
    """Send a connection and its info. Return False if the pair is full now.

    Raise PacketTooLargeError if what was received does not fit in a packet.
    """
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
    """Return the next handed-over connection with its info; None if none waits."""
    try:
        packet, fds, _flags, _address = socket.recv_fds(end, CONNECTION_PACKET_BYTES, 1)
    except BlockingIOError:
        return None
    if not fds:
        return None
    facts, _, received = packet.partition(b"\n")
    peer, scheme, proxy_header_read = json.loads(facts)
    return socket.socket(fileno=fds[0]), ConnectionInfo(peer, scheme, proxy_header_read, received, handed_over=True)
