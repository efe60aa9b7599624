"""What the processes say to each other. One rule: a message is one packet, whole or not at all.

The supervisor and each generation share a pair of SOCK_SEQPACKET sockets; the workers inherit the generation's end, to
speak (`ready`) and to notice the supervisor's end, not to listen. A second pair carries connections that are passed on.
"""

from __future__ import annotations

import json
import socket
from typing import Any

PACKET = 65536
Message = dict[str, Any]


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Open two connected ends; both non-blocking, closed on exec unless passed on."""
    kind = socket.SOCK_SEQPACKET if hasattr(socket, "SOCK_SEQPACKET") else socket.SOCK_DGRAM
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.setblocking(False)
    return ends


def say(end: socket.socket, kind: str, **fields: Any) -> bool:  # noqa: ANN401 - JSON values
    """Send a message; False when the other side is gone."""
    try:
        end.send(json.dumps({"kind": kind, **fields}).encode())
    except (BrokenPipeError, ConnectionError, BlockingIOError):
        return False
    return True


def hear(end: socket.socket) -> Message | None:
    """Return the next message, None when none is waiting; EOFError when the other side is gone."""
    try:
        packet = end.recv(PACKET)
    except BlockingIOError:
        return None
    except ConnectionError as error:
        raise EOFError from error
    if not packet:
        raise EOFError
    message: Message = json.loads(packet)
    return message


def pass_connection(end: socket.socket, connection: socket.socket, **facts: Any) -> bool:  # noqa: ANN401 - JSON values
    """Send a connection and what is known of it; False when the pair is full just now."""
    try:
        socket.send_fds(end, [json.dumps(facts).encode()], [connection.fileno()])
    except BlockingIOError:
        return False
    return True


def take_connection(end: socket.socket) -> tuple[socket.socket, Message] | None:
    """Return the next connection that was passed on, and what is known of it; None when none is waiting."""
    try:
        packet, fds, _flags, _address = socket.recv_fds(end, PACKET, 1)
    except BlockingIOError:
        return None
    if not fds:
        return None
    return socket.socket(fileno=fds[0]), json.loads(packet)
