"""Builds the route table of a planned project, in a process of its own: it imports the application.

Reads the query as JSON from standard input and writes the report to standard output. Planned files
replace those on disk, and nothing is written. Run as
`python -B -m arlen_cli.generators.route_table`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn

from arlen_cli.generators.python_source import locate
from arlen_runtime.config.load import load
from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.built_in import built_in_endpoints
from arlen_runtime.web.health import Health


class RouteQuery(NamedTuple):
    """The project, its routes module, the planned files, and the names to find.

    The content of a planned file is its bytes decoded as latin-1, because JSON has no bytes; None
    for a removed file.
    """

    root: str
    module: str
    files: Mapping[str, str | None]
    names: Sequence[str]


class RouteReport(NamedTuple):
    """Why the table cannot be built, the names it lacks, and addresses of other routes.

    `invalid_source` is True if a file of the application is not valid Python.
    """

    error: str = ""
    invalid_source: bool = False
    missing: Sequence[str] = ()
    conflicts: Sequence[str] = ()


class _TextLoader(SourceLoader):
    """Loads a module from bytes in memory, under the path that the file will have."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._text = text

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - as importlib calls it
        return str(self._path)

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 - as importlib calls it
        return self._text.encode("latin-1")


class _PlannedFinder(MetaPathFinder):
    """Finds the modules of planned files, and hides those of files to be removed."""

    def __init__(self, root: Path, files: Mapping[str, str | None]) -> None:
        self._root = root
        self._files = files

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as importlib calls it
        target: ModuleType | None = None,  # noqa: ARG002 - as importlib calls it
        /,
    ) -> ModuleSpec | None:
        """Return a spec for a planned file; None for any other module."""
        file = f"{fullname.replace('.', '/')}.py"
        if file not in self._files:
            return None
        text = self._files[file]
        if text is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec_from_file_location(fullname, self._root / file, loader=_TextLoader(self._root / file, text))


def build_report(query: RouteQuery) -> RouteReport:
    """Build the table and look up the names."""
    sys.path.insert(0, query.root)
    sys.meta_path.insert(0, _PlannedFinder(Path(query.root), query.files))
    routes = Routes()
    try:
        config = load(Path(query.root), None, os.environ, default="development")
        config.sources.export(os.environ)
        importlib.import_module(query.module).routes(routes)
        others = built_in_endpoints(config, Health(config), read_metrics=str)
        return _checked_report(routes, Router([*others, *routes.endpoints]), query.names)
    except ArlenError as error:
        return RouteReport(error.detail)
    except BaseException as error:  # noqa: BLE001 - an application can raise anything, SystemExit too
        return RouteReport(*locate(error, Path(query.root)))


def _checked_report(routes: Routes, router: Router, names: Sequence[str]) -> RouteReport:
    """Report the names; raise BootError if the table has mistakes.

    A conflict comes first: the check would report the same in other words.
    """
    report = _report_routes(router, names)
    if not report.conflicts:
        routes.check()
    return report


def _report_routes(router: Router, names: Sequence[str]) -> RouteReport:
    """Report the names that are missing, and the addresses that another route handles."""
    endpoints = {endpoint.name: endpoint for endpoint in router.endpoints}
    conflicts = []
    for endpoint in (endpoints[name] for name in names if name in endpoints):
        address = endpoint.pattern.build(dict.fromkeys(endpoint.pattern.names, 1))
        other = router.match(endpoint.methods[0], address).endpoint
        if other is not endpoint:
            conflicts.append(f"{endpoint.methods[0]} {address} is already handled by {other.site}")
    return RouteReport(missing=[name for name in names if name not in endpoints], conflicts=conflicts)


def main() -> NoReturn:
    """Answer the query on standard input.

    Exit with os._exit, so that threads and exit handlers of the application do not run.
    """
    query = RouteQuery(**json.load(sys.stdin))
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)  # the application's own output is not part of the report
        json.dump(build_report(query)._asdict(), output)
    os._exit(0)  # do not wait for threads of the application


if __name__ == "__main__":
    main()
