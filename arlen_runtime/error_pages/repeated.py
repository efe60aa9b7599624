"""Statements that a request ran again and again. One rule: the same text counts as one, whatever its values were.

A query for each row of another query is what makes a page slow without any slow statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from arlen_runtime.scope import StatementRecord

_FEWEST = 3


class RepeatedStatement(NamedTuple):
    """One text: how often it ran, for how many seconds in all, and the places that it was called from."""

    sql: str
    times: int
    seconds: float
    call_sites: tuple[str, ...]


def repeated(statements: Iterable[StatementRecord]) -> list[RepeatedStatement]:
    """Return what ran three times or more, the longest first."""
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
