"""Does the application still know its way with the planned files? One rule: the route table is built before a byte is written.

What inspection of the text cannot tell is told by the table itself: a function that ends early, a name or an address that
a group or an alias has already, a module that something else imports.
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
"""How long an application may take to be imported."""

_PROGRAM = (
    "-P",
    "-B",
    "-m",
    "arlen_cli.generators.route_table",
)  # -P: the project's own files shadow nothing of the tool


def verify(plan: Plan, changes: Sequence[Change], root: Path) -> list[Change]:
    """Return the steps as the route table proves them: lines that cannot work are left to the user to paste, with why.

    Raises ToolError where the application would not start any more even so, or an address or a name has a route already.
    An application that cannot be loaded as it stands proves nothing: a note says so.
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
    if before := _query_table(root, routes, {}, []).error:
        return [
            *changes,
            Change("note", "", text=f"the application does not load, so its routes are unproved: {before}"),
        ]
    manual = [
        change._replace(status="manual", after=None) if (change.status, change.path) == ("inject", routes) else change
        for change in changes
    ]
    if report.error:
        _refuse_broken(root, routes, manual)
    why = report.error or f"{routes} ends before it comes to {report.missing[0]}"
    return [*manual, Change("note", "", text=f"with these lines at its end {routes} would not work: {why}")]


def _refuse_broken(root: Path, routes: str, manual: Sequence[Change]) -> None:
    """Raise ToolError where the lines are not to blame, or could not be pasted either: another route has their name."""
    new_names = [name for change in manual if change.path == routes for name in _route_names(change.text)]
    report = _query_table(root, routes, _planned_files(manual), new_names)
    if report.error:
        raise ToolError(f"nothing was written, the application would not start any more: {report.error}")
    duplicates = [name for name in new_names if name not in report.missing]
    if duplicates:
        raise ToolError(f"nothing was written: another route has the name {duplicates[0]} already")


def _planned_files(changes: Sequence[Change]) -> dict[str, str | None]:
    """Return the planned text of each Python file that changes, None for one that goes."""
    written = [change for change in changes if change.status in WRITES and change.path.endswith(".py")]
    return {change.path: None if change.after is None else change.after.decode() for change in written}


def _route_names(source: str) -> list[str]:
    """Return the names of the routes that these statements add."""
    words = (word for word in ast.walk(ast.parse(source)) if isinstance(word, ast.keyword))
    return [ast.literal_eval(word.value) for word in words if word.arg == "name"]


def _query_table(root: Path, routes: str, files: Mapping[str, str | None], names: Sequence[str]) -> RouteReport:
    """Build the table with these files in their places, and look for the names."""
    module = routes.removesuffix(".py").replace("/", ".")
    return _run_query(RouteQuery(str(root), module, files, names))


def _run_query(query: RouteQuery) -> RouteReport:
    """Put the question to another process; errors come back without the passwords in them."""
    with TemporaryFile() as output, TemporaryFile() as errors:  # a pipe would be waited for, whoever holds it open
        try:
            status = _run_process(query, output, errors)
        except subprocess.TimeoutExpired:
            return RouteReport(f"importing it took longer than {TIMEOUT} s")
        answer, error_text = _read(output), _read(errors)
    try:
        report = RouteReport(**json.loads(answer))
    except (ValueError, TypeError):  # os._exit, a crash: nothing was answered
        error_lines = error_text.splitlines() or [""]
        report = RouteReport(f"importing it ended the process with {status}: {error_lines[-1]}")
    return report._replace(error=mask_text(report.error))


def _run_process(query: RouteQuery, output: IO[bytes], errors: IO[bytes]) -> int:
    """Run the other process to its end and return its exit status; the children that it leaves end with it."""
    process = subprocess.Popen(  # noqa: S603 - this very Python, and a module of the tool
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
    """Return all that was written to the file."""
    file.seek(0)
    return file.read().decode(errors="replace")
