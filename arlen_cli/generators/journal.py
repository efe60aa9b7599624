"""The journal: one file for each run, under `.arlen/runs`. One rule: a run that changed nothing leaves no entry.

It is committed with the code it speaks of. There is no index, so that branches never conflict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from arlen_cli.generators.names import Names
from arlen_cli.generators.plan import WRITES, Plan, Step

FOLDER = ".arlen/runs"
STAMP = "%Y%m%d%H%M%S%f"  # with microseconds: two runs of one second are two entries


class Written(NamedTuple):
    """One file of a run: what became of it, its SHA-256 afterwards, and the lines that were put, or to be put, into it."""

    path: str
    status: str
    sha256: str
    lines: tuple[str, ...] = ()


class Entry(NamedTuple):
    """One run, as its file tells it; `path` and `sha256` are those of the file itself."""

    path: str
    sha256: str
    generator: str
    arguments: tuple[str, ...]
    files: tuple[Written, ...]


def entry(plan: Plan, steps: Sequence[Step], now: datetime, version: str) -> Step | None:
    """Return the step that writes down this run, None when it wrote nothing or takes back another one."""
    if plan.generator == "undo" or not any(step.status in WRITES for step in steps):
        return None
    written = [step for step in steps if step.status in WRITES or step.status == "manual"]
    content = {
        "arlen": version,
        "at": now.isoformat(timespec="seconds"),
        "generator": plan.generator,
        "arguments": list(plan.arguments),
        "files": [
            {
                "path": step.path,
                "status": step.status,
                "sha256": digest((step.before if step.after is None else step.after) or b""),
                **({"lines": step.text.splitlines()} if step.text else {}),
            }
            for step in written
        ],
    }
    name = f"{now.strftime(STAMP)}-{plan.generator}-{plan.arguments[0]}.json"
    return Step("create", f"{FOLDER}/{name}", None, (json.dumps(content, indent=2) + "\n").encode())


def digest(content: bytes) -> str:
    """Return the SHA-256 by which a file is known again."""
    return hashlib.sha256(content).hexdigest()


def entries(root: Path) -> list[Entry]:
    """Read the journal, the latest run last; what is no entry, or was merged badly, is left out."""
    found = []
    for path in sorted((root / FOLDER).glob("*.json")):
        content = path.read_bytes()
        try:
            said = json.loads(content)
            files = [Written(**{**file, "lines": tuple(file.get("lines", ()))}) for file in said["files"]]
            run = Entry(
                f"{FOLDER}/{path.name}", digest(content), said["generator"], tuple(said["arguments"]), tuple(files)
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        found.append(run)
    return found


def resources(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return, by table, the fields of the resource that was generated for it, those of the latest run."""
    return {
        Names.of(run.arguments[0]).plural: run.arguments[1:] for run in entries(root) if run.generator == "resource"
    }
