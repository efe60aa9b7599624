"""What the server says of a statement. One rule: facts only, so that all connections of a process can share them.

A statement without a name at the server (behind a bouncer) is described once a process, not once a connection: what is sent
after that is Parse, Bind and Execute in one round trip.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg.pq.abc import PGresult

_MOST_SHAPES = 1024


class Description(NamedTuple):
    """What the server says of a statement: types of its parameters, types and names of its columns; and when it said so."""

    types: list[int]
    oids: list[int]
    columns: tuple[str, ...]
    at: float

    @classmethod
    def of(cls, described: PGresult, at: float) -> Description:
        """Read it from a description, or from a result, which has no parameters."""
        columns = range(described.nfields)
        return cls(
            [described.param_type(index) for index in range(described.nparams)],
            [described.ftype(index) for index in columns],
            tuple((described.fname(index) or b"").decode() for index in columns),
            at,
        )


class Descriptions:
    """What the server said of statements that have no name there, for all sessions of a process; the newest 1024."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[str, Description] = {}
        self.get = self._known.get

    def keep(self, sql: str, description: Description) -> None:
        """Remember one."""
        self._known[sql] = description
        for oldest in list(self._known)[:-_MOST_SHAPES]:
            self.forget(oldest)

    def forget(self, sql: str) -> None:
        """Drop one that may be outdated."""
        self._known.pop(sql, None)
