"""What the server says of a statement. One rule: facts only, so that all connections of a process can share them.

A statement without a name at the server (behind a bouncer) is described once a process, not once a connection: what is sent
after that is Parse, Bind and Execute in one round trip.
"""

from __future__ import annotations

from typing import NamedTuple

from psycopg.pq.abc import PGresult

_MAX_DESCRIPTIONS = 1024


class Description(NamedTuple):
    """What the server says of a statement: types of its parameters, types and names of its columns; and when it said so."""

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
    """What the server said of statements that have no name there, for all sessions of a process; the newest 1024."""

    def __init__(self) -> None:
        """Know none."""
        self._descriptions: dict[str, Description] = {}
        self.get = self._descriptions.get

    def keep(self, sql: str, description: Description) -> None:
        """Remember one."""
        self._descriptions[sql] = description
        for oldest in list(self._descriptions)[:-_MAX_DESCRIPTIONS]:
            self.forget(oldest)

    def forget(self, sql: str) -> None:
        """Drop one that may be outdated."""
        self._descriptions.pop(sql, None)
