"""What the tool says. One rule: nothing else prints.

Results go to standard output, complaints to standard error. With `--json` a result is one JSON document.
"""

from __future__ import annotations

import difflib
import io
import json
import sys
from collections.abc import Mapping, Sequence

from arlen_cli.generators.plan import Step


def say(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{text}\n")


def complain(text: str) -> None:
    """Print a line about what went wrong, after the tool's name."""
    sys.stderr.write(f"arlen: {text}\n")


def as_json(value: object) -> None:
    """Print the whole result as JSON."""
    say(json.dumps(value, indent=2, default=str))


def table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows in columns as wide as their longest text."""
    widths = {key: max(len(row[key]) for row in rows) for key in rows[0]}
    for row in rows:
        say("  ".join(text.ljust(widths[key]) for key, text in row.items()).rstrip())


def steps(decided: Sequence[Step]) -> None:
    """Print one line for each file: what becomes of it; then the lines to paste, and the notes."""
    for step in decided:
        if step.status != "note":
            say(f"{step.status:>10}  {step.path}")
    for step in decided:
        if step.status == "manual":
            say(f"\n{step.path} has a shape that is left to its owner; these are the lines:\n\n{step.text}")
    for step in decided:
        if step.status == "note":
            say(f"\n{step.text}")


def steps_as_json(decided: Sequence[Step], *, written: bool) -> None:
    """Print the same as JSON: `written` says whether the files were really changed."""
    as_json(
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
