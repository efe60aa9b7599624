"""The server's descriptions of statements, which all connections of a process can share.

An unnamed statement (behind PgBouncer) is described once per process, not once per connection.
After that, Parse, Bind and Execute go out in one round trip.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg.pq.abc import PGresult

_MAX_DESCRIPTIONS = 1024


class Description(NamedTuple):
    """Types of the parameters, types and names of the columns, and when they were described."""

    types: list[int]
    oids: list[int]
    columns: tuple[str, ...]
    described_at: float

    @classmethod
    def of(cls, result: PGresult, described_at: float) -> Description:
        """Read it from a description, or from a result, which has no parameters."""
        columns = range(result.nfields)
        return cls(
            [result.param_type(index) for index in range(result.nparams)],
            [result.ftype(index) for index in columns],
            tuple((result.fname(index) or b"").decode() for index in columns),
            described_at,
        )


class Descriptions:
    """Descriptions of unnamed statements, for all connections of a process; the newest 1024.

    Several threads use it without a lock: each operation on the dict is atomic, and a description
    that is lost or stored twice costs one round trip.
    """

    def __init__(self) -> None:
        self._descriptions: dict[str, Description] = {}
        self.get = self._descriptions.get

    def keep(self, sql: str, description: Description) -> None:
        """Store a description; drop the oldest ones."""
        self._descriptions[sql] = description
        for oldest in list(self._descriptions)[:-_MAX_DESCRIPTIONS]:
            self.forget(oldest)

    def forget(self, sql: str) -> None:
        """Drop one that may be outdated."""
        self._descriptions.pop(sql, None)
