"""Asks the server to describe statements and types.

Invariant: the server is asked only while the connection waits for no answer.

The answers are shared by all connections of the process: types in the registry, unnamed statements
in `Descriptions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg.errors import ProgrammingError
from arlen_runtime.alnpg.protocol.description import Description, Descriptions
from arlen_runtime.alnpg.protocol.libpq import Libpq
from arlen_runtime.alnpg.protocol.server_errors import error_from_result
from arlen_runtime.alnpg.protocol.statement import Statement
from arlen_runtime.alnpg.types.registry import LEARN, SHARED, Registry

_COMMAND_OK, _TUPLES_OK = int(ExecStatus.COMMAND_OK), int(ExecStatus.TUPLES_OK)
# The notice `identifier "..." will be truncated to "..."`: the statement would run on another name.
_NAME_CUT = b"42622"


class Describer:
    """Describes statements on one connection. Deadlines are in seconds of `monotonic()`."""

    __slots__ = ("_descriptions", "_libpq", "_registry")

    def __init__(self, libpq: Libpq, registry: Registry, descriptions: Descriptions) -> None:
        self._libpq = libpq
        self._registry = registry
        self._descriptions = descriptions

    def describe(self, statement: Statement, deadline: float) -> None:
        """Prepare and describe a statement in one round trip. Raises ALNPgError.

        An unnamed statement that is already described costs no round trip.
        """
        description = None if statement.name else self._descriptions.get(statement.sql)
        if description is None:
            description = self._describe_at_server(statement.name, statement.text, deadline)
            if not statement.name:
                self._descriptions.keep(statement.sql, description)
        if not all(map(self._registry.is_known, (*description.types, *description.oids))):
            self._learn_types(deadline)
        statement.describe(description, self._registry)

    def _describe_at_server(self, name: bytes, text: str, deadline: float) -> Description:
        """Let the server parse a statement; return its description."""
        started_at = monotonic()
        with self._libpq.notices(_NAME_CUT) as cut_names:
            result = self._libpq.prepare(name, text.encode(), deadline)
        if result.status != _COMMAND_OK:
            raise error_from_result(result, text)
        if cut_names:
            self._libpq.close_prepared(name, deadline)
            raise ProgrammingError(f"a name in the statement is too long: {cut_names[0]}", sql=text)
        return Description.of(result, started_at)

    def update_from(self, statement: Statement, result: PGresult, deadline: float | None) -> bool:
        """Adapt a statement to a result whose columns or types have changed. Raises ALNPgError.

        `deadline` is None if answers are still due, so that the server cannot be asked. Returns
        False if the result cannot be read: a type is unknown, or it came in binary and must be read
        as text.
        """
        description = Description.of(result, statement.described_at)
        # If the columns are the same, the definition of one of their types has changed.
        if statement.matches(result) or not all(map(self._registry.is_known, description.oids)):
            if deadline is None:
                return False
            self._learn_types(deadline)
        return statement.update_from(description, self._registry)

    def forget(self, sql: str) -> None:
        """Drop the description of a statement."""
        self._descriptions.forget(sql)

    def invalidate(self, types: Sequence[int] | None = None) -> None:
        """Let pg_type be read again before the next statement that needs it.

        Does nothing if all of `types` are built-in, which never change.
        """
        if types is None or not all(oid in SHARED for oid in types):
            self._registry.invalidate()

    def _learn_types(self, deadline: float) -> None:
        """Read the database's types into the registry."""
        self._libpq.send(LEARN)
        result = self._libpq.read_result(deadline)
        if result.status != _TUPLES_OK:
            raise error_from_result(result, LEARN.decode())
        self._registry.learn(result.get_value(0, 0) or b"[]")
