"""What the access line calls an endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.context import Context


def show(ctx: Context) -> dict[str, object]:
    return {"id": ctx.route["id"]}


def head(method: str, path: str) -> Head:
    return Head(method, path, "", 1, Headers([]), "x", True, None, False, False, "request-1", "::1", "::1", "http")


def routes(r: Routes) -> None:
    r.get("/posts/{id:int}", show, name="post")
    r.get("/grüße", show)


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", "/posts/3", {"route": "/posts/{id:int}", "action": f"{__name__}.show"}),
        ("HEAD", "/posts/4", {"route": "/posts/{id:int}", "action": f"{__name__}.show"}),
        ("GET", "/nothing/%0Aforged", {"route": "not_found"}),
        ("POST", "/posts/3", {"route": "method_not_allowed"}),
        ("OPTIONS", "/posts/3", {"route": "options"}),
        ("GET", "/posts/3/", {"route": "other_slash"}),
        ("GET", "/%ff", {"route": "bad_path"}),
        ("GET", "/readyz", {"route": "/readyz", "action": "arlen_runtime.web.health.Health.readyz"}),
    ],
)
def test_an_admission_carries_route_and_action(tmp_path: Path, method: str, path: str, fields: dict[str, str]) -> None:
    assert App(Config("production", tmp_path), routes).admit(head(method, path)).log_fields.fields == fields


def test_all_requests_of_a_route_share_one_fragment(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), routes)
    assert app.admit(head("GET", "/posts/1")).log_fields is app.admit(head("GET", "/posts/2")).log_fields
