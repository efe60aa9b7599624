"""Which clients may read the metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config, ServerSection
from arlen_runtime.errors import ConfigError
from arlen_runtime.http.request import Request
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient

Head = Callable[..., Request]


def _no_routes(_r: Routes) -> None:
    """Add nothing."""


def _client(root: Path, *networks: str) -> TestClient:
    return TestClient(App(Config("production", root, server=ServerSection(metrics_from=networks)), _no_routes))


def test_a_direct_request_from_an_allowed_network_is_answered(tmp_path: Path) -> None:
    answer = _client(tmp_path, "127.0.0.0/8").get("/metrics")

    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_an_address_outside_of_the_networks_gets_404(tmp_path: Path) -> None:
    assert _client(tmp_path, "10.0.0.0/8").get("/metrics").status == 404


@pytest.mark.parametrize(
    "name", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP", "X-Forwarded-Host", "X-Forwarded-Proto"]
)
def test_a_request_through_a_proxy_gets_404(tmp_path: Path, name: str) -> None:
    assert _client(tmp_path, "127.0.0.0/8").get("/metrics", headers={name: "127.0.0.1"}).status == 404


def test_without_networks_there_is_no_endpoint_and_the_application_may_have_its_own(tmp_path: Path) -> None:
    def own(r: Routes) -> None:
        r.get("/metrics", lambda _ctx: {"mine": True})

    config = Config("production", tmp_path, server=ServerSection(metrics_from=()))
    assert TestClient(App(config, own)).get("/metrics").json() == {"mine": True}


def test_an_invalid_network_is_reported_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="metrics_from"):
        _client(tmp_path, "everywhere")
