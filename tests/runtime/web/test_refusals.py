"""A WebSocket handshake is refused before anything of the application runs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@pytest.mark.parametrize(
    ("method", "upgrade", "key", "status"),
    [
        ("GET", "websocket", KEY, 501),
        ("GET", "WebSocket", None, 501),
        ("GET", "h2c, websocket", KEY, 501),
        ("GET", None, KEY, 501),
        ("GET", "h2c", None, 200),
        ("POST", "websocket", KEY, 200),
    ],
)
def test_a_handshake_is_501_with_the_remedy(
    serve: Callable[..., TestClient], method: str, upgrade: str | None, key: str | None, status: int
) -> None:
    calls: list[str] = []

    def act(_ctx: object) -> dict[str, str]:
        calls.append("act")
        return {}

    def routes(r: Routes) -> None:
        r.any("/", act, guard=lambda _ctx: None)

    fields = {"Connection": "Upgrade", "Upgrade": upgrade, "Sec-WebSocket-Key": key}
    answer = serve(routes).request(method, "/", headers=fields)
    assert (answer.status, calls) == (status, [] if status == 501 else ["act"])
    if status == 501:
        assert answer.headers["content-type"] == "application/problem+json"
        assert "ctx.events()" in answer.json()["detail"]
