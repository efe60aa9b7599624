"""Requests that are refused at admission, whatever their path: WebSocket handshakes.

Nothing of the application runs for them, and the server closes the connection after the answer.
"""

from __future__ import annotations

from arlen_runtime.errors import NotImplementedByServer
from arlen_runtime.http.request import Head

_WEBSOCKETS = "There are no WebSockets: ctx.events() sends events, or put a WebSocket server behind the proxy."


def reject_websocket(head: Head) -> None:
    """Raise NotImplementedByServer for a WebSocket handshake (RFC 6455 section 4.1).

    Upgrade to other protocols is optional for a server: it is ignored (RFC 9110 section 7.8).
    """
    protocols = head.headers.get_list("upgrade").lower().split(",")
    if head.method == "GET" and any(protocol.strip() == "websocket" for protocol in protocols):
        raise NotImplementedByServer(_WEBSOCKETS)
