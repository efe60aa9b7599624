"""The journal: one file for each run, under `.arlen/runs`. One rule: a run that changed nothing leaves no entry.

It is committed with the code it speaks of. There is no index, so that branches never conflict.
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
STAMP = "%Y%m%d%H%M%S%f"  # with microseconds: two runs of one second are two entries


class JournalFile(NamedTuple):
    """One file of a run: what became of it, its SHA-256 afterwards, and its lines.

    Lines are the statements that the run put, or that its user was to put, into the file, after the imports that they need.
    """

    path: str
    status: str
    sha256: str
    lines: tuple[str, ...] = ()


class JournalEntry(NamedTuple):
    """One run, as its file tells it; `path` and `sha256` are those of the file itself."""

    path: str
    sha256: str
    generator: str
    arguments: tuple[str, ...]
    files: tuple[JournalFile, ...]


def entry(plan: Plan, changes: Sequence[Change], now: datetime, version: str) -> Change | None:
    """Return the step that writes down this run, None when it wrote nothing or takes back another one."""
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
    """Return the SHA-256 by which a file is known again."""
    return hashlib.sha256(content).hexdigest()


def entries(root: Path) -> list[JournalEntry]:
    """Read the journal, the latest run last; what is no entry, or was merged badly, is left out."""
    runs = []
    for path in sorted(path for path in (root / FOLDER).glob("*.json") if path.is_file()):
        with suppress(ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError, UsageError):
            runs.append(_parse_entry(f"{FOLDER}/{path.name}", path.read_bytes()))
    return runs


def _parse_entry(path: str, content: bytes) -> JournalEntry:
    """Read one entry. Raises whatever tells that it is none."""
    data = json.loads(content)
    run = JournalEntry(
        path, digest(content), data["generator"], tuple(data["arguments"]), tuple(map(_parse_file, data["files"]))
    )
    if not all(isinstance(word, str) for word in (run.generator, *run.arguments)) or not run.arguments:
        raise ValueError("words are texts, and the first one is a name")
    if run.generator == "resource":
        Names.of(run.arguments[0])
    else:
        snake_of(run.arguments[0], 2 * len(run.arguments[0]))  # each capital may bring an underscore
    return run


def _parse_file(data: Mapping[str, Any]) -> JournalFile:
    """Read what became of one file; each of its lines is one statement, and an import names one thing."""
    file = JournalFile(**{**data, "lines": tuple(data.get("lines", ()))})
    if not all(isinstance(text, str) for text in (file.path, file.status, file.sha256)) or "\0" in file.path:
        raise ValueError("a file is told in texts")
    for line in file.lines:
        (statement,) = ast.parse(line).body
        if (
            isinstance(statement, ast.ImportFrom)
            and line != f"from {statement.module} import {statement.names[0].name}"
        ):
            raise ValueError("an import names one thing")
    return file


def resources(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return, by table, the fields of the resource that was generated for it, those of the latest run."""
    return {
        Names.of(run.arguments[0]).plural: run.arguments[1:] for run in entries(root) if run.generator == "resource"
    }
