"""Prints the result of a generator run as text, JSON or a diff."""

from __future__ import annotations

import difflib
import io
import sys
from collections.abc import Sequence

from arlen_cli import console
from arlen_cli.generators.plan import Change


def print_changes(changes: Sequence[Change]) -> None:
    """Print one line for each file, then the lines to paste, then the notes."""
    for change in changes:
        if change.status != "note":
            console.print_line(f"{change.status:>10}  {change.path}")
    for change in changes:
        if change.status == "manual":
            console.print_line(
                f"\n{change.path} cannot be edited automatically; edit these lines by hand:\n\n{change.text}"
            )
    for change in changes:
        if change.status == "note":
            console.print_line(f"\n{change.text}")


def print_changes_as_json(changes: Sequence[Change], *, written: bool) -> None:
    """Print the same as JSON; `written` says whether the files were written."""
    console.print_json(
        {
            "written": written,
            "files": [{"status": change.status, "path": change.path} for change in changes if change.path],
            "paste": {change.path: change.text.splitlines() for change in changes if change.status == "manual"},
            "notes": [change.text for change in changes if change.status == "note"],
        }
    )


def print_diff(changes: Sequence[Change]) -> None:
    """Print the changes as a unified diff that `patch -p1` accepts."""
    for change in changes:
        if change.after is not None or change.status == "remove":
            old, new = (
                list(io.StringIO((content or b"").decode(errors="replace")))
                for content in (change.before, change.after)
            )  # only \n ends a line, as in patch
            origin = "/dev/null" if change.before is None else f"a/{change.path}"
            target = "/dev/null" if change.after is None else f"b/{change.path}"
            sys.stdout.writelines(map(_with_line_end, difflib.unified_diff(old, new, origin, target)))


def _with_line_end(line: str) -> str:
    """End a diff line; mark the last line of a file that has no line end."""
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
