"""The route table of a planned tree. One rule: it is built in a process of its own, for it imports the application.

Standard input holds the question as JSON, standard output the answer. Files that are planned stand in for those on disk,
and nothing is written: `python -B -m arlen_cli.generators.route_table`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder, SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn

from arlen_runtime.config.load import load
from arlen_runtime.errors import ArlenError
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Routes
from arlen_runtime.web.built_in import built_in_endpoints


class RouteQuery(NamedTuple):
    """What is asked: the project, its module of routes, the text of each planned file (None: it goes), and route names."""

    root: str
    module: str
    files: Mapping[str, str | None]
    names: Sequence[str]


class RouteReport(NamedTuple):
    """What keeps the table from being built, the names that it lacks, and addresses that lead to another route."""

    error: str = ""
    missing: Sequence[str] = ()
    conflicts: Sequence[str] = ()


class _TextLoader(SourceLoader):
    """Loads a module from a text in memory; it has the place that the text will have."""

    def __init__(self, path: Path, text: str) -> None:
        """Take both."""
        self._path = path
        self._text = text

    def get_filename(self, fullname: str) -> str:  # noqa: ARG002 - as importlib calls it
        """Return the place."""
        return str(self._path)

    def get_data(self, path: str) -> bytes:  # noqa: ARG002 - as importlib calls it
        """Return the text."""
        return self._text.encode()


class _PlannedFinder(MetaPathFinder):
    """Finds the modules of planned files, and refuses those of files that are to go."""

    def __init__(self, root: Path, files: Mapping[str, str | None]) -> None:
        """Take the project and its planned files, by path."""
        self._root = root
        self._files = files

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - as importlib calls it
        target: ModuleType | None = None,  # noqa: ARG002 - as importlib calls it
        /,
    ) -> ModuleSpec | None:
        """Return how to load the module; None for one that no plan speaks of."""
        file = f"{fullname.replace('.', '/')}.py"
        if file not in self._files:
            return None
        text = self._files[file]
        if text is None:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec_from_file_location(fullname, self._root / file, loader=_TextLoader(self._root / file, text))


def build_report(query: RouteQuery) -> RouteReport:
    """Build the table and look for the names in it."""
    sys.path.insert(0, query.root)
    sys.meta_path.insert(0, _PlannedFinder(Path(query.root), query.files))
    routes = Routes()
    try:
        importlib.import_module(query.module).routes(routes)
        config = load(Path(query.root), None, os.environ, default="development")
        others = built_in_endpoints(config, is_draining=bool, read_metrics=str)
        return _report_routes(Router([*others, *routes.endpoints]), query.names)
    except ArlenError as error:
        return RouteReport(error.detail)
    except BaseException as error:  # noqa: BLE001 - SystemExit, SyntaxError: whatever an application raises
        frames = traceback.extract_tb(error.__traceback__)
        file = next(frame for frame in reversed(frames) if not frame.filename.startswith("<frozen"))
        return RouteReport(f"{file.filename}:{file.lineno}: {type(error).__name__}: {error}")


def _report_routes(router: Router, names: Sequence[str]) -> RouteReport:
    """Say which of the names are not in the table, and which are at an address that leads elsewhere."""
    endpoints = {endpoint.name: endpoint for endpoint in router.endpoints}
    conflicts = []
    for endpoint in (endpoints[name] for name in names if name in endpoints):
        address = endpoint.pattern.build(dict.fromkeys(endpoint.pattern.names, 1))
        other = router.match(endpoint.methods[0], address).endpoint
        if other is not endpoint:
            conflicts.append(f"{endpoint.methods[0]} {address} leads to {other.site} already")
    return RouteReport(missing=[name for name in names if name not in endpoints], conflicts=conflicts)


def main() -> NoReturn:
    """Answer the question on standard input, and end without a look at what the application would still do."""
    query = RouteQuery(**json.load(sys.stdin))
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)  # what the application prints is no part of the answer, now or at exit
        json.dump(build_report(query)._asdict(), output)
    os._exit(0)  # no wait for its threads


if __name__ == "__main__":
    main()
