"""The journal: one JSON file for each run that wrote something, under `.arlen/runs`.

The files are committed with the generated code. There is no index file, so branches never conflict.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from arlen_cli.errors import ToolError, UsageError
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
    """One run. `path` is that of the journal file, `at` the time of the run.

    If the run was undone in part, `files` are those of which something is left.
    """

    path: str
    generator: str
    arguments: tuple[str, ...]
    files: tuple[JournalFile, ...]
    answers: Mapping[str, str] = {}
    at: datetime | None = None

    @property
    def names(self) -> Names:
        """The names of a resource, as they were when it was generated."""
        singular, plural = (self.answers.get(key, "") for key in ("singular", "plural"))
        return Names.of(self.arguments[0], singular=singular, plural=plural)


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
        **({"answers": dict(plan.answers)} if plan.answers else {}),
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
    return Change("create", f"{FOLDER}/{name}", None, _as_json(content))


def reduce_entry(content: bytes, left: Mapping[str, Sequence[str]]) -> bytes | None:
    """Return the content of a journal file with only what is left of the run; None if nothing is.

    `left` maps a path to the lines that are left in it; to no lines for a whole file.
    """
    data = json.loads(content)
    files = [file for file in data["files"] if file["path"] in left]
    for file in files:
        if "lines" in file:
            file["lines"] = [line for line in file["lines"] if line in left[file["path"]]]
    data["files"] = files
    return _as_json(data) if files else None


def digest(content: bytes) -> str:
    """Return the SHA-256 by which a file is recognised later; git may change its line ends."""
    return hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()


def _as_json(content: Mapping[str, object]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def entries(root: Path) -> list[JournalEntry]:
    """Read the journal, oldest run first.

    Raises ToolError for an invalid or badly merged file: without it, a run would be taken for
    another one.
    """
    runs = []
    for path in sorted(path for path in (root / FOLDER).glob("*.json") if path.is_file()):
        place = f"{FOLDER}/{path.name}"
        try:
            runs.append(_parse_entry(place, path.read_bytes()))
        except json.JSONDecodeError as error:
            raise _unreadable(f"{place}:{error.lineno}", error.msg) from None
        except (ValueError, KeyError, TypeError, AttributeError, SyntaxError, RecursionError, UsageError) as error:
            raise _unreadable(place, str(error) or type(error).__name__) from None
    return runs


def _unreadable(place: str, reason: str) -> ToolError:
    return ToolError(
        f"{place}: the journal entry cannot be read: {reason}; nothing was written: "
        "restore the file from version control, or delete it"
    )


def _parse_entry(path: str, content: bytes) -> JournalEntry:
    """Parse one journal file; raises one of the errors that `entries` reports."""
    data = json.loads(content)
    run = JournalEntry(
        path,
        data["generator"],
        tuple(data["arguments"]),
        tuple(map(_parse_file, data["files"])),
        data.get("answers", {}),
        datetime.fromisoformat(data["at"]) if "at" in data else None,
    )
    if not all(isinstance(word, str) for word in (run.generator, *run.arguments)) or not run.arguments:
        raise ValueError("arguments must be strings, and the first one is required")
    if run.generator == "resource":
        _ = run.names  # raises UsageError if they are invalid
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


def resources(runs: Sequence[JournalEntry]) -> dict[str, tuple[str, ...]]:
    """Return table to fields, from the latest run of each generated resource."""
    return {run.names.plural: run.arguments[1:] for run in runs if run.generator == "resource"}


def tables(runs: Sequence[JournalEntry]) -> dict[str, str]:
    """Return singular to table of each generated resource."""
    return {run.names.singular: run.names.plural for run in runs if run.generator == "resource"}
