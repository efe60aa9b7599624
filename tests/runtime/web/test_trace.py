"""ctx.traceparent: only the trace of a trusted proxy goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config, ServerSection
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def act(ctx: Context) -> list[str]:
    """Ask twice: it is the same for all of a request."""
    return [ctx.traceparent, ctx.traceparent]


def routes(r: Routes) -> None:
    r.get("/", act)


def client(root: Path, *trusted: str) -> TestClient:
    return TestClient(App(Config("production", root, server=ServerSection(trusted_proxies=trusted)), routes))


def test_a_trusted_proxy_s_trace_goes_on_and_each_request_is_a_new_span(tmp_path: Path) -> None:
    asked = client(tmp_path, "127.0.0.0/8")
    first, again = asked.get("/", headers={"traceparent": SENT}).json()
    (second, _) = asked.get("/", headers={"traceparent": SENT}).json()
    assert first == again != second
    for value in (first, second):
        assert value.startswith(f"00-{TRACE}-")
        assert value.endswith("-01")
        assert value != SENT


@pytest.mark.parametrize(
    ("trusted", "header"),
    [((), SENT), (("10.0.0.0/8",), SENT), (("127.0.0.1",), "x" * 8000), (("127.0.0.1",), None)],
    ids=["stranger", "another proxy", "invalid", "none"],
)
def test_otherwise_a_new_trace_begins(tmp_path: Path, trusted: tuple[str, ...], header: str | None) -> None:
    asked = client(tmp_path, *trusted)
    first = asked.get("/", headers={"traceparent": header}).json()[0]
    second = asked.get("/", headers={"traceparent": header}).json()[0]
    assert TRACE not in first
    assert first.endswith("-00")
    assert first.split("-")[1] != second.split("-")[1]
