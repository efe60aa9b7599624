"""What a run of a generator prints: one line for each file, as text, JSON or a diff."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Sequence

from arlen_cli import console
from arlen_cli.generators.plan import Change


def print_changes(changes: Sequence[Change]) -> None:
    """Print one line for each file: what becomes of it; then the lines to paste, and the notes."""
    for change in changes:
        if change.status != "note":
            console.print_line(f"{change.status:>10}  {change.path}")
    for change in changes:
        if change.status == "manual":
            console.print_line(
                f"\n{change.path} has a shape that is left to its owner; these are the lines:\n\n{change.text}"
            )
    for change in changes:
        if change.status == "note":
            console.print_line(f"\n{change.text}")


def print_changes_as_json(changes: Sequence[Change], *, written: bool) -> None:
    """Print the same as JSON: `written` says whether the files were really changed."""
    console.print_json(
        {
            "written": written,
            "files": [{"status": change.status, "path": change.path} for change in changes if change.path],
            "paste": {change.path: change.text.splitlines() for change in changes if change.status == "manual"},
            "notes": [change.text for change in changes if change.status == "note"],
        }
    )


def print_diff(changes: Sequence[Change]) -> None:
    """Print what each step changes, as a unified diff that `patch -p1` takes."""
    for change in changes:
        if change.after is not None or change.status == "remove":
            old, new = (
                list(io.StringIO((content or b"").decode(errors="replace")))
                for content in (change.before, change.after)
            )  # a line ends at \n alone, as it does to patch
            origin = "/dev/null" if change.before is None else f"a/{change.path}"
            target = "/dev/null" if change.after is None else f"b/{change.path}"
            sys.stdout.writelines(map(_with_line_end, difflib.unified_diff(old, new, origin, target)))


def _with_line_end(line: str) -> str:
    """Return a line of a difference with its end; of a file's last line that has none, it is said."""
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
