"""Every response has the id of its request, and log lines have it too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arlen_runtime import scope
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire
from arlen_runtime.web.context import Context

SITE = """
from arlen_runtime import App, Config, Context, Routes

def home(ctx: Context) -> list[str]:
    ctx.log.info("at_home")
    return [ctx.request_id, ctx.correlation_id]

def fail(ctx: Context) -> None:
    raise RuntimeError("why")

def routes(r: Routes) -> None:
    r.get("/", home)
    r.get("/fail", fail)
    r.post("/small", home, limit=1)

def create(config: Config) -> App:
    return App(config, routes)
"""
GIVEN = "order-4711"


def routes(r: Routes) -> None:
    """Return both ids, or fail."""
    r.get("/", lambda ctx: [ctx.request_id, scope.request_id.get()])
    r.get("/fail", _fail)


def _fail(_ctx: Context) -> None:
    raise RuntimeError


def test_every_answer_has_the_id_of_its_own_request(serve: Callable[..., TestClient]) -> None:
    client = serve(routes)
    first, second = client.get("/"), client.get("/")
    assert first.json() == [first.headers["x-request-id"]] * 2
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for path in ("/fail", "/nothing", "/livez"):
        assert len(client.get(path).headers["x-request-id"]) == 24


def test_an_id_from_an_untrusted_client_is_ignored(serve: Callable[..., TestClient]) -> None:
    assert serve(routes).get("/", headers={"X-Request-Id": "forged-by-me"}).headers["x-request-id"] != "forged-by-me"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve behind a trusted proxy: the tests themselves."""
    root: Path = tmp_path_factory.mktemp("site")
    (root / "app.py").write_text(SITE)
    with RunningServer(root, "app:create", "--workers", "1", "--trusted-proxies", "127.0.0.1") as running:
        yield running


def test_a_correlation_id_that_was_passed_on_is_in_every_line_of_its_request(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        request, correlation = json.loads(wire.get("/", f"X-Correlation-Id: {GIVEN}").body)
    assert request != correlation == GIVEN
    for event in ("at_home", "request"):
        server.wait_for(event, request_id=request, correlation_id=GIVEN)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"X-Correlation-Id: {GIVEN}", GIVEN),
        ("traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("X-Request-Id: given-by-a-proxy", "given-by-a-proxy"),
    ],
)
def test_the_correlation_id_of_an_error_leads_to_its_record(server: RunningServer, line: str, expected: str) -> None:
    with Wire(server.port) as wire:
        answer = wire.get("/fail", line)
    problem = json.loads(answer.body)
    assert problem["correlation_id"] == expected
    assert problem["request_id"] == answer.headers["x-request-id"]
    server.wait_for("request_failed", request_id=problem["request_id"], correlation_id=expected)


def test_a_refusal_of_the_server_is_correlated_too(server: RunningServer) -> None:
    with Wire(server.port) as wire:
        wire.send(f"POST /small HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nX-Correlation-Id: {GIVEN}\r\n\r\n".encode())
        answer = wire.answer()
    assert (answer.status, json.loads(answer.body)["correlation_id"]) == (413, GIVEN)
    server.wait_for("request", status=413, correlation_id=GIVEN)


def test_an_untrusted_client_cannot_set_the_correlation_id(serve: Callable[..., TestClient]) -> None:
    answer = serve(routes).get("/fail", headers={"X-Correlation-Id": GIVEN})
    assert answer.json()["correlation_id"] == answer.json()["request_id"] == answer.headers["x-request-id"]
