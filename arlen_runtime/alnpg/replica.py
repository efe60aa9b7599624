"""Reading from a replica.

Invariant: a request that has written reads its own writes.

Within a request, a write makes `pg.replica` the primary. Between requests the application keeps
`pg.position()`, a position in the primary's log; `pg.replica_after(position)` returns the replica
once it has replayed the log up to there.
"""

from __future__ import annotations

import re

POSITION = "select pg_current_wal_insert_lsn()::text"
"""The primary's current log position: everything that is committed lies before it."""

CAUGHT_UP = "select coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)"
"""True if this server is a replica that has replayed the log up to $1."""

# Everything else can write, including WITH, SELECT INTO and EXPLAIN ANALYZE; and a replica cannot
# lock rows. A function can write too, but the statement's text does not show that.
_READ = re.compile(r"\s*(?:select|values|table|show|explain)\b", re.IGNORECASE)
_WRITES = re.compile(r"\binto\b|\banaly[sz]e\b|\bfor\s+(?:no\s+key\s+update|update|key\s+share|share)\b", re.IGNORECASE)


def only_reads(sql: str) -> bool:
    """Return True if, by its words, a statement only reads. In doubt return False."""
    return _READ.match(sql) is not None and _WRITES.search(sql) is None
