"""Output of the tool. Invariant: no other module of the tool writes its results or errors.

Results go to standard output, errors to standard error. With `--json`, the result is one JSON
document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from arlen_runtime.config import command_page


def print_line(text: str) -> None:
    """Print one line of the result."""
    sys.stdout.write(f"{text}\n")


def print_error(text: str) -> None:
    """Print one error line, prefixed with the name of the tool."""
    command_page.print_error("arlen", text)


def print_json(value: object) -> None:
    """Print the whole result as JSON."""
    print_line(json.dumps(value, indent=2, default=str))


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows in columns; each column is as wide as its longest text."""
    widths = {key: max(len(row[key]) for row in rows) for key in rows[0]}
    for row in rows:
        print_line("  ".join(text.ljust(widths[key]) for key, text in row.items()).rstrip())
