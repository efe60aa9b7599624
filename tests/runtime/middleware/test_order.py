"""The order of the layers around a route, and why one is absent."""

from __future__ import annotations

from pathlib import Path

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import CompressionSection, Config, ServerSection
from arlen_runtime.http.response import Response
from arlen_runtime.middleware.before_after import before
from arlen_runtime.middleware.order import Order, declared_options
from arlen_runtime.routing.routes import Endpoint, Routes


def own(_ctx: object) -> Response | None:
    """Let the request pass."""
    return None


def routes(r: Routes) -> None:
    """Add routes of which some have no compression or no conditions."""
    r.get("/", own)
    r.post("/form", own)
    r.get("/raw", own, compress=False)


def order_of(config: Config) -> tuple[Order, dict[str, Endpoint]]:
    """Return the order of an application with one middleware of its own, and its routes."""
    app = App(config, routes, middleware=[before(own)])
    return app.order, {endpoint.pattern.text: endpoint for endpoint in app.router.endpoints}


def test_the_layers_stand_in_the_order_of_the_design(tmp_path: Path) -> None:
    order, endpoints = order_of(Config("production", tmp_path))
    names = [placed.name for placed in order.layers(endpoints["/"])]
    assert names == [
        "request id",
        "security headers",
        "error boundary",
        "hosts",
        "conditions",
        "compression",
        f"{__name__}.own",
        "inner boundary",
    ]


@pytest.mark.parametrize(
    ("path", "name", "reason"),
    [
        ("/", "hosts", "[server] hosts is empty"),
        ("/form", "conditions", "the route does not answer GET"),
        ("/raw", "compression", "compress=False"),
        ("/livez", "compression", "three outer layers only"),
        ("/livez", f"{__name__}.own", "three outer layers only"),
    ],
)
def test_an_absent_layer_has_a_reason(tmp_path: Path, path: str, name: str, reason: str) -> None:
    order, endpoints = order_of(Config("production", tmp_path))
    placed = {placed.name: placed for placed in order.layers(endpoints[path])}[name]
    assert placed.layer is None
    assert reason in placed.reason


def test_a_layer_that_is_switched_off_for_all_says_so_and_one_that_is_there_has_a_place(tmp_path: Path) -> None:
    off = Config(
        "production",
        tmp_path,
        compression=CompressionSection(enabled=False),
        server=ServerSection(hosts=("a.example",)),
    )
    order, endpoints = order_of(off)
    placed = {placed.name: placed for placed in order.layers(endpoints["/"])}
    assert placed["compression"].reason == "[compression] enabled = false"
    assert (placed["hosts"].layer is not None, placed["hosts"].reason) == (True, "")
    assert placed["hosts"].place.startswith("arlen_runtime.middleware.hosts:")
    line = own.__code__.co_firstlineno
    assert placed[f"{__name__}.own"].place == f"{__name__}:{line}"


def test_a_boundary_stands_inside_each_own_layer_and_only_there(tmp_path: Path) -> None:
    app = App(Config("production", tmp_path), routes, middleware=[before(own), lambda _endpoint: None])
    inner = [placed for placed in app.order.layers(app.router.endpoints[-1]) if placed.name == "inner boundary"]
    assert [(placed.layer is not None, placed.reason) for placed in inner] == [
        (True, ""),
        (False, "there is no layer around it"),
    ]
    without = App(Config("production", tmp_path), routes).order
    assert "inner boundary" not in [placed.name for placed in without.layers(app.router.endpoints[-1])]


def test_the_options_of_all_middlewares_are_declared() -> None:
    assert declared_options([before(own, options={"roles"}), lambda _endpoint: None]) == {"compress", "roles"}
