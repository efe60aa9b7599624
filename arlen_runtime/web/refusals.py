"""Requests that are refused at admission, whatever their path: WebSocket handshakes.

Nothing of the application runs for them, and the server closes the connection after the answer.
"""

from __future__ import annotations

from arlen_runtime.errors import NotImplementedByServer
from arlen_runtime.http.request import Head

_WEBSOCKETS = "There are no WebSockets: ctx.events() sends events, or put a WebSocket server behind the proxy."


def reject_websocket(head: Head) -> None:
    """Raise NotImplementedByServer for a WebSocket handshake (RFC 6455 section 4.1).

    A proxy may have dropped Upgrade, which is for its own connection (RFC 9110 section 7.6.1); the
    key, which every handshake has and no script can set, is left. Upgrade to other protocols is
    optional for a server: it is ignored, and in HTTP/1.0 it must be (section 7.8).
    """
    protocols = head.headers.get_list("upgrade").lower().split(",") if head.minor else ()
    is_handshake = "sec-websocket-key" in head.headers or any(name.strip() == "websocket" for name in protocols)
    if head.method == "GET" and is_handshake:
        raise NotImplementedByServer(_WEBSOCKETS)
