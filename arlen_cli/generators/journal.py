"""The journal: one JSON file for each run that wrote something, under `.arlen/runs`.

The files are committed with the generated code. There is no index file, so branches never conflict.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from arlen_cli.errors import UsageError
from arlen_cli.generators.names import Names, snake_of
from arlen_cli.generators.plan import WRITES, Change, Plan

FOLDER = ".arlen/runs"
STAMP = "%Y%m%d%H%M%S%f"  # microseconds, because two runs can start in one second


class JournalFile(NamedTuple):
    """One file of a run: its status, its SHA-256 after the run, and its lines.

    The lines are the imports and statements that the run added, or that the user was asked to
    paste.
    """

    path: str
    status: str
    sha256: str
    lines: tuple[str, ...] = ()


class JournalEntry(NamedTuple):
    """One run. `path` and `sha256` are those of the journal file itself."""

    path: str
    sha256: str
    generator: str
    arguments: tuple[str, ...]
    files: tuple[JournalFile, ...]


def entry(plan: Plan, changes: Sequence[Change], now: datetime, version: str) -> Change | None:
    """Return the change that creates the journal file of this run.

    None if the run wrote nothing, or is an undo.
    """
    if plan.generator == "undo" or not any(change.status in WRITES for change in changes):
        return None
    written = [change for change in changes if change.status in WRITES or (change.path and change.text)]
    content = {
        "arlen": version,
        "at": now.isoformat(timespec="seconds"),
        "generator": plan.generator,
        "arguments": list(plan.arguments),
        "files": [
            {
                "path": change.path,
                "status": change.status,
                "sha256": digest((change.before if change.after is None else change.after) or b""),
                **({"lines": change.text.splitlines()} if change.text else {}),
            }
            for change in written
        ],
    }
    name = f"{now.strftime(STAMP)}-{plan.generator}-{plan.arguments[0]}.json"
    return Change("create", f"{FOLDER}/{name}", None, (json.dumps(content, indent=2) + "\n").encode())


def digest(content: bytes) -> str:
    """Return the SHA-256 by which a file is recognised later."""
    return hashlib.sha256(content).hexdigest()


def entries(root: Path) -> list[JournalEntry]:
    """Read the journal, oldest run first; invalid or badly merged files are skipped."""
    runs = []
    for path in sorted(path for path in (root / FOLDER).glob("*.json") if path.is_file()):
        with suppress(ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError, UsageError):
            runs.append(_parse_entry(f"{FOLDER}/{path.name}", path.read_bytes()))
    return runs


def _parse_entry(path: str, content: bytes) -> JournalEntry:
    """Parse one journal file; raises one of the errors that `entries` suppresses."""
    data = json.loads(content)
    run = JournalEntry(
        path, digest(content), data["generator"], tuple(data["arguments"]), tuple(map(_parse_file, data["files"]))
    )
    if not all(isinstance(word, str) for word in (run.generator, *run.arguments)) or not run.arguments:
        raise ValueError("arguments must be strings, and the first one is required")
    if run.generator == "resource":
        Names.of(run.arguments[0])
    else:
        snake_of(run.arguments[0], 2 * len(run.arguments[0]))  # each capital letter can add an underscore
    return run


def _parse_file(data: Mapping[str, Any]) -> JournalFile:
    """Parse one file of a run. Each line must be one statement; an import has one name."""
    file = JournalFile(**{**data, "lines": tuple(data.get("lines", ()))})
    if not all(isinstance(text, str) for text in (file.path, file.status, file.sha256)) or "\0" in file.path:
        raise ValueError("path, status and sha256 must be strings")
    for line in file.lines:
        (statement,) = ast.parse(line).body
        if (
            isinstance(statement, ast.ImportFrom)
            and line != f"from {statement.module} import {statement.names[0].name}"
        ):
            raise ValueError("an import must have exactly one name")
    return file


def resources(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return table to fields, from the latest run of each generated resource."""
    return {
        Names.of(run.arguments[0]).plural: run.arguments[1:] for run in entries(root) if run.generator == "resource"
    }
