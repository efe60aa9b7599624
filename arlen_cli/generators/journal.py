"""The journal: one file for each run, under `.arlen/runs`. One rule: a run that changed nothing leaves no entry.

It is committed with the code it speaks of. There is no index, so that branches never conflict.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from arlen_cli.generators.names import Names
from arlen_cli.generators.plan import WRITES, Plan, Step

FOLDER = ".arlen/runs"
STAMP = "%Y%m%d%H%M%S%f"  # with microseconds: two runs of one second are two entries


def entry(plan: Plan, steps: Sequence[Step], now: datetime, version: str) -> Step | None:
    """Return the step that writes down this run, None when it writes nothing."""
    written = [step for step in steps if step.status in WRITES]
    if not written:
        return None
    content = {
        "arlen": version,
        "at": now.isoformat(timespec="seconds"),
        "generator": plan.generator,
        "arguments": list(plan.arguments),
        "files": [
            {"path": step.path, "status": step.status, "sha256": hashlib.sha256(step.after or b"").hexdigest()}
            for step in written
        ],
    }
    name = f"{now.strftime(STAMP)}-{plan.generator}-{plan.arguments[0]}.json"
    return Step("create", f"{FOLDER}/{name}", None, (json.dumps(content, indent=2) + "\n").encode())


def resources(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Read the journal: table to the fields of the resource that was generated for it, the latest one."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((root / FOLDER).glob("*-resource-*.json")):
        try:
            name, *fields = json.loads(path.read_text("utf-8"))["arguments"]
        except (ValueError, KeyError, TypeError):
            continue  # no entry of ours, or one that was merged badly: it only spares the user a line
        found[Names.of(name).plural] = tuple(fields)
    return found
