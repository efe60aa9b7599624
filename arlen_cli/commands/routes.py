"""`arlen routes`: lists the routes of the application, or finds the route of one request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from arlen_cli import console
from arlen_cli.errors import UsageError
from arlen_cli.project import find_application, load_configuration
from arlen_runtime.callables import name_of
from arlen_runtime.config.sections import Config

HEADINGS = {
    "methods": "METHOD",
    "path": "PATH",
    "name": "NAME",
    "action": "ACTION",
    "guards": "GUARDS",
    "conditions": "CONDITIONS",
    "body": "BODY",
    "site": "DEFINED",
}
_ALWAYS = frozenset({"methods", "path", "name", "action", "site"})
"""The columns that are printed even if they are empty in all rows."""


def routes(
    *,
    every: Annotated[bool, typer.Option("--all", help="Include the routes of Arlen itself.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    match: Annotated[
        str, typer.Option(metavar="REQUEST", help='Find the route of a request: "GET /users/3", "GET host.example/".')
    ] = "",
    grep: Annotated[
        str, typer.Option(metavar="WORD", help="List only routes with this word in one of the columns.")
    ] = "",
    env: Annotated[str, typer.Option(metavar="NAME", help="The environment (ARLEN_ENV, else development).")] = "",
) -> int:
    """Print the application's routes, with what each answers and where it is defined."""
    root = find_application(Path.cwd()).root
    router = _router(load_configuration(root, env or None))
    if match:
        return _print_match(router, match, root, json=json)
    rows = [row for row in _rows(router, root, every=every) if _contains(row, grep)]
    if json:
        console.print_json(rows)
    elif rows:
        _print_table(rows)
    elif grep:
        console.print_line(f"No route contains {grep!r}.")
    else:
        console.print_line("The application has no routes of its own; --all lists those of Arlen.")
    return 0


def _router(config: Config) -> Any:  # noqa: ANN401 - importing the type would load the application's packages
    """Build the application, without a database, and return its router."""
    from arlen_cli.application import build_app  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return build_app(config, "its routes are its own, and Arlen cannot list them").router


def _rows(router: Any, root: Path, *, every: bool) -> list[dict[str, Any]]:  # noqa: ANN401 - as `_router`
    own = [endpoint for endpoint in router.endpoints if endpoint.site.line]
    built_in = [endpoint for endpoint in router.endpoints if not endpoint.site.line]
    return [_row(endpoint, root) for endpoint in (*own, *(built_in if every else ()))]


def _row(endpoint: Any, root: Path) -> dict[str, Any]:  # noqa: ANN401 - as `_router`
    """Return what is printed of an endpoint; None and [] are empty columns."""
    return {
        "methods": " ".join(endpoint.methods),
        "path": endpoint.pattern.text,
        "name": endpoint.name or "",
        "action": name_of(endpoint.action) if endpoint.site.line else "built in",
        "guards": [name_of(guard) for guard in endpoint.guards],
        "host": None if endpoint.host is None else endpoint.host.text,
        "formats": list(endpoint.formats),
        "body": endpoint.body,
        "limit": endpoint.limit,
        "site": _site(endpoint.site, root) if endpoint.site.line else "built in",
    }


def _site(site: Any, root: Path) -> str:  # noqa: ANN401 - as `_router`
    """Return file:line, relative to the application if the file is inside."""
    path = Path(site.file)
    return f"{path.relative_to(root.resolve()) if path.is_relative_to(root.resolve()) else path}:{site.line}"


def _contains(row: Mapping[str, Any], word: str) -> bool:
    return word.lower() in " ".join(_columns(row).values()).lower()


def _columns(row: Mapping[str, Any]) -> dict[str, str]:
    """Return a row as the columns of the table."""
    limit = "" if row["limit"] is None else f" {row['limit']}"
    conditions = [*filter(None, [row["host"]]), *row["formats"]]
    texts = {
        **row,
        "guards": " ".join(row["guards"]),
        "conditions": " ".join(conditions),
        "body": "" if row["body"] == "none" else f"{row['body']}{limit}",
    }
    return {key: texts[key] for key in HEADINGS}


def _print_table(rows: list[dict[str, Any]]) -> None:
    columns = [_columns(row) for row in rows]
    used = [key for key in HEADINGS if key in _ALWAYS or any(column[key] for column in columns)]
    console.print_table([{key: row[key] for key in used} for row in (HEADINGS, *columns)])


def _print_match(router: Any, request: str, root: Path, *, json: bool) -> int:  # noqa: ANN401 - as `_router`
    """Print the route that answers a request and its values; without one, the nearest routes."""
    method, _, target = request.partition(" ")
    host, slash, path = target.strip().partition("/")
    if not method or not slash or " " in path:
        raise UsageError(f'--match needs a method and a path, such as "GET /users/3", not {request!r}')
    path = f"/{path.partition('?')[0]}"
    match = router.find_route(method.upper(), path, host)
    if match is not None:
        _print_route(_row(match.endpoint, root), {name: str(value) for name, value in match.params.items()}, json=json)
        return 0
    near = [
        {**_columns(_row(route.endpoint, root)), "reason": route.reason}
        for route in router.explain(method.upper(), path, host)
    ]
    if json:
        console.print_json({"route": None, "nearest": near})
        return 1
    console.print_line(f"No route matches {method.upper()} {target}.")
    if near:
        console.print_table([{key: row[key] for key in ("methods", "path", "site", "reason")} for row in near])
    return 1


def _print_route(row: dict[str, Any], values: dict[str, str], *, json: bool) -> None:
    if json:
        console.print_json({"route": row, "values": values})
        return
    _print_table([row])
    for name, value in values.items():
        console.print_line(f"{name} = {value!r}")
