"""Reading from a replica. One rule: whoever wrote reads what it wrote.

Within a request a write makes `pg.replica` the primary. From one request to the next the application keeps `pg.position()`, a
place in the primary's log, and `pg.replica_after(position)` is the replica as soon as it has come that far.
"""

from __future__ import annotations

import re

POSITION = "select pg_current_wal_insert_lsn()::text"
"""How far the primary's log has come: everything that is committed lies before it."""

CAUGHT_UP = "select coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)"
"""Whether this server is a replica that has replayed so much."""

# Anything else may write, a WITH included; so do SELECT INTO and EXPLAIN ANALYZE, and a replica locks no rows. A function may
# write too, of which nothing can be seen here.
_READ = re.compile(r"\s*(?:select|values|table|show|explain)\b", re.IGNORECASE)
_WRITES = re.compile(r"\binto\b|\banaly[sz]e\b|\bfor\s+(?:no\s+key\s+update|update|key\s+share|share)\b", re.IGNORECASE)


def only_reads(sql: str) -> bool:
    """Say whether a statement is one that a replica takes, as far as its words tell: in doubt it is not."""
    return _READ.match(sql) is not None and _WRITES.search(sql) is None
