"""Verifies that the planned changes still produce a valid route table, before anything is written.

The table shows what the text of the routes file cannot: a function that ends early, a name or
address that a group or an alias already uses, a module that other code imports.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from arlen_cli.errors import ToolError
from arlen_cli.generators.plan import WRITES, Change, Inject, Plan, RemoveLines
from arlen_cli.generators.route_table import RouteQuery, RouteReport
from arlen_runtime.config.masks import mask_text

TIMEOUT = 60
"""Seconds that the import of an application may take."""

_PROGRAM = (
    "-P",
    "-B",
    "-m",
    "arlen_cli.generators.route_table",
)  # -P: files of the project cannot shadow modules of the tool


def verify(plan: Plan, changes: Sequence[Change], root: Path) -> list[Change]:
    """Return the changes as the route table confirms them.

    Lines that would not work are left to the user to paste, with the reason. Raises ToolError if
    the application would not start even so, if one of its files is not valid Python, or if another
    route has the address or the name. If the application cannot be loaded for another reason, such
    as a package that is not installed, add a note and change nothing.
    """
    routes = next((action.path for action in plan.actions if isinstance(action, (Inject, RemoveLines))), "")
    files = _planned_files(changes)
    if not routes or not files or any(change.status == "conflict" for change in changes):
        return list(changes)
    names = _route_names(
        "\n".join(text for action in plan.actions if isinstance(action, Inject) for text in action.statements)
    )
    report = _query_table(root, routes, files, names if routes in files else [])
    if report.conflicts:
        raise ToolError(f"nothing was written: {report.conflicts[0]}")
    if not report.error and not report.missing:
        return list(changes)
    before = _query_table(root, routes, {}, [])
    if before.invalid_source:
        raise ToolError(f"{before.error}; nothing was written")
    if before.error:
        text = f"the application cannot be loaded, so its routes were not verified: {before.error}"
        return [*changes, Change("note", "", text=text)]
    manual = [
        change._replace(status="manual", after=None) if (change.status, change.path) == ("inject", routes) else change
        for change in changes
    ]
    if report.error:
        _refuse_broken(root, routes, manual)
    why = report.error or f"the function routes does not reach {report.missing[0]}"
    return [*manual, Change("note", "", text=f"{routes} would not work with these lines at its end: {why}")]


def _refuse_broken(root: Path, routes: str, manual: Sequence[Change]) -> None:
    """Raise ToolError if the application fails without the lines too, or if a name is in use."""
    new_names = [name for change in manual if change.path == routes for name in _route_names(change.text)]
    report = _query_table(root, routes, _planned_files(manual), new_names)
    if report.error:
        raise ToolError(f"nothing was written: the application would no longer start: {report.error}")
    duplicates = [name for name in new_names if name not in report.missing]
    if duplicates:
        raise ToolError(f"nothing was written: another route is already named {duplicates[0]}")


def _planned_files(changes: Sequence[Change]) -> dict[str, str | None]:
    """Return the planned content of each Python file that changes; None for a removed file."""
    written = [change for change in changes if change.status in WRITES and change.path.endswith(".py")]
    return {change.path: None if change.after is None else change.after.decode("latin-1") for change in written}


def _route_names(source: str) -> list[str]:
    """Return the names of the routes in these statements."""
    words = (word for word in ast.walk(ast.parse(source)) if isinstance(word, ast.keyword))
    return [ast.literal_eval(word.value) for word in words if word.arg == "name"]


def _query_table(root: Path, routes: str, files: Mapping[str, str | None], names: Sequence[str]) -> RouteReport:
    """Build the table with these files in place and look up the names."""
    module = routes.removesuffix(".py").replace("/", ".")
    return _run_query(RouteQuery(str(root), module, files, names))


def _run_query(query: RouteQuery) -> RouteReport:
    """Run the query in another process. Passwords in its errors are masked."""
    with TemporaryFile() as output, TemporaryFile() as errors:  # a child that keeps a pipe open would block us
        try:
            status = _run_process(query, output, errors)
        except subprocess.TimeoutExpired:
            return RouteReport(f"the import took longer than {TIMEOUT} s")
        answer, error_text = _read(output), _read(errors)
    try:
        report = RouteReport(**json.loads(answer))
    except (ValueError, TypeError):  # os._exit or a crash: there is no report
        error_lines = error_text.splitlines() or [""]
        report = RouteReport(f"the import ended the process with status {status}: {error_lines[-1]}")
    return report._replace(error=mask_text(report.error))


def _run_process(query: RouteQuery, output: IO[bytes], errors: IO[bytes]) -> int:
    """Run the process, kill its remaining children, and return its exit status."""
    process = subprocess.Popen(  # noqa: S603 - sys.executable with a module of the tool
        [sys.executable, *_PROGRAM],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=errors,
        cwd=query.root,
        process_group=0,
    )
    try:
        process.communicate(json.dumps(query._asdict()).encode(), timeout=TIMEOUT)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
