"""A WebSocket handshake is refused before anything of the application runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient

HANDSHAKE = {"Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}


@pytest.mark.parametrize(
    ("method", "upgrade", "status", "ran"),
    [
        ("GET", "websocket", 501, []),
        ("GET", "WebSocket", 501, []),
        ("GET", "h2c, websocket", 501, []),
        ("GET", "h2c", 200, ["act"]),
        ("POST", "websocket", 200, ["act"]),
    ],
)
def test_a_handshake_is_501_with_the_remedy(
    serve: Callable[..., TestClient], method: str, upgrade: str, status: int, ran: list[str]
) -> None:
    calls: list[str] = []

    def act(_ctx: object) -> dict[str, str]:
        calls.append("act")
        return {}

    def routes(r: Routes) -> None:
        r.any("/", act, guard=lambda _ctx: None)

    answer = serve(routes).request(method, "/", headers={**HANDSHAKE, "Upgrade": upgrade})
    assert (answer.status, calls) == (status, ran)
    if status == 501:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "ctx.events()" in answer.json()["detail"]
