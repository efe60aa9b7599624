"""`arlen middleware`: lists the layers around a route, outermost first."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from arlen_cli import console
from arlen_cli.errors import UsageError
from arlen_cli.project import find_application, load_configuration
from arlen_runtime.callables import module_place_of, name_of

HEADINGS = {"layer": "LAYER", "place": "PLACE", "state": "STATE"}


def middleware(
    *,
    method: Annotated[str, typer.Argument(help="the method of a request, such as GET")] = "",
    path: Annotated[str, typer.Argument(help="its path, such as /users/3 or host.example/users/3")] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print the layers around a route, and why one is absent; without a route, count them."""
    if method and "/" not in path:
        raise UsageError("METHOD needs a PATH that begins with a slash, for example: arlen middleware GET /users/3")
    application = _build()
    with redirect_stdout(sys.stderr):  # a converter of the application may print
        rows = _chain(application, method.upper(), path) if method else _overview(application)
    if json:
        console.print_json(rows)
    else:
        console.print_table([HEADINGS, *rows])
    return 0


def _build() -> Any:  # noqa: ANN401 - importing the type would load the application's packages
    """Build the application without a database."""
    from arlen_cli.application import build_app  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    config = load_configuration(find_application(Path.cwd()).root)
    return build_app(config, "its middleware is its own, and Arlen cannot list it")


def _chain(application: Any, method: str, path: str) -> list[dict[str, str]]:  # noqa: ANN401 - as above
    """Return what a request runs through, down to the action. A host may stand before the path."""
    host, _, below = path.partition("?")[0].partition("/")
    match = application.router.find_route(method, f"/{below}", host)
    endpoint = (match or application.router.match(method, f"/{below}")).endpoint
    rows = [
        _row(placed.name, placed.place, f"absent: {placed.reason}" if placed.layer is None else "")
        for placed in application.order.layers(endpoint)
    ]
    return [
        *rows,
        *(_row(f"guard {name_of(guard)}", module_place_of(guard), "") for guard in endpoint.guards),
        _row(f"action {name_of(endpoint.action)}", module_place_of(endpoint.action), endpoint.key),
    ]


def _overview(application: Any) -> list[dict[str, str]]:  # noqa: ANN401 - as above
    """Return each layer with the number of the application's own routes that it stands around."""
    endpoints = [endpoint for endpoint in application.router.endpoints if endpoint.site.line]
    chains = [application.order.layers(endpoint) for endpoint in endpoints or application.router.endpoints[:1]]
    return [_row(places[0].name, places[0].place, _count(places)) for places in zip(*chains, strict=True)]


def _count(places: Iterable[Any]) -> str:
    present = [placed.layer is not None for placed in places]
    return f"{sum(present)} of {len(present)} route{'s' if len(present) > 1 else ''}"


def _row(layer: str, place: str, state: str) -> dict[str, str]:
    return {"layer": layer, "place": place, "state": state}
