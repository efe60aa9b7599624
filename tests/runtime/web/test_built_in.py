"""Built-in endpoints, and the paths that an application cannot have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import Config, ServerSection
from arlen_runtime.errors import BootError
from arlen_runtime.routing.routes import Routes
from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context

PATHS = ("/healthz", "/livez", "/readyz", "/metrics")


def action(_ctx: Context) -> dict[str, object]:
    return {"mine": True}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("add", [Routes.get, Routes.any])
def test_a_route_that_would_never_be_reached_is_refused_with_its_file_and_line(
    add: Callable[..., None], path: str, tmp_path: Path
) -> None:
    with pytest.raises(BootError, match=rf"test_built_in\.py:\d+: GET {path} is answered by Arlen itself"):
        App(Config("production", tmp_path), lambda r: add(r, path, action))


@pytest.mark.parametrize("path", PATHS)
def test_another_method_and_a_path_below_belong_to_the_application(path: str, tmp_path: Path) -> None:
    def routes(r: Routes) -> None:
        r.post(path, action)
        r.get(f"{path}/mine", action)

    client = TestClient(App(Config("production", tmp_path), routes))
    assert client.post(path).json() == {"mine": True}
    assert client.get(f"{path}/mine").json() == {"mine": True}


def test_without_metrics_their_path_is_free(tmp_path: Path) -> None:
    config = Config("production", tmp_path, server=ServerSection(metrics_from=()))
    assert TestClient(App(config, lambda r: r.get("/metrics", action))).get("/metrics").json() == {"mine": True}


def test_static_files_do_not_shadow_a_route_of_the_application(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), lambda r: r.get("/static/mine", action))
    assert TestClient(app).get("/static/mine").json() == {"mine": True}
