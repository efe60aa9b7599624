"""What the tool says. One rule: nothing else prints.

Results go to standard output, complaints to standard error. With `--json` a result is one JSON document.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence


def print_line(text: str) -> None:
    """Print a line of the result."""
    sys.stdout.write(f"{text}\n")


def print_error(text: str) -> None:
    """Print a line about what went wrong, after the tool's name."""
    sys.stderr.write(f"arlen: {text}\n")


def print_json(value: object) -> None:
    """Print the whole result as JSON."""
    print_line(json.dumps(value, indent=2, default=str))


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows in columns as wide as their longest text."""
    widths = {key: max(len(row[key]) for row in rows) for key in rows[0]}
    for row in rows:
        print_line("  ".join(text.ljust(widths[key]) for key, text in row.items()).rstrip())
