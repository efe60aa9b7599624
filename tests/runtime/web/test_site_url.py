"""Absolute URLs have the configured host, never one that a client sent in production."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import AppSection, Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient


def reset(ctx: Any) -> dict[str, str]:  # noqa: ANN401 - a context
    """Answer with the link of a mail."""
    return {"link": ctx.absolute_url_for("reset", token="a b", via=["x", "y"])}


def routes(r: Routes) -> None:
    """Add a route, and one with a host."""
    r.get("/reset", reset, name="reset")
    r.get("/", lambda _ctx: None, name="shop", host="{tenant}.example.com")


def config(environment: str, url: str = "") -> Config:
    """Return a configuration with `[app] url`."""
    return Config(environment, Path(), app=AppSection(url=url))


@pytest.mark.parametrize(
    ("environment", "url", "host", "status", "link"),
    [
        ("production", "https://example.org", "evil.example", 200, "https://example.org/reset?token=a+b&via=x&via=y"),
        ("production", "", "evil.example", 500, None),
        ("production", "", "localhost", 500, None),
        ("development", "", "localhost:3000", 200, "http://localhost:3000/reset?token=a+b&via=x&via=y"),
        ("development", "", "evil.example", 400, None),
        ("development", "https://example.org", "localhost", 200, "https://example.org/reset?token=a+b&via=x&via=y"),
        ("test", "", "localhost", 200, "http://localhost/reset?token=a+b&via=x&via=y"),
    ],
)
def test_a_forged_host_is_in_no_link(
    serve: Callable[..., TestClient], environment: str, url: str, host: str, status: int, link: str | None
) -> None:
    answer = serve(routes, config=config(environment, url)).get("/reset", headers={"Host": host})
    assert (answer.status, answer.json().get("link")) == (status, link)
    assert environment == "development" or "evil" not in answer.text


@pytest.mark.parametrize("environment", ["production", "development", "test"])
def test_outside_of_a_request_the_setting_is_needed(environment: str) -> None:
    with pytest.raises(ArlenError, match=r"\[app\].*ARLEN_APP_URL"):
        App(config(environment), routes).absolute_url_for("reset")
    app = App(config(environment, "https://example.org:8443"), routes)
    assert app.absolute_url_for("reset", token=1) == "https://example.org:8443/reset?token=1"


def test_a_route_with_a_host_has_that_host() -> None:
    app = App(config("production", "https://example.org:8443"), routes)
    assert app.absolute_url_for("shop", tenant="Acme", page=2) == "https://acme.example.com:8443/?page=2"
    assert app.url_for("shop", tenant="acme") == "/"
    with pytest.raises(ArlenError, match="needs a value for 'tenant'"):
        app.absolute_url_for("shop")
