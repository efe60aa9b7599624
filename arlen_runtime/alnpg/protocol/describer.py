"""What the server says of a statement and of its types. One rule: it is asked only on a connection that waits for no answer.

What it said is kept for all connections of the process: types in the registry, statements without a name in the shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from arlen_runtime.alnpg.protocol.description import Shape, Shapes
from arlen_runtime.alnpg.protocol.libpq import Wire
from arlen_runtime.alnpg.protocol.server_errors import failure
from arlen_runtime.alnpg.protocol.statement import Statement
from arlen_runtime.alnpg.types.registry import LEARN, SHARED, Registry

_COMMAND_OK, _TUPLES_OK = int(ExecStatus.COMMAND_OK), int(ExecStatus.TUPLES_OK)


class Describer:
    """Asks by one connection. Limits are seconds of `monotonic()`."""

    __slots__ = ("_registry", "_shapes", "_wire")

    def __init__(self, wire: Wire, registry: Registry, shapes: Shapes) -> None:
        """Take the connection, and what is known already."""
        self._wire = wire
        self._registry = registry
        self._shapes = shapes

    def describe(self, statement: Statement, limit: float) -> None:
        """Prepare and describe a statement in one round trip; in none where it has no name and is known. Raises ALNPgError."""
        shape = None if statement.name else self._shapes.get(statement.sql)
        if shape is None:
            shape = self._described(statement.name, statement.text, limit)
            if not statement.name:
                self._shapes.keep(statement.sql, shape)
        if not all(map(self._registry.knows, (*shape.types, *shape.oids))):
            self._learn(limit)
        statement.describe(shape, self._registry)

    def _described(self, name: bytes, text: str, limit: float) -> Shape:
        """Have the server parse a statement, and return what it says of it."""
        at = monotonic()
        described = self._wire.prepare(name, text.encode(), limit)
        if described.status != _COMMAND_OK:
            raise failure(described, text)
        return Shape.of(described, at)

    def adopt(self, statement: Statement, result: PGresult, limit: float | None) -> bool:
        """Have a statement read this result, whose columns or types are not what they were. Raises ALNPgError.

        `limit` is None where answers are still due, so that the server cannot be asked. Return False where it cannot be read:
        a type is not known, or the result came in binary and has to be read as text.
        """
        shape = Shape.of(result, statement.described_at)
        # The same columns: then it is what one of their types is made of that has changed.
        if statement.reads(result) or not all(map(self._registry.knows, shape.oids)):
            if limit is None:
                return False
            self._learn(limit)
        return statement.adopt(shape, self._registry)

    def forget(self, sql: str) -> None:
        """Forget what was said of a statement."""
        self._shapes.forget(sql)

    def doubt(self, types: Sequence[int] | None = None) -> None:
        """Have pg_type read again before the next statement that needs it, unless every PostgreSQL shares these types."""
        if types is None or not all(oid in SHARED for oid in types):
            self._registry.forget()

    def _learn(self, limit: float) -> None:
        """Read pg_type."""
        self._wire.send(LEARN)
        answer = self._wire.answer(limit)
        if answer.status != _TUPLES_OK:
            raise failure(answer, LEARN.decode())
        self._registry.learn(answer.get_value(0, 0) or b"[]")
