"""While an application does not start, every request gets the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.boot_failure_app import BootFailureApp
from arlen_runtime.errors import BootError, HeadersTooLarge
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request import Head
from arlen_runtime.testing.client import TestClient


@pytest.fixture
def app(tmp_path: Path) -> BootFailureApp:
    return BootFailureApp(BootError("shop/routes.py:3: no such converter"), Config("development", tmp_path))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/livez", "/any/thing?x=1"])
def test_every_request_is_500_with_the_reason(app: BootFailureApp, method: str, path: str) -> None:
    answer = TestClient(app).request(method, path)
    assert answer.status == 500
    assert "shop/routes.py:3: no such converter" in answer.json()["detail"]


@pytest.mark.parametrize("environment", ["development", "test"])
def test_a_page_of_another_site_learns_nothing(tmp_path: Path, environment: str) -> None:
    broken = BootFailureApp(BootError("shop/routes.py:3: no such converter"), Config(environment, tmp_path))
    for accept in ("text/html", "application/json", "text/plain"):
        answer = TestClient(broken, host="evil.example").get("/", headers={"Accept": accept})
        assert answer.status == 400
        assert "routes.py" not in answer.text
        assert "<details" not in answer.text


def test_a_refusal_with_a_head_gets_the_reason_too(app: BootFailureApp) -> None:
    for host, status in (("localhost:3000", 500), ("evil.example", 400)):
        response = app.refuse(HeadersTooLarge(), _head(host))
        assert response.status == status
        assert isinstance(response.body, bytes)
        assert (b"routes.py" in response.body) is (status == 500)


def test_an_unreadable_request_gets_only_its_own_error(app: BootFailureApp) -> None:
    response = app.refuse(HeadersTooLarge(), None)
    assert response.status == 431
    assert isinstance(response.body, bytes)
    assert b"routes.py" not in response.body


def _head(host: str) -> Head:
    return Head("GET", "/", "", 1, Headers([]), host, True, None, False, False, "id-1", "::1", "::1", "http")


def test_every_line_of_accept_counts(app: BootFailureApp) -> None:
    answer = TestClient(app).get("/", headers={"Accept": ["text/html;q=0.1", "application/json"]})
    assert answer.headers["content-type"] == "application/problem+json"
