"""Reading from a replica.

Invariant: a request that has written reads its own writes.

Within a request, a write makes `pg.replica` the primary. Between requests the application keeps
`pg.position()`, a position in the primary's log; `pg.replica_after(position)` returns the replica
once it has replayed the log up to there.
"""

from __future__ import annotations

from itertools import pairwise

from arlen_runtime.alnpg.sql_text import first_word, tokens

POSITION = "select pg_current_wal_insert_lsn()::text"
"""The primary's current log position: everything that is committed lies before it."""

CAUGHT_UP = "select coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)"
"""True if this server is a replica that has replayed the log up to $1."""


# Everything else can write, WITH included. So can SELECT INTO and EXPLAIN ANALYZE, and a replica
# cannot lock rows. A function can write too, but the text of the statement does not show that.
_READING = frozenset({"select", "values", "table", "show", "explain"})
_WRITING = frozenset({"into", "analyze", "analyse"})
_LOCKING = frozenset({("for", "update"), ("for", "no"), ("for", "share"), ("for", "key")})


def only_reads(sql: str) -> bool:
    """Return True if, by its words, a statement only reads. In doubt return False."""
    if first_word(sql) not in _READING:
        return False
    lower = sql.lower()
    if not ("into" in lower or "analy" in lower or "for" in lower):
        return True  # most statements: this runs for each one, and the tokens take 20 times as long
    words = [token.text.lower() for token in tokens(sql) if token.kind == "word"]
    return _WRITING.isdisjoint(words) and _LOCKING.isdisjoint(pairwise(words))
