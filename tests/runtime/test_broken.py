"""While an application does not start, every request is told why."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.broken import BrokenApp
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import BadRequest, BootError
from arlen_runtime.testing.client import TestClient


@pytest.fixture
def app(tmp_path: Path) -> BrokenApp:
    """Break."""
    return BrokenApp(BootError("shop/routes.py:3: no such converter"), Config("development", tmp_path))


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/livez", "/any/thing?x=1"])
def test_every_request_is_500_with_the_reason(app: BrokenApp, method: str, path: str) -> None:
    answer = TestClient(app).request(method, path)
    assert answer.status == 500
    assert "shop/routes.py:3: no such converter" in answer.json()["detail"]


def test_what_the_server_refuses_is_told_the_same(app: BrokenApp) -> None:
    assert app.refuse(BadRequest(), None).status == 500
