"""Finds statements that a request ran repeatedly.

Statements with the same text count as one, whatever their values. One query per row of another
query makes a page slow without a slow statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from arlen_runtime.scope import StatementRecord

_FEWEST = 3


class RepeatedStatement(NamedTuple):
    """One statement: how often it ran, its total time in seconds, its call sites."""

    sql: str
    times: int
    seconds: float
    call_sites: tuple[str, ...]


def repeated(statements: Iterable[StatementRecord]) -> list[RepeatedStatement]:
    """Return the statements that ran at least three times, longest total first."""
    by_text: dict[str, list[StatementRecord]] = {}
    for statement in statements:
        by_text.setdefault(statement.sql, []).append(statement)
    repeats = [
        RepeatedStatement(
            sql, len(runs), sum(run.seconds for run in runs), tuple(dict.fromkeys(run.call_site for run in runs))
        )
        for sql, runs in by_text.items()
        if len(runs) >= _FEWEST
    ]
    return sorted(repeats, key=lambda repeat: -repeat.seconds)
