"""What a run of a generator prints: one line for each file, as text, JSON or a diff."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Sequence

from arlen_cli import console
from arlen_cli.generators.plan import Step


def steps(decided: Sequence[Step]) -> None:
    """Print one line for each file: what becomes of it; then the lines to paste, and the notes."""
    for step in decided:
        if step.status != "note":
            console.say(f"{step.status:>10}  {step.path}")
    for step in decided:
        if step.status == "manual":
            console.say(f"\n{step.path} has a shape that is left to its owner; these are the lines:\n\n{step.text}")
    for step in decided:
        if step.status == "note":
            console.say(f"\n{step.text}")


def steps_as_json(decided: Sequence[Step], *, written: bool) -> None:
    """Print the same as JSON: `written` says whether the files were really changed."""
    console.as_json(
        {
            "written": written,
            "files": [{"status": step.status, "path": step.path} for step in decided if step.path],
            "paste": {step.path: step.text.splitlines() for step in decided if step.status == "manual"},
            "notes": [step.text for step in decided if step.status == "note"],
        }
    )


def differences(decided: Sequence[Step]) -> None:
    """Print what each step changes, as a unified diff that `patch -p1` takes."""
    for step in decided:
        if step.after is not None or step.status == "remove":
            old, new = (
                list(io.StringIO((content or b"").decode(errors="replace"))) for content in (step.before, step.after)
            )  # a line ends at \n alone, as it does to patch
            origin = "/dev/null" if step.before is None else f"a/{step.path}"
            target = "/dev/null" if step.after is None else f"b/{step.path}"
            sys.stdout.writelines(map(_ended, difflib.unified_diff(old, new, origin, target)))


def _ended(line: str) -> str:
    """Return a line of a difference with its end; of a file's last line that has none, it is said."""
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
